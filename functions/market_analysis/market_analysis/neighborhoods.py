"""The summary of neighborhoods, as a table and as polygons."""

from market_analysis.analysis import Analysis, Row, plural
from market_analysis.analysis_types import GroupBy, Period
from market_analysis.areas import profiles
from market_analysis.failures import no_data
from market_analysis.market import Market, Scope, store_rows
from market_analysis.outlines import Outlines, outlined
from market_analysis.trends import overall


def neighborhood_summary(
    market: Market, scope: Scope, area_by: GroupBy, min_sales: int, outlines: Outlines | None
) -> Analysis:
    """Stock, sales, ratios and trend by neighborhood, with polygons.

    Raises
    ------
    JobFailure
        `insufficient_data` when no property names its area.
    """
    rows = profiles(market, scope, area_by, min_sales)
    if not rows:
        other = GroupBy.ZIP_CODE if area_by is GroupBy.NEIGHBORHOOD else GroupBy.NEIGHBORHOOD
        raise no_data(f"No property and no sale looked at names its {area_by}. Load that column, or group by {other}.")
    trends = overall(market, Period.QUARTER, min_sales)
    layer, notes = outlined(market, rows, area_by, outlines)
    return Analysis(
        key_finding=_finding(rows, area_by),
        points=market.count,
        trends=trends,
        details={"group_by": str(area_by), "areas": rows},
        tables={"neighborhoods": store_rows(market.database, "neighborhoods", rows)},
        layer=layer,
        notes=notes,
    )


def _finding(rows: list[Row], area_by: GroupBy) -> str:
    name = str(area_by)
    priced = sorted((row for row in rows if not row["thin"]), key=lambda row: row["median_price"])
    text = f"{plural(len(rows), name.replace('_', ' '))}, {plural(sum(row['sales'] for row in rows), 'sale')}"
    if len(priced) > 1:
        low, high = priced[0], priced[-1]
        text += (
            f"; median prices from ${low['median_price']:,.0f} in {low[name]} to ${high['median_price']:,.0f} "
            f"in {high[name]}"
        )
    moved = sorted(
        (row for row in rows if row["trend_percent_per_year"] is not None),
        key=lambda row: row["trend_percent_per_year"],
    )
    if len(moved) > 1:
        slow, fast = moved[0], moved[-1]
        text += (
            f"; trends from {slow['trend_percent_per_year']:+.1f} % a year in {slow[name]} to "
            f"{fast['trend_percent_per_year']:+.1f} % in {fast[name]}"
        )
    return f"{text}."
