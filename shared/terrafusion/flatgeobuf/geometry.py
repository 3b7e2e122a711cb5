"""Geometries as plain tuples of x and y, nested as in GeoJSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from terrafusion.flatgeobuf.buffers import FlatGeobufError, Table

Position = tuple[float, float]
Line = tuple[Position, ...]
Polygon = tuple[Line, ...]


class GeometryType(IntEnum):
    """Numbered as in WKB; `UNKNOWN` in a header says that each feature has its own."""

    UNKNOWN = 0
    POINT = 1
    LINE_STRING = 2
    POLYGON = 3
    MULTI_POINT = 4
    MULTI_LINE_STRING = 5
    MULTI_POLYGON = 6
    GEOMETRY_COLLECTION = 7
    CIRCULAR_STRING = 8
    COMPOUND_CURVE = 9
    CURVE_POLYGON = 10
    MULTI_CURVE = 11
    MULTI_SURFACE = 12
    CURVE = 13
    SURFACE = 14
    POLYHEDRAL_SURFACE = 15
    TIN = 16
    TRIANGLE = 17


@dataclass(frozen=True, slots=True)
class Geometry:
    """A shape; of its parts only those of one kind are filled, whatever is single is one part."""

    type: GeometryType
    points: tuple[Position, ...] = ()
    lines: tuple[Line, ...] = ()
    polygons: tuple[Polygon, ...] = ()


def geometry(table: Table, type_in_header: GeometryType) -> Geometry:
    """A feature's geometry; z and m are left out.

    Raises
    ------
    FlatGeobufError
        For curves and collections, which no layer of ours has.
    """
    kind = GeometryType(table.scalar(6, "B", 0)) or type_in_header
    xy = table.numbers(1, "d")
    positions = tuple(zip(xy[::2], xy[1::2], strict=True))
    if kind in (GeometryType.POINT, GeometryType.MULTI_POINT):
        return Geometry(kind, points=positions)
    if kind in (GeometryType.LINE_STRING, GeometryType.MULTI_LINE_STRING):
        return Geometry(kind, lines=_split(positions, table.numbers(0, "I")))
    if kind is GeometryType.POLYGON:
        rings = _split(positions, table.numbers(0, "I"))
        return Geometry(kind, polygons=(rings,) if rings else ())
    if kind is GeometryType.MULTI_POLYGON:
        parts = table.tables(7)
        return Geometry(
            kind, polygons=tuple(p for part in parts for p in geometry(part, GeometryType.POLYGON).polygons)
        )
    raise FlatGeobufError(f"geometries of type {kind.name} can't be read")


def _split(positions: Line, ends: Sequence[Any]) -> tuple[Line, ...]:
    """Parts by where each ends; one part needs no ends."""
    if not ends:
        return (positions,) if positions else ()
    if ends[-1] != len(positions) or list(ends) != sorted(ends):
        raise FlatGeobufError("the parts of a geometry don't add up")
    return tuple(positions[start:end] for start, end in zip((0, *ends[:-1]), ends, strict=True))
