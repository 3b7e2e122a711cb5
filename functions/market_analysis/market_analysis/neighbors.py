"""Nearest neighbors of points on a plane: exact, by leaves of a balanced k-d tree."""

from collections.abc import Iterator

import numpy as np

from market_analysis.regression import Codes, Floats

EARTH_RADIUS_METERS = 6_371_008.8
METERS_PER_MILE = 1_609.344
LEAF = 24
"""Points that are looked at together, at most twice as many."""


def on_plane(lon: Floats, lat: Floats) -> Floats:
    """Coordinates (n, 2) in meters, from degrees: equirectangular, true along the middle latitude.

    Over a county of 1° (110 km) north to south, distances are off by at most 1 % at 45°.
    """
    middle = np.radians((lat.min() + lat.max()) / 2)
    east = np.radians(lon) * np.cos(middle) * EARTH_RADIUS_METERS
    return np.column_stack([east, np.radians(lat) * EARTH_RADIUS_METERS])


def nearest(points: Floats, count: int) -> Codes:
    """Indices (n, count) of each point's nearest others, nearest first; the same points give the same neighbors.

    A leaf of the tree bounds how far its points' neighbors can be; leaves nearer than that are searched with it.

    Parameters
    ----------
    points
        Coordinates (n, 2), all finite.
    count
        Fewer than n.
    """
    if not 0 < count < len(points):
        raise ValueError(f"{count} neighbors among {len(points)} points")
    leaves = list(_leaves(points, np.arange(len(points)), max(LEAF, count + 1)))
    low = np.array([points[leaf].min(axis=0) for leaf in leaves])
    high = np.array([points[leaf].max(axis=0) for leaf in leaves])
    found = np.empty((len(points), count), dtype=np.int64)
    for at, leaf in enumerate(leaves):
        known, reach = _nearest_among(points, leaf, leaf, count)
        gap = np.maximum(np.maximum(low - high[at], low[at] - high), 0)
        near = np.flatnonzero((gap**2).sum(axis=1) < reach)
        if near.size > 1:
            known, _ = _nearest_among(points, leaf, np.concatenate([leaves[one] for one in near]), count)
        found[leaf] = known
    return found


def _leaves(points: Floats, members: Codes, size: int) -> Iterator[Codes]:
    """Halve at the median of the wider side until leaves hold `size` points or a little more."""
    if members.size < 2 * size:
        yield np.sort(members)
        return
    own = points[members]
    axis = int(np.ptp(own, axis=0).argmax())
    order = np.argpartition(own[:, axis], members.size // 2)
    yield from _leaves(points, members[order[: members.size // 2]], size)
    yield from _leaves(points, members[order[members.size // 2 :]], size)


def _nearest_among(points: Floats, some: Codes, others: Codes, count: int) -> tuple[Codes, float]:
    """For `some` points their nearest of `others` (m, count), and the largest square distance to one of those."""
    square = (points[some, 0][:, None] - points[others, 0]) ** 2 + (points[some, 1][:, None] - points[others, 1]) ** 2
    square[some[:, None] == others] = np.inf
    chosen = np.argpartition(square, count - 1, axis=1)[:, :count]
    distance = np.take_along_axis(square, chosen, axis=1)
    order = np.lexsort((others[chosen], distance), axis=1)
    nearest_first = np.take_along_axis(chosen, order, axis=1)
    return others[nearest_first], float(distance.max())
