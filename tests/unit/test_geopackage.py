"""GeoPackages that we write are read by GDAL, with geometry, types, extents and index."""

import sqlite3
from datetime import UTC, date, datetime
from pathlib import Path

import geopandas
import pytest

from terrafusion.geopackage import FeatureTable, GeometryKind, write
from tests.conftest import ogrinfo

SQUARE = [
    [(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0), (0.0, 0.0)],
    [(0.5, 0.5), (0.5, 1.0), (1.0, 1.0), (0.5, 0.5)],
]
TRIANGLE = [[(5.0, 5.0), (6.0, 5.0), (5.0, 6.0), (5.0, 5.0)]]
AREAS = FeatureTable(
    "areas",
    GeometryKind.MULTI_POLYGON,
    {
        "name": ["Ünten 'x'", None, "c"],
        "sales": [3, None, 5],
        "price": [1.5, None, 2],
        "thin": [True, False, True],
        "day": [date(2025, 1, 2), None, date(2025, 1, 3)],
    },
    [[SQUARE, TRIANGLE], None, [TRIANGLE]],
)
POINTS = FeatureTable("points", GeometryKind.POINT, {"label": ["a", "b"]}, [(-119.3, 46.25), (-119.2, 46.2)])


@pytest.fixture
def package(tmp_path: Path) -> Path:
    path = tmp_path / "result.gpkg"
    write(path, [AREAS, POINTS], datetime(2026, 1, 1, tzinfo=UTC))
    return path


def test_geopandas_reads_what_was_written(package: Path) -> None:
    areas = geopandas.read_file(package, layer="areas")
    assert areas.crs.to_epsg() == 4326
    assert areas.name.tolist()[0] == "Ünten 'x'"
    assert areas.sales.tolist()[::2] == [3, 5]
    assert areas.price.tolist()[::2] == [1.5, 2.0]
    assert areas.thin.astype(bool).tolist() == [True, False, True]
    assert areas.day.dt.date.tolist()[0] == date(2025, 1, 2)
    assert areas.geometry[0].area == pytest.approx(4 - 0.125 + 0.5)
    assert areas.geometry[0].is_valid
    assert areas.geometry[1] is None
    points = geopandas.read_file(package, layer="points")
    assert [(p.x, p.y) for p in points.geometry] == [(-119.3, 46.25), (-119.2, 46.2)]


def test_a_box_selects_through_the_index(package: Path) -> None:
    assert len(geopandas.read_file(package, layer="areas", bbox=(1.5, 1.5, 1.6, 1.6))) == 1
    with sqlite3.connect(package) as database:
        assert database.execute("SELECT count(*) FROM rtree_areas_geom").fetchone() == (2,)


def test_ogrinfo_knows_extent_type_and_reference(package: Path) -> None:
    text = ogrinfo("-so", "-al", str(package))
    assert "Geometry: Multi Polygon" in text
    assert "Extent: (0.000000, 0.000000) - (6.000000, 6.000000)" in text
    assert 'ID["EPSG",4326]' in text
    assert "thin: Integer(Boolean)" in text
    assert "day: Date" in text


def test_an_edit_through_gdal_keeps_the_index_true(package: Path) -> None:
    more = geopandas.read_file(package, layer="points").to_crs(4326)
    more.to_file(package, layer="points", mode="a")
    with sqlite3.connect(package) as database:
        assert database.execute("SELECT count(*) FROM rtree_points_geom").fetchone() == (4,)


def test_the_same_layers_are_the_same_bytes(package: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.gpkg"
    write(again, [AREAS, POINTS], datetime(2026, 1, 1, tzinfo=UTC))
    assert again.read_bytes() == package.read_bytes()


@pytest.mark.parametrize(
    ("columns", "message"), [({"a": [1]}, "a has 1 values for 2 features"), ({"Geom": [1, 2]}, "cannot have a column")]
)
def test_wrong_columns_are_refused(tmp_path: Path, columns: dict[str, list[int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write(tmp_path / "x.gpkg", [FeatureTable("t", GeometryKind.POINT, columns, [(0.0, 0.0), (1.0, 1.0)])])
