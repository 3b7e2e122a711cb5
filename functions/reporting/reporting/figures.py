"""The pictures of ratio studies."""

from datetime import date

import numpy as np
from numpy.typing import NDArray

from reporting.content import Figure
from reporting.grouping import TITLES, GroupedStudy
from reporting.selection import Sales, day
from reporting.smoothing import smooth
from terrafusion.charts import Axis, Chart, Histogram, Intervals, Line, Look, Points, Rule, Scale, Shape, Span, Unit
from terrafusion.ratios import Measure, RatioSample, Statistic, lorenz, prb_points
from terrafusion.standards import Standard

SALES = Look("#7FA9CC", "", Shape.CIRCLE)
TREND = Look("#1B2430", "", Shape.CIRCLE)
"""Light points and a dark line: it is seen among them in grey too."""
MOST_POINTS = 2_000
MOST_GROUPS = 40
TIME_PLACES = 24


def distribution(sample: RatioSample) -> Figure:
    """A histogram of the ratios, those beyond the axis' ends counted in its last bars."""
    low, high = np.percentile(sample.sorted_ratio, [0.5, 99.5])
    low, high = min(low, 0.9), max(high, 1.1)
    edges = np.linspace(low, high, 41)
    counts, _ = np.histogram(np.clip(sample.ratio, low, high), edges)
    note = f"{sample.n:,} sales. Ratios below {low:.2f} or above {high:.2f} are counted in the outermost bars."
    chart = Chart(
        "Distribution of ratios",
        [
            Histogram("Sales", edges.tolist(), counts.tolist()),
            Rule(sample.median, f"Median {sample.median:.3f}", upright=True),
        ],
        x=Axis("Ratio of assessed value to sale price", unit=Unit.RATIO),
        y=Axis("Sales", include=(0,)),
        note=note,
    )
    alt = f"Histogram of {sample.n:,} ratios around the median of {sample.median:.3f}."
    return Figure(chart.title, chart.svg(), alt)


def by_price(sample: RatioSample, standard: Standard) -> Figure:
    """Ratios by sale price, with a smooth line."""
    shown = _thinned(sample.by_price)
    x, y = np.log10(sample.price), sample.ratio
    marks: list[object] = [
        *_allowed(standard),
        Points("Sales", sample.price[shown].tolist(), y[shown].tolist(), look=SALES),
        Rule(sample.median, "Median"),
    ]
    alt = f"Ratios of {sample.n:,} sales by price."
    if sample.n >= 10 and np.unique(x).size > 5:
        at, fitted = smooth(x, y)
        marks.append(Line("Smoothed", (10.0**at).tolist(), fitted.tolist(), width=3, look=TREND))
        alt = f"{alt} The smoothed ratio goes from {fitted[0]:.3f} at low prices to {fitted[-1]:.3f} at high ones."
    chart = Chart(
        "Ratios by sale price",
        marks,  # type: ignore[arg-type]
        x=Axis("Sale price (logarithmic)", scale=Scale.LOG, unit=Unit.MONEY),
        y=_ratio_axis(sample),
        note=_shown(shown.size, sample.n),
    )
    return Figure(chart.title, chart.svg(), alt)


def by_time(sample: RatioSample, sales: Sales, standard: Standard) -> Figure | None:
    """Ratios by day of sale, with a smooth line; None where days are not known or all one."""
    known = np.flatnonzero(~np.isnat(sales.sale_date))
    days = sales.sale_date[known].astype("datetime64[D]").astype(float)
    if known.size < 10 or np.unique(days).size < 5:
        return None
    at, fitted = smooth(days, sample.ratio[known], places=TIME_PLACES)
    shown = known[_thinned(np.argsort(days, kind="stable"))]
    dates = [d for d in (day(one) for one in sales.sale_date[shown]) if d is not None]
    chart = Chart(
        "Ratios by date of sale",
        [
            *_allowed(standard),
            Points("Sales", dates, sample.ratio[shown].tolist(), look=SALES),
            Rule(sample.median, "Median"),
            Line("Smoothed", [_date(d) for d in at], fitted.tolist(), width=3, look=TREND),
        ],
        x=Axis("Date of sale", scale=Scale.TIME),
        y=_ratio_axis(sample),
        note=_shown(shown.size, known.size),
    )
    ends = f"{fitted[0]:.3f} at the start and {fitted[-1]:.3f} at the end"
    alt = f"Ratios of {known.size:,} sales by date; smoothed, {ends}."
    return Figure(chart.title, chart.svg(), alt)


def by_group(grouped: GroupedStudy, standard: Standard, overall: Statistic) -> Figure | None:
    """Median ratios of groups with their intervals; None for one group or too many."""
    rows = [
        (name, study[Measure.MEDIAN])
        for name, study in zip(grouped.grouping.names, grouped.studies, strict=True)
        if study[Measure.MEDIAN].interval is not None
    ]
    if not 2 <= len(rows) <= MOST_GROUPS:
        return None
    title = f"Median ratio by {TITLES[grouped.grouping.stratum].lower()}"
    names = [name for name, _ in rows]
    ends = [(s.interval.low, s.interval.high) for _, s in rows if s.interval]
    level = standard.level
    span = [Span(level.low, level.high, "Standard", upright=True)] if level and level.low and level.high else []
    chart = Chart(
        title,
        [
            *span,
            Rule(float(overall), "All", upright=True),
            Intervals(
                "Median and its interval",
                names,
                [float(s) for _, s in rows],
                [low for low, _ in ends],
                [high for _, high in ends],
                horizontal=True,
            ),
        ],
        x=Axis("Ratio of assessed value to sale price", unit=Unit.RATIO),
        y=Axis("", scale=Scale.CATEGORY, categories=tuple(names)),
        note=_left_out(len(grouped.grouping.names) - len(rows)),
        height=150 + 20 * len(rows),
    )
    lowest, highest = min(rows, key=lambda r: float(r[1])), max(rows, key=lambda r: float(r[1]))
    alt = (
        f"Median ratios of {len(rows)} groups with intervals, from {float(lowest[1]):.3f} ({lowest[0]}) "
        f"to {float(highest[1]):.3f} ({highest[0]})."
    )
    return Figure(title, chart.svg(), alt)


def bias(sample: RatioSample, statistic: Statistic) -> Figure | None:
    """The regression of the PRB: relative differences from the median against log2 of the value proxy."""
    if statistic.value is None:
        return None
    x, y = prb_points(sample)
    shown = _thinned(sample.by_proxy)
    slope = float(statistic)
    ends = np.array([x.min(), x.max()])
    line = y.mean() + slope * (ends - x.mean())
    low, high = np.percentile(y, [0.5, 99.5])
    chart = Chart(
        "Price-related bias",
        [
            Points("Sales", x[shown].tolist(), y[shown].tolist(), look=SALES),
            Rule(0.0, "Median ratio"),
            Line(f"PRB {slope:+.3f} per doubling", ends.tolist(), line.tolist(), width=3, look=TREND),
        ],
        x=Axis("Value proxy, base-2 logarithm of dollars: one step is a doubling"),
        y=Axis("Ratio against the median", unit=Unit.PERCENT, low=float(min(low, -0.1)), high=float(max(high, 0.1))),
        note=_shown(shown.size, sample.n),
    )
    alt = (
        f"Relative differences from the median ratio by value; the line's slope is the PRB, {slope:+.4f} per doubling."
    )
    return Figure(chart.title, chart.svg(), alt)


def lorenz_curves(sample: RatioSample, statistic: Statistic) -> Figure | None:
    """Lorenz curves of prices and of values, both in the order of prices."""
    if statistic.value is None:
        return None
    x, prices = lorenz(sample.price, sample.price)
    _, values = lorenz(sample.assessed, sample.price)
    at = np.unique(np.linspace(0, x.size - 1, 200).astype(int))
    chart = Chart(
        "Lorenz curves",
        [
            Line("Equal shares", [0.0, 1.0], [0.0, 1.0], width=1),
            Line("Sale prices", x[at].tolist(), prices[at].tolist()),
            Line("Assessed values, in the order of prices", x[at].tolist(), values[at].tolist()),
        ],
        x=Axis("Share of the sales, from the lowest price", unit=Unit.PERCENT, low=0, high=1),
        y=Axis("Share of all dollars", unit=Unit.PERCENT, low=0, high=1),
        note="Where values lie above prices, cheap properties carry more of the assessment than of the market.",
        height=460,
    )
    quotient = f"the MKI, the quotient of their Gini coefficients, is {float(statistic):.4f}"
    alt = f"Lorenz curves of prices and values; {quotient}."
    return Figure(chart.title, chart.svg(), alt)


def _allowed(standard: Standard) -> list[Span]:
    level = standard.level
    if level is None or level.low is None or level.high is None:
        return []
    return [Span(level.low, level.high, f"Standard {level.low:.2f} to {level.high:.2f}")]


def _ratio_axis(sample: RatioSample) -> Axis:
    low, high = np.percentile(sample.sorted_ratio, [0.5, 99.5])
    return Axis("Ratio", unit=Unit.RATIO, low=float(min(low, 0.85)), high=float(max(high, 1.15)))


def _thinned(order: NDArray[np.intp]) -> NDArray[np.intp]:
    """At most so many, evenly along an order: the same sales for the same data."""
    if order.size <= MOST_POINTS:
        return order
    return np.asarray(order[np.linspace(0, order.size - 1, MOST_POINTS).astype(int)])


def _shown(shown: int, of: int) -> str:
    points = (
        f"{of:,} sales" if shown == of else f"{shown:,} of {of:,} sales, evenly taken; the lines are drawn from all"
    )
    return f"{points}. The vertical axis leaves out the outermost half percent on either side."


def _left_out(count: int) -> str:
    return f"{count} groups are too small for an interval." if count > 0 else ""


def _date(days: float) -> date:
    moment = day(np.datetime64(round(days), "D"))
    assert moment is not None  # noqa: S101  made of days that are known
    return moment
