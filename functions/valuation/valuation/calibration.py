"""What a model's errors are: how it values sales that it does not know, by every approach."""

from dataclasses import dataclass, replace

import numpy as np

from valuation import cost
from valuation.approaches import Approach
from valuation.intervals import Bands
from valuation.market import Market
from valuation.reconciliation import APPROACHES, weigh
from valuation.records import Flags, Floats
from valuation.screening import Sales

MIN_ERRORS = 10
"""Fewer errors do not tell how far an approach is off; the first slice of the smallest county has 15 sales."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Values by approach of sales that the model did not know, and what was paid (logs); `bare` ones are of land."""

    by: dict[Approach, Floats]
    log_price: Floats
    similarity: Floats
    bare: Flags

    @classmethod
    def of(cls, market: Market, sales: Sales) -> "Calibration":
        """Have a model value sales that it does not know; reconciled as their own errors tell."""
        values = market.value(sales.records, sales.days)
        similarity = values.comparables.mean_similarity
        by = {approach: values.by[approach] for approach in APPROACHES}
        found = cls(by, np.log(sales.prices), similarity, cost.bare(sales.records))
        bands = found.bands(market.model.settings.level)
        quality = values.weights.quality[:, -1]
        weights = weigh(by, bands, values.comparables, quality, float(np.median(similarity)))
        return replace(found, by={**by, Approach.RECONCILED: weights.reconcile(by)})

    def joined_by(self, other: "Calibration") -> "Calibration":
        """Both slices' errors."""
        return Calibration(
            {approach: np.concatenate([self.by[approach], other.by[approach]]) for approach in self.by},
            np.concatenate([self.log_price, other.log_price]),
            np.concatenate([self.similarity, other.similarity]),
            np.concatenate([self.bare, other.bare]),
        )

    def apply(self, market: Market) -> Market:
        """The market with errors as calibrated."""
        bands = self.bands(market.model.settings.level)
        update = {"bands": bands, "usual_similarity": float(np.median(self.similarity))}
        return Market(market.model.model_copy(update=update), market.boosted, market.evidence)

    def bands(self, level: float) -> dict[Approach, Bands]:
        """Errors of the approaches that enough sales tell of; those of bare land do not tell what buildings cost."""
        told = {}
        for approach, values in self.by.items():
            known = ~np.isnan(values) & ~(self.bare & (approach is Approach.COST))
            if known.sum() >= MIN_ERRORS:
                told[approach] = Bands.calibrate(values, self.log_price, level)
        return told
