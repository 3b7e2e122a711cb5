"""Vertical equity: whether cheap and dear properties are assessed at one level.

PRD, PRB: IAAO Standard on Ratio Studies 2013, §5.6 and App. D. VEI, MKI: its exposure drafts of 2025 and 2026, §8.2 and
App. E and F.
"""

from dataclasses import dataclass
from math import floor, sqrt

import numpy as np
from numpy.typing import ArrayLike

from terrafusion.ratios.distributions import t_quantile
from terrafusion.ratios.level import rank_interval
from terrafusion.ratios.sample import Floats, RatioSample, Values, as_sample, median_of_sorted, ordered_by
from terrafusion.ratios.statistic import Interval, Statistic, too_few, undefined, with_interval

VEI_MINIMUM = 20
GINI_INTERVAL_MINIMUM = 5
VEI_GROUPS = ((500, 10), (50, 4), (VEI_MINIMUM - 1, 2))
"""More than so many sales are judged in so many groups."""


def prd(assessed: Values, price: ArrayLike | None = None, *, level: float = 0.95) -> Statistic:
    """The price-related differential, mean / weighted mean ratio; IAAO 2013, §5.6. Above 1: regressive.

    Interval: ± t times the standard error from the influence of each sale on the quotient (first-order Taylor).
    """
    sample = as_sample(assessed, price)
    n = sample.n
    if reason := too_few(n, 2):
        return undefined("PRD", n, reason)
    weighted = sample.weighted_mean
    if weighted <= 0:
        return undefined("PRD", n, "all values are 0")
    value = sample.mean / weighted

    def interval() -> Interval:
        of_mean = sample.ratio - sample.mean
        of_weighted = (sample.assessed - weighted * sample.price) / float(sample.price.mean())
        return _linearised(value, (of_mean - value * of_weighted) / weighted, level)

    return with_interval("PRD", n, value, 3, interval)


def prb(assessed: Values, price: ArrayLike | None = None, *, level: float = 0.95) -> Statistic:
    """The coefficient of price-related bias; IAAO 2013, §5.6 and App. D. Below 0: regressive.

    The slope of (r - median) / median on log2 of the value proxy, by least squares: the share by which ratios change
    when value doubles. Interval: the regression's, t with n - 2 degrees.
    """
    sample = as_sample(assessed, price)
    n = sample.n
    if reason := too_few(n, 3):
        return undefined("PRB", n, reason)
    if sample.median <= 0:
        return undefined("PRB", n, "the median ratio is 0")
    x, y = prb_points(sample)
    x, y = x - x.mean(), y - y.mean()
    spread = float(x @ x)
    if spread <= 1e-18 * n:
        return undefined("PRB", n, "all sales have one value")
    slope = float(x @ y) / spread

    def interval() -> Interval:
        residual = y - slope * x
        error = sqrt(float(residual @ residual) / (n - 2) / spread)
        reach = t_quantile(0.5 + level / 2, n - 2) * error
        return Interval(slope - reach, slope + reach, level, "OLS, t")

    return with_interval("PRB", n, slope, 3, interval)


def prb_points(sample: RatioSample) -> tuple[Floats, Floats]:
    """What the PRB's regression sees: log2 of the value proxy, and the ratios' share above or below the median."""
    return np.log2(sample.proxy), (sample.ratio - sample.median) / sample.median


@dataclass(frozen=True, slots=True)
class ValueGroup:
    """A group of sales of similar value: `low` and `high` are its lowest and highest proxy, in currency."""

    n: int
    low: float
    high: float
    median: float
    interval: Interval | None


def value_groups(sample: RatioSample, count: int, *, level: float = 0.90) -> tuple[ValueGroup, ...]:
    """Groups of sales from the lowest to the highest value proxy, with their median ratios.

    Boundaries `floor(P·(N - 1) + 1)` of the ordered sales, P = i/count (percentiles as R's type 7): 54 sales make
    quartiles of 14, 13, 13 and 14. Intervals by rank (App. D).
    """
    proxy, ratio = sample.proxy[sample.by_proxy], sample.ratio[sample.by_proxy]
    ends = [floor(i * (sample.n - 1) / count + 1e-9) + 1 for i in range(1, count + 1)]
    groups = []
    for start, end in zip([0, *ends], ends, strict=False):
        ordered = np.sort(ratio[start:end])
        made = rank_interval(ordered, level=level) if end > start else "no sales"
        groups.append(
            ValueGroup(
                n=end - start,
                low=float(proxy[start]),
                high=float(proxy[end - 1]),
                median=median_of_sorted(ordered),
                interval=made if isinstance(made, Interval) else None,
            )
        )
    return tuple(groups)


def vei_group_count(n: int) -> int | None:
    """Into how many groups the VEI parts `n` sales: 2 to 50, 4 to 500, 10 above; None below 20."""
    return next((groups for above, groups in VEI_GROUPS if n > above), None)


def vei(assessed: Values, price: ArrayLike | None = None, *, level: float = 0.90) -> Statistic:
    """The vertical equity indicator, in percent; IAAO exposure draft 2026, §8.2.1 and App. E. Below 0: regressive.

    100 · (median ratio of the highest value group - of the lowest) / median ratio, grouped on ½·S + ½·A/median.
    Interval: from the two groups' 90 % intervals, each at its far end; the end nearer to 0 is the draft's
    "VEI significance" (see `vei_significance`).
    """
    sample = as_sample(assessed, price)
    n = sample.n
    groups = vei_group_count(n)
    if groups is None:
        return undefined("VEI", n, f"n = {n} < {VEI_MINIMUM}")
    if sample.median <= 0:
        return undefined("VEI", n, "the median ratio is 0")
    parts = value_groups(sample, groups, level=level)
    first, last = parts[0], parts[-1]
    value = 100 * (last.median - first.median) / sample.median

    def interval() -> Interval | str:
        low, high = first.interval, last.interval
        if low is None or high is None:
            return f"a group has only {min(first.n, last.n)} sales"
        ends = (high.low - low.high, high.high - low.low)
        return Interval(100 * ends[0] / sample.median, 100 * ends[1] / sample.median, level, "groups' medians by rank")

    return with_interval("VEI", n, value, VEI_MINIMUM, interval)


def vei_significance(statistic: Statistic) -> float | None:
    """How far apart the two groups' intervals are, in percent of the median and with the VEI's sign; None if they meet.

    IAAO exposure draft 2026, App. E, steps 6 and 7.
    """
    interval = statistic.interval
    if interval is None or interval.low <= 0 <= interval.high:
        return None
    return interval.low if interval.low > 0 else interval.high


def mki(assessed: Values, price: ArrayLike | None = None, *, level: float = 0.95) -> Statistic:
    """The modified Kakwani index, Gini(A ordered by S) / Gini(S). Below 1: regressive.

    Source: Quintos (2020); IAAO exposure draft 2026, App. F. Sales of one price are ordered by their
    value. Interval: ± t times the standard error from each sale's influence.
    """
    sample = as_sample(assessed, price)
    n = sample.n
    found = _ginis(sample)
    if isinstance(found, str):
        return undefined("MKI", n, found)
    of_values, of_prices = found
    value = of_values / of_prices

    def interval() -> Interval:
        a = _concentration_influence(sample.assessed[sample.by_price])
        s = _concentration_influence(sample.price[sample.by_price])
        return _linearised(value, (a - value * s) / of_prices, level)

    return with_interval("MKI", n, value, GINI_INTERVAL_MINIMUM, interval)


def kakwani(assessed: Values, price: ArrayLike | None = None, *, level: float = 0.95) -> Statistic:
    """The Kakwani index, Gini(A ordered by S) - Gini(S); Quintos (2020).

    Below 0: regressive. Interval as the MKI's.
    """
    sample = as_sample(assessed, price)
    found = _ginis(sample)
    if isinstance(found, str):
        return undefined("KI", sample.n, found)
    value = found[0] - found[1]

    def interval() -> Interval:
        a = _concentration_influence(sample.assessed[sample.by_price])
        s = _concentration_influence(sample.price[sample.by_price])
        return _linearised(value, a - s, level)

    return with_interval("KI", sample.n, value, GINI_INTERVAL_MINIMUM, interval)


def lorenz(values: Floats, order_by: Floats) -> tuple[Floats, Floats]:
    """The Lorenz curve of values in another's order: shares of the sales and of the values, shape (n + 1,) each."""
    ordered = values[ordered_by(order_by, values)]
    share = np.concatenate(([0.0], np.cumsum(ordered)))
    return np.linspace(0.0, 1.0, share.size), share / share[-1]


def _ginis(sample: RatioSample) -> tuple[float, float] | str:
    """Gini of the values ordered by price, and Gini of the prices; or why there are none."""
    if reason := too_few(sample.n, 2):
        return reason
    if not sample.assessed.any():
        return "all values are 0"
    of_prices = _gini(sample.price[sample.by_price])
    if of_prices <= 1e-12:
        return "all prices are equal"
    return _gini(sample.assessed[sample.by_price]), of_prices


def _gini(ordered: Floats) -> float:
    n = ordered.size
    return 2 * float(np.arange(1.0, n + 1) @ ordered) / (n * float(ordered.sum())) - (n + 1) / n


def _concentration_influence(ordered: Floats) -> Floats:
    """Each sale's influence on 2·E[v·F]/E[v] - 1, for values in the order of F, the rank's share."""
    n, mean = ordered.size, float(ordered.mean())
    place = (np.arange(1.0, n + 1) - 0.5) / n
    above = np.cumsum(ordered[::-1])[::-1] / n
    expected = float(place @ ordered) / n
    influence = 2 * (ordered * place + above - 2 * expected) / mean - 2 * expected * (ordered - mean) / mean**2
    return np.asarray(influence - influence.mean())


def _linearised(value: float, influence: Floats, level: float) -> Interval:
    n = influence.size
    reach = t_quantile(0.5 + level / 2, n - 1) * sqrt(float(influence @ influence) / (n * (n - 1)))
    return Interval(value - reach, value + reach, level, "linearised")
