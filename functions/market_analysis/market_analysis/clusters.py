"""Spatial autocorrelation: Moran's I, local Moran's I, Getis and Ord's Gi*, with inference by permutation.

Weights are row-standardized: every location has the same number of neighbors, each weighted equally.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from market_analysis.regression import Codes, Floats

WORK_OF_GLOBAL = 100_000_000
"""Values that global permutations may touch: with many locations fewer permutations say as much."""
LEAST_PERMUTATIONS, MOST_PERMUTATIONS = 99, 999
BLOCK = 10_000


@dataclass(frozen=True, slots=True)
class GlobalMoran:
    """Moran's I, its expectation without autocorrelation, its z under randomization, and the two-sided p of so many
    permutations.
    """

    value: float
    expected: float
    z: float
    p_value: float
    permutations: int


@dataclass(frozen=True, slots=True)
class LocalClusters:
    """Per location (n,): local Moran's I, Gi* as a z-score, the deviation from the mean in standard deviations, that
    of the neighbors' mean, and the latter's two-sided p.
    """

    moran: Floats
    gi_star: Floats
    deviation: Floats
    neighbors_deviation: Floats
    p_value: Floats


def moran(values: Floats, neighbors: Codes, permutations: int, seed: int) -> GlobalMoran:
    """Moran's I over the neighbors (n, k) of values (n,), with up to `permutations` random orders of the values.

    z is that of Cliff and Ord (1981) for values in random order; p is twice the smaller tail, the observed order being
    counted among the random ones.
    """
    deviation = values - values.mean()
    square = float((deviation**2).sum())
    observed = float((deviation * _lag(deviation, neighbors)).sum()) / square
    random = np.random.default_rng(seed)
    affordable = min(MOST_PERMUTATIONS, max(LEAST_PERMUTATIONS, WORK_OF_GLOBAL // neighbors.size))
    drawn = np.empty(min(permutations, affordable))
    for at in range(drawn.size):
        shuffled = random.permutation(deviation)
        drawn[at] = (shuffled * _lag(shuffled, neighbors)).sum() / square
    tail = min(int((drawn >= observed).sum()), int((drawn <= observed).sum()))
    expected = -1 / (values.size - 1)
    return GlobalMoran(
        value=observed,
        expected=expected,
        z=(observed - expected) / np.sqrt(_variance(deviation, neighbors)),
        p_value=min(1.0, 2 * (tail + 1) / (drawn.size + 1)),
        permutations=drawn.size,
    )


def _variance(deviation: Floats, neighbors: Codes) -> float:
    """Variance of Moran's I when values come in random order (Cliff and Ord 1981, equation 1.44)."""
    size, count = neighbors.shape
    n, k = float(size), float(count)
    start = np.repeat(np.arange(size), count)
    both = np.isin(start * size + neighbors.ravel(), neighbors.ravel() * size + start).sum()
    s0, s1 = n, (n * k + both) / k**2
    s2 = ((1 + np.bincount(neighbors.ravel(), minlength=size) / k) ** 2).sum()
    kurtosis = (deviation**4).mean() / (deviation**2).mean() ** 2
    first = n * ((n**2 - 3 * n + 3) * s1 - n * s2 + 3 * s0**2)
    second = kurtosis * ((n**2 - n) * s1 - 2 * n * s2 + 6 * s0**2)
    return float((first - second) / ((n - 1) * (n - 2) * (n - 3) * s0**2) - 1 / (n - 1) ** 2)


def local_clusters(values: Floats, neighbors: Codes, permutations: int, seed: int) -> LocalClusters:
    """Local statistics with conditional permutation: a location keeps its value, its neighbors are drawn anew.

    Local Moran's I (Anselin 1995, with the second moment over n - 1) and Gi* (Ord and Getis 1995, equation 14) of one
    location both grow or fall with its neighbors' mean, so one p-value serves both.
    """
    deviation = values - values.mean()
    second = float((deviation**2).mean())
    lag = _lag(deviation, neighbors)
    count, reach = values.size, neighbors.shape[1] + 1
    star = (deviation + lag * (reach - 1)) / reach
    spread = np.sqrt(second * (count / reach - 1) / (count - 1))
    return LocalClusters(
        moran=deviation * lag * (count - 1) / (count * second),
        gi_star=star / spread,
        deviation=deviation / np.sqrt(second),
        neighbors_deviation=lag / np.sqrt(second),
        p_value=_conditional(deviation, lag, neighbors.shape[1], permutations, seed),
    )


def false_discoveries(p_values: Floats, rate: float) -> NDArray[np.bool_]:
    """Which hypotheses to reject so that at most `rate` of the rejections are expected to be wrong.

    Benjamini and Hochberg 1995; holds for independent and for positively dependent tests, as neighbors' are.
    """
    order = np.argsort(p_values, kind="stable")
    passed = p_values[order] <= rate * np.arange(1, p_values.size + 1) / p_values.size
    last = int(np.flatnonzero(passed)[-1]) + 1 if passed.any() else 0
    rejected = np.zeros(p_values.size, dtype=bool)
    rejected[order[:last]] = True
    return rejected


def _lag(deviation: Floats, neighbors: Codes) -> Floats:
    total = deviation[neighbors[:, 0]]
    for at in range(1, neighbors.shape[1]):
        total = total + deviation[neighbors[:, at]]
    mean: Floats = total / neighbors.shape[1]
    return mean


def _conditional(deviation: Floats, lag: Floats, count: int, permutations: int, seed: int) -> Floats:
    """Two-sided p of each location's lag among means of `count` values drawn from the other locations.

    One set of draws serves all locations. A draw has one value more than is needed: a location that finds itself
    among the first `count` takes the last instead, which leaves a uniform draw from the others. So the means need
    sorting once, and each location's count is corrected for the few draws that it is in: n·log(permutations) steps in
    place of n·permutations.
    """
    draws = _draws(deviation.size, count + 1, permutations, seed)
    means = deviation[draws[:, :count]].mean(axis=1)
    ordered = np.sort(means)
    slack = 1e-12 * max(float(np.abs(deviation).max()), 1e-300)
    at_least = permutations - np.searchsorted(ordered, lag - slack, "left")
    at_most = np.searchsorted(ordered, lag + slack, "right")
    own = draws[:, :count].ravel()
    mean = np.repeat(means, count)
    corrected = mean + (np.repeat(deviation[draws[:, count]], count) - deviation[own]) / count
    above = (corrected >= lag[own] - slack).astype(np.int64) - (mean >= lag[own] - slack)
    below = (corrected <= lag[own] + slack).astype(np.int64) - (mean <= lag[own] + slack)
    at_least = at_least + np.bincount(own, above, deviation.size)
    at_most = at_most + np.bincount(own, below, deviation.size)
    p_value: Floats = np.minimum(1.0, 2 * (np.minimum(at_least, at_most) + 1) / (permutations + 1))
    return p_value


def _draws(size: int, count: int, permutations: int, seed: int) -> Codes:
    """Rows of distinct indices below `size`, in random order."""
    generator = np.random.default_rng(seed)
    if size < 50 * count:
        blocks = [min(BLOCK, permutations - start) for start in range(0, permutations, BLOCK)]
        return np.concatenate([np.argsort(generator.random((rows, size)), axis=1)[:, :count] for rows in blocks])
    rows = generator.integers(0, size, (permutations, count))
    while True:
        ordered = np.sort(rows, axis=1)
        again = np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(axis=1))
        if not again.size:
            return rows
        rows[again] = generator.integers(0, size, (again.size, count))
