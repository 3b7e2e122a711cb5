"""The export engine, its files read back with other tools and compared value by value."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pyarrow.parquet
import pyogrio
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry import Point, box, shape

from gis_export.area import parse
from gis_export.engine import Cancelled, export
from gis_export.formats import ExportFormat
from gis_export.gdal import EngineError
from gis_export.selection import LayerSource
from gis_export.target import Watch
from tests.conftest import ogrinfo

ROWS = 400
CRS = "EPSG:2927"
TABLE_FORMATS = (ExportFormat.GPKG, ExportFormat.FLATGEOBUF, ExportFormat.GEOPARQUET, ExportFormat.FILEGDB)


@pytest.fixture(scope="module")
def frame() -> geopandas.GeoDataFrame:
    """A grid of touching squares, 30 km wide, with a column of every type and every wart."""
    side = int(ROWS**0.5)
    squares = [box(1.9e6 + x * 5000, 3e5 + y * 5000, 1.9e6 + (x + 1) * 5000, 3e5 + (y + 1) * 5000)
               for x in range(side) for y in range(side)]  # fmt: skip
    number = np.arange(len(squares))
    return geopandas.GeoDataFrame(
        {
            "number": number.astype("int32"),
            "big": 2**53 + 1 + 2 * number,
            "ratio": number / 7,
            "text": [f"Größe {n} “Peña”" if n % 5 else None for n in number],
            "flag": number % 2 == 0,
            "a_rather_long_name": [f"row {n}" for n in number],
            "a_rather_long_nick": [f"nick {n}" for n in number],
            "moment": pd.to_datetime("2024-03-01T12:30:15Z") + pd.to_timedelta(number, "h"),
            "day": pd.to_datetime("2020-02-29") + pd.to_timedelta(number, "D"),
            "fid": number * 10,
            "geom": [f"g{n}" for n in number],
        },
        geometry=squares,
        crs=CRS,
    )


@pytest.fixture(scope="module")
def source(frame: geopandas.GeoDataFrame, tmp_path_factory: pytest.TempPathFactory) -> LayerSource:
    path = tmp_path_factory.mktemp("source") / "grid.fgb"
    frame.to_file(path, driver="FlatGeobuf")
    return LayerSource("grid", str(path), {"day": "Date"})


def read(path: Path, inner: str = "") -> geopandas.GeoDataFrame:
    if path.suffix == ".parquet":
        return geopandas.read_parquet(path)
    return geopandas.read_file(f"/vsizip/{path}/{inner}" if path.suffix == ".zip" else path)


def member(path: Path) -> str:
    names = zipfile.ZipFile(path).namelist()
    return next((n.split("/")[0] for n in names if ".gdb/" in n), next((n for n in names if n.endswith(".shp")), ""))


@pytest.mark.parametrize("export_format", TABLE_FORMATS)
def test_every_value_survives_where_the_format_can_hold_it(
    source: LayerSource, frame: geopandas.GeoDataFrame, tmp_path: Path, export_format: ExportFormat
) -> None:
    result = export([source], tmp_path, "out", export_format, crs=CRS)

    made = read(result.path, member(result.path) if result.path.suffix == ".zip" else "").sort_values("number")
    for column in ("number", "ratio", "text", "flag", "a_rather_long_name", "fid", "geom"):
        assert [None if pd.isna(v) else v for v in made[column]] == [
            None if pd.isna(v) else v for v in frame[column]
        ], column
    assert [int(v) for v in made["big"]] == list(frame["big"])
    assert list(pd.to_datetime(made["moment"], utc=True)) == list(frame["moment"])
    assert list(pd.to_datetime(made["day"]).dt.date) == list(frame["day"].dt.date)
    # vertices may come in another order; the squares are the same
    assert shapely.equals(made.geometry.values, frame.geometry.values).all() or (
        shapely.hausdorff_distance(made.geometry.values, frame.geometry.values).max() < 1e-3
    )


@pytest.mark.parametrize("export_format", [ExportFormat.GPKG, ExportFormat.SHAPEFILE, ExportFormat.FILEGDB])
def test_dates_are_dates_in_the_file(source: LayerSource, tmp_path: Path, export_format: ExportFormat) -> None:
    result = export([source], tmp_path, "out", export_format)

    inner = f"/vsizip/{result.path}/{member(result.path)}" if result.path.suffix == ".zip" else str(result.path)
    info = ogrinfo("-so", "-al", inner)
    wanted = "DateTime" if export_format is ExportFormat.FILEGDB else "Date"
    assert f"day: {wanted} " in info
    assert f"Feature Count: {ROWS}" in info


def test_what_a_format_has_no_type_for_is_told(source: LayerSource, tmp_path: Path) -> None:
    result = export([source], tmp_path, "out", ExportFormat.FLATGEOBUF)

    assert "column 'day' is DateTime in the file, and was Date" in result.layers[0].warnings


def test_geoparquet_keeps_dates_and_says_nothing(source: LayerSource, tmp_path: Path) -> None:
    result = export([source], tmp_path, "out", ExportFormat.GEOPARQUET)

    schema = pyarrow.parquet.read_schema(result.path)
    assert str(schema.field("day").type) == "date32[day]"
    assert str(schema.field("moment").type) == "timestamp[ms, tz=UTC]"
    assert result.layers[0].warnings == ()


def test_points_stay_points(tmp_path: Path) -> None:
    frame = geopandas.GeoDataFrame({"n": [1, 2]}, geometry=[Point(0, 0), Point(1, 1)], crs=4326)
    frame.to_file(tmp_path / "p.fgb", driver="FlatGeobuf")

    result = export([LayerSource("p", str(tmp_path / "p.fgb"))], tmp_path, "out", ExportFormat.GPKG)

    assert result.layers[0].geometry_type == "Point"
    assert set(read(result.path).geom_type) == {"Point"}


def test_a_shapefile_says_what_it_lost_and_gives_the_crosswalk(source: LayerSource, tmp_path: Path) -> None:
    result = export([source], tmp_path, "out", ExportFormat.SHAPEFILE)

    (layer,) = result.layers
    written = pyogrio.read_info(f"/vsizip/{result.path}/{member(result.path)}")["fields"]
    assert set(layer.field_crosswalk) == {"a_rather_long_name", "a_rather_long_nick"}
    assert len(set(layer.field_crosswalk.values())) == 2
    assert set(layer.field_crosswalk.values()) <= set(written)
    told = " ".join(layer.warnings)
    for name in ("a_rather_long_name", "a_rather_long_nick", "moment", "big"):
        assert name in told
    names = zipfile.ZipFile(result.path).namelist()
    assert {Path(n).suffix for n in names} == {".shp", ".shx", ".dbf", ".prj", ".cpg"}
    made = read(result.path, member(result.path)).set_index("number")
    assert made["text"][1] == "Größe 1 “Peña”"


def test_text_longer_than_a_shapefile_holds_is_told(tmp_path: Path) -> None:
    frame = geopandas.GeoDataFrame({"essay": ["x" * 400, "y"]}, geometry=[Point(0, 0), Point(1, 1)], crs=4326)
    frame.to_file(tmp_path / "s.fgb", driver="FlatGeobuf")

    result = export([LayerSource("s", str(tmp_path / "s.fgb"))], tmp_path, "out", ExportFormat.SHAPEFILE)

    assert any("essay" in warning and "254" in warning for warning in result.layers[0].warnings)


def test_geojson_is_rfc_7946(source: LayerSource, tmp_path: Path) -> None:
    result = export([source], tmp_path, "out", ExportFormat.GEOJSON)

    document = json.loads(result.path.read_text())
    assert "crs" not in document
    feature = document["features"][1]
    assert feature["properties"]["big"] in {2**53 + 1 + 2 * n for n in range(ROWS)}
    assert all(len(str(x).partition(".")[2]) <= 7 for x, _ in feature["geometry"]["coordinates"][0][0])


@pytest.mark.parametrize("export_format", ExportFormat)
def test_an_empty_selection_is_an_empty_file_that_opens(
    source: LayerSource, tmp_path: Path, export_format: ExportFormat
) -> None:
    nowhere = parse({"type": "bbox", "coordinates": [10, 50, 10.1, 50.1]})

    result = export([source], tmp_path, "out", export_format, area=nowhere)

    assert result.layers[0].record_count == 0
    assert any("no feature was selected" in warning for warning in result.layers[0].warnings)
    is_nothing = export_format is ExportFormat.GEOJSONSEQ  # a sequence of no features
    assert result.path.stat().st_size == result.size_bytes
    assert (result.size_bytes == 0) is is_nothing
    if export_format is ExportFormat.GEOPARQUET:
        assert len(geopandas.read_parquet(result.path)) == 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(corners=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=8, unique=True))
def test_an_area_selects_what_geopandas_selects(
    source: LayerSource, frame: geopandas.GeoDataFrame, tmp_path_factory: pytest.TempPathFactory, corners: Any
) -> None:
    """Whatever the polygon: the grid is 30 km wide, so that a straight edge in degrees bows by metres in feet."""
    there = frame.to_crs(4326)
    west, south, east, north = there.total_bounds
    points = [(west + x * (east - west), south + y * (north - south)) for x, y in corners]
    polygon = shapely.convex_hull(shapely.MultiPoint(points))
    if polygon.geom_type != "Polygon" or polygon.area < 1e-9:
        return
    area = parse(shapely.geometry.mapping(polygon))

    result = export(
        [source],
        tmp_path_factory.mktemp("area"),
        "out",
        ExportFormat.FLATGEOBUF,
        area=area,
        attributes={"grid": ["number"]},
    )

    made = geopandas.read_file(result.path)
    drawn = shape(area.geojson)
    sure = shapely.area(shapely.intersection(there.geometry.values, drawn)) > 1e-12
    possible = shapely.distance(there.geometry.values, drawn) < 1e-9
    selected = set(made["number"]) if len(made) else set()
    assert set(there[sure]["number"]) <= selected <= set(there[possible]["number"])


def test_a_wide_box_selects_by_degrees_and_not_by_feet(tmp_path: Path) -> None:
    """Points on both sides of the curve that a parallel is in the projected CRS, two metres off the chord at most."""
    longitudes = np.linspace(-119.5, -119.3, 101)
    points = [Point(x, 46.25 + offset) for x in longitudes for offset in (-1e-6, 1e-6)]
    frame = geopandas.GeoDataFrame({"inside": [i % 2 for i in range(len(points))]}, geometry=points, crs=4326)
    frame.to_crs(CRS).to_file(tmp_path / "p.fgb", driver="FlatGeobuf")
    area = parse({"type": "bbox", "coordinates": [-119.6, 46.25, -119.2, 46.4]})

    result = export([LayerSource("p", str(tmp_path / "p.fgb"))], tmp_path, "out", ExportFormat.GPKG, area=area)

    assert list(read(result.path)["inside"].unique()) == [1]
    assert result.layers[0].record_count == 101


@pytest.mark.parametrize("area", [None, {"type": "bbox", "coordinates": [-121, 45, -118, 48]}])
def test_progress_grows_to_one(source: LayerSource, tmp_path: Path, area: Any) -> None:
    seen: list[float] = []

    def note(fraction: float) -> bool:
        seen.append(fraction)
        return True

    twice = LayerSource("again", source.path)
    export([source, twice], tmp_path, "out", ExportFormat.GPKG, area=parse(area) if area else None, progress=note)

    assert seen == sorted(seen)
    assert seen[-1] == 1
    assert len(seen) > 50


@pytest.mark.parametrize("export_format", ExportFormat)
@pytest.mark.parametrize("after", [0.0, 0.4, 0.9])
def test_stopped_work_leaves_nothing(
    source: LayerSource, tmp_path: Path, export_format: ExportFormat, after: float
) -> None:
    with pytest.raises(Cancelled):
        export([source], tmp_path, "out", export_format, progress=lambda fraction: fraction < after)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", ["features", "counting", "Checksums", "Packing"])
def test_every_step_can_be_stopped_and_leaves_nothing(source: LayerSource, tmp_path: Path, step: str) -> None:
    seen: list[str] = []

    def goes_on(_: float) -> bool:
        seen.append(watch.step)
        return step not in watch.step

    watch = Watch(goes_on)

    with pytest.raises(Cancelled):
        export([source], tmp_path, "out", ExportFormat.MAPINFO, progress=watch)

    assert step in seen[-1]
    assert sum(step in text for text in seen) == 1
    assert list(tmp_path.iterdir()) == []


def test_geoparquet_s_second_pass_can_be_stopped(source: LayerSource, tmp_path: Path) -> None:
    asked = 0

    def goes_on(fraction: float) -> bool:
        nonlocal asked
        asked += fraction == 1
        return asked < ends

    ends = 1_000
    export([source], tmp_path, "whole", ExportFormat.GEOPARQUET, progress=goes_on)
    before, asked, ends = asked, 0, asked - 1  # the last is the checksum's, the one before it a batch's

    with pytest.raises(Cancelled):
        export([source], tmp_path, "out", ExportFormat.GEOPARQUET, progress=goes_on)

    assert before > 2
    assert [path.name for path in tmp_path.iterdir()] == ["whole.parquet"]


def test_a_damaged_source_is_an_error_and_leaves_nothing(source: LayerSource, tmp_path: Path) -> None:
    whole = Path(source.path).read_bytes()
    damaged = tmp_path / "damaged.fgb"
    damaged.write_bytes(whole[: len(whole) * 2 // 3])
    target = tmp_path / "target"
    target.mkdir()

    with pytest.raises(EngineError):
        export([LayerSource("damaged", str(damaged))], target, "out", ExportFormat.GPKG)

    assert list(target.iterdir()) == []


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"nowhere\.fgb"):
        export([LayerSource("x", str(tmp_path / "nowhere.fgb"))], tmp_path, "out", ExportFormat.GPKG)


def test_the_same_export_is_the_same_zip(source: LayerSource, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    first = export([source], tmp_path / "a", "out", ExportFormat.SHAPEFILE)
    second = export([source], tmp_path / "b", "out", ExportFormat.SHAPEFILE)

    assert first.sha256 == second.sha256


HEAVY = {"numpy", "pandas", "pyogrio", "shapely", "pyarrow", "duckdb", "fastapi"}
"""What no worker of exports imports; its engine does without AWS and without documents, too."""


@pytest.mark.parametrize("export_format", ["GPKG", "Shapefile", "GeoParquet"])
@pytest.mark.parametrize(("entry", "heavy"), [("worker", HEAVY), ("engine", {*HEAVY, "boto3", "botocore", "pydantic"})])
def test_heavy_packages_are_not_imported(
    source: LayerSource, tmp_path: Path, export_format: str, entry: str, heavy: set[str]
) -> None:
    script = (
        f"import sys; from pathlib import Path; import gis_export.{entry}; from gis_export.engine import export; "
        "from gis_export.selection import LayerSource; from gis_export.formats import ExportFormat; "
        f"source, folder = LayerSource('grid', {source.path!r}), Path({str(tmp_path)!r}); "
        f"export([source], folder, 'o', ExportFormat('{export_format}')); "
        f"print(sorted({heavy!r} & set(sys.modules)))"
    )
    path = os.pathsep.join(sys.path)

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}
    )

    assert done.stdout.strip() == "[]", done.stderr
