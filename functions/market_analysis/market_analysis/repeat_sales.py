"""The repeat sales index of a market."""

from typing import Any

from market_analysis.analysis import Analysis, Row, figure
from market_analysis.analysis_types import Period
from market_analysis.failures import too_few
from market_analysis.hedonic import index_figures, index_finding
from market_analysis.market import Market, store_rows
from market_analysis.pairs import resales
from market_analysis.periods import Calendar
from market_analysis.resales import RepeatSales, repeat_sales
from market_analysis.trends import overall

LEAST_PAIRS = 10


def repeat_sales_index(
    market: Market, period: Period, min_sales: int, min_holding_days: int, max_annual_change_percent: float
) -> Analysis:
    """Price indices from properties that sold more than once; `index` is Case and Shiller's, `bmn_index` the other.

    A period is thin when fewer than `min_sales` pairs begin or end there.
    """
    calendar = Calendar(period, market.first, market.last)
    found = resales(market, calendar, min_holding_days, max_annual_change_percent)
    if len(found.pairs) < LEAST_PAIRS:
        raise too_few(
            f"A repeat sales index needs at least {LEAST_PAIRS} pairs; {len(found.pairs)} are left.", found.excluded
        )
    try:
        index = repeat_sales(found.pairs, len(calendar))
    except ValueError as error:
        raise too_few(f"The index has too few pairs: {error}; try longer periods.", found.excluded) from error
    rows = _rows(market, period, index, min_sales)
    details: dict[str, Any] = {
        "pairs": len(found.pairs),
        "pairs_excluded": found.excluded,
        "base_period": calendar.label(index.bmn.base),
        "weights": {
            "variance_constant": figure(index.variance_constant, 10),
            "variance_per_month": figure(index.variance_per_month, 12),
        },
    }
    missing = [row["period"] for row in rows if row["index"] is None]
    notes = [f"No pair leads from the base to {', '.join(missing)}: no index there."] if missing else []
    return Analysis(
        key_finding=index_finding("repeat sales", rows, f"{len(found.pairs):,} pairs"),
        points=2 * len(found.pairs),
        trends=rows,
        details=details,
        tables={"repeat_sales_index": store_rows(market.database, "repeat_sales_index", rows), "pairs": "pairs"},
        notes=notes,
    )


def _rows(market: Market, period: Period, index: RepeatSales, min_sales: int) -> list[Row]:
    ends = dict(
        market.database.execute(
            "SELECT period, count(*) FROM (SELECT unnest([first, second]) AS period FROM pairs) GROUP BY 1"
        ).fetchall()
    )
    rows = overall(market, period, min_sales)
    for at, row in enumerate(rows):
        row["pair_ends"] = ends.get(at, 0)
        row["thin"] = row["pair_ends"] < min_sales
        row.update(index_figures(float(index.case_shiller.levels[at]), float(index.case_shiller.errors[at])))
        equal = index_figures(float(index.bmn.levels[at]), float(index.bmn.errors[at]))
        row.update({f"bmn_{name}": value for name, value in equal.items()})
    return rows
