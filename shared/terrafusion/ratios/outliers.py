"""Outlier ratios: found by a stated rule, reported, and never left out in silence (IAAO 2013, App. B)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrafusion.ratios.sample import RatioSample
from terrafusion.ratios.uniformity import dispersion

FACTOR = 3.0
LEAST_DISPERSION = 0.06
LEAST_SALES = 5


@dataclass(frozen=True, slots=True)
class Outliers:
    """Which ratios the rule calls outliers: `is_outlier` has shape (n,), `low` and `high` are the limits used.

    `skipped` says why the rule was not applied; then there are no limits and no outliers.
    """

    is_outlier: NDArray[np.bool_]
    low: float | None
    high: float | None
    factor: float
    skipped: str | None = None

    @property
    def count(self) -> int:
        """How many."""
        return int(np.count_nonzero(self.is_outlier))


def outliers(sample: RatioSample, factor: float = FACTOR, least_dispersion: float = LEAST_DISPERSION) -> Outliers:
    """Ratios beyond `factor` interquartile ranges from the quartiles (percentiles as R's type 7).

    Not applied where the COD is below `least_dispersion` (a share): there the rule would trim what is uniform already.
    """
    none = np.zeros(sample.n, dtype=np.bool_)
    if sample.n < LEAST_SALES:
        return Outliers(none, None, None, factor, f"n = {sample.n} < {LEAST_SALES}")
    if sample.median <= 0:
        return Outliers(none, None, None, factor, "the median ratio is 0")
    if (share := dispersion(sample)) < least_dispersion:
        return Outliers(none, None, None, factor, f"COD {100 * share:.1f} % < {100 * least_dispersion:.0f} %")
    lower, upper = np.percentile(sample.sorted_ratio, [25, 75])
    low, high = float(lower - factor * (upper - lower)), float(upper + factor * (upper - lower))
    return Outliers((sample.ratio < low) | (sample.ratio > high), low, high, factor)
