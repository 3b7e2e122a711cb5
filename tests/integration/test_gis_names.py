"""Columns of any name, read back from every format; what a file names otherwise, the crosswalk tells."""

import csv
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import geopandas
import numpy as np
import pytest
from shapely.geometry import box

from gis_export.description import Written, described
from gis_export.engine import LayerResult, export
from gis_export.formats import ExportFormat, LossKind
from gis_export.gdal import EngineError, load
from gis_export.order import Order
from gis_export.selection import LayerSource, Predicate
from tests.integration.test_gis_losses import KEY, TABULAR, check, opened, table

ROWS = 12
WKT = "WKT"
NUMBERS = [
    "OBJECTID",
    "ogc_fid",
    "fid",
    "rowid",
    "id",
    "visibility",
    "begin",
    "gml_id",
    "Parcel ID",
    "50%",
    "9lives",
    "MAP",
]
TEXTS = [
    "GEOMETRY",
    "SHAPE",
    "geom",
    WKT,
    "Name",
    "Description",
    "timestamp",
    "icon",
    "a,b",
    "a_b",
    "a-b",
    'say "x" & <y>',
    "Größe",
]
RENAMED = {
    ExportFormat.KML: {
        "id": "id_", "visibility": "visibility_", "begin": "begin_", "Description": "description", "icon": "icon_",
        "timestamp": "timestamp_", 'say "x" & <y>': "say _x_ _ _y_",
    },
    ExportFormat.GEOPARQUET: {"GEOMETRY": "GEOMETRY_"},
    ExportFormat.CSV: {WKT: "WKT_"},
    ExportFormat.GML: {
        "gml_id": "gml_id_", "Parcel ID": "Parcel_ID", "50%": "_50_", "9lives": "_9lives", "a,b": "a_b_",
        "a-b": "a_b__", 'say "x" & <y>': "say__x_____y_",
    },
    ExportFormat.SPATIALITE: {"ogc_fid": "ogc_fid_", "rowid": "rowid_"},
    ExportFormat.SHAPEFILE: {"Description": "Descriptio", 'say "x" & <y>': 'say "x" &'},
}  # fmt: skip
FIELDS_OF_SQL = {key: name for key, name in RENAMED[ExportFormat.GML].items() if key != "gml_id"}
RENAMED |= {ExportFormat.MAPINFO: FIELDS_OF_SQL, ExportFormat.FILEGDB: FIELDS_OF_SQL}


def source_of(folder: Path, name: str, columns: dict[str, object]) -> LayerSource:
    squares = [box(-123 + n / 100, 46, -122.99 + n / 100, 46.01) for n in range(ROWS)]
    rows = {KEY: np.arange(ROWS, dtype="int32"), **columns}
    geopandas.GeoDataFrame(rows, geometry=squares, crs=4326).to_file(folder / f"{name}.fgb", driver="FlatGeobuf")
    return LayerSource(name, str(folder / f"{name}.fgb"))


@pytest.fixture
def awkward(tmp_path: Path) -> LayerSource:
    """A layer whose columns are named as formats, and who reads them, name their own, or as files cannot."""
    numbers = {name: np.arange(ROWS, dtype="int32") + 100 * n for n, name in enumerate(NUMBERS)}
    return source_of(tmp_path, "awkward", numbers | {name: [f"{name} {n}" for n in range(ROWS)] for name in TEXTS})


@pytest.mark.parametrize("export_format", TABULAR)
def test_a_column_of_any_name_keeps_its_values(
    awkward: LayerSource, tmp_path: Path, export_format: ExportFormat
) -> None:
    result = export([awkward], tmp_path, "out", export_format)

    (layer,) = result.layers
    check(awkward, result, layer, export_format)
    assert layer.field_crosswalk == RENAMED.get(export_format, {})
    assert {loss.column: loss.kind for loss in layer.losses if loss.column in layer.field_crosswalk} == dict.fromkeys(
        layer.field_crosswalk, LossKind.NAME
    )


@pytest.mark.parametrize("export_format", [ExportFormat.MAPINFO, ExportFormat.GML, ExportFormat.FILEGDB])
def test_a_column_that_is_left_out_does_not_stand_in_for_another(tmp_path: Path, export_format: ExportFormat) -> None:
    source = source_of(tmp_path, "layer", {"Parcel_ID": ["left out"] * ROWS, "Parcel ID": ["asked for"] * ROWS})

    result = export([source], tmp_path, "out", export_format, attributes={"layer": ["Parcel ID"]})

    (column,) = result.layers[0].columns
    assert result.layers[0].field_crosswalk == {"Parcel ID": column}
    assert set(table(opened(result))[column].to_pylist()) == {"asked for"}


def test_gml_is_well_formed_whatever_columns_are_named(awkward: LayerSource, tmp_path: Path) -> None:
    result = export([awkward], tmp_path, "out", ExportFormat.GML)

    with zipfile.ZipFile(result.path) as files:
        roots = [ET.fromstring(files.read(name)) for name in files.namelist() if name.endswith((".gml", ".xsd"))]
    assert len(roots) == 2


@pytest.mark.parametrize("export_format", [ExportFormat.SHAPEFILE, ExportFormat.MAPINFO, ExportFormat.GML])
def test_a_layer_without_columns_is_written(tmp_path: Path, export_format: ExportFormat) -> None:
    source = source_of(tmp_path, "layer", {})

    result = export([source], tmp_path, "out", export_format, attributes={"layer": ()})

    (layer,) = result.layers
    assert (layer.columns, layer.field_crosswalk, layer.record_count) == ((), {}, ROWS)


@pytest.mark.parametrize("named", ["other", WKT])
@pytest.mark.parametrize("where", [None, '"number" >= 6'])
def test_geometry_in_csv_is_in_the_column_that_the_report_names(tmp_path: Path, named: str, where: str | None) -> None:
    source = source_of(tmp_path, "layer", {named: ["text"] * ROWS})

    result = export([LayerSource(source.name, source.path, where=where)], tmp_path, "out", ExportFormat.CSV)

    with result.path.open(encoding="utf-8", newline="") as file:
        header, first, *_ = csv.reader(file)
    assert header == [WKT, KEY, result.layers[0].field_crosswalk.get(named, named)]
    assert len({name.casefold() for name in header}) == len(header)
    assert first[0].startswith("MULTIPOLYGON")
    assert any("in the column WKT;" in warning for warning in result.layers[0].warnings)
    assert "POLYGON" in str(geopandas.read_file(result.path).geometry.iloc[0])


def test_a_file_with_other_columns_than_were_written_fails_the_layer_alone(tmp_path: Path) -> None:
    source = source_of(tmp_path, "layer", {"kept": ["text"] * ROWS})
    order = Order(ExportFormat.FLATGEOBUF, "EPSG:4326", None, Predicate.INTERSECTS, None)
    columns = {KEY: "Integer", "kept": "String", "lost": "String"}
    written = Written(LayerResult("layer", ROWS, "MultiPolygon", (), {}), columns, {})

    with pytest.raises(EngineError, match="'layer' has 2 columns in the file, and 3 to write"):
        described(load(), order, written, Path(source.path), 0)


def test_an_error_names_files_by_their_bare_names(tmp_path: Path) -> None:
    (tmp_path / "broken.fgb").write_bytes(b"nothing")
    folder = tmp_path / "out"
    folder.mkdir()

    with pytest.raises(EngineError) as raised:
        export([LayerSource("layer", str(tmp_path / "broken.fgb"))], folder, "out", ExportFormat.GPKG)

    assert "broken.fgb" in str(raised.value)
    assert str(tmp_path) not in str(raised.value)
