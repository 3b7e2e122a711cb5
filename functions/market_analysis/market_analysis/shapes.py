"""Features for maps, longitude and latitude in degrees (EPSG:4326)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from market_analysis.regression import Floats

Ring = Sequence[tuple[float, float]]
Polygon = Sequence[Ring]
MultiPolygon = Sequence[Polygon]


class Geometry(StrEnum):
    """Kinds of features."""

    POINT = "Point"
    MULTI_POLYGON = "MultiPolygon"


@dataclass(frozen=True, slots=True)
class MapLayer:
    """Features of one kind: `columns` (n,) by name, `shapes` an array (n, 2) of points or n multipolygons, or None."""

    name: str
    geometry: Geometry
    columns: Mapping[str, Sequence[Any]]
    shapes: Sequence[tuple[float, float] | MultiPolygon | None]


def hull(lon: Floats, lat: Floats) -> MultiPolygon | None:
    """The convex hull of points, counterclockwise and closed (Andrew's monotone chain); None when it has no area."""
    points = np.unique(np.column_stack([lon, lat]), axis=0).tolist()
    if len(points) < 3:
        return None
    lower, upper = _chain(points), _chain(points[::-1])
    ring = [*lower[:-1], *upper]
    return [[[(x, y) for x, y in ring]]] if len(ring) > 3 else None


def _chain(points: list[list[float]]) -> list[list[float]]:
    chain: list[list[float]] = []
    for point in points:
        while len(chain) > 1 and _turn(chain[-2], chain[-1], point) <= 0:
            chain.pop()
        chain.append(point)
    return chain


def _turn(a: list[float], b: list[float], c: list[float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
