"""How far values are off, told by the latest sales that the model did not know: split-conformal intervals.

Errors are log price less log value. The calibration sales are cut into bands of value (Mondrian conformal prediction:
Vovk, Gammerman & Shafer 2005), as cheap houses are harder; each band has the finite-sample quantiles of its errors
on either side (Lei et al. 2018).
"""

import math

import numpy as np

from valuation.records import Floats, Ints
from valuation.settings import Spec

BAND_SALES = 150
MAX_BANDS = 8
NEAR = math.log(1.2)
"""A price within 20 % of its value counts as met by the confidence score."""


class Bands(Spec):
    """Errors by band of log value: cuts between bands, the interval's ends, and the share of prices met.

    `spread` is a robust standard deviation of all errors, `count` the calibration sales.
    """

    level: float
    cuts: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    met: tuple[float, ...]
    spread: float
    count: int

    @classmethod
    def calibrate(cls, log_value: Floats, log_price: Floats, level: float) -> "Bands":
        """Learn from values (n) and what was then paid; at least one pair."""
        usable = ~np.isnan(log_value)
        log_value, error = log_value[usable], (log_price - log_value)[usable]
        number = min(MAX_BANDS, max(1, len(error) // BAND_SALES))
        cuts = np.quantile(log_value, np.arange(1, number) / number)
        band = np.searchsorted(cuts, log_value, side="right")
        parts = [np.sort(error[band == at]) for at in range(number)]
        tail = (1 - level) / 2
        return cls(
            level=level,
            cuts=tuple(cuts.tolist()),
            low=tuple(-_upper(-part[::-1], tail) for part in parts),
            high=tuple(_upper(part, tail) for part in parts),
            met=tuple(float(np.mean(np.abs(part) <= NEAR)) for part in parts),
            spread=1.4826 * float(np.median(np.abs(error - np.median(error)))),
            count=len(error),
        )

    def of(self, log_value: Floats) -> Ints:
        """Each value's band."""
        return np.searchsorted(np.array(self.cuts), log_value, side="right")

    def interval(self, log_value: Floats) -> tuple[Floats, Floats]:
        """Logs of the interval's ends, around the value where errors allow it."""
        band = self.of(log_value)
        low, high = np.minimum(np.array(self.low), 0), np.maximum(np.array(self.high), 0)
        return log_value + low[band], log_value + high[band]

    def met_share(self, log_value: Floats) -> Floats:
        """Share of the band's calibration sales whose price was within 20 % of the value."""
        return np.array(self.met)[self.of(log_value)]


def _upper(ordered: Floats, tail: float) -> float:
    """The finite-sample quantile that all but `tail` of further errors stay below.

    A further error lies below the k-th of n with probability k / (n + 1); between two ranks the line is taken, as
    rounding the rank up would add up to 1 / (n + 1) on each side of every band.
    """
    ranks = np.arange(1, len(ordered) + 1)
    return float(np.interp((len(ordered) + 1) * (1 - tail), ranks, ordered))
