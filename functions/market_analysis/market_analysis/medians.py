"""Intervals for medians from ranks alone."""

import math
from statistics import NormalDist

EXACT_TO = 30
"""Up to so many observations the ranks follow from the binomial distribution (IAAO 2013, appendix; Clapp 1989)."""


def median_ranks(count: int, confidence: float = 0.95) -> tuple[int, int] | None:
    """Ranks, counted from 1, of the observations that bound an interval for the median; None with too few.

    Above `EXACT_TO` observations by the IAAO's approximation (Standard on Ratio Studies 2013, appendix on confidence
    intervals), which leaves a little more room than the exact ranks.
    """
    if count <= EXACT_TO:
        return _exact(count, (1 - confidence) / 2)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    odd = count % 2
    steps = math.ceil(z * math.sqrt(count) / 2 + (0 if odd else 0.5))
    middle = (count + 1) // 2
    return (middle - steps, middle + steps) if odd else (middle + 1 - steps, middle + steps)


def _exact(count: int, tail: float) -> tuple[int, int] | None:
    below, rank = 0.0, 0
    while below + math.comb(count, rank) / 2**count <= tail:
        below += math.comb(count, rank) / 2**count
        rank += 1
    return (rank, count + 1 - rank) if rank else None
