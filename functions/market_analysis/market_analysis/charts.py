"""What each analysis looks like as a chart, drawn from its result alone."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date

from market_analysis import trend_charts
from market_analysis.analysis import Analysis, Row
from market_analysis.analysis_types import AnalysisType, Period
from market_analysis.captions import Caption
from market_analysis.comparable_areas import ASPECTS
from market_analysis.hedonic import Z_95
from market_analysis.time_adjustment import METHODS
from terrafusion.charts import (
    Axis,
    Bars,
    Chart,
    Intervals,
    Points,
    Rule,
    Scale,
    Span,
    Unit,
)

MOST_ROWS = 24
METHOD_NAMES = {"hedonic": "Hedonic", "ratio_trend": "Ratio trend", "paired": "Paired sales"}


def charts(kind: AnalysisType, analysis: Analysis, period: Period, caption: Caption) -> dict[str, Chart]:
    """The charts of an analysis by file name, the main one first."""
    return dict(_CHARTS[kind](analysis, period, caption))


def _rates(analysis: Analysis, _period: Period, caption: Caption) -> Iterator[tuple[str, Chart]]:
    """All methods for everything, the first that there is for each stratum."""
    name = analysis.details["group_by"]
    together, *strata = analysis.details["rates"]
    methods = [method for method in METHODS if together[method]] or list(METHODS)
    own = [row for row in strata if row[methods[0]]]
    shown = sorted(own, key=lambda row: -row[methods[0]]["observations"])[:MOST_ROWS]
    shown.sort(key=lambda row: -row[methods[0]]["percent_per_month"])
    marks = [_intervals([f"All, {METHOD_NAMES[one].lower()}"], [together[one]], METHOD_NAMES[one]) for one in methods]
    if shown:
        rates = [row[methods[0]] for row in shown]
        marks.append(_intervals([str(row[name]) for row in shown], rates, METHOD_NAMES[methods[0]]))
    what = f"{name.replace('_', ' ').capitalize()}: {METHOD_NAMES[methods[0]].lower()}"
    more = f", the {len(shown)} with the most sales" if len(own) > len(shown) else ""
    yield (
        "chart",
        Chart(
            f"Change of prices a month, {caption.county}",
            [*marks, Rule(0.0, upright=True)],
            x=Axis("Change a month", unit=Unit.PERCENT),
            y=Axis(scale=Scale.CATEGORY),
            subtitle=f"With 95 % intervals. {what}{more}" if shown else "With 95 % intervals",
            note=caption.note,
            description=analysis.key_finding,
            legend=False,
            height=170 + 19.0 * (len(methods) + len(shown)),
        ),
    )


def _intervals(places: Sequence[str], rates: Sequence[Row], name: str) -> Intervals:
    """Rates with their intervals."""
    value, low, high = (
        [rate[key] / 100 for rate in rates] for key in ("percent_per_month", "low_percent", "high_percent")
    )
    return Intervals(name, places, value, low, high, horizontal=True)


def _alike(analysis: Analysis, _period: Period, caption: Caption) -> Iterator[tuple[str, Chart]]:
    rows = analysis.details["comparable_areas"]
    name = next(iter(rows[0]))
    areas = [str(row[name]) for row in rows]
    marks, start = [], [0.0] * len(rows)
    for aspect in ASPECTS:
        key = f"{aspect.replace(' ', '_')}_share"
        to = [at + row[key] * row["dissimilarity"] for at, row in zip(start, rows, strict=True)]
        marks.append(Bars(aspect.capitalize(), areas, to, start=start, horizontal=True))
        start = to
    yield (
        "chart",
        Chart(
            f"Areas most like {analysis.details['area'][name]}, {caption.county}",
            marks,
            x=Axis("Dissimilarity, by what it comes from", include=(0,)),
            y=Axis(scale=Scale.CATEGORY),
            subtitle="In standard deviations over all areas; a shorter bar is more alike",
            note=caption.note,
            description=analysis.key_finding,
            height=190 + 30.0 * len(rows),
        ),
    )


def _value(analysis: Analysis, _period: Period, caption: Caption) -> Iterator[tuple[str, Chart]]:
    details = analysis.details
    span, sales = details["value_range"], details["similar_sales"]
    days = [date.fromisoformat(row["sale_date"]) for row in sales]
    at = date.fromisoformat(details["valuation_date"])
    yield (
        "chart",
        Chart(
            f"What the market would pay, {caption.county}",
            [
                Span(span["low"], span["high"], f"{span['level']:.0%} of sales"),
                Points("Similar sale, adjusted", days, [row["adjusted_price"] for row in sales], radius=4, opacity=0.9),
                Points("Similar sale, as sold", days, [row["sale_price"] for row in sales], radius=4, opacity=0.9),
                Rule(details["market_value"], f"Value ${details['market_value']:,.0f}"),
            ],
            x=Axis("Day of sale", scale=Scale.TIME),
            y=Axis("Price", unit=Unit.MONEY),
            subtitle=f"For {at}; the range rests on {span['basis']}",
            note=caption.note,
            description=analysis.key_finding,
        ),
    )


def _areas(analysis: Analysis, _period: Period, caption: Caption) -> Iterator[tuple[str, Chart]]:
    name = analysis.details["group_by"]
    known = [row for row in analysis.details["areas"] if row["trend_percent_per_year"] is not None]
    rows = sorted(known, key=lambda row: -row["sales"])[:MOST_ROWS]
    rows.sort(key=lambda row: -row["trend_percent_per_year"])
    values = [row["trend_percent_per_year"] / 100 for row in rows]
    errors = [Z_95 * row["trend_standard_error"] / 100 for row in rows]
    places = [str(row[name]) for row in rows]
    low = [value - error for value, error in zip(values, errors, strict=True)]
    high = [value + error for value, error in zip(values, errors, strict=True)]
    yield (
        "chart",
        Chart(
            f"Yearly change of prices by {name.replace('_', ' ')}, {caption.county}",
            [Intervals("Trend", places, values, low, high, horizontal=True)],
            x=Axis("Change a year", unit=Unit.PERCENT),
            y=Axis(scale=Scale.CATEGORY, categories=tuple(places)),
            subtitle="Hedonic, with 95 % intervals"
            + (f"; the {len(rows)} areas with the most sales" if len(known) > len(rows) else ""),
            note=caption.note,
            description=analysis.key_finding,
            height=150 + 19.0 * max(len(rows), 4),
        ),
    )


def _nothing(_analysis: Analysis, _period: Period, _caption: Caption) -> Iterator[tuple[str, Chart]]:
    """Clusters are a map."""
    yield from ()


_CHARTS: Mapping[AnalysisType, Callable[[Analysis, Period, Caption], Iterator[tuple[str, Chart]]]] = {
    AnalysisType.PRICE_TREND_BY_ZIP: trend_charts.prices,
    AnalysisType.PRICE_PER_SQFT: trend_charts.per_sqft,
    AnalysisType.SALES_VELOCITY: trend_charts.velocity,
    AnalysisType.COMPARABLE_MARKET_AREA: _alike,
    AnalysisType.MARKET_VALUATION: _value,
    AnalysisType.HEDONIC_INDEX: trend_charts.index,
    AnalysisType.REPEAT_SALES_INDEX: trend_charts.index,
    AnalysisType.TIME_ADJUSTMENT: _rates,
    AnalysisType.NEIGHBORHOOD_SUMMARY: _areas,
    AnalysisType.HOTSPOTS: _nothing,
}
