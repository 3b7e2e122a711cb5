"""What areas (neighborhoods or zip codes) are like: their stock, their sales, their ratios, their trend."""

from collections.abc import Mapping
from math import exp
from typing import Any

from market_analysis import joining
from market_analysis.analysis import Row, figure
from market_analysis.analysis_types import GroupBy
from market_analysis.market import Market, Scope
from market_analysis.time_adjustment import Rate, Rates, hedonic_rates
from terrafusion.errors import JobFailure

MONTHS = 12
LEAST_FOR_TREND = 30


def profiles(market: Market, scope: Scope, area_by: GroupBy, min_sales: int) -> list[Row]:
    """A row for each area with properties or sales, in order; `thin` marks those with fewer sales than `min_sales`.

    `trend_percent_per_year` is that of a hedonic equation of the area's own, from 30 sales on. Ratio figures are those
    of assessed value over price; COD and PRD by the IAAO's definitions.
    """
    sales = _sales(market, area_by)
    stock = _stock(market, scope, area_by)
    rates = _rates(market, area_by)
    rows = []
    for area in sorted(sales.keys() | stock.keys()):
        row: Row = {str(area_by): area} | stock.get(area, _nothing(_STOCK)) | sales.get(area, _nothing(_SALES))
        row["sales"] = row["sales"] or 0
        rate = rates.get(area)
        row |= _trend(rate)
        row["thin"] = row["sales"] < min_sales
        rows.append(row)
    return rows


_STOCK = {
    "properties": "count(*)",
    "median_living_area": "median(living_area_sqft) FILTER (living_area_sqft > 0)",
    "median_land_area": "median(land_area_sqft) FILTER (land_area_sqft > 0)",
    "median_year_built": "median(year_built) FILTER (year_built > 1600)",
    "assessed_total": "sum(current_assessed_value_total)",
    "lon": "avg(lon)",
    "lat": "avg(lat)",
}
_SALES = {
    "sales": "count(*)",
    "median_price": "median(price)",
    "average_price": "avg(price)",
    "median_price_per_sqft": "median(price / living_area_sqft) FILTER (living_area_sqft > 0)",
    "median_ratio": "median(assessed / price)",
    "cod": "100 * avg(abs(assessed / price - middle)) / any_value(middle)",
    "prd": "avg(assessed / price) / (sum(assessed) / sum(price) FILTER (assessed IS NOT NULL))",
}
_DIGITS = {"lon": 7, "lat": 7, "median_ratio": 4, "cod": 2, "prd": 4, "median_year_built": 0}


def _stock(market: Market, scope: Scope, area_by: GroupBy) -> dict[str, Row]:
    """What stands in each area: from the table of properties, else from what was sold there."""
    if "properties" in joining.tables(market.database):
        conditions = "".join(f" AND trim({place}::VARCHAR) = ${place}" for place in scope.places)
        source, given = f"properties WHERE true{conditions}", {str(k): v for k, v in scope.places.items()}
        return _grouped(market, _STOCK, f"trim({area_by}::VARCHAR)", source, given)
    columns = _STOCK | {"properties": "count(DISTINCT property_id)", "assessed_total": "NULL"}
    return _grouped(market, columns, str(area_by), "market WHERE true", {})


def _sales(market: Market, area_by: GroupBy) -> dict[str, Row]:
    source = f"(SELECT *, median(assessed / price) OVER (PARTITION BY {area_by}) AS middle FROM market) WHERE true"  # noqa: S608
    return _grouped(market, _SALES, str(area_by), source, {})


def _grouped(
    market: Market, columns: Mapping[str, str], area: str, source: str, given: Mapping[str, Any]
) -> dict[str, Row]:
    selected = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
    query = f"SELECT {area} AS area, {selected} FROM {source} AND nullif({area}, '') IS NOT NULL GROUP BY 1"  # noqa: S608
    rows = market.database.execute(query, dict(given)).fetchall()
    return {
        row[0]: {
            name: value if isinstance(value, int) else figure(value, _DIGITS.get(name, 2))
            for name, value in zip(columns, row[1:], strict=True)
        }
        for row in rows
    }


def _rates(market: Market, area_by: GroupBy) -> Rates:
    """Rates by area, on a copy of the sales: an equation leaves out those without a characteristic."""
    market.database.execute("CREATE OR REPLACE TABLE all_sales AS SELECT * FROM market")
    copy = Market(
        market.database, market.first, market.last, market.considered, market.count, market.assessed_is_current, {}
    )
    try:
        return hedonic_rates(copy, area_by, LEAST_FOR_TREND)
    except JobFailure:  # too few sales with characteristics: no area has a trend
        return {}
    finally:
        market.database.execute("CREATE OR REPLACE TABLE market AS SELECT * FROM all_sales")
        market.database.execute("DROP TABLE all_sales")


def _trend(rate: Rate | None) -> Row:
    if rate is None:
        return {"trend_percent_per_year": None, "trend_standard_error": None}
    growth = exp(MONTHS * rate.value)
    return {
        "trend_percent_per_year": figure(100 * (growth - 1), 4),
        "trend_standard_error": figure(100 * MONTHS * rate.error * growth, 4),
    }


def _nothing(columns: Mapping[str, str]) -> Row:
    return dict.fromkeys(columns)
