"""How fast a market moves: sales by period, the share of properties that sell, the seasons, the supply for sale."""

from collections.abc import Sequence
from math import sqrt
from typing import Any

from market_analysis import joining
from market_analysis.absorption import Absorption, absorption
from market_analysis.analysis import Analysis, Row, figure
from market_analysis.analysis_types import GroupBy, Period
from market_analysis.market import NO_VALUE, Market, Scope, store_rows
from market_analysis.periods import Calendar
from market_analysis.trends import group_of, overall

DAYS_PER_YEAR = 365.25
MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def sales_velocity(market: Market, scope: Scope, period: Period, group_by: GroupBy, min_sales: int) -> Analysis:
    """Sales by period, yearly turnover (sales over properties) by group, an index of the months of whole years.

    With a table of listings also what was for sale, and how fast it was taken up.
    """
    stock = _stock(market, scope, group_by)
    rows = overall(market, period, min_sales)
    turnover = _turnover(market, group_by, stock)
    seasons = seasonality(market)
    years = ((market.last - market.first).days + 1) / DAYS_PER_YEAR
    properties = sum(stock.values()) or None
    yearly = market.count / years
    listed = absorption(market, scope, period, group_by, min_sales)
    details: dict[str, Any] = {
        "group_by": str(group_by),
        "sales_per_year": figure(yearly, 1),
        "properties": properties,
        "turnover_percent_per_year": figure(100 * yearly / properties, 3) if properties else None,
        "turnover": turnover,
        "seasonality": seasons,
        "absorption": listed.document,
    }
    tables = {
        "velocity": store_rows(market.database, "velocity", rows),
        "turnover": store_rows(market.database, "turnover", turnover),
    }
    if seasons:
        tables["seasonality"] = store_rows(market.database, "seasonality", seasons)
    for name, found in listed.tables.items():
        tables[name] = store_rows(market.database, name, found)
    notes = [*listed.notes, *([] if properties else ["Without a table of properties there is no turnover."])]
    return Analysis(_finding(market, details, seasons, listed), market.count, rows, details, tables, notes=notes)


def seasonality(market: Market) -> list[Row]:
    """Sales of each calendar month in the whole calendar years looked at, as an index: 1 is a twelfth of a year.

    Months count by their length: February is not slow for being short. The error is that of a count (Poisson).
    """
    calendar = Calendar(Period.YEAR, market.first, market.last)
    whole = [calendar.start(at).year for at in range(len(calendar)) if calendar.is_whole(at)]
    if not whole:
        return []
    years = ", ".join(str(year) for year in whole)
    counted = dict(
        market.database.execute(
            f"SELECT month(sale_date), count(*) FROM market WHERE year(sale_date) IN ({years}) GROUP BY 1"  # noqa: S608
        ).fetchall()
    )
    total = sum(counted.values())
    if not total:
        return []
    months = Calendar(Period.MONTH, calendar.start(whole[0] - calendar.start(0).year), market.last)
    days = [0] * 12
    for at in range(len(months)):
        if months.start(at).year in whole:
            days[months.start(at).month - 1] += (months.end(at) - months.start(at)).days + 1
    rows = []
    for month in range(1, 13):
        sales, expected = counted.get(month, 0), total * days[month - 1] / sum(days)
        rows.append(
            {
                "month": month,
                "name": MONTH_NAMES[month - 1],
                "sales_volume": sales,
                "index": figure(sales / expected, 4),
                "standard_error": figure(sqrt(sales) / expected, 4),
            }
        )
    return rows


def _stock(market: Market, scope: Scope, group_by: GroupBy) -> dict[str, int]:
    """Properties by group, of the zip code, neighborhood and class that are looked at; none without a table of them."""
    if "properties" not in joining.tables(market.database):
        return {}
    conditions = "".join(f" AND trim({place}::VARCHAR) = ${place}" for place in scope.places)
    value = (
        "'county'" if group_by is GroupBy.COUNTY else f"coalesce(nullif(trim({group_by}::VARCHAR), ''), '{NO_VALUE}')"
    )
    query = f"SELECT {value}, count(DISTINCT property_id) FROM properties WHERE true{conditions} GROUP BY 1"  # noqa: S608
    return dict(market.database.execute(query, {str(k): v for k, v in scope.places.items()}).fetchall())


def _turnover(market: Market, group_by: GroupBy, stock: dict[str, int]) -> list[Row]:
    years = ((market.last - market.first).days + 1) / DAYS_PER_YEAR
    query = f"SELECT {group_of(group_by)}, count(*), count(DISTINCT property_id) FROM market GROUP BY 1"  # noqa: S608
    sold = {row[0]: row[1:] for row in market.database.execute(query).fetchall()}
    rows = []
    for group in sorted(sold.keys() | stock.keys()):
        sales, properties_sold = sold.get(group, (0, 0))
        properties = stock.get(group)
        rows.append(
            {
                str(group_by): group,
                "properties": properties,
                "sales_volume": sales,
                "properties_sold": properties_sold,
                "sales_per_year": figure(sales / years, 2),
                "turnover_percent_per_year": figure(100 * sales / years / properties, 3) if properties else None,
            }
        )
    return rows


def _finding(market: Market, details: dict[str, Any], seasons: Sequence[Row], listed: Absorption) -> str:
    text = f"{details['sales_per_year']:,.0f} properties sell in a year"
    if details["turnover_percent_per_year"] is not None:
        text += f", {details['turnover_percent_per_year']:.1f} % of {details['properties']:,}"
    if seasons:
        high, low = (choose(seasons, key=lambda row: row["index"]) for choose in (max, min))
        text += (
            f"; {high['name']} has {high['index']:.2f} times the sales of an average month, "
            f"{low['name']} {low['index']:.2f} times"
        )
    if listed.finding:
        text += f"; {listed.finding}"
    return f"{text} ({market.count:,} sales)."
