"""Charts of what goes on over time: prices, sales, supply, indices."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import groupby

from market_analysis.analysis import Analysis, Row
from market_analysis.analysis_types import Period
from market_analysis.captions import Caption
from market_analysis.hedonic import Z_95
from terrafusion.charts import (
    Axis,
    Band,
    Bars,
    Chart,
    Intervals,
    Line,
    Look,
    Mark,
    Panel,
    Rule,
    Scale,
    Shape,
    Unit,
)

DAYS = {Period.MONTH: 30.4, Period.QUARTER: 91.3, Period.YEAR: 365.25}
VOLUME = Look("#6B7684", "", Shape.SQUARE)
MOST_LINES = 6


def prices(analysis: Analysis, period: Period, caption: Caption) -> Iterator[tuple[str, Chart]]:
    """Prices, their volumes below."""
    yield "chart", _trend(analysis, period, caption, "median_price", "Median price", Unit.MONEY)


def per_sqft(analysis: Analysis, period: Period, caption: Caption) -> Iterator[tuple[str, Chart]]:
    """Prices per square foot."""
    name = "median_price_per_sqft"
    yield "chart", _trend(analysis, period, caption, name, "Median price per square foot", Unit.MONEY)


def _trend(analysis: Analysis, period: Period, caption: Caption, member: str, title: str, unit: Unit) -> Chart:
    """All sales as a line with its interval, the groups as lines, volumes below."""
    groups = analysis.details.get("groups", [])
    name = analysis.details["group_by"]
    lines: list[Mark] = []
    if 1 < len(groups) <= MOST_LINES:
        lines = [
            Line(str(group[name]), *_series(group["trends"], member, period), width=1.3)
            for group in groups
            if any(not row["thin"] for row in group["trends"])
        ]
    together = "All" if lines else ""
    marks: list[Mark] = [
        *_bands(together, analysis.trends, "median_low", "median_high", period),
        Line(together, *_series(analysis.trends, member, period), points=len(analysis.trends) <= 24, width=2.6),
        *lines,
    ]
    return Chart(
        f"{title}, {caption.county}",
        marks,
        x=Axis(scale=Scale.TIME),
        y=Axis(title, unit=unit),
        below=_volumes(analysis.trends, period),
        subtitle=f"By {period}; the band is the 95 % interval of the median of all, thin periods are left blank",
        note=caption.note,
        description=analysis.key_finding,
    )


def velocity(analysis: Analysis, period: Period, caption: Caption) -> Iterator[tuple[str, Chart]]:
    """Sales, their seasons, and the supply for sale where there are listings."""
    yield (
        "chart",
        Chart(
            f"Sales, {caption.county}",
            [_volumes(analysis.trends, period).marks[0]],
            x=Axis(scale=Scale.TIME),
            y=Axis(f"Sales in a {period}", include=(0,)),
            subtitle=analysis.key_finding,
            note=caption.note,
            description=analysis.key_finding,
        ),
    )
    seasons = analysis.details["seasonality"]
    if seasons:
        names = [row["name"] for row in seasons]
        values = [row["index"] for row in seasons]
        low, high = ([row["index"] + sign * Z_95 * row["standard_error"] for row in seasons] for sign in (-1, 1))
        yield (
            "seasons",
            Chart(
                f"Seasons of sales, {caption.county}",
                [Intervals("Sales", names, values, low, high), Rule(1.0, "Average month")],
                x=Axis(scale=Scale.CATEGORY),
                y=Axis("Sales against an average month", unit=Unit.RATIO, include=(0,)),
                subtitle="Whole calendar years; months weigh by their days; 95 % intervals of a count",
                note=caption.note,
                description=analysis.key_finding,
            ),
        )
    if analysis.details["absorption"]:
        yield "supply", _supply(analysis, period, caption)


def _supply(analysis: Analysis, period: Period, caption: Caption) -> Chart:
    rows = analysis.details["absorption"]["periods"]
    days, active = [_middle(row, period) for row in rows], [float(row["active_listings"]) for row in rows]
    bars = Bars("Listings", days, active, width=DAYS[period] * 0.8, look=VOLUME)
    return Chart(
        f"Months of supply, {caption.county}",
        [Line("", *_series(rows, "months_of_supply", period), points=len(rows) <= 24, width=2.6)],
        x=Axis(scale=Scale.TIME),
        y=Axis("Months of supply", include=(0,)),
        below=Panel(Axis("For sale", include=(0,), ticks=3), [bars], share=0.24),
        subtitle=f"Listings at the end of a {period} over its closed listings a month; thin periods are left blank",
        note=caption.note,
        description=analysis.key_finding,
    )


def index(analysis: Analysis, period: Period, caption: Caption) -> Iterator[tuple[str, Chart]]:
    """An index with its interval."""
    repeat = any("bmn_index" in row for row in analysis.trends)
    name = "Case-Shiller weights" if repeat else ""
    marks: list[Mark] = [
        *_bands(name, analysis.trends, "index_low", "index_high", period),
        Line(name, *_series(analysis.trends, "index", period), points=True),
    ]
    if repeat:
        marks.append(Line("Equal weights (BMN)", *_series(analysis.trends, "bmn_index", period)))
    title = "Repeat sales index" if repeat else "Hedonic price index"
    yield (
        "chart",
        Chart(
            f"{title}, {caption.county}",
            [*marks, Rule(100.0, f"{analysis.details['base_period']} = 100")],
            x=Axis(scale=Scale.TIME),
            y=Axis("Index"),
            below=_volumes(analysis.trends, period),
            subtitle="The band is the 95 % interval of the difference from the base",
            note=caption.note,
            description=analysis.key_finding,
        ),
    )


def _volumes(rows: Sequence[Row], period: Period) -> Panel:
    days = [_middle(row, period) for row in rows]
    bars = Bars("Sales", days, [float(row["sales_volume"]) for row in rows], width=DAYS[period] * 0.8, look=VOLUME)
    return Panel(Axis("Sales", include=(0,), ticks=3), [bars], share=0.24)


def _series(rows: Sequence[Row], member: str, period: Period) -> tuple[list[date], list[float | None]]:
    """Days and values; a thin period is a gap."""
    return [_middle(row, period) for row in rows], [None if row["thin"] else row[member] for row in rows]


def _bands(name: str, rows: Sequence[Row], low: str, high: str, period: Period) -> Iterator[Band]:
    """A band for each run of periods that have an interval."""
    for known, run in groupby(rows, key=lambda row: not row["thin"] and row[low] is not None):
        if known:
            part = list(run)
            yield Band(
                name, [_middle(row, period) for row in part], [row[low] for row in part], [row[high] for row in part]
            )


def _middle(row: Row, period: Period) -> date:
    return date.fromisoformat(row["period_start"]) + timedelta(days=DAYS[period] // 2)
