"""Sales chasing: whether sold properties were valued by their prices, and unsold ones were not (IAAO 2013, App. E)."""

from dataclasses import dataclass
from math import floor, sqrt

import numpy as np
from numpy.typing import ArrayLike

from terrafusion.ratios.distributions import normal_cdf
from terrafusion.ratios.sample import Floats, RatioSample, median_of_sorted
from terrafusion.ratios.statistic import too_few
from terrafusion.ratios.uniformity import dispersion

NEAR_MINIMUM = 30
NEAR = 0.02
TOLERANCE, SMALL_TOLERANCE, SMALL_CHANGE = 0.05, 0.03, 0.05


@dataclass(frozen=True, slots=True)
class NearOne:
    """Share of ratios within ±2 % of 1, beside the share that chance alone would hardly exceed; shares in percent."""

    n: int
    share: float | None
    critical: int | None
    suspected: bool | None
    reason: str | None = None


def critical_share(share_of_dispersion: float) -> int:
    """The least suspicious share of ratios within ±2 % of 1, in percent: floor(100·(2Φ(.02 / (1.25·COD)) - 1)) + 1.

    Parameters
    ----------
    share_of_dispersion
        The COD as a share (0.10 for 10 %), of normally distributed ratios around 1, whose deviation is 1.25 · COD.
    """
    return floor(100 * (2 * normal_cdf(NEAR / (1.25 * share_of_dispersion)) - 1)) + 1


def ratios_near_one(sample: RatioSample) -> NearOne:
    """The test of ratios that lie suspiciously near 1; needs 30 sales."""
    n = sample.n
    if reason := too_few(n, NEAR_MINIMUM):
        return NearOne(n, None, None, None, reason)
    if sample.median <= 0:
        return NearOne(n, None, None, None, "the median ratio is 0")
    share = 100 * float(np.count_nonzero(np.abs(sample.ratio - 1) <= NEAR + 1e-12)) / n
    spread = dispersion(sample)
    critical = critical_share(spread) if spread > 0 else 100
    return NearOne(n, share, critical, share >= critical)


@dataclass(frozen=True, slots=True)
class SoldUnsold:
    """Median changes of value of sold and unsold properties, as shares (0.05 for 5 %), and what may lie between."""

    sold: int
    unsold: int
    sold_change: float | None
    unsold_change: float | None
    tolerance: float | None
    p_value: float | None
    suspected: bool | None
    reason: str | None = None


def sold_against_unsold(sold_change: ArrayLike, unsold_change: ArrayLike, minimum: int = 5) -> SoldUnsold:
    """Compare how much values changed for properties that were sold, and for those that were not.

    Suspected when the medians differ by more than 5 points (3 where the unsold properties' change is below 5 %).
    `p_value` is the Mann-Whitney test's, two-sided, corrected for ties and continuity.

    Parameters
    ----------
    sold_change, unsold_change
        Shares, (current - prior) / prior, shapes (n,) and (m,).
    """
    sold, unsold = (np.asarray(v, dtype=np.float64) for v in (sold_change, unsold_change))
    for name, values in (("sold", sold), ("unsold", unsold)):
        if reason := too_few(values.size, minimum):
            return SoldUnsold(sold.size, unsold.size, None, None, None, None, None, f"{name}: {reason}")
    medians = [median_of_sorted(np.sort(v)) for v in (sold, unsold)]
    tolerance = SMALL_TOLERANCE if abs(medians[1]) < SMALL_CHANGE else TOLERANCE
    return SoldUnsold(
        sold=sold.size,
        unsold=unsold.size,
        sold_change=medians[0],
        unsold_change=medians[1],
        tolerance=tolerance,
        p_value=mann_whitney(sold, unsold),
        suspected=abs(medians[0] - medians[1]) > tolerance,
    )


def mann_whitney(first: Floats, second: Floats) -> float:
    """The two-sided p value of the Mann-Whitney test, by the normal approximation; 1 where all values are equal."""
    n, m = first.size, second.size
    ranks = mean_ranks(np.concatenate((first, second)))
    u = float(ranks[:n].sum()) - n * (n + 1) / 2
    _, ties = np.unique(ranks, return_counts=True)
    total = n + m
    squeeze = float((ties.astype(np.float64) ** 3 - ties).sum()) / (total * (total - 1))
    variance = n * m / 12 * (total + 1 - squeeze)
    if variance <= 0:
        return 1.0
    z = max(0.0, abs(u - n * m / 2) - 0.5) / sqrt(variance)
    return min(1.0, 2 * (1 - normal_cdf(z)))


def mean_ranks(values: Floats) -> Floats:
    """Ranks from 1 up; equal values share their mean rank. Shape (n,)."""
    order = np.argsort(values)
    ordered = values[order]
    starts = np.concatenate(([True], ordered[1:] != ordered[:-1]))
    first = np.flatnonzero(starts)
    last = np.append(first[1:], values.size)
    ranks = np.empty(values.size)
    ranks[order] = ((first + 1 + last) / 2)[np.cumsum(starts) - 1]
    return ranks
