"""Loading a county's files: what is read, what is stored, what is refused."""

import csv
import hashlib
import json
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.loading import LoadError, PreparedLayer, prepare, read_mapping
from terrafusion.counties import FieldType, LayerKind

ROWS = 40
CRS = "EPSG:2927"
Load = Callable[..., PreparedLayer]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """`prepare` into a folder of its own for each call."""

    def run(file: Path, layer: str = "parcels", **options: Any) -> PreparedLayer:
        return prepare(file, layer, tmp_path / f"prepared-{len(list(tmp_path.glob('prepared-*')))}", **options)

    return run


@pytest.fixture(scope="session")
def parcels() -> Any:
    """Forty lots in a row, with a column of every type that counties use."""
    return geopandas.GeoDataFrame(
        {
            "PIN": [f"00{n:03d}" for n in range(ROWS)],
            "value": [100_000.5 + n for n in range(ROWS)],
            "rooms": np.arange(ROWS, dtype="int32"),
            "owner_ref": np.arange(ROWS, dtype="int64") + 2**53,
            "sold": [f"{n % 12 + 1}/15/2020" for n in range(ROWS)],
            "note": ["Süd-Straße" if n else None for n in range(ROWS)],
        },
        geometry=shapely.box(np.arange(ROWS) * 100 + 1.9e6, 3.2e5, np.arange(ROWS) * 100 + 1.9e6 + 90, 3.2e5 + 120),
        crs=CRS,
    )


@pytest.fixture
def geopackage(parcels: Any, tmp_path: Path) -> Path:
    file = tmp_path / "lots.gpkg"
    pyogrio.write_dataframe(parcels, file, layer="lots")
    return file


def stored(prepared: PreparedLayer) -> Any:
    """A prepared layer's features as another reader sees them, in the order of their first column."""
    frame = geopandas.read_file(prepared.directory / "data.fgb")
    return frame.sort_values(frame.columns[0]).reset_index(drop=True)


def multi(polygon: Any) -> Any:
    return shapely.MultiPolygon([polygon])


def zipped(folder: Path, archive: Path, inside: str = "") -> Path:
    with zipfile.ZipFile(archive, "w") as target:
        for path in sorted(folder.rglob("*")):
            target.write(path, f"{inside}{path.relative_to(folder)}")
    return archive


def as_file(frame: Any, folder: Path, kind: str) -> Path:
    """The lots in a format that counties send."""
    source = folder / "source"
    source.mkdir()
    match kind:
        case "gpkg" | "geojson" | "fgb":
            pyogrio.write_dataframe(frame, source / f"lots.{kind}")
            return source / f"lots.{kind}"
        case "gdb" | "gdb.zip":
            pyogrio.write_dataframe(
                frame, source / "lots.gdb", driver="OpenFileGDB", TARGET_ARCGIS_VERSION="ARCGIS_PRO_3_2_OR_LATER"
            )
            return source / "lots.gdb" if kind == "gdb" else zipped(source, folder / "lots.gdb.zip")
        case "shp" | "shp.zip" | "shp.zip in a folder":
            pyogrio.write_dataframe(frame, source / "lots.shp")
            inside = "county/2024/" if "folder" in kind else ""
            return source / "lots.shp" if kind == "shp" else zipped(source, folder / "lots.zip", inside)
        case "parquet":
            frame.to_parquet(source / "lots.parquet")
            return source / "lots.parquet"
        case _:
            table = frame.drop(columns="geometry").assign(WKT=frame.geometry.to_wkt())
            table.to_csv(source / "lots.csv", index=False)
            return source / "lots.csv"


FORMATS = ("gpkg", "geojson", "fgb", "gdb", "gdb.zip", "shp", "shp.zip", "shp.zip in a folder", "parquet", "csv")


@pytest.mark.parametrize("kind", FORMATS)
def test_the_same_lots_come_out_of_every_format(kind: str, parcels: Any, tmp_path: Path, load: Load) -> None:
    file = as_file(parcels, tmp_path, kind)

    prepared = load(file, key="PIN", crs=CRS)

    manifest = prepared.manifest
    assert (manifest.count, manifest.geometry_type, manifest.crs) == (ROWS, "MultiPolygon", CRS)
    assert [field.name for field in manifest.fields] == ["property_id", *parcels.columns[1:-1]]
    features = stored(prepared)
    assert features["property_id"].tolist() == parcels["PIN"].tolist()
    assert features["note"].isna().tolist() == [True] + [False] * (ROWS - 1) or kind == "csv"
    assert features["note"][1] == "Süd-Straße"
    assert features.normalize().geom_equals_exact(parcels.geometry.apply(multi).normalize(), 1e-3).all()


@pytest.mark.parametrize("kind", ["gpkg", "geojson", "fgb", "gdb", "parquet", "csv"])
def test_large_whole_numbers_stay_exact(kind: str, parcels: Any, tmp_path: Path, load: Load) -> None:
    prepared = load(as_file(parcels, tmp_path, kind), key="PIN", crs=CRS)

    _, table = pyogrio.read_arrow(prepared.directory / "data.fgb", columns=["owner_ref"])
    assert sorted(table["owner_ref"].to_pylist()) == parcels["owner_ref"].tolist()


def test_widths_of_texts_are_declared_in_bytes(geopackage: Path, load: Load) -> None:
    manifest = load(geopackage, key="PIN").manifest

    fields = {field.name: field for field in manifest.fields}
    assert fields["property_id"].width == 5
    assert fields["note"].width == len("Süd-Straße".encode())
    assert fields["note"].nulls == 1
    assert fields["value"].width is None


def test_a_shapefile_made_of_the_stored_layer_is_narrow(geopackage: Path, load: Load, tmp_path: Path) -> None:
    prepared = load(geopackage, key="PIN")

    with pyogrio.open_arrow(prepared.directory / "data.fgb", use_pyarrow=True) as (meta, reader):
        texts = [reader.schema.names.index(name) for name in ("property_id", "wkb_geometry")]
        pins = reader.read_all().select(texts)
        pins = pins.rename_columns(["pin", "wkb_geometry"])
        pyogrio.write_arrow(
            pins, tmp_path / "narrow.shp", geometry_name="wkb_geometry", geometry_type="Polygon", crs=meta["crs"]
        )

    record_bytes = int.from_bytes((tmp_path / "narrow.dbf").read_bytes()[10:12], "little")
    assert record_bytes == 1 + len("00000")


def test_the_manifest_vouches_for_exactly_the_files_there(geopackage: Path, load: Load) -> None:
    prepared = load(geopackage)

    assert {path.name for path in prepared.directory.iterdir()} == {entry.name for entry in prepared.manifest.files}
    for entry in prepared.manifest.files:
        content = (prepared.directory / entry.name).read_bytes()
        assert (entry.size_bytes, entry.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_the_same_content_and_options_give_the_same_version_and_bytes(
    geopackage: Path, load: Load, tmp_path: Path
) -> None:
    copy = Path(shutil.copy(geopackage, tmp_path / "renamed.gpkg"))

    first, second = load(geopackage, key="PIN"), load(copy, key="PIN")

    assert first.manifest.version == second.manifest.version
    assert first.manifest.files == second.manifest.files


@pytest.mark.parametrize("options", [{"key": "note"}, {"mapping": {"zip_code": "note"}}, {"crs": CRS}])
def test_other_options_give_another_version(geopackage: Path, load: Load, options: dict[str, Any]) -> None:
    assert load(geopackage, **options).manifest.version != load(geopackage).manifest.version


def test_other_content_gives_another_version(parcels: Any, tmp_path: Path, load: Load) -> None:
    for name, frame in {"a": parcels, "b": parcels.assign(value=1.0)}.items():
        pyogrio.write_dataframe(frame, tmp_path / f"{name}.shp")
    before = load(tmp_path / "a.shp").manifest.version

    shutil.copy(tmp_path / "b.dbf", tmp_path / "a.dbf")

    assert load(tmp_path / "a.shp").manifest.version != before


def test_mapped_columns_get_the_standard_name_and_type(geopackage: Path, load: Load) -> None:
    mapping = {"last_sale_date": "sold", "year_built": "rooms", "zip_code": "owner_ref"}

    prepared = load(geopackage, key="PIN", mapping=mapping)

    fields = {field.name: field for field in prepared.manifest.fields}
    assert {name: fields[name].source_name for name in mapping} == mapping
    kinds = [fields[name].type for name in mapping]
    assert kinds == [FieldType.DATE, FieldType.INTEGER, FieldType.STRING]
    assert fields["value"].source_name is None
    assert stored(prepared)["last_sale_date"][2].date() == date(2020, 3, 15)


def test_a_few_unreadable_dates_are_stored_empty_and_reported(parcels: Any, tmp_path: Path, load: Load) -> None:
    frame = parcels.assign(sold=["0/0/0000", *parcels["sold"][1:]])
    pyogrio.write_dataframe(frame, tmp_path / "lots.gpkg")

    prepared = load(tmp_path / "lots.gpkg", mapping={"last_sale_date": "sold"})

    field = next(field for field in prepared.manifest.fields if field.name == "last_sale_date")
    assert field.nulls == 1
    assert any("1 of 40 values of 'sold'" in note and "0/0/0000" in note for note in prepared.manifest.quality.notes)


def test_a_column_that_is_no_date_cannot_be_mapped_to_one(geopackage: Path, load: Load) -> None:
    with pytest.raises(LoadError, match=r"39 of 39 values of 'note' are no date .*'Süd-Straße'"):
        load(geopackage, mapping={"last_sale_date": "note"})


def test_bad_geometry_is_repaired_or_quarantined_with_its_row(tmp_path: Path, load: Load) -> None:
    bow_tie = shapely.Polygon([(0, 0), (20, 20), (20, 0), (0, 20)])
    shapes = [shapely.box(0, 0, 9, 9), bow_tie, None, shapely.Polygon(), shapely.box(1, 1, 2, 2)]
    frame = geopandas.GeoDataFrame({"pin": list("abcde")}, geometry=shapes, crs=CRS)
    pyogrio.write_dataframe(frame, tmp_path / "lots.gpkg", geometry_type="Polygon")

    prepared = load(tmp_path / "lots.gpkg", key="pin")

    quality = prepared.manifest.quality
    assert (quality.read, quality.stored, quality.repaired, quality.quarantined) == (5, 3, 1, 2)
    assert quality.quarantine_reasons == {"empty geometry": 1, "no geometry": 1}
    with (prepared.directory / "quarantine.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["row"], row["key"], row["reason"]) for row in rows] == [
        ("3", "c", "no geometry"),
        ("4", "d", "empty geometry"),
    ]
    assert stored(prepared)["property_id"].tolist() == ["a", "b", "e"]
    assert prepared.manifest.native_bbox == (0, 0, 20, 20)


def test_duplicate_and_missing_keys_are_counted(parcels: Any, tmp_path: Path, load: Load) -> None:
    pins = ["twice", "twice", *["thrice"] * 3, None, None, *parcels["PIN"][7:]]
    pyogrio.write_dataframe(parcels.assign(PIN=pins), tmp_path / "lots.gpkg")

    quality = load(tmp_path / "lots.gpkg", key="PIN").manifest.quality

    assert (quality.duplicate_keys, quality.duplicate_examples) == (5, ("thrice", "twice"))
    assert "2 rows have no property_id" in quality.notes
    assert "2 keys occur more than once: 3 rows beyond the first of each" in quality.notes
    assert quality.stored == ROWS


def test_curves_become_lines(tmp_path: Path, load: Load) -> None:
    text = 'id,WKT\n1,"CURVEPOLYGON (CIRCULARSTRING (0 0,10 10,20 0,10 -10,0 0))"\n2,"POLYGON ((0 0,1 0,1 1,0 0))"\n'
    (tmp_path / "curves.csv").write_text(text)

    prepared = load(tmp_path / "curves.csv", crs=CRS)

    assert prepared.manifest.quality.repaired == 0
    assert stored(prepared).geometry[0].area == pytest.approx(100 * np.pi, rel=1e-3)


def test_map_layers_of_points_and_lines_are_of_one_type(tmp_path: Path, load: Load) -> None:
    lines = ["LINESTRING Z (0 0 5, 9 9 5)", "MULTILINESTRING ((0 0, 1 1), (2 2, 3 3))", "POINT (4 4)"]
    points = ["POINT (0 0)", "MULTIPOINT ((1 1), (2 2))"]
    for name, texts in {"roads": lines, "hydrants": points}.items():
        frame = geopandas.GeoDataFrame({"id": range(len(texts))}, geometry=shapely.from_wkt(texts), crs=CRS)
        pyogrio.write_dataframe(frame, tmp_path / "map.gpkg", layer=name, geometry_type="Unknown", append=True)

    roads, hydrants = (load(tmp_path / "map.gpkg", name) for name in ("roads", "hydrants"))

    assert (roads.manifest.geometry_type, roads.manifest.count) == ("MultiLineString", 2)
    assert roads.manifest.quality.notes == ("heights or measures dropped from 1 geometries",)
    assert roads.manifest.quality.quarantine_reasons == {"geometry of another kind than the layer's": 1}
    assert (hydrants.manifest.geometry_type, hydrants.manifest.count) == ("MultiPoint", 2)


CODED_DOMAIN = """
CREATE TABLE gpkg_data_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL, name TEXT, title TEXT,
    description TEXT, mime_type TEXT, constraint_name TEXT, PRIMARY KEY (table_name, column_name));
CREATE TABLE gpkg_data_column_constraints (constraint_name TEXT NOT NULL, constraint_type TEXT NOT NULL, value TEXT,
    min NUMERIC, min_is_inclusive BOOLEAN, max NUMERIC, max_is_inclusive BOOLEAN, description TEXT);
CREATE TABLE IF NOT EXISTS gpkg_extensions (table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL,
    definition TEXT NOT NULL, scope TEXT NOT NULL);
INSERT INTO gpkg_extensions VALUES
    ('gpkg_data_columns', NULL, 'gpkg_schema', 'http://www.geopackage.org/spec/#extension_schema', 'read-write'),
    ('gpkg_data_column_constraints', NULL, 'gpkg_schema', 'http://www.geopackage.org/spec/#extension_schema',
     'read-write');
INSERT INTO gpkg_data_columns VALUES ('lots', 'rooms', NULL, NULL, NULL, NULL, 'sizes');
INSERT INTO gpkg_data_column_constraints VALUES ('sizes', 'enum', '0', NULL, NULL, NULL, NULL, 'none');
INSERT INTO gpkg_data_column_constraints VALUES ('sizes', 'enum', '7', NULL, NULL, NULL, NULL, 'many');
"""
SALES = """sale,Longitude,LAT,price,date,zip,flag
S1,-119.3,46.25,"$250,000",1/31/2024,00501,Y
S2,,,310000,2/29/2024,99336,N
S3,-119.4,99,305000,2024-03-01,99336,Y
S4,-119.5,46.3,1,12/24/2024,99336,
"""
SALES_MAP = {"sale_date": "date", "sale_price": "price", "is_valid": "flag"}


def test_sales_are_a_table_and_points_where_they_are_located(tmp_path: Path, load: Load) -> None:
    (tmp_path / "sales.csv").write_text(SALES)

    prepared = load(tmp_path / "sales.csv", "sales", key="sale", mapping=SALES_MAP)

    manifest = prepared.manifest
    assert (manifest.kind, manifest.geometry_type, manifest.crs) == (LayerKind.TABLE, "Point", "EPSG:4326")
    assert (manifest.count, manifest.quality.without_location, manifest.quality.quarantined) == (4, 2, 0)
    table = pq.read_table(prepared.directory / "data.parquet")
    assert table.column_names == ["sale", "lon", "lat", "sale_price", "sale_date", "zip", "is_valid"]
    assert table["sale_price"].to_pylist() == [250_000.0, 310_000.0, 305_000.0, 1.0]
    assert table["sale_date"].to_pylist()[1:3] == [date(2024, 2, 29), date(2024, 3, 1)]
    assert table["is_valid"].to_pylist() == [True, False, True, None]
    assert table["zip"].to_pylist()[0] == "00501"
    assert stored(prepared)["sale"].tolist() == ["S1", "S4"]


def test_what_a_table_keeps_as_text_gets_the_type_of_its_standard_name(tmp_path: Path, load: Load) -> None:
    (tmp_path / "sales.csv").write_text(
        "sale_id,property_id,sale_date,sale_price,is_valid,use\n"
        'S1,1,1/31/2024,"$250,000",Q,1\nS2,2,2/1/2024,310000,U,x\nS3,3,,a lot,,3\n'
        + "".join(f"R{n},{n},,100000,,4\n" for n in range(40))
    )

    prepared = load(tmp_path / "sales.csv", "sales", key="sale_id")

    table = pq.read_table(prepared.directory / "data.parquet")
    assert table["sale_date"].to_pylist()[:3] == [date(2024, 1, 31), date(2024, 2, 1), None]
    assert table["sale_price"].to_pylist()[:3] == [250_000.0, 310_000.0, None]
    assert table["is_valid"].to_pylist()[:3] == [True, False, None]
    assert table["use"].to_pylist()[:3] == ["1", "x", "3"]
    assert any("'a lot'" in note for note in prepared.manifest.quality.notes)


def test_what_parcels_keep_as_text_stays_text(parcels: Any, tmp_path: Path, load: Load) -> None:
    file = tmp_path / "parcels.gpkg"
    parcels.assign(year_built=["about 1950"] * len(parcels)).to_file(file)

    prepared = load(file, "parcels")

    assert stored(prepared)["year_built"].tolist() == ["about 1950"] * len(stored(prepared))


def test_a_column_that_is_not_what_its_standard_name_says_is_refused_in_a_table(tmp_path: Path, load: Load) -> None:
    (tmp_path / "p.csv").write_text("property_id,stories\n1,one and a half\n2,two\n")
    with pytest.raises(LoadError, match="give this one a name of its own"):
        load(tmp_path / "p.csv", "properties", key="property_id")


def test_texts_that_parquet_keeps_as_a_dictionary_stay_texts(tmp_path: Path, load: Load) -> None:
    keys = pa.array(["14-0020", "14-0010", "14-0020", None]).dictionary_encode()
    pq.write_table(pa.table({"property_id": keys, "deed": keys}), tmp_path / "p.parquet")

    prepared = load(tmp_path / "p.parquet", "properties", key="property_id")

    table = pq.read_table(prepared.directory / "data.parquet")
    assert table["property_id"].to_pylist() == table["deed"].to_pylist() == ["14-0020", "14-0010", "14-0020", None]


def test_decimal_commas_are_no_thousands(tmp_path: Path, load: Load) -> None:
    (tmp_path / "p.csv").write_text('property_id,assessed_land_value\n1,"250000,50"\n2,"1,5"\n')
    with pytest.raises(LoadError, match="'250000,50'"):
        load(tmp_path / "p.csv", "properties", key="property_id")


def test_an_encrypted_archive_is_refused(tmp_path: Path, load: Load) -> None:
    file = tmp_path / "p.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("p.csv", "a\n1\n")
    content = bytearray(file.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    file.write_bytes(content)

    with pytest.raises(LoadError, match="encrypted"):
        load(file, "properties")


def test_listings_of_a_listing_service_get_the_standard_types(tmp_path: Path, load: Load) -> None:
    (tmp_path / "mls.csv").write_text(
        "ListingId,Parcel,ListingContractDate,OffMarketDate,CloseDate,ListPrice,ClosePrice,StandardStatus\n"
        'M1,0012,4/1/2024,4/20/2024,5/17/2024,"$300,000","$291,500",Closed\n'
        "M2,0013,6/1/2024,,,450000,,Active\n"
    )
    mapping = {
        "listing_id": "ListingId",
        "property_id": "Parcel",
        "list_date": "ListingContractDate",
        "off_market_date": "OffMarketDate",
        "close_date": "CloseDate",
        "list_price": "ListPrice",
        "close_price": "ClosePrice",
    }

    prepared = load(tmp_path / "mls.csv", "listings", key="ListingId", mapping=mapping)

    assert (prepared.manifest.kind, prepared.manifest.key) == (LayerKind.TABLE, "listing_id")
    assert pq.read_table(prepared.directory / "data.parquet").to_pylist() == [
        {
            "listing_id": "M1",
            "property_id": "0012",
            "list_date": date(2024, 4, 1),
            "off_market_date": date(2024, 4, 20),
            "close_date": date(2024, 5, 17),
            "list_price": 300_000.0,
            "close_price": 291_500.0,
            "StandardStatus": "Closed",
        },
        {
            "listing_id": "M2",
            "property_id": "0013",
            "list_date": date(2024, 6, 1),
            "off_market_date": None,
            "close_date": None,
            "list_price": 450_000.0,
            "close_price": None,
            "StandardStatus": "Active",
        },
    ]


def test_a_table_without_locations_has_no_map(tmp_path: Path, load: Load) -> None:
    (tmp_path / "rolls.csv").write_text("pin,x,y\nA,1,2\nB,3,4\n")

    prepared = load(tmp_path / "rolls.csv", "properties", key="pin")

    assert [entry.name for entry in prepared.manifest.files] == ["data.parquet"]
    assert (prepared.manifest.crs, prepared.manifest.bbox, prepared.manifest.geometry_type) == (None, None, None)
    assert prepared.manifest.quality.without_location == 2
    assert "add --crs" in prepared.manifest.quality.notes[0]


def test_projected_coordinates_are_locations_once_their_crs_is_given(tmp_path: Path, load: Load) -> None:
    (tmp_path / "rolls.csv").write_text("pin,X,Y\nA,1950000,350000\n")

    prepared = load(tmp_path / "rolls.csv", "properties", key="pin", crs=CRS)

    assert prepared.manifest.crs == CRS
    table = pq.read_table(prepared.directory / "data.parquet").to_pylist()
    expected = geopandas.GeoSeries.from_xy([1_950_000], [350_000], crs=CRS).to_crs(4326)[0]
    assert (table[0]["lon"], table[0]["lat"]) == pytest.approx((expected.x, expected.y))


def test_one_file_may_be_parcels_and_properties(geopackage: Path, parcels: Any, load: Load) -> None:
    prepared = load(geopackage, "properties", key="PIN")

    table = pq.read_table(prepared.directory / "data.parquet").to_pandas()
    points = geopandas.GeoSeries.from_xy(table["lon"], table["lat"], crs=4326).to_crs(CRS)
    assert points.intersects(parcels.geometry).all()
    assert prepared.manifest.geometry_type == "Point"


def test_a_spreadsheet_loads_as_a_table(parcels: Any, tmp_path: Path, load: Load) -> None:
    table = pa.Table.from_pandas(parcels.drop(columns="geometry"), preserve_index=False)
    pyogrio.write_arrow(table, tmp_path / "roll.xlsx", driver="XLSX", layer="Sheet1")

    prepared = load(tmp_path / "roll.xlsx", "properties", key="PIN")

    read = pq.read_table(prepared.directory / "data.parquet")
    assert read["property_id"].to_pylist() == parcels["PIN"].tolist()
    assert read["value"].to_pylist() == parcels["value"].tolist()


def test_of_several_layers_the_one_named_like_the_target_is_read(parcels: Any, tmp_path: Path, load: Load) -> None:
    file = tmp_path / "county.gpkg"
    for name, rows in {"Parcels": 3, "old_parcels": 5}.items():
        pyogrio.write_dataframe(parcels.head(rows), file, layer=name)

    assert load(file).manifest.count == 3
    assert load(file, source_layer="OLD_parcels").manifest.count == 5
    with pytest.raises(LoadError, match=r"several layers \(Parcels, old_parcels\).*--source-layer"):
        load(file, "zoning")
    with pytest.raises(LoadError, match=r"no layer 'old_parcel'\. Did you mean 'old_parcels'"):
        load(file, source_layer="old_parcel")


def test_a_crs_spelled_out_is_recognised(parcels: Any, tmp_path: Path, load: Load) -> None:
    pyogrio.write_dataframe(parcels, tmp_path / "lots.shp")
    assert "EPSG" not in (tmp_path / "lots.prj").read_text()

    assert load(tmp_path / "lots.shp").manifest.crs == CRS
    assert load(tmp_path / "lots.shp", crs=CRS).manifest.crs == CRS


def test_a_crs_without_code_is_kept_as_wkt(parcels: Any, tmp_path: Path, load: Load) -> None:
    own = "+proj=tmerc +lat_0=45.123 +lon_0=-119.87 +k=1.0001 +x_0=500000 +y_0=0 +datum=NAD83 +units=us-ft"
    pyogrio.write_dataframe(parcels.set_crs(own, allow_override=True), tmp_path / "lots.gpkg")

    prepared = load(tmp_path / "lots.gpkg")

    assert prepared.manifest.crs is None
    assert "-119.87" in (prepared.manifest.crs_wkt or "")
    assert "-119.87" in geopandas.read_file(prepared.directory / "data.fgb").crs.to_wkt()


def test_progress_rises_to_the_end(geopackage: Path, load: Load) -> None:
    seen: list[float] = []

    load(geopackage, progress=seen.append)

    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) > 2


@pytest.mark.parametrize("kind", ["gpkg", "geojson", "fgb", "shp.zip", "parquet", "csv"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.97])
def test_a_file_cut_short_is_refused(kind: str, share: float, parcels: Any, tmp_path: Path, load: Load) -> None:
    file = as_file(parcels, tmp_path, kind)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * share)])

    with pytest.raises(LoadError, match=f"^{file.name} "):
        load(file, key="PIN", crs=CRS)

    assert not [path for folder in tmp_path.glob("prepared-*") for path in folder.iterdir()]


@settings(max_examples=60, deadline=None)
@given(share=st.floats(0, 0.999))
def test_half_a_geojson_is_never_taken_for_a_whole(share: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    features = [
        {"type": "Feature", "properties": {"n": n}, "geometry": {"type": "Point", "coordinates": [n, n]}}
        for n in range(9)
    ]
    text = json.dumps({"type": "FeatureCollection", "features": features})
    file = tmp_path_factory.mktemp("cut") / "points.geojson"
    file.write_text(text[: int(len(text) * share)])

    with pytest.raises(LoadError):
        prepare(file, "hydrants", file.parent / "prepared")


@pytest.mark.parametrize("part", [".shp", ".shx", ".dbf"])
@pytest.mark.parametrize("archived", [False, True])
def test_a_shapefile_with_a_part_cut_short_is_refused(
    part: str, archived: bool, parcels: Any, tmp_path: Path, load: Load
) -> None:
    file = as_file(parcels, tmp_path, "shp")
    cut = file.with_suffix(part)
    cut.write_bytes(cut.read_bytes()[:-200])

    with pytest.raises(LoadError, match=f"cut short: the {part} file has"):
        load(zipped(file.parent, tmp_path / "lots.zip") if archived else file)


def test_a_shapefile_without_attributes_is_refused(parcels: Any, tmp_path: Path, load: Load) -> None:
    file = as_file(parcels, tmp_path, "shp")
    file.with_suffix(".dbf").unlink()

    with pytest.raises(LoadError, match=r"lacks its \.dbf file"):
        load(file)


def test_a_geopackage_with_a_broken_page_is_refused(geopackage: Path, load: Load) -> None:
    with sqlite3.connect(geopackage) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'lots'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    content = bytearray(geopackage.read_bytes())
    content[(page - 1) * size : page * size] = bytes(size)
    geopackage.write_bytes(content)

    with pytest.raises(LoadError, match="damaged or cut short"):
        load(geopackage)


def test_a_filegdb_that_lost_a_file_is_refused(parcels: Any, tmp_path: Path, load: Load) -> None:
    folder = as_file(parcels, tmp_path, "gdb")
    largest = max(folder.glob("*.gdbtable"), key=lambda path: int(path.stem[1:], 16))
    largest.write_bytes(largest.read_bytes()[:-500])

    with pytest.raises(LoadError, match=r"^lots\.gdb "):
        load(folder)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.gpkg", None, "does not exist"),
        ("nothing.gpkg", b"", "empty"),
        ("picture.gpkg", b"\x89PNG\r\n\x1a\n" + bytes(90), "cannot be read"),
        ("letter.txt", b"Dear county", "cannot be read"),
        ("lots.zip", b"PK no archive", "no whole zip archive"),
        ("lots.shp", b"short", "lacks its .dbf"),
        ("lots.geojson", b'{"type": "FeatureCollection", "features": []}', "no rows"),
        ("lots.csv", b"pin,name\n", "no geometry"),
        ("lots.csv", b"pin,WKT\n", "no "),
        ("lots.csv", b"pin,WKT\n1,POINT(1 1)\n", "None of the 1 rows"),
        ("lots.csv", b"pin,lon,lat\n1,2,3\n", "no geometry"),
        ("lots.parquet", b"PAR1 but no more", "cannot be read"),
        ("page.geojson", b"<!DOCTYPE html><title>Log in</title>", "not recognized"),
    ],
)
def test_what_is_no_parcels_is_refused(
    name: str, content: bytes | None, words: str, tmp_path: Path, load: Load
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(LoadError, match=words) as refused:
        load(tmp_path / name, crs=CRS if name.endswith(".csv") else None)

    assert name in str(refused.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("name,lon,lat\nSüd,1,2\n".encode("latin-1"), "Column 'name' holds text that is not UTF-8"),
        (b"name,Name,lon,lat\na,b,1,2\n", "two columns 'name' and 'Name'"),
    ],
)
def test_columns_that_cannot_be_kept_are_refused(content: bytes, words: str, tmp_path: Path, load: Load) -> None:
    (tmp_path / "points.csv").write_bytes(content)

    with pytest.raises(LoadError, match=words):
        load(tmp_path / "points.csv", "hydrants")


def test_codes_of_a_coded_domain_stay_codes(geopackage: Path, load: Load) -> None:
    with sqlite3.connect(geopackage) as connection:
        connection.executescript(CODED_DOMAIN)
    connection.close()

    prepared = load(geopackage)

    assert stored(prepared)["rooms"].tolist() == list(range(ROWS))


def test_an_empty_layer_is_refused(parcels: Any, tmp_path: Path, load: Load) -> None:
    pyogrio.write_dataframe(parcels.head(0), tmp_path / "lots.gpkg", geometry_type="Polygon")

    with pytest.raises(LoadError, match="no rows in layer 'lots'"):
        load(tmp_path / "lots.gpkg")


def test_a_file_without_crs_needs_one(parcels: Any, tmp_path: Path, load: Load) -> None:
    file = as_file(parcels, tmp_path, "shp")
    file.with_suffix(".prj").unlink()

    with pytest.raises(LoadError, match=r"lots\.shp does not say its CRS.*--crs"):
        load(file)
    assert load(file, crs=CRS).manifest.crs == CRS


def test_a_crs_that_contradicts_the_file_is_refused(geopackage: Path, load: Load) -> None:
    with pytest.raises(LoadError, match=r"is in EPSG:2927, not in EPSG:26910"):
        load(geopackage, crs="EPSG:26910")
    with pytest.raises(LoadError, match="'EPSG:99999' is no CRS"):
        load(geopackage, crs="EPSG:99999")


def test_coordinates_that_are_no_degrees_are_refused(parcels: Any, tmp_path: Path, load: Load) -> None:
    pyogrio.write_dataframe(parcels.set_crs(4326, allow_override=True), tmp_path / "lots.geojson")

    with pytest.raises(LoadError, match=r"EPSG:4326, but its coordinates .* are no degrees"):
        load(tmp_path / "lots.geojson")


def test_points_are_no_parcels(parcels: Any, tmp_path: Path, load: Load) -> None:
    pyogrio.write_dataframe(parcels.set_geometry(parcels.centroid), tmp_path / "lots.gpkg")

    with pytest.raises(LoadError, match="Point geometry, but parcels are polygons"):
        load(tmp_path / "lots.gpkg")


def test_an_unknown_key_names_what_is_near(geopackage: Path, load: Load) -> None:
    with pytest.raises(LoadError, match=r"no column 'PINN' to be the key\. Did you mean 'PIN'"):
        load(geopackage, key="PINN")


@pytest.mark.parametrize("name", ["Parcels", "2024", "a b", ""])
def test_a_layer_must_have_a_possible_name(name: str, geopackage: Path, load: Load) -> None:
    with pytest.raises(LoadError, match="cannot be a layer's name"):
        load(geopackage, name)


def test_a_mapping_is_read_from_yaml(tmp_path: Path) -> None:
    (tmp_path / "plain.yaml").write_text("sale_price: PRICE\nsale_date: SOLD\n")
    (tmp_path / "county.yaml").write_text("name: Benton\nfield_map:\n  sale_price: PRICE\n")

    assert read_mapping(tmp_path / "plain.yaml") == {"sale_price": "PRICE", "sale_date": "SOLD"}
    assert read_mapping(tmp_path / "county.yaml") == {"sale_price": "PRICE"}


@pytest.mark.parametrize("content", ["- a\n- b\n", "a: 1\n", "a: [b\n", ""])
def test_what_is_no_mapping_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text(content)

    with pytest.raises(LoadError, match=r"^map\.yaml "):
        read_mapping(tmp_path / "map.yaml")


def test_cambridge_with_all_its_warts(cambridge: Path, load: Load) -> None:
    mapping = {"last_sale_date": "last_sale_date", "situs_address_full": "location"}

    first, second = (load(cambridge, key="ML", mapping=mapping) for _ in range(2))

    quality = first.manifest.quality
    assert (quality.read, quality.stored, quality.repaired, quality.quarantined) == (13_116, 13_115, 37, 1)
    assert quality.duplicate_keys == 93
    assert "13 keys occur more than once: 80 rows beyond the first of each" in quality.notes
    assert first.manifest == second.manifest
    features = stored(first)
    assert len(features) == first.manifest.count
    assert features.is_valid.all()
    source = geopandas.read_file(cambridge)
    assert features["total_value"].sum() == source["total_value"].sum()
    assert features["last_sale_date"].notna().sum() == (source["last_sale_date"].fillna("").str.strip() != "").sum()


def test_lucas_county_s_sales(lucas_sales: Path, load: Load) -> None:
    mapping = {"property_id": "parcel_no", "sale_price": "price", "sale_date": "sale_date", "assessed_value": "avalue"}

    prepared = load(lucas_sales, "sales", mapping=mapping)

    assert (prepared.manifest.count, prepared.manifest.quality.without_location) == (25_357, 0)
    table = pq.read_table(prepared.directory / "data.parquet")
    assert table["sale_date"].type == pa.date32()
    assert (table["sale_price"].type, table["sale_price"].null_count) == (pa.float64(), 0)
    assert {"lon", "lat"} <= set(table.column_names)
    assert len(stored(prepared)) == 25_357
