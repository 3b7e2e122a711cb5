"""The box around a layer in its file, for every format that says where features are."""

from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
from shapely.geometry import box

from gis_export.area import parse
from gis_export.engine import export
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


def test_a_table_has_no_extent(frame: geopandas.GeoDataFrame, tmp_path: Path) -> None:
    frame.to_file(tmp_path / "layer.fgb", driver="FlatGeobuf")

    result = export([LayerSource("layer", str(tmp_path / "layer.fgb"))], tmp_path, "out", ExportFormat.XLSX)

    assert result.layers[0].extent is None
