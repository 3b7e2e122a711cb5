"""What was sold of each class: a house as large as any shop is still a house of which none was sold."""

from collections.abc import Sequence

import numpy as np

from valuation.evidence import Subjects
from valuation.features import LOCATION, Feature, Kind
from valuation.records import Flags, Floats

MIN_CLASS_SALES = 100
"""A class of fewer sales is held against the ranges of all."""
TAIL = 0.005


class SoldRanges:
    """For each number what all but 1 % of the sales of a class had; where a place lies is held against all sales."""

    def __init__(self, sold: Subjects, features: Sequence[Feature]) -> None:
        self._numbers = [(at, feature) for at, feature in enumerate(features) if feature.kind is Kind.NUMBER]
        self._by_class: dict[str, dict[str, tuple[float, float]]] = {}
        names, at, counts = np.unique(sold.records.texts("property_class"), return_inverse=True, return_counts=True)
        for code in np.flatnonzero(counts >= MIN_CLASS_SALES):
            self._by_class[str(names[code])] = self._of(sold.known[at == code])

    def outside(self, subjects: Subjects) -> dict[str, Flags]:
        """By characteristic the properties that have more or less of it than what was sold of their class."""
        names, at = np.unique(subjects.records.texts("property_class"), return_inverse=True)
        found = {}
        for column, feature in self._numbers:
            usual = (feature.low, feature.high)
            ends = np.array([self._by_class.get(str(name), {}).get(feature.name, usual) for name in names])[at]
            known = subjects.known[:, column]
            found[feature.name] = np.asarray((known < ends[:, 0]) | (known > ends[:, 1]))
        return found

    def _of(self, known: Floats) -> dict[str, tuple[float, float]]:
        found = {}
        for column, feature in self._numbers:
            values = known[:, column][~np.isnan(known[:, column])]
            if feature.name not in LOCATION and len(values) >= MIN_CLASS_SALES:
                low, high = np.quantile(values, (TAIL, 1 - TAIL))
                found[feature.name] = (float(low), float(high))
        return found
