"""What is paid around a place: means over the nearest sales, in which a property's own sales never count.

The lag is free of leaks: a row's own property is left out whether it was sold or not, so that sold and unsold
properties are treated alike, and sales that a model is tested on are not among those it looks at.
"""

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from valuation.records import Floats, Ints

SPARE = 10
"""So many of a property's own sales may be among its nearest."""
SOFTENING_KM = 0.1
CHUNK = 20_000


class Neighbors:
    """Sales that have a value of some kind, by where they are."""

    def __init__(self, positions: Floats, owners: Ints, values: Floats) -> None:
        there = ~np.isnan(values)
        self._owners, self._values = owners[there], values[there]
        self._tree = cKDTree(positions[there]) if there.any() else None

    def means(self, positions: Floats, owners: Ints, counts: Sequence[int], workers: int = 1) -> Floats:
        """Means over the nearest sales, weighted by nearness (n, counts); NaN where there is none.

        `owners` are codes of properties, those of the sales among them.
        """
        if self._tree is None:
            return np.full((len(positions), len(counts)), np.nan)
        parts = [
            self._means(positions[at : at + CHUNK], owners[at : at + CHUNK], counts, workers)
            for at in range(0, max(len(positions), 1), CHUNK)
        ]
        return np.concatenate(parts)

    def _means(self, positions: Floats, owners: Ints, counts: Sequence[int], workers: int) -> Floats:
        assert self._tree is not None  # noqa: S101  asked by `means`
        k = min(self._tree.n, max(counts) + SPARE)
        distance, at = self._tree.query(positions, k=np.arange(1, k + 1), workers=workers)
        other = self._owners[at] != owners[:, None]
        weight = other / (distance + SOFTENING_KM)
        weighted = weight * self._values[at]
        rank = np.cumsum(other, axis=1)
        columns = []
        with np.errstate(invalid="ignore", divide="ignore"):
            for count in counts:
                among = rank <= count
                columns.append((weighted * among).sum(1) / (weight * among).sum(1))
        return np.column_stack(columns)
