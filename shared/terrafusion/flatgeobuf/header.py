"""What a FlatGeobuf file says of itself (FlatGeobuf 3, header.fbs)."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from terrafusion.flatgeobuf.buffers import FlatGeobufError, Table
from terrafusion.flatgeobuf.geometry import GeometryType

MAGIC = b"fgb\x03fgb"
"""Followed by a byte for the patch version, which readers ignore."""


class ColumnType(IntEnum):
    """How a column's values are stored."""

    BYTE = 0
    UBYTE = 1
    BOOL = 2
    SHORT = 3
    USHORT = 4
    INT = 5
    UINT = 6
    LONG = 7
    ULONG = 8
    FLOAT = 9
    DOUBLE = 10
    STRING = 11
    JSON = 12
    DATETIME = 13
    BINARY = 14


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name and type."""

    name: str
    type: ColumnType


@dataclass(frozen=True, slots=True)
class Header:
    """A file's header.

    Attributes
    ----------
    crs
        `EPSG:2927`, or "" when the file names none.
    wkt
        The CRS in WKT; "" when it isn't there.
    envelope
        West, south, east, north; () when the file doesn't say.
    features_count
        0 when it is unknown.
    index_node_size
        0 without an index.
    """

    name: str
    geometry_type: GeometryType
    columns: tuple[Column, ...]
    features_count: int
    index_node_size: int
    crs: str
    wkt: str
    envelope: tuple[float, ...]

    @classmethod
    def parse(cls, buffer: bytes) -> "Header":
        """Read a header's buffer."""
        table = Table.root(buffer)
        crs = table.table(10)
        code = crs.scalar(1, "i", 0) if crs else 0
        node_size = table.scalar(9, "H", 16)
        if node_size == 1:
            raise FlatGeobufError("an index can't have nodes of one")
        return cls(
            name=table.text(0),
            geometry_type=GeometryType(table.scalar(2, "B", 0)),
            columns=tuple(Column(column.text(0), ColumnType(column.scalar(1, "B", 0))) for column in table.tables(7)),
            features_count=table.scalar(8, "Q", 0),
            index_node_size=node_size,
            crs=f"{crs.text(0) or 'EPSG'}:{code}" if crs and code else "",
            wkt=crs.text(4) if crs else "",
            envelope=table.numbers(1, "d"),
        )


def with_features(buffer: bytes, count: int, envelope: Sequence[float]) -> bytes:
    """A header's buffer for other features of the same kind: how many there are, and the box around them.

    Raises
    ------
    FlatGeobufError
        When the header tells no count that could be changed in its place.
    """
    table, changed = Table.root(buffer), bytearray(buffer)
    place = table.place(8)
    if not place:
        raise FlatGeobufError("the header doesn't tell how many features there are")
    struct.pack_into("<Q", changed, place, count)
    vector = table.target(1)
    if vector and len(table.numbers(1, "d")) == len(envelope):
        struct.pack_into(f"<{len(envelope)}d", changed, vector + 4, *envelope)
    return bytes(changed)
