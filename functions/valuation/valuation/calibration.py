"""What a model's errors are: how it values sales that it does not know, by every approach."""

from dataclasses import dataclass

import numpy as np

from valuation.approaches import Approach
from valuation.intervals import Bands
from valuation.market import Market
from valuation.reconciliation import APPROACHES, weigh
from valuation.records import Floats
from valuation.screening import Sales


@dataclass(frozen=True, slots=True)
class Calibration:
    """Values by approach of sales that the model did not know, and what was paid (logs)."""

    by: dict[Approach, Floats]
    log_price: Floats
    similarity: Floats

    @classmethod
    def of(cls, market: Market, sales: Sales) -> "Calibration":
        """Have a model value sales that it does not know; reconciled as their own errors tell."""
        values = market.value(sales.records, sales.days)
        log_price, level = np.log(sales.prices), market.model.settings.level
        bands = {a: Bands.calibrate(values.by[a], log_price, level) for a in APPROACHES if _any(values.by[a])}
        similarity = values.comparables.mean_similarity
        quality = values.weights.quality[:, -1]
        weights = weigh(values.by, bands, values.comparables, quality, float(np.median(similarity)))
        return cls({**values.by, Approach.RECONCILED: weights.reconcile(values.by)}, log_price, similarity)

    def joined_by(self, other: "Calibration") -> "Calibration":
        """Both slices' errors."""
        by = {approach: np.concatenate([self.by[approach], other.by[approach]]) for approach in self.by}
        prices = np.concatenate([self.log_price, other.log_price])
        return Calibration(by, prices, np.concatenate([self.similarity, other.similarity]))

    def apply(self, market: Market) -> Market:
        """The market with errors as calibrated."""
        level = market.model.settings.level
        bands = {a: Bands.calibrate(value, self.log_price, level) for a, value in self.by.items() if _any(value)}
        update = {"bands": bands, "usual_similarity": float(np.median(self.similarity))}
        return Market(market.model.model_copy(update=update), market.boosted, market.evidence)


def _any(values: Floats) -> bool:
    return not bool(np.isnan(values).all())
