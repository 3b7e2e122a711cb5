"""The columns of every layer and table, under the contract's standard names where it has one."""

from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from local.sample import names
from local.sample.attributes import USE_CODES, Estates, Labels, PropertyClass
from local.sample.blocks import Zone
from local.sample.listings import Listings
from local.sample.sales import LAST_YEAR, Roll, Sales, SaleType
from local.sample.streets import RIGHT_OF_WAY, RoadClass
from local.sample.terrain import FloatArray
from local.sample.town import Geometries, GroundRoad, Parcels

Place = tuple[FloatArray, FloatArray]
"""Longitudes and latitudes (EPSG:4326), one per parcel."""

_ASSESSED = [
    ("assessed_land_value", pa.int32()),
    ("assessed_improvement_value", pa.int32()),
    ("current_assessed_value_total", pa.int32()),
    ("prior_assessed_value_total", pa.int32()),
    ("last_sale_date", pa.date32()),
    ("last_sale_price", pa.int32()),
]

PARCELS = pa.schema(
    [
        ("property_id", pa.string()),
        ("geo_pin", pa.int64()),
        ("situs_address_full", pa.string()),
        ("zip_code", pa.string()),
        ("property_class", pa.string()),
        ("use_code", pa.int16()),
        ("neighborhood", pa.string()),
        ("zoning", pa.string()),
        ("tax_code_area", pa.string()),
        ("subdivision", pa.string()),
        ("block", pa.string()),
        ("lot", pa.string()),
        ("legal_description", pa.string()),
        ("land_area_sqft", pa.int32()),
        ("frontage_ft", pa.float64()),
        ("living_area_sqft", pa.int32()),
        ("year_built", pa.int16()),
        *_ASSESSED,
        ("is_exempt", pa.bool_()),
        ("inspected_at", pa.timestamp("ms", tz="UTC")),
        ("tax_year", pa.int16()),
        ("geom", pa.binary()),
    ]
)

PROPERTIES = pa.schema(
    [
        ("property_id", pa.string()),
        ("situs_address_full", pa.string()),
        ("property_class", pa.string()),
        ("zip_code", pa.string()),
        ("neighborhood", pa.string()),
        ("land_area_sqft", pa.int32()),
        ("living_area_sqft", pa.int32()),
        ("year_built", pa.int16()),
        ("bedrooms", pa.int16()),
        ("bathrooms", pa.float64()),
        ("stories", pa.float64()),
        ("quality", pa.int16()),
        ("condition", pa.int16()),
        ("garage_area_sqft", pa.int32()),
        *_ASSESSED,
        ("lon", pa.float64()),
        ("lat", pa.float64()),
    ]
)


def code(number: int) -> str:
    """A neighborhood's code."""
    return f"N-{number:03d}"


def parcel_rows(parcels: Parcels, estates: Estates, labels: Labels, roll: Roll, rng: np.random.Generator) -> pa.Table:
    """Rows of the layer `parcels`."""
    count = len(parcels)
    columns = _shared_columns(estates, labels, roll) | {
        "geo_pin": labels.geo_pin,
        "use_code": np.array([USE_CODES[PropertyClass(one)] for one in estates.property_class.tolist()]),
        "zoning": [str(zone) for zone in parcels.zones()],
        "tax_code_area": [f"K{section.row % 4 + 1}-{section.number:04d}" for section in parcels.sections],
        "subdivision": labels.subdivision,
        "block": labels.block,
        "lot": labels.lot,
        "legal_description": labels.legal_description,
        "frontage_ft": np.round([lot.width for lot in parcels.lots], 1),
        "is_exempt": estates.is_class(PropertyClass.EXEMPT),
        "inspected_at": pa.array(_inspections(count, rng), mask=rng.random(count) < 0.03),
        "tax_year": np.full(count, LAST_YEAR + 1),
        "geom": shapely.to_wkb(parcels.shapes),
    }
    return _table(PARCELS, columns)


def property_rows(estates: Estates, labels: Labels, roll: Roll, place: Place) -> pa.Table:
    """Rows of the table of properties."""
    home = estates.bedrooms > 0
    columns = _shared_columns(estates, labels, roll) | {
        "bedrooms": _known(estates.bedrooms, home),
        "bathrooms": _known(estates.bathrooms, home),
        "stories": _known(estates.stories, estates.built),
        "quality": _known(estates.quality, estates.built),
        "condition": _known(estates.condition, estates.built),
        "garage_area_sqft": _known(estates.garage_area, home),
        "lon": place[0],
        "lat": place[1],
    }
    return _table(PROPERTIES, columns)


def sale_rows(sales: Sales, labels: Labels, place: Place) -> pa.Table:
    """Rows of the table of sales, not yet numbered."""
    return pa.table(
        {
            "property_id": pa.array([labels.property_id[at] for at in sales.parcel.tolist()], pa.string()),
            "sale_date": pa.array(sales.date, pa.date32()),
            "sale_price": pa.array(sales.price, pa.int32()),
            "is_valid": pa.array(sales.sale_type == SaleType.WARRANTY_DEED, pa.bool_()),
            "assessed_value": pa.array(sales.assessed, pa.int32()),
            "sale_type": pa.array(sales.sale_type.tolist(), pa.string()),
            "lon": pa.array(place[0][sales.parcel], pa.float64()),
            "lat": pa.array(place[1][sales.parcel], pa.float64()),
        }
    )


def listing_rows(listings: Listings, labels: Labels, place: Place) -> pa.Table:
    """Rows of the table of listings, not yet numbered."""
    closed = ~np.isnat(listings.close_date)
    return pa.table(
        {
            "property_id": pa.array([labels.property_id[at] for at in listings.parcel.tolist()], pa.string()),
            "list_date": pa.array(listings.list_date, pa.date32()),
            "off_market_date": pa.array(listings.off_market_date, pa.date32()),
            "close_date": pa.array(listings.close_date, pa.date32()),
            "list_price": pa.array(listings.list_price, pa.float64()).cast(pa.int32()),
            "close_price": _known(listings.close_price, closed).cast(pa.int32()),
            "lon": pa.array(place[0][listings.parcel], pa.float64()),
            "lat": pa.array(place[1][listings.parcel], pa.float64()),
        }
    )


def numbered(rows: pa.Table, name: str, date: str) -> pa.Table:
    """Rows in the order of a date, with a first column of numbers that count within a year."""
    rows = rows.sort_by([(date, "ascending"), ("property_id", "ascending")])
    year = rows[date].to_numpy().astype("datetime64[Y]").astype(int) + 1970
    known, start, at = np.unique(year, return_index=True, return_inverse=True)
    within = np.arange(year.size) - start[at] + 1
    ids = [f"{y}-{n:06d}" for y, n in zip(known[at].tolist(), within.tolist(), strict=True)]
    return rows.add_column(0, name, pa.array(ids, pa.string()))


def zoning_rows(zones: list[tuple[Zone, shapely.Polygon]]) -> pa.Table:
    """Rows of the layer `zoning`."""
    shapes = np.array([shape for _, shape in zones], dtype=object)
    return pa.table(
        {
            "zone_id": pa.array(range(1, len(zones) + 1), pa.int32()),
            "zoning": [str(zone) for zone, _ in zones],
            "description": [zone.name.replace("_", " ").capitalize() for zone, _ in zones],
            "area_acres": np.round(shapely.area(shapes) / 43_560, 2),
            "geom": _wkb(shapes),
        }
    )


def neighborhood_rows(neighborhoods: dict[int, shapely.MultiPolygon]) -> pa.Table:
    """Rows of the layer `neighborhoods`."""
    shapes = np.array(list(neighborhoods.values()), dtype=object)
    return pa.table(
        {
            "neighborhood": [code(number) for number in neighborhoods],
            "name": [names.neighborhood(number) for number in neighborhoods],
            "area_acres": np.round(shapely.area(shapes) / 43_560, 2),
            "geom": _wkb(shapes),
        }
    )


def road_rows(roads: list[GroundRoad]) -> pa.Table:
    """Rows of the layer `roads`."""
    shapes = np.array([road.shape for road in roads], dtype=object)
    speeds = {RoadClass.ARTERIAL: 40, RoadClass.COLLECTOR: 30, RoadClass.LOCAL: 25, RoadClass.COURT: 20}
    lanes = {RoadClass.ARTERIAL: 5, RoadClass.COLLECTOR: 3, RoadClass.LOCAL: 2, RoadClass.COURT: 2}
    return pa.table(
        {
            "road_id": pa.array(range(1, len(roads) + 1), pa.int32()),
            "name": [road.name for road in roads],
            "road_class": [str(road.road_class) for road in roads],
            "lanes": pa.array([lanes[road.road_class] for road in roads], pa.int16()),
            "speed_limit_mph": pa.array([speeds[road.road_class] for road in roads], pa.int16()),
            "right_of_way_ft": [RIGHT_OF_WAY[road.road_class] for road in roads],
            "length_ft": np.round(shapely.length(shapes), 1),
            "geom": _wkb(shapes),
        }
    )


def _shared_columns(estates: Estates, labels: Labels, roll: Roll) -> dict[str, Any]:
    """What the layer of parcels and the table of properties both say."""
    sold = ~np.isnat(roll.last_sale_date)
    return {
        "property_id": labels.property_id,
        "situs_address_full": labels.address,
        "zip_code": labels.zip_code,
        "property_class": estates.property_class.tolist(),
        "neighborhood": [code(number) for number in estates.neighborhood.tolist()],
        "land_area_sqft": estates.land_area,
        "living_area_sqft": _known(estates.living_area, estates.built),
        "year_built": _known(estates.year_built, estates.built),
        "assessed_land_value": roll.land,
        "assessed_improvement_value": roll.building,
        "current_assessed_value_total": roll.land + roll.building,
        "prior_assessed_value_total": roll.prior_total,
        "last_sale_date": pa.array(roll.last_sale_date, mask=~sold),
        "last_sale_price": _known(roll.last_sale_price, sold),
    }


def _inspections(count: int, rng: np.random.Generator) -> NDArray[np.datetime64]:
    """A working hour within the six years of an inspection cycle (UTC)."""
    day = np.busday_offset(np.datetime64("2019-09-02"), rng.integers(0, 1_560, count), roll="forward")
    seconds = rng.integers(16 * 3600, 24 * 3600, count)
    moment: NDArray[np.datetime64] = day.astype("datetime64[ms]") + (seconds * 1_000).astype("timedelta64[ms]")
    return moment


def _known(values: NDArray[Any], known: NDArray[np.bool_]) -> pa.Array:
    return pa.array(values, mask=~known)


def _wkb(shapes: Geometries) -> pa.Array:
    return pa.array(shapely.to_wkb(shapes), pa.binary())


def _table(schema: pa.Schema, columns: dict[str, Any]) -> pa.Table:
    arrays = []
    for one in schema:
        column = columns[one.name]
        array = column if isinstance(column, pa.Array) else pa.array(column)
        arrays.append(array.cast(one.type))
    return pa.Table.from_arrays(arrays, schema=schema)
