"""Every format read back, value by value: what differs from the source is what the loss report names, and as often."""

import datetime as dt
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pyogrio
import pyproj
import pytest
import shapely
from shapely.geometry import box

from cli.loading import prepare
from gis_export import losses
from gis_export.area import parse
from gis_export.delta import Previous
from gis_export.engine import ExportResult, LayerResult, export
from gis_export.formats import FORMATS, ExportFormat, FormatSpec, LossKind
from gis_export.selection import LayerSource
from gis_export.sources import OGR_TYPES, spared_losses
from local.sample import write
from tests.conftest import ogrinfo
from tests.unit.test_gis_georeference import OWN_GRID

ROWS = 400
KEY = "number"
LOSSLESS = {ExportFormat.GPKG, ExportFormat.GEOPARQUET, ExportFormat.SPATIALITE}
TABULAR = [name for name in ExportFormat if FORMATS[name].holds_attributes]
EXACT_GEOMETRY = 1e-9


def nasty() -> geopandas.GeoDataFrame:
    """A grid with a column of every type, nulls in each, and texts, names and numbers that some format cannot hold."""
    row, random = np.arange(ROWS), np.random.default_rng(1)
    squares = [
        box(1.9e6 + x * 500, 3e5 + y * 500, 1.9e6 + (x + 1) * 500, 3e5 + (y + 1) * 500)
        for x in range(20)
        for y in range(20)
    ]
    reals = [1 / 3, 1.23456789012345e-07, 5e-324, 1e300, 0.25, 123456789.123456789, -1e-20]
    texts = ["Größe “Peña”", "", "a,b;c\"d'e", "line\nbreak", " lead", "trail ", "007", "2020-01-01", "NULL"]
    texts += ["\ttab\t", "\nline", "line\n", "car\rriage", "ver\vtical", "\u2003wide\u00a0"]

    def holes(values: Any, dtype: str) -> Any:
        return pd.Series(values, dtype=dtype).mask(random.random(ROWS) < 0.2)

    return geopandas.GeoDataFrame(
        {
            KEY: row.astype("int32"),
            "whole": holes(row * 3 - 5, "Int32"),
            "big": holes(2**53 + 1 + 2 * row, "Int64"),
            "middle": holes(2**40 + row, "Int64"),
            "ratio": holes(row / 7 * 1e3, "Float64"),
            "real": holes([reals[n % len(reals)] for n in row], "Float64"),
            "text": holes([texts[n % len(texts)] for n in row], "object"),
            "essay": holes(["x" * (250 + n) if n % 2 else "é" * (120 + n) for n in row], "object"),
            "flag": holes(row % 2 == 0, "boolean"),
            "a_rather_long_name": [f"row {n}" for n in row],
            "a_rather_long_nick": [f"nick {n}" for n in row],
            "a_name_that_is_longer_than_thirty_one": row.astype("int32"),
            "moment": holes(
                pd.to_datetime("2024-03-01T12:30:15.250Z") + pd.to_timedelta(row, "h"), "datetime64[ms, UTC]"
            ),
            "day": holes(pd.to_datetime("1960-02-29") + pd.to_timedelta(row * 90, "D"), "datetime64[ms]"),
        },
        geometry=squares,
        crs=2927,
    )


def loaded(
    file: Path, layer: str, folder: Path, export_format: ExportFormat | None = None, key: str | None = KEY
) -> LayerSource:
    """A county's file as `load` stores it, and as a job reads it; with a format, with what the manifest knows."""
    prepared = prepare(file, layer, folder, key=key)
    fields = prepared.manifest.fields
    types = {field.name: OGR_TYPES[field.type] for field in fields if field.type in OGR_TYPES}
    spared = spared_losses(fields, FORMATS[export_format]) if export_format else {}
    return LayerSource(layer, str(prepared.directory / "data.fgb"), types, spared=spared)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], LayerSource]:
    """The layers to write, each with a number of its own in every row."""
    made: dict[str, LayerSource] = {}
    folder = tmp_path_factory.mktemp("sources")

    def frame(name: str, cambridge: Path | None) -> geopandas.GeoDataFrame:
        if name == "nasty":
            return nasty()
        if name == "cambridge":
            whole = geopandas.read_file(cambridge)
            part = whole[~whole.geometry.isna()].iloc[::5]  # the end-to-end tests export all of it
            return part.assign(**{KEY: np.arange(len(part), dtype="int32")})
        files = write(folder, parcels=1_500)
        parcels = geopandas.read_file(files.geopackage, layer="parcels")
        return parcels.assign(**{KEY: np.arange(len(parcels), dtype="int32")})

    def source(name: str, cambridge: Path | None = None) -> LayerSource:
        if name not in made:
            (folder / name).mkdir()
            if name == "nasty":
                nasty().to_file(folder / name / "data.fgb", driver="FlatGeobuf")
                made[name] = LayerSource(name, str(folder / name / "data.fgb"), {"day": "Date"})
            else:
                frame(name, cambridge).to_file(folder / f"{name}.gpkg")
                made[name] = loaded(folder / f"{name}.gpkg", name, folder / name)
        return made[name]

    return source


def opened(result: ExportResult) -> str:
    """What GDAL opens of an export."""
    if result.path.suffix != ".zip":
        return str(result.path)
    names = zipfile.ZipFile(result.path).namelist()
    inner = next((n.split("/")[0] for n in names if ".gdb/" in n), None)
    inner = inner or next(n for n in names if n.endswith((".shp", ".tab", ".gml")))
    return f"/vsizip/{result.path}/{inner}"


def table(path: str) -> pa.Table:
    """A file's rows by pyogrio and Arrow, in which no integer becomes floating point; geometry as WKB."""
    if path.endswith(".parquet"):
        return pyarrow.parquet.read_table(path)
    if path.endswith(".csv"):
        names = pyarrow.csv.read_csv(path, parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True)).column_names
        text = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
        return pyarrow.csv.read_csv(
            path, parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True), convert_options=text
        )
    return pyogrio.raw.read_arrow(path)[1]


def rows(path: str, key: str) -> dict[int, dict[str, Any]]:
    return {int(row[key]): row for row in table(path).to_pylist()}


def moment(value: Any) -> Any:
    """A date or a moment in any writing, in UTC."""
    if isinstance(value, str) and value:
        text = value.replace("/", "-").replace("+00", "Z") if value[4:5] == "/" else value
        value = dt.datetime.fromisoformat(text)
    if isinstance(value, dt.datetime):
        return value if value.tzinfo else value.replace(tzinfo=dt.UTC)
    return dt.datetime.combine(value, dt.time(), dt.UTC) if isinstance(value, dt.date) else value


def plain(value: Any, kind: str) -> Any:
    """A value as its column's kind understands it, whatever the file's type."""
    if value is None or value == "":
        return value
    if kind in {"Date", "DateTime"}:
        return moment(value)
    if kind == "Boolean":
        return bool(int(value))
    if kind in {"Integer", "Integer64"}:
        return int(value)
    return float(value) if kind == "Real" else value


def shortened(value: float, spec: FormatSpec) -> float:
    """A number with the digits that a format writes."""
    if spec.decimals is not None:
        return float(f"{value:.{spec.decimals}f}"[: spec.real_width])
    return float(f"{value:.{spec.digits}g}")


def befallen(value: Any, kind: str, losses: dict[str, str], spec: Any) -> tuple[Any, set[str]]:
    """What the report says becomes of a value, and which losses it met."""
    met: set[str] = set()
    if value is None:
        if LossKind.NULL in losses:
            return (
                "" if kind == "String" or spec.nulls == "empty" or "empty" in losses["null"] else plain("0", kind)
            ), {LossKind.NULL}
        return None, met
    after = value
    if LossKind.TEXT_CUT in losses and len(value.encode()) > spec.text_bytes:
        after, met = value.encode()[: spec.text_bytes].decode(errors="ignore"), {LossKind.TEXT_CUT}
        return after.rstrip() if spec.trims_end else after, met
    if LossKind.SPACES in losses:
        trimmed = after.lstrip(spec.trims_start) if spec.trims_start else after
        trimmed = trimmed.rstrip(spec.trims_end) if spec.trims_end else trimmed
        after, met = trimmed, met | ({LossKind.SPACES} if trimmed != after else set())
    if LossKind.CONTROL in losses:
        cleaned = after.replace("\r", "\n").translate(dict.fromkeys([*range(9), 11, *range(14, 32)]))
        after, met = cleaned, met | ({LossKind.CONTROL} if cleaned != after else set())
    if LossKind.EMPTY in losses and value == "":
        after, met = None, {LossKind.EMPTY}
    if LossKind.DIGITS in losses and not spec.shortens and (rounded := shortened(value, spec)) != value:
        after, met = rounded, {LossKind.DIGITS}
    if LossKind.BIG_INTEGER in losses and abs(value) > 2**53:
        met = met | {LossKind.BIG_INTEGER}
    if LossKind.MILLISECONDS in losses and value.microsecond:
        after, met = value.replace(microsecond=0), met | {LossKind.MILLISECONDS}
    if LossKind.ZONE in losses:
        met = met | {LossKind.ZONE}
    return after, met


def check(source: LayerSource, result: ExportResult, layer: LayerResult, export_format: ExportFormat) -> None:
    """Every value of every column is the source's, or what the report says of it; each loss as often as it says."""
    spec = FORMATS[export_format]
    info = pyogrio.read_info(source.path)
    kinds = {
        name: source.types.get(
            name, subtype.removeprefix("OFST") if subtype != "OFSTNone" else kind.removeprefix("OFT")
        )
        for name, kind, subtype in zip(info["fields"], info["ogr_types"], info["ogr_subtypes"], strict=True)
    }
    before = rows(source.path, KEY)
    after = rows(opened(result), layer.field_crosswalk.get(KEY, KEY))
    assert len(before) == layer.record_count
    assert set(before) == set(after)
    for name, kind in kinds.items():
        losses = {loss.kind: loss.message for loss in layer.losses if loss.column == name}
        claimed = {loss.kind: loss.values for loss in layer.losses if loss.column == name and loss.values is not None}
        counted: Counter[str] = Counter()
        for key, row in before.items():
            expected, met = befallen(plain(row[name], kind), kind, losses, spec)
            counted.update(met)
            found = plain(after[key][layer.field_crosswalk.get(name, name)], kind)
            if spec.shortens and LossKind.DIGITS in losses and found != expected:
                counted[LossKind.DIGITS] += 1
                expected = float(f"{expected:.{spec.digits}g}")
            assert found == expected, (export_format, name, key, row[name])
        if spec.shortens and LossKind.DIGITS in claimed:
            assert counted.pop(LossKind.DIGITS, 0) <= claimed.pop(LossKind.DIGITS)
        assert dict(counted) == claimed, (export_format, name)
    cut = {loss.column for loss in layer.losses if loss.kind == LossKind.NAME}
    assert cut == set(layer.field_crosswalk)


def check_geometry(source: LayerSource, result: ExportResult, layer: LayerResult, crs: str) -> None:
    made = rows(opened(result), layer.field_crosswalk.get(KEY, KEY))
    column = next(
        n
        for n in ("wkb_geometry", "geometry", "WKT", "geom", "SHAPE", "GEOMETRY", "geometryProperty")
        if n in next(iter(made.values()))
    )
    read = shapely.from_wkt if column == "WKT" else shapely.from_wkb
    wanted = geopandas.read_file(source.path).set_index(KEY).to_crs(crs).geometry.sort_index()
    found = read(np.array([made[key][column] for key in wanted.index], dtype=object))
    small = shapely.get_num_coordinates(wanted.values) < 500  # the distance takes the square of that
    distance = shapely.hausdorff_distance(found[small], wanted.values[small]).max()
    assert shapely.area(found[~small]) == pytest.approx(shapely.area(wanted.values[~small]), rel=1e-4)
    scale = 1 if crs == "EPSG:4326" else 1e5
    rounded = any(loss.kind == LossKind.COORDINATES for loss in layer.losses)
    assert distance < (1e-6 if rounded else EXACT_GEOMETRY) * scale
    assert len(wanted) == len(found)


def check_crs(result: ExportResult, layer: LayerResult, export_format: ExportFormat, crs: str) -> None:
    """The file is read in the CRS that was asked for, or the report says otherwise."""
    if export_format is ExportFormat.GEOPARQUET:
        found = geopandas.read_parquet(result.path).crs
    else:
        found = pyogrio.read_info(opened(result))["crs"]
    same = found is not None and pyproj.CRS(found).equals(pyproj.CRS(crs), ignore_axis_order=True)
    told = {loss.kind for loss in layer.losses} & {LossKind.CRS, LossKind.GEOMETRY}
    assert same is not bool(told), (export_format, crs, found)


@pytest.mark.parametrize("export_format", TABULAR)
def test_a_nasty_layer_loses_what_the_report_names_and_nothing_else(
    sources: Callable[..., LayerSource], tmp_path: Path, export_format: ExportFormat
) -> None:
    source = sources("nasty")

    result = export([source], tmp_path, "out", export_format, crs=FORMATS[export_format].forced_crs or "EPSG:2927")

    (layer,) = result.layers
    check(source, result, layer, export_format)
    check_crs(result, layer, export_format, FORMATS[export_format].forced_crs or "EPSG:2927")
    if export_format in LOSSLESS:
        assert layer.losses == ()
        assert layer.warnings == ()


@pytest.mark.parametrize("export_format", TABULAR)
def test_columns_in_another_order_lose_no_more(
    sources: Callable[..., LayerSource], tmp_path: Path, export_format: ExportFormat
) -> None:
    source = sources("nasty")
    backwards = list(reversed(pyogrio.read_info(source.path)["fields"]))

    result = export([source], tmp_path, "out", export_format, attributes={"nasty": backwards})

    (layer,) = result.layers
    check(source, result, layer, export_format)
    assert layer.columns == tuple(layer.field_crosswalk.get(name, name) for name in backwards)
    assert [name for name in table(opened(result)).column_names if name in layer.columns] == list(layer.columns)


@pytest.mark.parametrize("county", ["sample", "cambridge"])
@pytest.mark.parametrize("export_format", TABULAR)
@pytest.mark.filterwarnings("ignore:organizePolygons")  # GDAL, on a parcel of many parts
def test_a_county_loses_what_the_report_names_and_nothing_else(
    request: pytest.FixtureRequest,
    sources: Callable[..., LayerSource],
    tmp_path: Path,
    export_format: ExportFormat,
    county: str,
) -> None:
    source = sources(county, request.getfixturevalue("cambridge") if county == "cambridge" else None)

    result = export([source], tmp_path, "out", export_format, crs="EPSG:4326")

    (layer,) = result.layers
    check(source, result, layer, export_format)
    check_crs(result, layer, export_format, "EPSG:4326")
    if FORMATS[export_format].holds_geometry:
        check_geometry(source, result, layer, "EPSG:4326")


SYSTEMS = ("EPSG:4269", "EPSG:2286", "EPSG:32149", "EPSG:6340", "EPSG:5070", OWN_GRID)


@pytest.mark.parametrize("export_format", [name for name in ExportFormat if not FORMATS[name].forced_crs])
def test_a_file_is_read_in_the_crs_of_its_coordinates_or_the_report_says_in_which(
    tmp_path: Path, export_format: ExportFormat
) -> None:
    nasty()[[KEY, "geometry"]].to_file(tmp_path / "data.fgb", driver="FlatGeobuf")
    source = LayerSource("nasty", str(tmp_path / "data.fgb"))

    for number, crs in enumerate(SYSTEMS):
        if crs == OWN_GRID and export_format in {ExportFormat.GEOJSON, ExportFormat.GML}:
            continue  # refused when it is asked for: tests/unit/test_gis_georeference.py
        result = export([source], tmp_path, f"out{number}", export_format, crs=crs)
        check_crs(result, result.layers[0], export_format, crs)
        said = [loss.message for loss in result.layers[0].losses if loss.kind is LossKind.CRS]
        assert set(said) <= set(result.layers[0].warnings)
        if export_format is ExportFormat.MAPINFO:
            assert bool(said) is (crs in {"EPSG:32149", "EPSG:6340"})


@pytest.mark.parametrize("crs", ["EPSG:2286", "EPSG:2927", "EPSG:26911", "EPSG:4431", "EPSG:5070", "EPSG:3857"])
def test_mapinfo_s_grid_is_finer_than_any_survey(tmp_path: Path, crs: str) -> None:
    """GDAL's own bounds are 0.5 feet a step in EPSG:2286, and lose the northings of EPSG:4431."""
    nasty()[[KEY, "geometry"]].to_file(tmp_path / "data.fgb", driver="FlatGeobuf")

    result = export([LayerSource("nasty", str(tmp_path / "data.fgb"))], tmp_path, "out", ExportFormat.MAPINFO, crs=crs)

    made = pyogrio.read_dataframe(opened(result)).set_index(KEY).sort_index()
    wanted = nasty().set_index(KEY).sort_index().to_crs(crs)
    metres = pyproj.CRS(crs).axis_info[0].unit_conversion_factor
    far = shapely.hausdorff_distance(made.geometry.values, wanted.geometry.values).max() * metres
    assert far < (0.02 if crs == "EPSG:3857" else 0.01)
    assert not any("outside" in text for text in result.layers[0].warnings)


def test_a_drawing_has_every_ring_on_the_layer_s_layer(sources: Callable[..., LayerSource], tmp_path: Path) -> None:
    source = sources("sample")

    result = export([source], tmp_path, "out", ExportFormat.DXF, crs="EPSG:2927")

    drawn = geopandas.read_file(result.path)
    wanted = geopandas.read_file(source.path)
    assert set(drawn["Layer"]) == {source.name}
    assert len(drawn) == shapely.get_num_geometries(wanted.geometry.values).sum()
    assert drawn.length.sum() == pytest.approx(wanted.length.sum(), rel=1e-6)
    assert {loss.kind for loss in result.layers[0].losses} == {LossKind.ATTRIBUTES, LossKind.GEOMETRY, LossKind.CRS}
    assert "Feature Count" in ogrinfo("-so", "-al", str(result.path))


@pytest.mark.parametrize(
    "export_format", [ExportFormat.XLSX, ExportFormat.GML, ExportFormat.SPATIALITE, ExportFormat.KML]
)
def test_one_file_holds_several_layers(
    sources: Callable[..., LayerSource], tmp_path: Path, export_format: ExportFormat
) -> None:
    result = export([sources("sample"), sources("nasty")], tmp_path, "out", export_format)

    names = {str(name) for name, *_ in pyogrio.list_layers(opened(result))}
    assert names == {"sample", "nasty"}
    assert [layer.record_count for layer in result.layers] == [1_500, ROWS]


@pytest.mark.parametrize("by", ["filter", "area"])
@pytest.mark.parametrize("export_format", [ExportFormat.CSV, ExportFormat.SHAPEFILE, ExportFormat.MAPINFO])
def test_losses_are_counted_in_what_was_selected(
    sources: Callable[..., LayerSource], tmp_path: Path, export_format: ExportFormat, by: str
) -> None:
    source = sources("nasty")
    part = replace(source, where='("number" < 100)' if by == "filter" else None)
    west, south, east, north = geopandas.read_file(source.path).query("number < 100").total_bounds
    ring = [[west + 1, south + 1], [east - 1, south + 1], [east - 1, north - 1], [west + 1, north - 1]]
    drawn = {"type": "Polygon", "coordinates": [[*ring, ring[0]]], "crs": "EPSG:2927"}
    area = parse(drawn) if by == "area" else None
    kept = {"nasty": [KEY, "text", "essay"]}

    result = export([part], tmp_path, "out", export_format, crs="EPSG:2927", attributes=kept, area=area)

    before = [row for row in rows(source.path, KEY).values() if row[KEY] < 100]
    cut = sum(len((row["essay"] or "").encode()) > 254 for row in before)
    nulls = sum(row["essay"] is None for row in before)
    counted = {(loss.kind, loss.column): loss.values for loss in result.layers[0].losses}
    if export_format is ExportFormat.CSV:
        assert counted[LossKind.NULL, "essay"] == nulls > 0
    else:
        assert counted[LossKind.TEXT_CUT, "essay"] == cut > 0
    assert result.layers[0].record_count == 100
    assert {column for _, column in counted} <= {None, KEY, "text", "essay"}


@pytest.mark.parametrize("export_format", TABULAR)
def test_what_the_manifest_knows_changes_no_count(tmp_path: Path, export_format: ExportFormat) -> None:
    nasty().to_file(tmp_path / "nasty.gpkg")
    source = loaded(tmp_path / "nasty.gpkg", "nasty", tmp_path / "loaded", export_format)
    told, read = tmp_path / "told", tmp_path / "read"
    told.mkdir()
    read.mkdir()

    with_facts = export([source], told, "out", export_format)
    without = export([replace(source, spared={})], read, "out", export_format)

    assert with_facts.layers == without.layers
    assert LossKind.NULL in source.spared[KEY]
    assert LossKind.NULL not in source.spared["text"]
    check(source, with_facts, with_facts.layers[0], export_format)


@pytest.mark.parametrize("export_format", TABULAR)
def test_a_layer_that_can_lose_nothing_is_not_read_again(
    tmp_path: Path, export_format: ExportFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = nasty()[[KEY, "flag", "whole", "a_rather_long_name", "geometry"]].dropna()
    if FORMATS[export_format].decimals is None:  # how small a number is, the manifest does not tell
        plain["ratio"] = plain[KEY] / 4
    plain.to_file(tmp_path / "plain.gpkg")
    source = loaded(tmp_path / "plain.gpkg", "plain", tmp_path / "loaded", export_format)
    monkeypatch.setattr(losses, "batches", lambda *_: pytest.fail("it is read"))

    result = export([source], tmp_path, "out", export_format)

    assert [loss for loss in result.layers[0].losses if loss.values] == []


def test_what_was_removed_since_is_not_of_the_present_manifest(tmp_path: Path) -> None:
    """A feature that is gone has a value that no present one has: it is read all the same."""
    frame = nasty()[[KEY, "essay", "geometry"]].assign(essay="short")
    frame.to_file(tmp_path / "new.gpkg")
    extra = frame.iloc[:1].assign(**{KEY: 9_999, "essay": " padded "})
    pd.concat([frame, extra]).to_file(tmp_path / "old.gpkg")
    older = loaded(tmp_path / "old.gpkg", "layer", tmp_path / "old")
    source = loaded(tmp_path / "new.gpkg", "layer", tmp_path / "new", ExportFormat.SHAPEFILE)
    since = replace(source, previous=Previous(older.path, None, KEY, (KEY, "essay")))

    result = export([since], tmp_path, "out", ExportFormat.SHAPEFILE)

    assert {loss.kind: loss.values for loss in result.layers[0].losses if loss.values} == {LossKind.SPACES: 1}
