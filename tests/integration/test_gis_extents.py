"""The box around a layer in its file, for every format that says where features are."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
from shapely.geometry import box

from gis_export import extents
from gis_export.area import parse
from gis_export.engine import export
from gis_export.features import features
from gis_export.formats import FORMATS, ExportFormat
from gis_export.selection import LayerSource, Predicate

ROWS = 12
CLIP = (-122.955, 46.002, -122.905, 46.008)
GRID = 0.02
"""MapInfo's, in feet."""


@pytest.fixture
def frame() -> geopandas.GeoDataFrame:
    squares = [box(-123 + n / 100, 46, -122.99 + n / 100, 46.01) for n in range(ROWS)]
    return geopandas.GeoDataFrame({"number": np.arange(ROWS, dtype="int32")}, geometry=squares, crs=4326)


@pytest.mark.parametrize("part", ["all", "filter", "clip", "none"])
@pytest.mark.parametrize("export_format", [name for name in ExportFormat if FORMATS[name].has_coordinates])
def test_every_file_with_coordinates_has_an_extent(
    frame: geopandas.GeoDataFrame, tmp_path: Path, export_format: ExportFormat, part: str
) -> None:
    frame.to_file(tmp_path / "layer.fgb", driver="FlatGeobuf")
    where = {"filter": '"number" >= 6', "none": '"number" > 100'}.get(part)
    clipped: dict[str, Any] = {
        "area": parse({"type": "bbox", "coordinates": list(CLIP)}),
        "predicate": Predicate.CLIP,
    }
    crs = FORMATS[export_format].forced_crs or "EPSG:2927"
    source = LayerSource("layer", str(tmp_path / "layer.fgb"), where=where)

    result = export([source], tmp_path, "out", export_format, crs=crs, **(clipped if part == "clip" else {}))

    selected = {"filter": frame[frame["number"] >= 6], "clip": frame.clip(CLIP), "none": frame.iloc[:0]}
    wanted = selected.get(part, frame).to_crs(crs)
    close = 1e-7 if crs == "EPSG:4326" else GRID
    expected = None if wanted.empty else pytest.approx(tuple(wanted.total_bounds), abs=close)
    assert result.layers[0].extent == expected


@pytest.mark.parametrize(("crs", "read"), [("EPSG:2927", 0.5), ("EPSG:4326", 0.2), ("EPSG:3573", 3.0)])
def test_a_large_layer_is_looked_at_along_its_edges(
    tmp_path: Path, crs: str, read: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EPSG:3573 looks at these longitudes from beside the pole: what lies within need not lie within the edges' box."""
    places = [(x, y) for x in range(40) for y in range(40)]
    squares = [box(-119.5 + x / 100, 46 + y / 100, -119.492 + x / 100, 46.008 + y / 100) for x, y in places]
    frame = geopandas.GeoDataFrame({"number": np.arange(1600, dtype="int32")}, geometry=squares, crs=4326)
    frame.to_file(tmp_path / "layer.fgb", driver="FlatGeobuf")
    looked_at = 0

    def counted(library: Any, layer: int) -> Iterator[int]:
        nonlocal looked_at
        for feature in features(library, layer):
            looked_at += 1
            yield feature

    monkeypatch.setattr(extents, "features", counted)
    result = export([LayerSource("layer", str(tmp_path / "layer.fgb"))], tmp_path, "out", ExportFormat.CSV, crs=crs)

    close = 1e-7 if crs == "EPSG:4326" else 0.01
    assert result.layers[0].extent == pytest.approx(tuple(frame.to_crs(crs).total_bounds), abs=close)
    assert 0 < looked_at <= read * len(frame)


def test_a_table_has_no_extent(frame: geopandas.GeoDataFrame, tmp_path: Path) -> None:
    frame.to_file(tmp_path / "layer.fgb", driver="FlatGeobuf")

    result = export([LayerSource("layer", str(tmp_path / "layer.fgb"))], tmp_path, "out", ExportFormat.XLSX)

    assert result.layers[0].extent is None
