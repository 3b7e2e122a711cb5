"""The generated sample county: a map that holds together, values and sales that follow their model."""

import hashlib
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from local import sample

PARCELS = 2_000
PROPERTY_FIELDS = [
    *("property_id", "situs_address_full", "property_class", "zip_code", "neighborhood", "land_area_sqft"),
    *("living_area_sqft", "year_built", "bedrooms", "bathrooms", "stories", "quality", "condition"),
    *("garage_area_sqft", "assessed_land_value", "assessed_improvement_value", "current_assessed_value_total"),
    *("prior_assessed_value_total", "last_sale_date", "last_sale_price", "lon", "lat"),
]
SALE_FIELDS = [
    *("sale_id", "property_id", "sale_date", "sale_price", "is_valid", "assessed_value"),
    *("sale_type", "lon", "lat"),
]


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> sample.SampleFiles:
    return sample.write(tmp_path_factory.mktemp("county"), parcels=PARCELS)


@pytest.fixture(scope="module")
def parcels(county: sample.SampleFiles) -> gpd.GeoDataFrame:
    return gpd.read_file(county.geopackage, layer="parcels")


@pytest.fixture(scope="module")
def properties(county: sample.SampleFiles) -> pd.DataFrame:
    return pd.read_csv(county.properties, dtype={"zip_code": str}, parse_dates=["last_sale_date"])


@pytest.fixture(scope="module")
def sales(county: sample.SampleFiles) -> pd.DataFrame:
    return pd.read_csv(county.sales, parse_dates=["sale_date"])


def digest(files: sample.SampleFiles) -> list[str]:
    paths = (files.geopackage, files.properties, files.sales, files.listings)
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def test_the_same_county_has_the_same_bytes(tmp_path: Path) -> None:
    first, second = (sample.write(tmp_path / name, parcels=300) for name in "ab")
    other = sample.write(tmp_path / "c", parcels=300, seed=7)
    assert digest(first) == digest(second)
    assert not set(digest(first)) & set(digest(other))


def test_layers_have_the_types_that_were_promised(county: sample.SampleFiles) -> None:
    layers = {str(name): str(kind) for name, kind in pyogrio.list_layers(county.geopackage)}
    assert layers == {
        "parcels": "Polygon",
        "zoning": "Polygon",
        "neighborhoods": "MultiPolygon",
        "roads": "LineString",
    }
    info = pyogrio.read_info(county.geopackage, layer="parcels")
    types = dict(zip(info["fields"], info["ogr_types"], strict=True))
    assert info["crs"] == "EPSG:2927"
    assert info["features"] == PARCELS
    assert 20 <= len(types) <= 27
    assert (types["last_sale_date"], types["inspected_at"], types["geo_pin"]) == (
        "OFTDate",
        "OFTDateTime",
        "OFTInteger64",
    )
    assert not [name for name in types if "owner" in name]


def test_the_county_lies_in_benton_county(parcels: gpd.GeoDataFrame, properties: pd.DataFrame) -> None:
    west, south, east, north = parcels.to_crs(4326).total_bounds
    assert -119.45 < west < -119.3 < east < -119.15
    assert 46.15 < south < 46.25 < north < 46.35
    points = gpd.GeoSeries(gpd.points_from_xy(properties["lon"], properties["lat"]), crs=4326).to_crs(2927)
    assert parcels["property_id"].tolist() == properties["property_id"].tolist()
    assert parcels.distance(points).max() < 0.1


def test_lots_touch_and_never_overlap(parcels: gpd.GeoDataFrame) -> None:
    shapes = np.asarray(parcels.geometry.values)
    assert shapely.is_valid(shapes).all()
    assert shapely.coverage_is_valid(shapes, gap_width=2.0)
    neighbours = shapely.STRtree(shapes).query(shapes, predicate="touches")[0]
    assert np.isin(np.arange(PARCELS), neighbours).mean() > 0.98


def test_lots_are_of_believable_size_and_shape(parcels: gpd.GeoDataFrame) -> None:
    area = parcels.area
    assert (abs(area - parcels["land_area_sqft"]) <= 0.5).all()
    assert area.min() > 2_000
    assert 6_000 < area.median() < 14_000
    corners = shapely.get_num_coordinates(parcels.geometry.values) - 1
    assert (corners > 4).mean() > 0.2
    middle = parcels.geometry.centroid.distance(shapely.Point(1_943_980, 336_580))
    homes = parcels["zoning"].str.startswith("R")
    near, far = middle < middle[homes].quantile(0.25), middle > middle[homes].quantile(0.75)
    assert area[homes & near].median() < 0.8 * area[homes & far].median()


def test_zones_and_neighborhoods_say_what_the_parcels_say(
    county: sample.SampleFiles, parcels: gpd.GeoDataFrame
) -> None:
    points = parcels.set_geometry(parcels.representative_point())[["zoning", "neighborhood", "geometry"]]
    for layer in ("zoning", "neighborhoods"):
        over = gpd.read_file(county.geopackage, layer=layer)
        column = layer.removesuffix("s")
        assert over.is_valid.all()
        found = gpd.sjoin(points, over[[column, "geometry"]], lsuffix="lot", rsuffix="layer")
        assert len(found) == PARCELS
        assert (found[f"{column}_lot"] == found[f"{column}_layer"]).all()


def test_streets_run_between_the_lots_and_addresses_lie_on_them(
    county: sample.SampleFiles, parcels: gpd.GeoDataFrame
) -> None:
    roads = gpd.read_file(county.geopackage, layer="roads")
    assert set(roads["road_class"]) == {"arterial", "collector", "local", "court"}
    crossed = gpd.sjoin(roads, parcels[["geometry"]], predicate="intersects")
    assert crossed.empty
    words = parcels["situs_address_full"].dropna().str.extract(r"^(\d+) [NSEW] (.+), Sagebrook, WA (\d{5})$")
    assert words.notna().all().all()
    assert set(words[1]) <= set(roads["name"])
    names = roads.dissolve("name").geometry
    lots = parcels.geometry[words.index]
    distance = lots.distance(gpd.GeoSeries(names[words[1]].values, index=words.index, crs=2927))
    assert distance.max() < 80


def test_identifiers_are_unique_and_beyond_a_double(county: sample.SampleFiles, parcels: gpd.GeoDataFrame) -> None:
    assert parcels["property_id"].is_unique
    assert parcels["property_id"].str.fullmatch(r"[1-4]-\d{4}-\d{3}-\d{4}").all()
    assert parcels["situs_address_full"].dropna().is_unique
    assert parcels["geo_pin"].is_unique
    assert (parcels["geo_pin"] > 2**53).all()
    assert any(int(float(pin)) != pin for pin in parcels["geo_pin"].tolist())
    assert parcels["legal_description"].str.contains("Peña").any()
    assert parcels["legal_description"].str.len().max() > 254
    assert {"last_sale_price", "situs_address_full", "year_built"} <= set(parcels.columns[parcels.isna().any()])


def test_the_tables_have_the_standard_fields(properties: pd.DataFrame, sales: pd.DataFrame) -> None:
    assert properties.columns.tolist() == PROPERTY_FIELDS
    assert sales.columns.tolist() == SALE_FIELDS
    assert sales["sale_id"].is_unique
    assert set(sales["property_id"]) <= set(properties["property_id"])
    total = properties["assessed_land_value"] + properties["assessed_improvement_value"]
    assert (total == properties["current_assessed_value_total"]).all()
    assert (properties["assessed_land_value"] > 0).all()


def test_sales_are_possible(properties: pd.DataFrame, sales: pd.DataFrame) -> None:
    sold = sales.merge(properties, on="property_id")
    assert sales["sale_date"].between("2021-01-01", "2025-12-31").all()
    assert (sales["sale_date"].dt.day_of_week < 5).all()
    assert (sold["sale_date"].dt.year >= sold["year_built"].fillna(0)).all()
    assert not (sold["property_class"] == "exempt").any()
    assert (sales["sale_price"] > 0).all()
    assert 0.03 * PARCELS < len(sales) / 5 < 0.07 * PARCELS
    assert sales["property_id"].duplicated().any()
    assert 0.02 < 1 - sales["is_valid"].mean() < 0.09
    assert (sales["is_valid"] == (sales["sale_type"] == "warranty_deed")).all()
    last = sales.drop_duplicates("property_id", keep="last").merge(properties, on="property_id")
    assert (last["sale_date"] == last["last_sale_date"]).all()
    assert (last["sale_price"] == last["last_sale_price"]).all()


def test_a_ratio_study_finds_what_the_assessor_did(properties: pd.DataFrame, sales: pd.DataFrame) -> None:
    sold = sales[sales["is_valid"]].merge(properties[["property_id", "property_class"]], on="property_id")
    sold = sold[sold["property_class"] == "residential"]
    ratio = sold["assessed_value"] / sold["sale_price"]
    median = ratio.median()
    assert 0.90 < median < 0.96
    assert 8 < 100 * (ratio - median).abs().mean() / median < 12
    assert 1.0 < ratio.mean() / (sold["assessed_value"].sum() / sold["sale_price"].sum()) < 1.04


def test_a_regression_finds_the_drift_of_the_model(properties: pd.DataFrame, sales: pd.DataFrame) -> None:
    sold = sales[sales["is_valid"]].merge(properties, on="property_id")
    sold = sold[sold["property_class"] == "residential"]
    months = (sold["sale_date"] - pd.Timestamp("2025-01-01")).dt.days / 30.4375
    known = sold[["land_area_sqft", "living_area_sqft"]].map(np.log)
    level = pd.get_dummies(sold[["neighborhood", "quality", "condition"]].astype(str), drop_first=True).astype(float)
    age = 2025 - sold["year_built"]
    design = np.column_stack([np.ones(len(sold)), months, known, level, age, age**2])
    fit, *_ = np.linalg.lstsq(design, np.log(sold["sale_price"].to_numpy()), rcond=None)
    model = sample.PriceModel()
    assert fit[1] == pytest.approx(model.monthly_drift, abs=4 * model.drift_spread / 5**0.5)
    assert np.std(np.log(sold["sale_price"]) - design @ fit) < 0.15


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(count=st.integers(1, 400), seed=st.integers(0, 2**32))
@example(count=1, seed=1)  # a site smaller than a batch
def test_any_seed_and_number_makes_a_whole_county(tmp_path: Path, count: int, seed: int) -> None:
    files = sample.write(tmp_path, parcels=count, seed=seed)
    parcels = gpd.read_file(files.geopackage, layer="parcels")
    assert len(parcels) == len(pd.read_csv(files.properties)) == count
    for layer in ("parcels", "zoning", "neighborhoods", "roads"):
        assert not gpd.read_file(files.geopackage, layer=layer).is_empty.any()
    assert parcels.is_valid.all()
    assert shapely.coverage_is_valid(np.asarray(parcels.geometry.values))


def test_a_county_needs_a_parcel(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one parcel, not 0"):
        sample.write(tmp_path / "none", parcels=0)
    assert not (tmp_path / "none").exists()


def test_listings_lead_to_the_sales_that_they_tell_of(
    county: sample.SampleFiles, sales: pd.DataFrame, properties: pd.DataFrame
) -> None:
    listings = pd.read_csv(county.listings, parse_dates=["list_date", "off_market_date", "close_date"])
    last = pd.Timestamp("2025-12-31")
    closed = listings[listings.close_date.notna()]
    deeds = sales[sales.sale_type == "warranty_deed"]
    told = closed.merge(deeds, left_on=["property_id", "close_date"], right_on=["property_id", "sale_date"])

    assert listings.listing_id.is_unique
    assert listings.property_id.isin(properties.property_id).all()
    assert len(told) == len(closed)
    assert (told.close_price == told.sale_price).all()
    assert 0.85 < len(closed) / len(deeds) < 0.97
    assert (listings.list_date <= listings.off_market_date.fillna(last)).all()
    assert (closed.off_market_date < closed.close_date).all()
    assert listings[["list_date", "off_market_date", "close_date"]].max().max() <= last
    assert (closed.close_price / closed.list_price).median() == pytest.approx(0.988, abs=0.01)
    open_now = listings.off_market_date.isna()
    assert 0 < open_now.sum() < 0.1 * len(listings)


def test_an_interrupted_run_leaves_the_old_county_alone(tmp_path: Path) -> None:
    files = sample.write(tmp_path, parcels=200)
    before = digest(files)

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample.write(tmp_path, parcels=400, progress=interrupt)
    assert digest(files) == before
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["listings.csv", "properties.csv", "sales.csv", "sample_county.gpkg"]


def test_progress_is_told(tmp_path: Path) -> None:
    lines: list[str] = []
    sample.write(tmp_path, parcels=200, progress=lines.append)
    *parcels, sales, listings, zoning, neighborhoods, roads = lines
    assert parcels[-1] == "parcels: 200 of 200"
    assert [line.split(":")[0] for line in (sales, listings, zoning, neighborhoods, roads)] == [
        "sales",
        "listings",
        "zoning",
        "neighborhoods",
        "roads",
    ]
