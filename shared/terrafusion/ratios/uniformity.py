"""Uniformity: the coefficients of dispersion and of variation, in percent (IAAO Standard on Ratio Studies 2013)."""

from math import exp, log, sqrt

import numpy as np
from numpy.typing import ArrayLike

from terrafusion.ratios.distributions import normal_quantile, t_quantile
from terrafusion.ratios.sample import RatioSample, Values, as_sample
from terrafusion.ratios.statistic import Interval, Statistic, too_few, undefined, with_interval

COD_MINIMUM, COD_INTERVAL_MINIMUM = 2, 8
"""The interval takes the median's error from order statistics √n ranks off the middle: below 8 there are none."""


def cod(assessed: Values, price: ArrayLike | None = None, *, level: float = 0.95) -> Statistic:
    """The coefficient of dispersion, 100 · mean|r - median| / median; IAAO 2013, §5.4.1.

    Interval: Bonett and Seier (2006), "Confidence interval for a coefficient of dispersion in nonnormal
    distributions", Biometrical Journal 48(1): the logarithms of the mean absolute deviation and of the median, each
    with its error and both with their covariance.
    """
    sample = as_sample(assessed, price)
    if reason := too_few(sample.n, COD_MINIMUM):
        return undefined("COD", sample.n, reason)
    if sample.median <= 0:
        return undefined("COD", sample.n, "the median ratio is 0")
    value = 100 * dispersion(sample)
    return with_interval("COD", sample.n, value, COD_INTERVAL_MINIMUM, lambda: _bonett_seier(sample, level))


def cov(assessed: Values, price: ArrayLike | None = None, *, level: float = 0.95) -> Statistic:
    """The coefficient of variation, 100 · s / mean with n - 1; IAAO 2013, §5.4.2.

    Interval: ± t times the standard error from the influence of each ratio on s/mean, free of a distribution.
    """
    sample = as_sample(assessed, price)
    n = sample.n
    if reason := too_few(n, 2):
        return undefined("COV", n, reason)
    if sample.mean <= 0:
        return undefined("COV", n, "the mean ratio is 0")
    deviation = float(sample.sorted_ratio.std(ddof=1))
    value = 100 * deviation / sample.mean

    def interval() -> Interval | str:
        if deviation == 0:
            return "all ratios are equal"
        off = sample.sorted_ratio - sample.mean
        influence = (off**2 - deviation**2) / (2 * deviation * sample.mean) - deviation * off / sample.mean**2
        reach = t_quantile(0.5 + level / 2, n - 1) * 100 * sqrt(float(influence @ influence) / (n * (n - 1)))
        return Interval(max(0.0, value - reach), value + reach, level, "linearised")

    return with_interval("COV", n, value, 3, interval)


def dispersion(sample: RatioSample) -> float:
    """The COD as a share, not in percent: mean absolute deviation from the median, by the median."""
    return float(np.abs(sample.sorted_ratio - sample.median).mean()) / sample.median


def _bonett_seier(sample: RatioSample, level: float) -> Interval | str:
    ordered, n, z = sample.sorted_ratio, sample.n, normal_quantile(0.5 + level / 2)
    tau = float(np.abs(ordered - sample.median).mean())
    near = round((n + 1) / 2 - sqrt(n))
    low, high = float(ordered[near - 1]), float(ordered[n - near])
    if tau == 0 or low <= 0:
        return "the ratios do not vary" if tau == 0 else "ratios of 0 among the middle ones"
    skew = (sample.mean - sample.median) / tau
    kurtosis = float(ordered.var(ddof=1)) / tau**2
    median_error = log(high / low) / 4
    tau_error = sqrt((kurtosis + skew**2 - 1) / n)
    together = median_error + tau_error
    squared = median_error**2 + tau_error**2 - 2 * skew * median_error / sqrt(n)
    k = sqrt(max(squared, 0.0)) / together
    rank = max(1, round((n + 1) / 2 - k * z * sqrt(n / 4)))
    lower, upper = float(ordered[rank - 1]), float(ordered[n - rank])
    if lower <= 0:
        return "ratios of 0 among the middle ones"
    middle, reach = log(n / (n - 1) * tau), k * z * tau_error
    return Interval(100 * exp(middle - reach) / upper, 100 * exp(middle + reach) / lower, level, "Bonett-Seier")
