"""What may be stored of a geometry: flat, valid, of one family, of one type."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import shapely

from cli.loading.dataset import Geometries

COLLECTION = 7  # GEOS type id
Mask = np.ndarray[Any, np.dtype[np.bool_]]
Codes = np.ndarray[Any, np.dtype[np.int8]]


class Family(StrEnum):
    """What a layer draws."""

    POINT = "point"
    LINE = "line"
    POLYGON = "polygon"


class Reason(StrEnum):
    """What becomes of a row: stored, or why it is quarantined."""

    STORED = "stored"

    MISSING = "no geometry"
    EMPTY = "empty geometry"
    NOT_FINITE = "coordinates are not numbers"
    OTHER_FAMILY = "geometry of another kind than the layer's"
    UNREPAIRABLE = "invalid geometry that cannot be repaired"


REASONS = tuple(Reason)
FAMILY_OF_TYPE = (
    Family.POINT,
    Family.LINE,
    Family.LINE,
    Family.POLYGON,
    Family.POINT,
    Family.LINE,
    Family.POLYGON,
)
SINGLE_TYPES = {Family.POINT: 0, Family.LINE: 1, Family.POLYGON: 3}
MULTI = {
    Family.POINT: shapely.multipoints,
    Family.LINE: shapely.multilinestrings,
    Family.POLYGON: shapely.multipolygons,
}
STORED_TYPE = {Family.POINT: "Point", Family.LINE: "MultiLineString", Family.POLYGON: "MultiPolygon"}


@dataclass(frozen=True, slots=True)
class Settled:
    """Geometries as they may be stored; `reasons` are positions in `REASONS`, 0 where one may be."""

    geometries: Geometries
    reasons: Codes
    repaired: int
    flattened: int

    @property
    def refused(self) -> Mask:
        """Where a geometry may not be stored."""
        return ~_open(self.reasons)

    @property
    def refusals(self) -> list[Reason]:
        """Why, for each of the refused."""
        return [REASONS[code] for code in self.reasons[self.refused]]


def families(geometries: Geometries) -> dict[Family, int]:
    """How many geometries draw what; collections count for nothing."""
    types, counts = np.unique(shapely.get_type_id(geometries), return_counts=True)
    found: dict[Family, int] = {}
    for kind, count in zip(types.tolist(), counts.tolist(), strict=True):
        if 0 <= kind < COLLECTION:
            family = FAMILY_OF_TYPE[kind]
            found[family] = found.get(family, 0) + count
    return found


def settle(geometries: Geometries, family: Family) -> Settled:
    """Flatten, repair and sort out; of collections the parts of the family are kept."""
    flattened = int(np.count_nonzero(shapely.has_z(geometries) | shapely.has_m(geometries)))
    flat = np.asarray(shapely.force_2d(geometries), dtype=object)
    reasons = np.zeros(len(flat), dtype=np.int8)
    _mark(reasons, shapely.is_missing(flat), Reason.MISSING)
    _mark(reasons, ~shapely.is_missing(flat) & shapely.is_empty(flat), Reason.EMPTY)
    _mark(reasons, _not_finite(flat), Reason.NOT_FINITE)
    collected = (shapely.get_type_id(flat) == COLLECTION) & _open(reasons)
    for position in np.flatnonzero(collected):
        flat[position] = _of_family(flat[position], family)
    _mark(reasons, ~_is_family(flat, family), Reason.OTHER_FAMILY)
    invalid = _open(reasons)
    invalid[invalid] = ~shapely.is_valid(flat[invalid])
    for position in np.flatnonzero(invalid):
        flat[position] = _repaired(flat[position], family)
    _mark(reasons, invalid & shapely.is_empty(flat), Reason.UNREPAIRABLE)
    return Settled(flat, reasons, int(np.count_nonzero(invalid & _open(reasons))), flattened)


def promote(geometries: Geometries, family: Family) -> Geometries:
    """Make all of them multi-part; None stays None."""
    single = shapely.get_type_id(geometries) == SINGLE_TYPES[family]
    promoted = geometries.copy()
    promoted[single] = MULTI[family](geometries[single], indices=np.arange(np.count_nonzero(single)))
    return promoted


def points_of(geometries: Geometries) -> Geometries:
    """A point for each geometry: itself, or one that lies on it; None where there is none."""
    flat = np.asarray(shapely.force_2d(geometries), dtype=object)
    unusable = shapely.is_missing(flat) | shapely.is_empty(flat) | _not_finite(flat)
    flat[unusable] = None
    extended = ~unusable & (shapely.get_type_id(flat) != SINGLE_TYPES[Family.POINT])
    flat[extended] = shapely.point_on_surface(shapely.make_valid(flat[extended]))
    return flat


def _open(reasons: Codes) -> Mask:
    return np.equal(reasons, 0)


def _mark(reasons: Codes, where: Any, reason: Reason) -> None:
    reasons[where & _open(reasons)] = REASONS.index(reason)


def _not_finite(geometries: Geometries) -> Mask:
    coordinates, owners = shapely.get_coordinates(geometries, return_index=True)
    found = np.zeros(len(geometries), dtype=bool)
    found[owners[~np.isfinite(coordinates).all(axis=1)]] = True
    return found


def _is_family(geometries: Geometries, family: Family) -> Mask:
    wanted = [kind for kind, candidate in enumerate(FAMILY_OF_TYPE) if candidate is family]
    return np.isin(shapely.get_type_id(geometries), wanted)


def _of_family(collection: Any, family: Family) -> Any:
    parts = [part for part in shapely.get_parts(collection) if not part.is_empty]
    nested = [_of_family(part, family) if shapely.get_type_id(part) == COLLECTION else part for part in parts]
    kept = [single for part in nested if _is_family(np.array([part]), family)[0] for single in shapely.get_parts(part)]
    return MULTI[family](kept) if kept else collection


def _repaired(geometry: Any, family: Family) -> Any:
    """Repaired, or an empty geometry; 'structure' keeps areas areas where 'linework' would leave lines."""
    if family is not Family.POLYGON:
        return shapely.make_valid(geometry)
    repaired = shapely.make_valid(geometry, method="structure", keep_collapsed=False)
    return _of_family(repaired, family) if shapely.get_type_id(repaired) == COLLECTION else repaired
