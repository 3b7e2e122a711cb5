"""The study behind the reports on ratios: the sales, adjusted for time when asked, studied whole and in groups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from reporting.context import Context
from reporting.grouping import GroupedStudy, group, studies
from reporting.kinds import Stratum
from reporting.models import ReportParameters
from reporting.plan import FARTHEST
from reporting.selection import MOST_MONEY, Sales, Selection, day, select
from terrafusion.errors import FailureReason, JobFailure
from terrafusion.ratios import (
    Outliers,
    PriceTrend,
    RatioSample,
    RatioStudy,
    Verdict,
    judge,
    outliers,
    price_trend,
    study,
)
from terrafusion.ratios.sample import Floats
from terrafusion.standards import PropertyType, property_type

DAYS_OF_A_MONTH = 30.4375


@dataclass(frozen=True, slots=True)
class TimeAdjustment:
    """The trend by which prices were brought to a day; `applied` is False where there was no trend to apply."""

    trend: PriceTrend
    to: date
    applied: bool

    @property
    def text(self) -> str:
        """What was done, in a sentence."""
        rate = self.trend.per_month
        if rate is None or not self.applied:
            return f"Prices were not adjusted for time: {self.trend.reason}."
        interval = self.trend.interval
        ends = f" (95 % interval {interval.low:+.3%} to {interval.high:+.3%})" if interval else ""
        told = "" if self.trend.significant else "; the interval includes no change"
        sales = f"{self.trend.n:,} sales"
        return f"Prices were adjusted to {self.to.isoformat()} by {rate:+.3%} a month{ends}, from {sales}{told}."


@dataclass(frozen=True, slots=True)
class Analysis:
    """All that the reports on ratios are written from.

    `sample` is of the sales used, less the outliers when `trimmed`; `whole` and `without` are the studies with and
    without outliers, whichever of them is the report's.
    """

    selection: Selection
    sales: Sales
    sample: RatioSample
    adjustment: TimeAdjustment | None
    outliers: Outliers
    outlying: Sales
    trimmed: bool
    whole: RatioStudy
    without: RatioStudy
    kind: PropertyType | None
    verdicts: tuple[Verdict, ...]
    grouped: Mapping[Stratum, GroupedStudy]
    group_kinds: Mapping[Stratum, Sequence[PropertyType | None]]

    @property
    def study(self) -> RatioStudy:
        """The study that the report stands for."""
        return self.without if self.trimmed else self.whole


def analyse(context: Context, strata: Sequence[Stratum]) -> Analysis:
    """Select the sales and study them.

    Raises
    ------
    JobFailure
        INSUFFICIENT_SALES when none are left.
    """
    parameters, standard, level = context.plan.parameters, context.standard, context.confidence
    context.progress(0.05, "Selecting sales")
    selection = select(context.database, parameters, context.snapshot.published_at.date())
    sample, adjustment = _adjusted(selection, parameters)
    found = outliers(sample)
    whole = study(sample, level=level)
    without = study(sample.take(~found.is_outlier), level=level) if found.count else whole
    trimmed = bool(parameters.trim_outliers) and found.count > 0
    kept = ~found.is_outlier if trimmed else np.ones(sample.n, dtype=np.bool_)
    sales = selection.used.take(kept)
    used = sample.take(kept) if trimmed else sample
    kinds = _kinds(sales, parameters, context.configuration.reporting.class_types)
    overall_kind = _common(kinds)
    grouped, group_kinds = {}, {}
    for number, stratum in enumerate(strata):
        context.progress(0.1 + 0.4 * number / max(1, len(strata)), f"Studying groups by {stratum}")
        grouping = group(sales, used, stratum)
        if not grouping.names:
            continue
        grouped[stratum] = studies(used, grouping, level)
        group_kinds[stratum] = [_common(kinds[grouping.labels == i]) for i in range(len(grouping.names))]
    return Analysis(
        selection=selection,
        sales=sales,
        sample=used,
        adjustment=adjustment,
        outliers=found,
        outlying=selection.used.take(found.is_outlier),
        trimmed=trimmed,
        whole=whole,
        without=without,
        kind=overall_kind,
        verdicts=judge(without if trimmed else whole, standard, overall_kind),
        grouped=grouped,
        group_kinds=group_kinds,
    )


def _adjusted(selection: Selection, parameters: ReportParameters) -> tuple[RatioSample, TimeAdjustment | None]:
    sample = selection.sample
    if not parameters.time_adjust:
        return sample, None
    months = _months(selection.used)
    if not np.isfinite(months).all():
        count = int(np.count_nonzero(~np.isfinite(months)))
        raise JobFailure(
            FailureReason.INSUFFICIENT_SALES,
            f"{count:,} of {sample.n:,} sales have no date, so their prices cannot be adjusted for time. "
            "Select by date, or leave time_adjust out.",
        )
    to = _target(selection.used, parameters.adjust_to)
    trend = price_trend(sample, months)
    if trend.per_month is None:
        return sample, TimeAdjustment(trend, to, applied=False)
    target = np.datetime64(to, "D").astype(float) / DAYS_OF_A_MONTH
    with np.errstate(over="ignore"):
        prices = trend.adjust(sample.price, months, float(target))
    if not ((prices > 0) & (prices < MOST_MONEY)).all():
        raise JobFailure(
            FailureReason.INSUFFICIENT_SALES,
            f"The trend of {trend.per_month:+.1%} a month, from {trend.n:,} sales, brings prices to {to} beyond all "
            "money. Select more sales, choose an adjust_to nearer to them, or leave time_adjust out.",
        )
    return RatioSample(sample.assessed, prices), TimeAdjustment(trend, to, applied=True)


def _target(sales: Sales, wanted: date | None) -> date:
    """The day to bring prices to: the one that is wanted, if it is near enough to the sales, or the last sale's."""
    first, last = day(sales.sale_date.min()), day(sales.sale_date.max())
    assert first is not None  # noqa: S101  all days are known
    assert last is not None  # noqa: S101
    if wanted is not None and max(wanted - last, first - wanted) > FARTHEST:
        raise JobFailure(
            FailureReason.INSUFFICIENT_SALES,
            f"adjust_to {wanted} is more than five years from the sales, of {first} to {last}: their trend says "
            "nothing of it. Choose a day nearer to them, or leave adjust_to out.",
        )
    return wanted or last


def _months(sales: Sales) -> Floats:
    days = sales.sale_date.astype("datetime64[D]")
    return np.where(np.isnat(days), np.nan, days.astype(float) / DAYS_OF_A_MONTH)


def _kinds(sales: Sales, parameters: ReportParameters, types: Mapping[str, PropertyType]) -> np.ndarray:
    """The type of each sale's property, as the request says for all, or by its class."""
    if parameters.property_type is not None:
        return np.full(len(sales), PropertyType(parameters.property_type), dtype=object)
    known = {c: property_type(c, types) for c in set(sales.property_class)}
    return np.array([known[c] for c in sales.property_class], dtype=object)


def _common(kinds: np.ndarray) -> PropertyType | None:
    """The type of all, None where they differ."""
    found = set(kinds.tolist())
    return PropertyType(found.pop()) if len(found) == 1 else None
