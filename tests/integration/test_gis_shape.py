"""Simplification, precision and repair: neighbours still share their edges, coordinates lie on the grid asked for."""

import itertools
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
from shapely.geometry import LineString, Polygon

from gis_export import crs
from gis_export.engine import Cancelled, export
from gis_export.formats import ExportFormat
from gis_export.gdal import TooLarge
from gis_export.selection import LayerSource
from gis_export.stages import Shape

CRS = "EPSG:2927"


def wavy(start: tuple[float, float], end: tuple[float, float]) -> list[tuple[float, float]]:
    """An edge with many small bends, the same whoever draws it, in whichever direction."""
    low, high = sorted((start, end))
    steps = np.linspace(0, 1, 40)
    x, y = (low[0] + steps * (high[0] - low[0]), low[1] + steps * (high[1] - low[1]))
    swing = np.sin(steps * np.pi * 6) * 8
    points = list(zip(x + (low[0] == high[0]) * swing, y + (low[1] == high[1]) * swing, strict=True))
    return points if start == low else points[::-1]


@pytest.fixture(scope="module")
def frame() -> geopandas.GeoDataFrame:
    """Cells with wavy edges that fit each other exactly."""
    cells = []
    for column in range(8):
        for row in range(8):
            west, south = 1.9e6 + column * 500, 3e5 + row * 500
            corners = [
                (west, south),
                (west + 500, south),
                (west + 500, south + 500),
                (west, south + 500),
                (west, south),
            ]
            ring = [p for a, b in itertools.pairwise(corners) for p in wavy(a, b)[:-1]]
            cells.append(Polygon(ring))
    return geopandas.GeoDataFrame({"number": range(64)}, geometry=cells, crs=CRS)


@pytest.fixture(scope="module")
def source(frame: geopandas.GeoDataFrame, tmp_path_factory: pytest.TempPathFactory) -> LayerSource:
    path = tmp_path_factory.mktemp("cells") / "cells.fgb"
    frame.to_file(path, driver="FlatGeobuf")
    return LayerSource("cells", str(path))


def simplified(source: LayerSource, folder: Path, shape: Shape, to: str = CRS, **more: Any) -> geopandas.GeoDataFrame:
    result = export([source], folder, "out", ExportFormat.GPKG, crs=to, shape=shape, **more)
    return geopandas.read_file(result.path).sort_values("number").reset_index(drop=True)


@pytest.mark.parametrize("tolerance", [5.0, 20.0, 60.0])
def test_simplified_neighbours_still_share_their_edges(
    source: LayerSource, frame: geopandas.GeoDataFrame, tmp_path: Path, tolerance: float
) -> None:
    made = simplified(source, tmp_path, Shape(tolerance=tolerance))

    assert list(made["number"]) == list(frame["number"])
    assert (
        shapely.get_num_coordinates(made.geometry.values).sum()
        < shapely.get_num_coordinates(frame.geometry.values).sum()
    )
    assert shapely.coverage_is_valid(made.geometry.explode().values)
    overlaps = made.area.sum() - shapely.area(shapely.union_all(made.geometry.values))
    assert abs(overlaps) < 1e-3
    expected = shapely.coverage_simplify(frame.geometry.values, tolerance)
    assert made.area.values == pytest.approx(shapely.area(expected), rel=1e-9)


def test_the_tolerance_is_in_units_of_the_target(
    source: LayerSource, frame: geopandas.GeoDataFrame, tmp_path: Path
) -> None:
    made = simplified(source, tmp_path, Shape(tolerance=0.0002), to="EPSG:4326")

    there = frame.to_crs(4326)
    expected = shapely.coverage_simplify(there.geometry.values, 0.0002)
    assert shapely.get_num_coordinates(made.geometry.values).sum() == pytest.approx(
        shapely.get_num_coordinates(expected).sum(), rel=0.02
    )
    assert shapely.coverage_is_valid(made.geometry.explode().values)


@pytest.mark.parametrize(("to", "decimals"), [(CRS, 0), (CRS, 2), ("EPSG:4326", 5)])
@pytest.mark.parametrize("export_format", [ExportFormat.GPKG, ExportFormat.GEOJSON, ExportFormat.GEOPARQUET])
def test_coordinates_have_the_decimals_asked_for(
    source: LayerSource,
    frame: geopandas.GeoDataFrame,
    tmp_path: Path,
    to: str,
    decimals: int,
    export_format: ExportFormat,
) -> None:
    result = export([source], tmp_path, "out", export_format, crs=to, shape=Shape(precision=decimals))

    read = geopandas.read_parquet if export_format is ExportFormat.GEOPARQUET else geopandas.read_file
    made = read(result.path).sort_values("number").reset_index(drop=True)
    coordinates = shapely.get_coordinates(made.geometry.values)
    assert np.abs(coordinates - np.round(coordinates, decimals)).max() < 1e-9
    assert shapely.hausdorff_distance(made.geometry.values, frame.to_crs(to).geometry.values).max() < 10.0**-decimals
    assert shapely.is_valid(made.geometry.values).all()


def test_what_a_coarse_grid_would_swallow_stays(tmp_path: Path) -> None:
    small = geopandas.GeoDataFrame({"number": [1]}, geometry=[shapely.box(0.1, 0.1, 0.2, 0.2)], crs=CRS)
    small.to_file(tmp_path / "s.fgb", driver="FlatGeobuf")

    made = simplified(LayerSource("s", str(tmp_path / "s.fgb")), tmp_path, Shape(precision=0))

    assert made.area[0] == pytest.approx(0.01)


def test_lines_are_simplified_one_by_one(tmp_path: Path) -> None:
    line = LineString(wavy((0.0, 0.0), (500.0, 0.0)))
    geopandas.GeoDataFrame({"number": [1]}, geometry=[line], crs=CRS).to_file(tmp_path / "l.fgb", driver="FlatGeobuf")

    made = simplified(LayerSource("l", str(tmp_path / "l.fgb")), tmp_path, Shape(tolerance=10.0))

    assert 2 <= shapely.get_num_coordinates(made.geometry.values[0]) < 10


def test_what_is_invalid_is_repaired_when_asked(tmp_path: Path) -> None:
    bow = Polygon([(0, 0), (10, 10), (10, 0), (0, 10), (0, 0)])
    geopandas.GeoDataFrame({"number": [1]}, geometry=[bow], crs=CRS).to_file(tmp_path / "b.fgb", driver="FlatGeobuf")
    source = LayerSource("b", str(tmp_path / "b.fgb"))

    made = simplified(source, tmp_path, Shape(make_valid=True))

    assert made.geometry.is_valid.all()
    assert made.area[0] == pytest.approx(50)


def test_more_polygons_than_memory_holds_are_refused(
    source: LayerSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gis_export.stages.MAX_FEATURES", 10)

    with pytest.raises(TooLarge, match=r"64 polygons.*10"):
        simplified(source, tmp_path, Shape(tolerance=5.0))

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("after", [0.0, 0.2, 0.5, 0.8])
def test_a_stop_in_any_stage_leaves_nothing(source: LayerSource, tmp_path: Path, after: float) -> None:
    with pytest.raises(Cancelled):
        simplified(source, tmp_path, Shape(tolerance=5.0, precision=1), progress=lambda fraction: fraction < after)

    assert list(tmp_path.iterdir()) == []


def test_progress_grows_through_the_stages(source: LayerSource, tmp_path: Path) -> None:
    seen: list[float] = []

    def note(fraction: float) -> bool:
        seen.append(fraction)
        return True

    simplified(source, tmp_path, Shape(tolerance=5.0, precision=1), progress=note)

    assert seen == sorted(seen)
    assert seen[-1] == 1


@pytest.mark.parametrize(
    ("source_crs", "target", "metres"),
    [
        ("EPSG:2927", "EPSG:2927", 0.1),
        ("EPSG:4326", "EPSG:3857", 0.1),
        ("EPSG:2927", "EPSG:4326", 1),
        ("EPSG:2927", "EPSG:4267", 10),
    ],
)
def test_the_accuracy_of_a_change_of_datum_is_known(source_crs: str, target: str, metres: float) -> None:
    assert crs.accuracy(source_crs, target) == metres
    assert (crs.shift_warning(source_crs, target) is None) is (metres == 0.1)
