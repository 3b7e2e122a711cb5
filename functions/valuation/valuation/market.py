"""A model at work on the county's sales: values of many properties at once, by every approach."""

from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np

from valuation import cost
from valuation.approaches import Approach
from valuation.boosting import Boosted
from valuation.comparables import Comparables, ComparableSearch
from valuation.evidence import Evidence, Subjects
from valuation.model import Model
from valuation.ranges import SoldRanges
from valuation.reconciliation import Weights, weigh
from valuation.records import Floats, Ints, Records


@dataclass(frozen=True, slots=True)
class Values:
    """Log values (n) as of each property's day, NaN where an approach has none."""

    subjects: Subjects
    days: Ints
    growth: Floats
    by: dict[Approach, Floats]
    hedonic: Floats
    comparables: Comparables
    weights: Weights

    def interval(self, model: Model, approach: Approach) -> tuple[Floats, Floats]:
        """Logs of the interval's ends (n): what calibration sales tell, and beyond the last sale the trend's error too.

        The index takes its slope to change by `trend_change` a year at random; summed up over Δ years that is a
        variance of `trend_change`² · Δ³/3 (Harvey 1989, the local linear trend). NaN where too few sales tell how far
        the approach is off.
        """
        value, bands = self.by[approach], model.bands.get(approach)
        if bands is None:
            return np.full(len(value), np.nan), np.full(len(value), np.nan)
        ends = bands.interval(value)
        beyond = np.maximum(self.days - model.time_index.last, 0) / 365.25
        reach = NormalDist().inv_cdf((1 + bands.level) / 2) * model.settings.trend_change * np.sqrt(beyond**3 / 3)
        low, high = (np.hypot(end - value, reach) for end in ends)
        return value - low, value + high


class Market:
    """A model, its trees, and the sales it stands on."""

    def __init__(self, model: Model, boosted: Boosted, evidence: Evidence) -> None:
        self.model, self.boosted, self.evidence = model, boosted, evidence
        self.search = ComparableSearch(evidence, boosted, model.settings)

    @cached_property
    def ranges(self) -> SoldRanges:
        """What was sold of each class."""
        return SoldRanges(self.evidence.properties, self.model.features)

    def value(self, records: Records, days: Ints, workers: int = 1) -> Values:
        """Value properties (n) as of a day each (since 1970)."""
        return self.value_subjects(self.evidence.subjects(records, workers), days, workers)

    def value_subjects(self, subjects: Subjects, days: Ints, workers: int = 1) -> Values:
        """As `value`, for properties that were put beside the sales before."""
        model, index = self.model, self.model.time_index
        growth = index.growth(np.full(len(subjects), index.last), days)
        now = self.boosted.predict(subjects.known, workers)
        comparables = self.search.find(subjects, now, days, workers)
        features = subjects.known[:, : len(model.features)]
        by = {
            Approach.AVM: now + growth,
            Approach.COMPARABLE_SALES: comparables.log_value(model.settings.min_comparables) + growth,
            Approach.COST: self._cost(subjects, days, growth),
        }
        weights = weigh(by, model.bands, comparables, self._good(subjects, days), model.usual_similarity)
        by[Approach.RECONCILED] = weights.reconcile(by)
        return Values(
            subjects, days, growth, by, model.hedonic.predict(features, subjects.areas) + growth, comparables, weights
        )

    def _cost(self, subjects: Subjects, days: Ints, growth: Floats) -> Floats:
        table = self.model.cost
        if table is None:
            return np.full(len(subjects), np.nan)
        value = cost.values(table, subjects.records, subjects.areas, year_of(days), growth)
        return np.log(np.where(self.evidence.buildings.unsized(subjects.records), np.nan, value))

    def _good(self, subjects: Subjects, days: Ints) -> Floats:
        table = self.model.cost
        return cost.good(table, subjects.records, year_of(days)) if table else np.ones(len(subjects))


def year_of(days: Ints) -> Floats:
    """Days since 1970 as years of the calendar."""
    return 1970 + days / 365.25
