"""A layer's style comes with its exports so that QGIS finds it: in a GeoPackage's table, or beside the data."""

import sqlite3
import zipfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import geopandas
import pyogrio
import pytest
from shapely import Point

from cli.loading import LoadError, prepare
from cli.loading.styles import MAX_BYTES, read_style
from gis_export.engine import export
from gis_export.formats import FORMATS, ExportFormat
from gis_export.selection import LayerSource
from local.sample import STYLES, write
from tests.conftest import ogrinfo

QGIS_COLUMNS = {
    "id", "f_table_catalog", "f_table_schema", "f_table_name", "f_geometry_column", "styleName", "styleQML",
    "styleSLD", "useAsDefault", "description", "owner", "ui", "update_time",
}  # fmt: skip
"""Of the table as QGIS makes it."""
BESIDE = [
    name
    for name in ExportFormat
    if FORMATS[name].holds_attributes and FORMATS[name].holds_geometry and name is not ExportFormat.GPKG
]
DECLARED = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LayerSource]:
    """The sample county's parcels and zoning, loaded with their styles."""
    folder = tmp_path_factory.mktemp("styled")
    files = write(folder, parcels=300)
    made = {}
    for name, style in STYLES.items():
        prepared = prepare(files.geopackage, name, folder / name, style=style)
        assert prepared.manifest.file("style.qml") is not None
        text = (prepared.directory / "style.qml").read_text()
        made[name] = LayerSource(name, str(prepared.directory / "data.fgb"), style=text)
    return made


def drawn_by(style: str) -> tuple[str, set[str]]:
    """The column that a style draws by, and the values that it knows."""
    renderer = ET.fromstring(style).find("renderer-v2")
    assert renderer is not None
    symbols = {symbol.get("name") for symbol in renderer.iter("symbol")}
    assert {category.get("symbol") for category in renderer.iter("category")} <= symbols
    return str(renderer.get("attr")), {str(category.get("value")) for category in renderer.iter("category")}


def test_a_geopackage_opens_styled(sources: dict[str, LayerSource], tmp_path: Path) -> None:
    result = export(list(sources.values()), tmp_path, "out", ExportFormat.GPKG)

    with closing(sqlite3.connect(result.path)) as database:
        database.row_factory = sqlite3.Row
        columns = {row["name"] for row in database.execute("PRAGMA table_info(layer_styles)")}
        rows = {row["f_table_name"]: row for row in database.execute("SELECT * FROM layer_styles")}
        geometry = dict(database.execute("SELECT table_name, column_name FROM gpkg_geometry_columns").fetchall())
        kind = database.execute("SELECT data_type FROM gpkg_contents WHERE table_name = 'layer_styles'").fetchone()
    assert columns == QGIS_COLUMNS
    assert tuple(kind) == ("attributes",)
    assert set(rows) == {"parcels", "zoning"}
    for name, row in rows.items():
        assert (row["f_table_catalog"], row["f_table_schema"], row["useAsDefault"]) == ("", "", 1)
        assert row["f_geometry_column"] == geometry[name]
        assert row["styleQML"] == sources[name].style
    assert [layer.style for layer in result.layers] == ["layer_styles", "layer_styles"]
    assert len(pyogrio.read_dataframe(result.path, layer="parcels")) == 300
    assert "Layer name: layer_styles" in ogrinfo("-so", "-al", str(result.path))


@pytest.mark.parametrize("export_format", BESIDE)
def test_a_style_lies_beside_the_data_and_draws_by_the_file_s_column(
    sources: dict[str, LayerSource], tmp_path: Path, export_format: ExportFormat
) -> None:
    """Every value that the file has is drawn: the column is named as there, also where its name is cut."""
    result = export([sources["parcels"]], tmp_path, "out", export_format, bundle=True)

    archive = zipfile.ZipFile(result.path)
    names = archive.namelist()
    assert "out.qml" in names
    assert result.layers[0].style == "out.qml"
    assert any(name.split("/")[0] == f"out{FORMATS[export_format].extension}" for name in names)
    column, values = drawn_by(archive.read("out.qml").decode())
    assert column == result.layers[0].field_crosswalk.get("property_class", "property_class")
    if export_format is ExportFormat.SHAPEFILE:
        assert column == "property_c"
        made = geopandas.read_file(f"/vsizip/{result.path}/out.shp")
        assert set(made[column]) <= values


def test_several_files_have_a_style_each(sources: dict[str, LayerSource], tmp_path: Path) -> None:
    result = export(list(sources.values()), tmp_path, "out", ExportFormat.SHAPEFILE)

    names = zipfile.ZipFile(result.path).namelist()
    assert {"parcels.shp", "parcels.qml", "zoning.shp", "zoning.qml"} <= set(names)


@pytest.mark.parametrize("export_format", [ExportFormat.GEOJSON, ExportFormat.XLSX, ExportFormat.DXF])
def test_a_style_alone_makes_no_zip(
    sources: dict[str, LayerSource], tmp_path: Path, export_format: ExportFormat
) -> None:
    result = export([sources["parcels"]], tmp_path, "out", export_format)

    assert result.path.suffix == FORMATS[export_format].extension
    assert result.layers[0].style is None


def test_a_style_that_would_hide_everything_is_left_out_and_told(
    sources: dict[str, LayerSource], tmp_path: Path
) -> None:
    kept = {"parcels": ["property_id"]}
    result = export([sources["parcels"]], tmp_path, "out", ExportFormat.GPKG, attributes=kept)

    assert result.layers[0].style is None
    assert any("'property_class', which is not exported" in text for text in result.layers[0].warnings)
    with closing(sqlite3.connect(result.path)) as database:
        assert database.execute("SELECT 1 FROM sqlite_master WHERE name = 'layer_styles'").fetchone() is None


def test_expressions_follow_names_that_are_cut(sources: dict[str, LayerSource], tmp_path: Path) -> None:
    style = str(sources["parcels"].style)
    asked = style.replace('attr="property_class"', 'attr="lower( &quot;property_class&quot; )"')

    result = export([replace(sources["parcels"], style=asked)], tmp_path, "out", ExportFormat.SHAPEFILE)

    assert drawn_by(zipfile.ZipFile(result.path).read("out.qml").decode())[0] == 'lower( "property_c" )'


def test_words_of_qgis_s_stay_where_a_column_is_named_alike(tmp_path: Path) -> None:
    frame = geopandas.GeoDataFrame({"name": [1]}, geometry=[Point(-123, 46)], crs=4326)
    frame.to_file(tmp_path / "layer.fgb", driver="FlatGeobuf")
    style = (
        '<qgis><renderer-v2 attr="name"><Option value="name" type="QString" name="name"/><prop k="name" v="name"/>'
        '<rule filter="&quot;name&quot; = 1 or &quot;names&quot; = 2"/></renderer-v2></qgis>'
    )
    source = LayerSource("layer", str(tmp_path / "layer.fgb"), style=style)

    result = export([source], tmp_path, "out", ExportFormat.KML, bundle=True)

    assert zipfile.ZipFile(result.path).read("out.qml").decode() == (
        '<qgis><renderer-v2 attr="name_"><Option value="name_" type="QString" name="name"/><prop k="name" v="name_"/>'
        '<rule filter="&quot;name_&quot; = 1 or &quot;names&quot; = 2"/></renderer-v2></qgis>'
    )


def test_a_style_draws_by_its_own_column_in_whatever_order_columns_are_asked_for(
    sources: dict[str, LayerSource], tmp_path: Path
) -> None:
    kept = {"parcels": ["property_class", "situs_address_full"]}

    result = export([sources["parcels"]], tmp_path, "out", ExportFormat.SHAPEFILE, attributes=kept)

    assert drawn_by(zipfile.ZipFile(result.path).read("out.qml").decode())[0] == "property_c"


def test_what_qgis_declares_is_not_kept(tmp_path: Path) -> None:
    text = STYLES["zoning"].read_text()
    (tmp_path / "saved.qml").write_text(DECLARED + text)

    assert read_style(tmp_path / "saved.qml").strip() == text.strip()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("<qgis>", "it is not XML"),
        ("", "it is not XML"),
        ("<StyledLayerDescriptor/>", "not 'qgis'"),
        ('<!DOCTYPE qgis [<!ENTITY x "y">]><qgis>&x;</qgis>', "declares"),
        ('<!DOCTYPE qgis [<!ENTITY x SYSTEM "file:///etc/passwd">]><qgis>&x;</qgis>', "declares"),
        ("<!DOCTYPE other SYSTEM 'http://example.com/x.dtd'><qgis/>", "declares"),
        (DECLARED + DECLARED + "<qgis/>", "declares"),
        ("<qgis>&undefined;</qgis>", "it is not XML"),
        ("<qgis><editforminitcodesource>2</editforminitcodesource></qgis>", "runs Python"),
        ("<qgis>" + "x" * MAX_BYTES + "</qgis>", "at most"),
        (b"<qgis>\xff</qgis>", "cannot be read"),
    ],
)
def test_what_is_no_style_is_refused(tmp_path: Path, content: str | bytes, why: str) -> None:
    file = tmp_path / "style.qml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(LoadError, match=why):
        read_style(file)


def test_another_style_is_another_version(tmp_path: Path) -> None:
    files = write(tmp_path, parcels=20)
    plain = prepare(files.geopackage, "zoning", tmp_path / "plain")
    styled = prepare(files.geopackage, "zoning", tmp_path / "styled", style=STYLES["zoning"])

    assert plain.manifest.version != styled.manifest.version
    assert plain.manifest.file("style.qml") is None
