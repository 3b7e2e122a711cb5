"""Indices from properties that sold more than once (Bailey, Muth and Nourse 1963; Case and Shiller 1987)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from market_analysis.regression import Floats

Periods = NDArray[np.int64]

LEAST_VARIANCE_SHARE = 0.05
"""Case and Shiller's fitted variances are kept above this share of their mean: a weight stays finite."""

NOISE_FLOOR = 1e-20
"""Residuals below this share of the changes (as variances) are rounding: nothing to weigh by."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Two sales of one property each, (n,): periods of the first and the second, log price change, months between."""

    first: Periods
    second: Periods
    change: Floats
    months: Floats

    def __len__(self) -> int:
        return int(self.change.size)

    def where(self, mask: NDArray[np.bool_]) -> "Pairs":
        """Some of the pairs."""
        return Pairs(self.first[mask], self.second[mask], self.change[mask], self.months[mask])


@dataclass(frozen=True, slots=True)
class LogIndex:
    """Log price level by period, relative to `base`, with standard errors; NaN where no pair leads to the base."""

    levels: Floats
    errors: Floats
    base: int


@dataclass(frozen=True, slots=True)
class RepeatSales:
    """The equally weighted index, the one weighted by holding time, and that weighting: variance = a + b · months."""

    bmn: LogIndex
    case_shiller: LogIndex
    variance_constant: float
    variance_per_month: float
    connected: NDArray[np.bool_]


def repeat_sales(pairs: Pairs, periods: int) -> RepeatSales:
    """Estimate both indices.

    Bailey, Muth and Nourse regress each log change on -1 at its first and +1 at its second period. Case and Shiller
    regress the squared residuals on a constant and the months between the sales, and weight by the inverse of what
    that predicts. Errors are those of (weighted) least squares.

    Parameters
    ----------
    pairs
        With `first` < `second`.
    periods
        How many periods there are.

    Raises
    ------
    ValueError
        When pairs are not more than the periods they connect.
    """
    member = _component(pairs, periods)
    used = pairs.where(member[pairs.first])
    if len(used) <= member.sum():
        raise ValueError(f"{len(used)} pairs for {int(member.sum())} periods")
    base = int(np.flatnonzero(member)[0])
    equal = np.ones(len(used))
    bmn = _solve(used, equal, member, base)
    squared = _residuals(used, bmn) ** 2
    constant, slope = _line(used.months, squared)
    fitted = np.maximum(constant + slope * used.months, LEAST_VARIANCE_SHARE * squared.mean())
    is_exact = squared.mean() <= NOISE_FLOOR * (used.change**2).mean()
    weights = equal if is_exact else 1 / fitted
    weighted = _solve(used, weights, member, base)
    return RepeatSales(bmn, weighted, constant, slope, member)


def holding_rate(change: Floats, months: Floats) -> tuple[float, float]:
    """Monthly log growth and its robust error (HC1) from changes over holding times: a line through the origin.

    Raises
    ------
    ValueError
        With fewer than two changes, or no time between any.
    """
    if change.size < 2 or not months.any():
        raise ValueError(f"{change.size} changes")
    square = float((months**2).sum())
    rate = float((months * change).sum()) / square
    meat = float((months**2 * (change - rate * months) ** 2).sum())
    return rate, float(np.sqrt(meat / square**2 * change.size / (change.size - 1)))


def _solve(pairs: Pairs, weights: Floats, member: NDArray[np.bool_], base: int) -> LogIndex:
    size = member.size
    matrix = np.zeros((size, size))
    between = np.bincount(pairs.first * size + pairs.second, weights, size * size).reshape(size, size)
    matrix -= between + between.T
    ends = np.bincount(pairs.first, weights, size) + np.bincount(pairs.second, weights, size)
    matrix[np.diag_indices(size)] += ends
    pulled = weights * pairs.change
    moment = np.bincount(pairs.second, pulled, size) - np.bincount(pairs.first, pulled, size)
    free = np.flatnonzero(member)[1:]
    inverse = np.linalg.inv(matrix[np.ix_(free, free)])
    levels, errors = np.full(size, np.nan), np.full(size, np.nan)
    levels[base], errors[base] = 0.0, 0.0
    levels[free] = inverse @ moment[free]
    index = LogIndex(levels, errors, base)
    residuals = _residuals(pairs, index)
    variance = float((weights * residuals**2).sum()) / (len(pairs) - free.size)
    errors[free] = np.sqrt(np.maximum(variance * np.diag(inverse), 0))
    return index


def _residuals(pairs: Pairs, index: LogIndex) -> Floats:
    residuals: Floats = pairs.change - index.levels[pairs.second] + index.levels[pairs.first]
    return residuals


def _line(x: Floats, y: Floats) -> tuple[float, float]:
    spread = float(((x - x.mean()) ** 2).sum())
    slope = float(((x - x.mean()) * (y - y.mean())).sum()) / spread if spread > 0 else 0.0
    return float(y.mean() - slope * x.mean()), slope


def _component(pairs: Pairs, periods: int) -> NDArray[np.bool_]:
    """The largest set of periods that pairs connect, one with another."""
    root = np.arange(periods)
    links = np.unique(pairs.first * periods + pairs.second)
    for link in links.tolist():
        a, b = root[link // periods], root[link % periods]
        if a != b:
            root[root == max(a, b)] = min(a, b)
    sizes = np.bincount(root[pairs.first], minlength=periods)
    member: NDArray[np.bool_] = root == int(sizes.argmax())
    return member
