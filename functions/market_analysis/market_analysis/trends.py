"""Prices, and prices per square foot, by period and group."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from market_analysis.analysis import Analysis, Row, figure, percent_change, plural, rise
from market_analysis.analysis_types import AreaBasis, GroupBy, Period
from market_analysis.market import NO_VALUE, Market, store, store_rows
from market_analysis.medians import median_ranks
from market_analysis.periods import Calendar

PRICE = "price"
ROWS_SHOWN = 5_000
"""So many rows of groups and periods a result tells by itself; more are in its data file alone."""

Cell = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """What is followed over time: an expression over `market`, how rows call it, and how a sentence does."""

    expression: str
    name: str
    title: str
    digits: int


PRICES = Measured(PRICE, "price", "median price", 0)


def per_square_foot(basis: AreaBasis) -> Measured:
    """Prices divided by an area."""
    what = "living" if basis is AreaBasis.LIVING else "land"
    return Measured(f"price / {basis}", "price_per_sqft", f"median price per square foot of {what} area", 2)


def price_trend(market: Market, period: Period, group_by: GroupBy, min_sales: int) -> Analysis:
    """Average and median price, with volume and change, by period and group."""
    return _trend(market, PRICES, period, group_by, min_sales)


def price_per_sqft(market: Market, period: Period, group_by: GroupBy, min_sales: int, basis: AreaBasis) -> Analysis:
    """Average and median price per square foot, with volume and change, by period and group."""
    market.drop(f"without {basis}", f"NOT coalesce({basis} > 0, false)")
    return _trend(market, per_square_foot(basis), period, group_by, min_sales)


def by_period(market: Market, calendar: Calendar, measured: Measured, group_by: GroupBy, min_sales: int) -> list[Row]:
    """A row for each group and period, those without a sale included; groups in order, `(none)` for no value.

    `thin` marks periods with fewer than `min_sales` sales, `partial` those of which not all days were looked at.
    Changes are told between periods that are not thin.
    """
    cells = _cells(market, calendar, measured, group_by)
    rows: list[Row] = []
    for group in sorted({group for group, _ in cells}):
        series = [_row(calendar, at, group, cells.get((group, at)), measured, group_by) for at in range(len(calendar))]
        median = f"median_{measured.name}"
        for at, row in enumerate(series):
            row["thin"] = row["sales_volume"] < min_sales
            for name, back in (("change_percent", 1), ("change_year_percent", calendar.per_year)):
                before = series[at - back] if at >= back else None
                usable = before is not None and not before["thin"] and not row["thin"]
                row[name] = percent_change(before[median], row[median]) if before and usable else None
        rows += series
    return rows


def overall(market: Market, period: Period, min_sales: int) -> list[Row]:
    """`by_period` of the prices of all sales together."""
    calendar = Calendar(period, market.first, market.last)
    return ungrouped(by_period(market, calendar, PRICES, GroupBy.COUNTY, min_sales))


def ungrouped(rows: Sequence[Row]) -> list[Row]:
    """Rows of all sales together, without the group that is none."""
    return [{name: value for name, value in row.items() if name != str(GroupBy.COUNTY)} for row in rows]


def spans(market: Market, measured: Measured, group_by: GroupBy, min_sales: int) -> tuple[str, list[Row]]:
    """Medians of the first and the last twelve months (or halves, of a shorter time) by group, and what they are."""
    days = (market.last - market.first).days + 1
    span = min(365, days // 2)
    early, late = market.first + timedelta(days=span - 1), market.last - timedelta(days=span - 1)
    name = "12 months" if span == 365 else plural(span, "day")
    first, last = f"sale_date <= DATE '{early}'", f"sale_date >= DATE '{late}'"
    rows = market.database.execute(
        f"""SELECT {group_of(group_by)} AS value, median({measured.expression}) FILTER ({first}),
            median({measured.expression}) FILTER ({last}), count(*) FILTER ({first}), count(*) FILTER ({last})
        FROM market GROUP BY 1 ORDER BY 1"""  # noqa: S608
    ).fetchall()
    found = []
    for group, before, after, sales_before, sales_after in rows:
        enough = min(sales_before, sales_after) >= min_sales
        found.append(
            {
                str(group_by): group,
                "first_median": figure(before),
                "last_median": figure(after),
                "first_sales": sales_before,
                "last_sales": sales_after,
                "change_percent": percent_change(before, after) if enough else None,
            }
        )
    return name, found


def _trend(market: Market, measured: Measured, period: Period, group_by: GroupBy, min_sales: int) -> Analysis:
    market.require(min_sales, f"The {measured.title}")
    calendar = Calendar(period, market.first, market.last)
    together = by_period(market, calendar, measured, GroupBy.COUNTY, min_sales)
    grouped = by_period(market, calendar, measured, group_by, min_sales)
    span, [county] = spans(market, measured, GroupBy.COUNTY, min_sales)
    _, changes = spans(market, measured, group_by, min_sales)
    details: dict[str, Any] = {
        "group_by": str(group_by),
        "changes": {"span": span, "all": county, "groups": changes},
        "thin_periods": sum(row["thin"] for row in grouped),
    }
    notes = []
    if len(grouped) <= ROWS_SHOWN:
        details["groups"] = _nested(grouped, group_by)
    else:
        notes.append(f"The groups' {len(grouped):,} periods are in the data file alone.")
    return Analysis(
        key_finding=_finding(measured, span, county, changes, group_by),
        points=market.count,
        trends=ungrouped(together),
        details=details,
        tables={"trend": store_rows(market.database, "trend", grouped)},
        notes=notes,
    )


def _nested(rows: Sequence[Row], group_by: GroupBy) -> list[Row]:
    """Rows by group."""
    name = str(group_by)
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[name], []).append({key: value for key, value in row.items() if key != name})
    return [{name: group, "trends": series} for group, series in groups.items()]


def _finding(measured: Measured, span: str, county: Row, groups: Sequence[Row], group_by: GroupBy) -> str:
    change = county["change_percent"]
    if change is None:
        return f"The {measured.title} is {_amount(measured, county['last_median'])}; too few sales to tell a change."
    text = (
        f"The {measured.title} {rise(change)} from the first to the last {span}, to "
        f"{_amount(measured, county['last_median'])} from {_amount(measured, county['first_median'])} "
        f"({county['first_sales']:,} and {county['last_sales']:,} sales)"
    )
    known = sorted((row for row in groups if row["change_percent"] is not None), key=lambda row: row["change_percent"])
    if len(known) < 2:
        return f"{text}."
    low, high, name = known[0], known[-1], str(group_by)
    return (
        f"{text}: most in {high[name]} ({high['change_percent']:+.1f} %), "
        f"least in {low[name]} ({low['change_percent']:+.1f} %)."
    )


def _amount(measured: Measured, value: float | None) -> str:
    return f"${value or 0:,.{measured.digits}f}"


def _row(calendar: Calendar, at: int, group: str, cell: Cell | None, measured: Measured, group_by: GroupBy) -> Row:
    volume, mean_price, median_price, total, mean, median, low, high = cell or (0, *[None] * 7)
    row: Row = {
        str(group_by): group,
        "period": calendar.label(at),
        "period_start": calendar.start(at).isoformat(),
        "average_price": figure(mean_price),
        "median_price": figure(median_price),
        "sales_volume": volume,
        "total_price": figure(total) if total is not None else 0.0,
    }
    if measured.name != PRICE:
        row |= {f"average_{measured.name}": figure(mean, 4), f"median_{measured.name}": figure(median, 4)}
    return row | {"median_low": figure(low, 4), "median_high": figure(high, 4), "partial": not calendar.is_whole(at)}


def _cells(market: Market, calendar: Calendar, measured: Measured, group_by: GroupBy) -> dict[tuple[str, int], Cell]:
    """What is known of each group's periods that have sales."""
    database = market.database
    database.execute(
        f"""CREATE OR REPLACE TABLE cells AS
        SELECT {group_of(group_by)} AS value, {calendar.index_of("sale_date")} AS period, count(*) AS n,
            avg(price) AS mean_price, median(price) AS median_price, sum(price) AS total,
            avg({measured.expression}) AS mean, median({measured.expression}) AS middle,
            list_sort(list({measured.expression})) AS ordered
        FROM market GROUP BY ALL"""  # noqa: S608
    )
    counts = [row[0] for row in database.execute("SELECT DISTINCT n FROM cells").fetchall()]
    bounds = [median_ranks(count) or (None, None) for count in counts]
    store(database, "ranks", {"n": counts, "low": [one[0] for one in bounds], "high": [one[1] for one in bounds]})
    rows = database.execute(
        """SELECT value, period, n, mean_price, median_price, total, mean, middle,
            ordered[low::INTEGER], ordered[high::INTEGER] FROM cells JOIN ranks USING (n)"""
    ).fetchall()
    return {(row[0], row[1]): row[2:] for row in rows}


def group_of(group_by: GroupBy) -> str:
    """SQL for the group of a sale."""
    return "'county'" if group_by is GroupBy.COUNTY else f"coalesce({group_by}, '{NO_VALUE}')"
