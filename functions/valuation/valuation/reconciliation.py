"""From the approaches to one value: each weighs as exactly as it was right about sales it did not know.

An approach far from where the others are has no weight: reconciliation is a judgement of which approaches apply to the
property at hand (USPAP, Standards Rules 1-6 and 5-7), and no mean over what contradicts itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from valuation.approaches import Approach
from valuation.comparables import Comparables
from valuation.intervals import Bands
from valuation.records import Flags, Floats

APPROACHES = (Approach.COMPARABLE_SALES, Approach.AVM, Approach.COST)
FULL_COUNT = 5
"""So many comparables make the approach as good as it was on the calibration sales."""
STRAY = 3.0
"""So many of its own spreads (robust standard deviations of its errors) an approach is off for a sale in a hundred."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights (n, approaches) that add up to 1 where there is any value, and what they are products of.

    `record` is 1/variance of each approach's errors on the calibration sales, `quality` (n, approaches) what the
    property at hand makes of it. `apart` is each approach's log value less that of the middle one, NaN for an approach
    without a value or a record; `strays` are those that have no weight for being too far from it.
    """

    record: Floats
    quality: Floats
    shares: Floats
    apart: Floats
    strays: Flags

    def reconcile(self, by: Mapping[Approach, Floats]) -> Floats:
        """Log of the mean value by weight (n); NaN where no approach has one."""
        values = np.exp(np.column_stack([by[approach] for approach in APPROACHES]))
        mean = np.nansum(values * self.shares, axis=1)
        with np.errstate(divide="ignore"):
            return np.where(mean > 0, np.log(mean), np.nan)


def weigh(
    by: Mapping[Approach, Floats],
    bands: Mapping[Approach, Bands],
    comparables: Comparables,
    good: Floats,
    usual_similarity: float,
) -> Weights:
    """Weights of the approaches for each property.

    Comparables count less when they are few, or less similar than usual; cost when much has depreciated, as
    depreciation is the part of it that is judged and not known (Appraisal of Real Estate, on the cost approach). The
    middle approach is the median by weight; of two, the weightier.
    """
    record = np.array([1 / bands[a].spread ** 2 if a in bands and bands[a].spread > 0 else 0.0 for a in APPROACHES])
    if not record.any():
        record = np.array([0.0, 1.0, 0.0])
    similar = np.minimum(1, comparables.mean_similarity / usual_similarity) if usual_similarity > 0 else 1.0
    few = np.minimum(1, comparables.counts / FULL_COUNT)
    quality = np.column_stack([few * similar, np.ones(len(good)), np.nan_to_num(good)])
    values = np.column_stack([by[approach] for approach in APPROACHES])
    weight = record * quality * ~np.isnan(values)
    apart = np.where(weight > 0, values - _middle(values, weight)[:, None], np.nan)
    spread = np.array([bands[a].spread if a in bands and bands[a].spread > 0 else np.inf for a in APPROACHES])
    strays = np.abs(apart) > STRAY * spread
    weight = np.where(strays, 0.0, weight)
    total = weight.sum(axis=1, keepdims=True)
    shares = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)
    return Weights(record, quality, shares, apart, np.asarray(strays))


def _middle(values: Floats, weight: Floats) -> Floats:
    """Each row's median by weight, NaN where nothing has any."""
    known = np.where(weight > 0, values, np.inf)
    order = np.argsort(known, axis=1, kind="stable")
    below = np.cumsum(np.take_along_axis(weight, order, axis=1), axis=1)
    at = np.argmax(below >= below[:, -1:] / 2, axis=1)
    middle = np.take_along_axis(known, np.take_along_axis(order, at[:, None], axis=1), axis=1)[:, 0]
    return np.where(np.isfinite(middle), middle, np.nan)
