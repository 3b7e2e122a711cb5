"""The sales most like a property nearby, and what they say of its value."""

from typing import Any

import numpy as np

from market_analysis.analysis import Row, figure
from market_analysis.market import ROW, Market, store_rows
from market_analysis.neighbors import EARTH_RADIUS_METERS, METERS_PER_MILE
from market_analysis.regression import Floats
from market_analysis.shapes import Geometry, MapLayer
from market_analysis.subjects import Subject

LEAST_SIMILAR = 5
AREAS = ("living_area_sqft", "land_area_sqft")
MILES_PER_DEGREE = np.pi / 180 * EARTH_RADIUS_METERS / METERS_PER_MILE


def similar_sales(
    market: Market, subject: Subject, expected: float, residuals: Floats, radius_miles: float, count: int
) -> list[Row]:
    """The sales nearby that differ least in living (else land) area, adjusted by what the equation says of both.

    A sale's price times the ratio of what the equation expects of the subject and of the sale is what the equation
    expects of the subject (`expected`, a log) plus the sale's residual. Miles are equirectangular at the subject's
    latitude.

    Parameters
    ----------
    residuals
        By the sales' row numbers; NaN where a sale has none.
    """
    area = next((name for name in AREAS if (subject.numbers.get(name) or 0) > 0), None)
    lon, lat = subject.numbers.get("lon"), subject.numbers.get("lat")
    if area is None or lon is None or lat is None:
        market.notes.append("Without an area and a location of the property there are no similar sales nearby.")
        return []
    rows = market.database.execute(
        f"""SELECT sale_id, property_id, sale_date, price, {area}, lon, lat, {ROW}, miles FROM (
            SELECT *, rowid, {MILES_PER_DEGREE} * sqrt(((lon - $lon) * cos(radians($lat))) ** 2 + (lat - $lat) ** 2)
                AS miles
            FROM market WHERE {area} > 0 AND property_id IS DISTINCT FROM $id
        ) AS market WHERE miles <= $radius
        ORDER BY abs(ln({area} / $wanted)), miles, sale_id LIMIT $count""",  # noqa: S608
        {
            "id": subject.property_id,
            "lon": lon,
            "lat": lat,
            "radius": radius_miles,
            "wanted": subject.numbers[area],
            "count": count,
        },
    ).fetchall()
    return [_row(row, area, float(np.exp(expected + residuals[row[7]]))) for row in rows]


def similar_value(similar: list[Row]) -> Row | None:
    """The median of the adjusted prices, and the quartiles."""
    if len(similar) < LEAST_SIMILAR:
        return None
    low, middle, high = np.quantile([row["adjusted_price"] for row in similar], [0.25, 0.5, 0.75]).tolist()
    return {"value": figure(middle, 0), "low": figure(low, 0), "high": figure(high, 0), "sales": len(similar)}


def table(market: Market, similar: list[Row]) -> str:
    """Similar sales as a table of DuckDB's."""
    empty = {"sale_id": "none nearby", "property_id": None, "sale_date": None, "sale_price": None}
    return store_rows(market.database, "similar_sales", similar or [empty])


def layer(subject: Subject, similar: list[Row], value: float) -> MapLayer | None:
    """The subject and its similar sales as points, the subject first."""
    if not similar:
        return None
    lon, lat = subject.numbers["lon"], subject.numbers["lat"]
    rows: list[Row] = [
        {"kind": "subject", "property_id": subject.property_id, "price": figure(value, 0)},
        *({"kind": "sale", "property_id": row["property_id"], "price": row["adjusted_price"]} for row in similar),
    ]
    points = [(lon or 0.0, lat or 0.0), *((row["lon"], row["lat"]) for row in similar)]
    return MapLayer("similar_sales", Geometry.POINT, {key: [row[key] for row in rows] for key in rows[0]}, points)


def _row(row: tuple[Any, ...], area: str, adjusted: float) -> Row:
    sale_id, property_id, sold, price, size, lon, lat, _, miles = row
    return {
        "sale_id": sale_id,
        "property_id": property_id,
        "sale_date": sold.isoformat(),
        "sale_price": figure(price),
        area: figure(size),
        "miles": figure(miles, 3),
        "adjusted_price": figure(adjusted),
        "lon": lon,
        "lat": lat,
    }
