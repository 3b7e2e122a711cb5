"""Every format, through the API, opened with the tools that people use."""

import zipfile
from pathlib import Path
from typing import Any

import geopandas
import pandas as pd
import pyogrio
import pytest
import shapely
from shapely.geometry import shape

from tests.conftest import ogrinfo
from tests.e2e.support import Client

FORMATS = ("GPKG", "Shapefile", "GeoJSON", "FlatGeobuf", "CSV", "KML", "FileGDB", "GeoParquet")


def read(path: Path) -> geopandas.GeoDataFrame:
    """Open an export with geopandas."""
    if path.suffix == ".parquet":
        return geopandas.read_parquet(path)
    if path.suffix == ".csv":
        table = pd.read_csv(path, low_memory=False)
        return geopandas.GeoDataFrame(table, geometry=geopandas.GeoSeries.from_wkt(table["WKT"]), crs="EPSG:4326")
    if path.suffix == ".zip":
        return geopandas.read_file(f"/vsizip/{path}/{zip_member(path)}")
    return geopandas.read_file(path)


def zip_member(path: Path) -> str:
    names = zipfile.ZipFile(path).namelist()
    gdb = {name.split("/", 1)[0] for name in names if ".gdb/" in name}
    return gdb.pop() if gdb else next(name for name in names if name.endswith((".shp", ".tab", ".gml")))


def ogrinfo_count(path: Path, layer: str) -> int:
    """The feature count that `ogrinfo` reports."""
    source = f"/vsizip/{path}/{zip_member(path)}" if path.suffix == ".zip" else str(path)
    lines = ogrinfo("-so", source, layer).splitlines()
    return int(next(line for line in lines if line.startswith("Feature Count:")).split(":")[1])


def farthest(made: geopandas.GeoDataFrame, source: geopandas.GeoDataFrame) -> float:
    """The largest distance between a feature and its source, in the unit of their CRS."""
    pairs = (made.sort_index().geometry.values, source.sort_index().geometry.values)
    return float(shapely.hausdorff_distance(*pairs).max())


@pytest.fixture(scope="module")
def source(sample_files: Path) -> geopandas.GeoDataFrame:
    """The parcels as the county handed them over."""
    return geopandas.read_file(sample_files / "sample_county.gpkg", layer="parcels")


@pytest.mark.parametrize("export_format", FORMATS)
def test_a_whole_layer_comes_out_complete(
    gis: Client, tmp_path: Path, source: geopandas.GeoDataFrame, export_format: str
) -> None:
    job = gis.submit(export_format)
    path = gis.fetch(job, tmp_path)
    result = gis.result(job)

    made = read(path)
    assert len(made) == len(source) == result["result_record_count"]
    key = next(name for name in made.columns if name.lower().startswith("property_i"))
    assert set(made[key]) == set(source["property_id"])
    far = farthest(made.set_index(key), source.set_index("property_id").to_crs(4326))
    assert far < 1e-6, f"{export_format} moves a vertex by {far} degrees"


def test_the_result_says_what_the_contract_lists(gis: Client) -> None:
    result = gis.result(gis.submit("GPKG", ("parcels", "zoning")))

    assert set(result) == {
        "result_file_location", "result_file_size_kb", "result_record_count", "download_url",
        "download_url_expires_at", "file_expires_at", "files", "sha256", "dataset_version", "layers", "manifest",
    }  # fmt: skip
    assert [layer["name"] for layer in result["layers"]] == ["parcels", "zoning"]
    assert set(result["layers"][0]) == {
        "name", "status", "error", "record_count", "geometry_type", "changes", "extent", "warnings", "field_crosswalk",
        "style", "losses",
    }  # fmt: skip
    assert result["result_record_count"] == sum(layer["record_count"] for layer in result["layers"])


@pytest.mark.parametrize("export_format", ["GPKG", "FileGDB"])
def test_several_layers_are_one_file_that_ogrinfo_opens(gis: Client, tmp_path: Path, export_format: str) -> None:
    job = gis.submit(export_format, ("parcels", "zoning", "neighborhoods", "roads"))
    path = gis.fetch(job, tmp_path)

    for layer in gis.result(job)["layers"]:
        assert ogrinfo_count(path, layer["name"]) == layer["record_count"] > 0


def test_several_layers_of_a_one_layer_format_are_a_zip(gis: Client, tmp_path: Path) -> None:
    path = gis.export(tmp_path, "GeoJSON", ("zoning", "roads"))

    members = zipfile.ZipFile(path).namelist()
    assert sorted(name for name in members if name.endswith(".geojson")) == ["roads.geojson", "zoning.geojson"]
    assert set(members) - {"roads.geojson", "zoning.geojson"} == {"README.txt", "manifest.json", "fields.csv"}


def test_values_survive_to_the_bit(gis: Client, tmp_path: Path, source: geopandas.GeoDataFrame) -> None:
    made = read(gis.export(tmp_path, "GPKG")).set_index("property_id").sort_index()
    wanted = source.set_index("property_id").sort_index()

    for column in wanted.columns.drop("geometry"):
        pd.testing.assert_series_equal(made[column], wanted[column], check_dtype=False, obj=column)
    assert (made["geo_pin"] > 2**53).any()


@pytest.mark.parametrize(
    ("export_format", "expected"),
    [("GPKG", "datetime64[D]"), ("Shapefile", "datetime64[D]"), ("FileGDB", "datetime64[ms]")],
)
def test_a_date_stays_a_date(
    gis: Client, tmp_path: Path, source: geopandas.GeoDataFrame, export_format: str, expected: str
) -> None:
    # the FileGDB that every ArcGIS reads knows no dates without a time
    path = gis.export(tmp_path, export_format)

    name = f"/vsizip/{path}/{zip_member(path)}" if path.suffix == ".zip" else str(path)
    layer = pyogrio.list_layers(name)[0, 0]
    fields = pyogrio.read_info(name, layer=layer)
    types = dict(zip(fields["fields"], fields["dtypes"], strict=True))
    column = "last_sale_" if export_format == "Shapefile" else "last_sale_date"
    assert types[column] == expected
    made = read(path)
    key = "property_i" if export_format == "Shapefile" else "property_id"
    both = made.set_index(key)[column], source.set_index("property_id")["last_sale_date"]
    pd.testing.assert_series_equal(*(s.sort_index() for s in both), check_names=False, check_dtype=False)


@pytest.mark.parametrize("export_format", FORMATS)
def test_no_digit_of_a_64_bit_integer_is_lost(
    gis: Client, tmp_path: Path, source: geopandas.GeoDataFrame, export_format: str
) -> None:
    """As a number or as text, but never rounded: these are parcel numbers beyond 2^53."""
    made = read(gis.export(tmp_path, export_format))

    key = next(name for name in made.columns if name.lower().startswith("property_i"))
    wanted = source.set_index("property_id")["geo_pin"].sort_index()
    assert (wanted > 2**53).any()
    assert list(made.set_index(key)["geo_pin"].sort_index().astype("int64")) == list(wanted)


@pytest.mark.parametrize("crs", ["EPSG:2927", "EPSG:4326", "EPSG:3857", "EPSG:26911"])
def test_the_crs_is_the_one_asked_for(gis: Client, tmp_path: Path, source: geopandas.GeoDataFrame, crs: str) -> None:
    made = read(gis.export(tmp_path, "GPKG", parameters={"coordinate_system": crs}))

    assert made.crs.to_epsg() == int(crs.split(":")[1])
    tolerance = 1e-9 if crs == "EPSG:4326" else 1e-3
    assert farthest(made.set_index("property_id"), source.to_crs(crs).set_index("property_id")) < tolerance


def test_only_the_attributes_asked_for_are_written(gis: Client, tmp_path: Path) -> None:
    wanted = ["property_id", "current_assessed_value_total"]

    made = read(gis.export(tmp_path, "GPKG", parameters={"attributes": wanted}))

    assert sorted(made.columns.drop("geometry")) == sorted(wanted)


def test_geometry_can_come_alone(gis: Client, tmp_path: Path) -> None:
    made = read(gis.export(tmp_path, "GPKG", parameters={"include_attributes": False}))

    assert list(made.columns) == ["geometry"]
    assert len(made) > 0


def test_cut_names_are_told_with_a_crosswalk(gis: Client, tmp_path: Path) -> None:
    job = gis.submit("Shapefile")
    path = gis.fetch(job, tmp_path)
    (layer,) = gis.result(job)["layers"]

    written = set(pyogrio.read_info(f"/vsizip/{path}/{zip_member(path)}")["fields"])
    assert layer["field_crosswalk"]["situs_address_full"] in written
    assert set(layer["field_crosswalk"].values()) <= written
    assert any("situs_address_full" in warning for warning in layer["warnings"])


AREAS: dict[str, Any] = {
    "polygon": {
        "type": "Polygon",
        "coordinates": [[[0.30, 0.35], [0.62, 0.28], [0.71, 0.55], [0.45, 0.74], [0.30, 0.35]]],
    },
    "with a hole": {
        "type": "Polygon",
        "coordinates": [
            [[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8], [0.2, 0.2]],
            [[0.4, 0.4], [0.4, 0.6], [0.6, 0.6], [0.6, 0.4], [0.4, 0.4]],
        ],
    },
    "two parts": {
        "type": "MultiPolygon",
        "coordinates": [
            [[[0.1, 0.1], [0.3, 0.1], [0.2, 0.3], [0.1, 0.1]]],
            [[[0.6, 0.6], [0.9, 0.65], [0.7, 0.9], [0.6, 0.6]]],
        ],
    },
    "box": {"type": "Polygon", "coordinates": [[[0.2, 0.3], [0.7, 0.3], [0.7, 0.6], [0.2, 0.6], [0.2, 0.3]]]},
}


def placed(geometry: dict[str, Any], bounds: Any) -> dict[str, Any]:
    """Move a geometry from the unit square into a box."""
    west, south, east, north = bounds

    def move(part: Any) -> Any:
        if isinstance(part[0], (int, float)):
            return [west + part[0] * (east - west), south + part[1] * (north - south)]
        return [move(inner) for inner in part]

    return {"type": geometry["type"], "coordinates": move(geometry["coordinates"])}


@pytest.mark.parametrize("name", AREAS)
def test_an_area_selects_what_geopandas_intersects(
    gis: Client, tmp_path: Path, source: geopandas.GeoDataFrame, name: str
) -> None:
    there = source.to_crs(4326)
    area = placed(AREAS[name], there.total_bounds)

    made = read(gis.export(tmp_path, "FlatGeobuf", area_of_interest=area))

    expected = there[there.intersects(shape(area))]
    assert 0 < len(expected) < len(there)
    assert set(made["property_id"]) == set(expected["property_id"])
    assert len(made) == len(expected)


def test_a_bbox_and_a_feature_collection_select_alike(gis: Client, tmp_path: Path) -> None:
    west, south, east, north = bounds = (-180.0, 0.0, 0.0, 0.0)
    layers = gis.get(f"/counties/{gis.county}").json()["layers"]
    west, south, east, north = next(layer["bbox"] for layer in layers if layer["name"] == "parcels")
    bounds = (west, south, west + (east - west) * 0.4, south + (north - south) * 0.4)
    ring = [[bounds[0], bounds[1]], [bounds[2], bounds[1]], [bounds[2], bounds[3]], [bounds[0], bounds[3]]]
    feature = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}}

    by_box = read(gis.export(tmp_path, "GPKG", area_of_interest={"type": "bbox", "coordinates": list(bounds)}))
    by_feature = read(
        gis.export(tmp_path, "GPKG", area_of_interest={"type": "FeatureCollection", "features": [feature]})
    )

    assert set(by_box["property_id"]) == set(by_feature["property_id"]) != set()
