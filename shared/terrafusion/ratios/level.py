"""Level of assessment: median, mean and weighted mean ratio, with intervals (IAAO Standard on Ratio Studies 2013)."""

from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from terrafusion.ratios.distributions import coin_tail, half_width_rank, t_quantile
from terrafusion.ratios.sample import Floats, Values, as_sample
from terrafusion.ratios.statistic import Interval, Statistic, too_few, undefined, with_interval

SMALL = 30
"""Up to so many sales the median's interval is the binomial's, above by rank."""
TABLE_DIGITS = 4
"""Clapp's table gives the weights of its interpolation with so many digits, and IAAO's example is computed by it."""


def median_ratio(assessed: Values, price: ArrayLike | None = None, *, level: float = 0.95) -> Statistic:
    """The median ratio; IAAO 2013, §5.3.1, the preferred measure of level. Interval: `median_interval`."""
    sample = as_sample(assessed, price)
    if reason := too_few(sample.n, 1):
        return undefined("median", sample.n, reason)
    return with_interval(
        "median", sample.n, sample.median, 1, lambda: median_interval(sample.sorted_ratio, level=level)
    )


def mean_ratio(assessed: Values, price: ArrayLike | None = None, *, level: float = 0.95) -> Statistic:
    """The mean ratio; IAAO 2013, §5.3.2. Interval: mean ± t·s/√n with n - 1 degrees (App. D)."""
    sample = as_sample(assessed, price)
    n = sample.n
    if reason := too_few(n, 1):
        return undefined("mean", n, reason)

    def interval() -> Interval:
        reach = t_quantile(0.5 + level / 2, n - 1) * float(sample.sorted_ratio.std(ddof=1)) / sqrt(n)
        return Interval(sample.mean - reach, sample.mean + reach, level, "t")

    return with_interval("mean", n, sample.mean, 2, interval)


def weighted_mean_ratio(assessed: Values, price: ArrayLike | None = None, *, level: float = 0.95) -> Statistic:
    """ΣA/ΣS, the dollar-weighted level; IAAO 2013, §5.3.3. Interval of a ratio estimator (Cochran 1977, §6.3; App. D).

    W ± t·√(Σ(A - W·S)² / (n·(n - 1))) / mean S, with n - 1 degrees.
    """
    sample = as_sample(assessed, price)
    n = sample.n
    if reason := too_few(n, 1):
        return undefined("weighted mean", n, reason)
    value = sample.weighted_mean

    def interval() -> Interval:
        residual = sample.assessed - value * sample.price
        error = sqrt(float(residual @ residual) / (n * (n - 1))) / float(sample.price.mean())
        reach = t_quantile(0.5 + level / 2, n - 1) * error
        return Interval(value - reach, value + reach, level, "ratio estimator")

    return with_interval("weighted mean", n, value, 2, interval)


def median_interval(ordered: Floats, *, level: float = 0.95) -> Interval | str:
    """The interval of a median, from sorted values; or the reason why there is none.

    Up to 30 values after Clapp (1989): order statistics at the binomial's tail, interpolated between the two ranks
    whose coverage encloses the level. Above, by rank (IAAO 2013, App. D).

    Parameters
    ----------
    ordered
        Sorted values, shape (n,).
    """
    return _binomial(ordered, level) if ordered.size <= SMALL else rank_interval(ordered, level=level)


def rank_interval(ordered: Floats, *, level: float) -> Interval | str:
    """The interval of a median between two of the values themselves (IAAO 2013, App. D).

    With j = ceil(z·√n/2) for odd n, ceil(z·√n/2 + ½) for even: the j-th value down and up from the middle.
    """
    n = ordered.size
    j = half_width_rank(n, level)
    low, high = (n // 2 - j, n // 2 + j) if n % 2 else (n // 2 - j, n // 2 + j - 1)
    if low < 0:
        return f"n = {n} is too small for a {level:.0%} interval of a median"
    return Interval(float(ordered[low]), float(ordered[high]), level, "rank")


def _binomial(ordered: Floats, level: float) -> Interval | str:
    n = ordered.size
    covered = [1 - 2 * coin_tail(k, n) for k in range((n + 1) // 2)]
    ranks = [k for k, share in enumerate(covered) if share >= level]
    if not ranks:
        least = next(m for m in range(n + 1, 99) if 1 - 2 * coin_tail(0, m) >= level)
        return f"n = {n} < {least}"
    k = ranks[-1]
    inner = covered[k + 1] if k + 1 < len(covered) else 0.0
    weight = round((covered[k] - level) / (covered[k] - inner), TABLE_DIGITS)
    low = ordered[k] + weight * (ordered[min(k + 1, n - 1)] - ordered[k])
    high = ordered[n - 1 - k] - weight * (ordered[n - 1 - k] - ordered[max(n - 2 - k, 0)])
    return Interval(float(low), float(np.maximum(low, high)), level, "binomial")
