"""Comparable sales: found by how the model sees them, where they are and when they were, then adjusted.

Two properties are similar when they end in the same leaf of many trees: that weighs each characteristic as the market
does. A comparable's price is adjusted by the difference that the model sees between the two properties, and by market
time. A property's own sales are no comparables: sold and unsold properties are treated alike.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from valuation.boosting import Boosted
from valuation.evidence import Evidence, Subjects
from valuation.records import Floats, Ints
from valuation.settings import ModelSettings

DISTANCE_KM = 5.0
"""Over so much distance a comparable loses 63 % of its score."""
AGE_YEARS = 5.0
"""Over so much time likewise."""
ADJUSTMENT = 0.25
"""By a log difference of so much its weight likewise: what needs little adjusting tells most."""
LARGEST_ADJUSTMENT = float(np.log(2))
"""What differs by more than a factor of two is no comparable."""
MIN_KIND_SALES = 20
CHUNK = 256


@dataclass(frozen=True, slots=True)
class Comparables:
    """The chosen sales of n properties, best first (n, k); what is not filled has sale -1 and weight 0.

    Logs: `difference` is what is added for characteristics, `market_time` from its sale to the day of the last sale,
    `adjusted` the price with both. `candidates` counts what there was to choose from.
    """

    sales: Ints
    similarity: Floats
    distance: Floats
    difference: Floats
    market_time: Floats
    adjusted: Floats
    weights: Floats
    candidates: Ints

    @property
    def counts(self) -> Ints:
        """How many comparables each property has."""
        return np.asarray((self.sales >= 0).sum(axis=1))

    @property
    def mean_similarity(self) -> Floats:
        """The comparables' similarity by weight; 0 where there are none."""
        return np.asarray((self.similarity * self.weights).sum(axis=1))

    def net_adjustment(self, growth: Floats) -> Floats:
        """How much is added to or taken from prices, as a share of them in the mean by weight; 0 without comparables.

        `growth` is the log change of prices from the last sale to each property's day.
        """
        added = np.expm1(self.difference + self.market_time + growth[:, None])
        return np.asarray((np.abs(added) * self.weights).sum(axis=1))

    def log_value(self, least: int) -> Floats:
        """Log of the mean of adjusted prices by weight; NaN where there are fewer than `least`."""
        value = (np.exp(self.adjusted) * self.weights).sum(axis=1)
        with np.errstate(divide="ignore"):
            return np.where(self.counts >= least, np.log(value), np.nan)


class ComparableSearch:
    """Searches a model's sales."""

    def __init__(self, evidence: Evidence, boosted: Boosted, settings: ModelSettings) -> None:
        self._evidence, self._boosted, self._settings = evidence, boosted, settings
        self._kinds = evidence.buildings.kinds(evidence.sales.records)
        self._leaves = np.zeros((len(evidence), boosted.trees), np.uint8)
        self._values = np.zeros(len(evidence))
        self._seen = np.zeros(len(evidence), bool)
        self._pools: dict[str, tuple[cKDTree, Ints]] = {}

    def find(self, subjects: Subjects, log_value: Floats, day: Ints, workers: int = 1) -> Comparables:
        """Choose comparables for properties of a log value at the day of the last sale, as of each one's `day`."""
        kinds = self._evidence.buildings.kinds(subjects.records)
        k = self._settings.candidates
        sales, distance = np.full((len(subjects), k), -1), np.full((len(subjects), k), np.inf)
        for kind in np.unique(kinds):
            rows = np.flatnonzero(kinds == kind)
            tree, pool = self._pool(str(kind))
            if tree is None:
                continue
            width = min(k, len(pool))
            found, at = tree.query(subjects.positions[rows], k=np.arange(1, width + 1), workers=workers)
            sales[rows, :width], distance[rows, :width] = pool[at], found
        self._look_at(np.unique(sales[sales >= 0]), workers)
        leaves = self._boosted.leaves(subjects.known, workers)
        parts = []
        for start in range(0, max(len(subjects), 1), CHUNK):
            some = slice(start, start + CHUNK)
            owners = subjects.owners[some]
            parts.append(self._choose(sales[some], distance[some], leaves[some], owners, log_value[some], day[some]))
        return Comparables(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def model_value(self, sales: Ints) -> Floats:
        """The model's log value of what was sold, at the day of the last sale."""
        self._look_at(sales, 1)
        return self._values[sales]

    def _choose(
        self, sales: Ints, distance: Floats, leaves: np.ndarray, owners: Ints, log_value: Floats, day: Ints
    ) -> tuple[Ints, Floats, Floats, Floats, Floats, Floats, Floats, Ints]:
        evidence = self._evidence
        own = evidence.properties.owners[sales]
        age = (day[:, None] - evidence.sales.days[sales]) / 365.25
        difference = log_value[:, None] - self._values[sales]
        fits = (sales >= 0) & (own != owners[:, None]) & (age >= 0) & (np.abs(difference) <= LARGEST_ADJUSTMENT)
        similarity = (self._leaves[sales] == leaves[:, None, :]).mean(axis=2)
        away = np.where(np.isfinite(distance), distance, 0.0)
        score = np.where(fits, similarity * np.exp(-away / DISTANCE_KM - np.maximum(age, 0) / AGE_YEARS), 0.0)
        best = _best_of_each(score, own, self._settings.comparables)
        taken = [np.take_along_axis(values, best, axis=1) for values in (sales, similarity, away, difference, score)]
        sales, similarity, away, difference, score = taken
        weight = score * np.exp(-np.abs(difference) / ADJUSTMENT)
        total = weight.sum(axis=1, keepdims=True)
        weight = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)
        chosen = weight > 0
        log_price = evidence.log_price[sales]
        time = np.where(chosen, log_price - np.log(evidence.sales.prices[sales]), 0.0)
        adjusted = np.where(chosen, log_price + difference, 0.0)
        return np.where(chosen, sales, -1), similarity, away, difference, time, adjusted, weight, fits.sum(axis=1)

    def _pool(self, kind: str) -> tuple[cKDTree | None, Ints]:
        """The sales of a kind (or, when few, all that are built on or not alike), recent ones if there are enough."""
        if kind not in self._pools:
            rows = np.flatnonzero(self._kinds == kind)
            if len(rows) < MIN_KIND_SALES:
                rows = np.flatnonzero(np.char.startswith(self._kinds, kind[:1]))
            days = self._evidence.sales.days[rows]
            recent = rows[days >= days.max(initial=0) - 365.25 * self._settings.search_years]
            rows = recent if len(recent) >= self._settings.candidates else rows
            tree = cKDTree(self._evidence.properties.positions[rows]) if len(rows) else None
            self._pools[kind] = (tree, rows)
        return self._pools[kind]

    def _look_at(self, sales: Ints, threads: int) -> None:
        """Have the model's leaves and values of sales at hand."""
        fresh = sales[~self._seen[sales]]
        if len(fresh):
            known = self._evidence.properties.known[fresh]
            self._leaves[fresh] = self._boosted.leaves(known, threads)
            self._values[fresh] = self._boosted.predict(known, threads)
            self._seen[fresh] = True


def _best_of_each(score: Floats, owners: Ints, count: int) -> Ints:
    """Columns of the best scores, each property's best sale once; ties go to the nearer one."""
    first = np.argsort(-score, axis=1, kind="stable")[:, : 3 * count]
    ranked, owner = np.take_along_axis(score, first, axis=1), np.take_along_axis(owners, first, axis=1)
    again = np.tril(owner[:, :, None] == owner[:, None, :], -1).any(axis=2)
    order = np.argsort(-np.where(again, 0.0, ranked), axis=1, kind="stable")[:, :count]
    kept: Ints = np.take_along_axis(first, order, axis=1)
    return kept
