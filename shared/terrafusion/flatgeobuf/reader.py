"""Reading a FlatGeobuf file: header, features in a box, all features."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from terrafusion.flatgeobuf import index
from terrafusion.flatgeobuf.buffers import FlatGeobufError, Table
from terrafusion.flatgeobuf.geometry import Geometry, geometry
from terrafusion.flatgeobuf.header import MAGIC, ColumnType, Header
from terrafusion.flatgeobuf.index import Box, Read

FIRST_READ = 16 * 1024
AHEAD = 4 * 1024
"""Bytes read after a feature's start when nothing says where it ends: most parcels are smaller."""
MOST_HEADER = 64 * 1024 * 1024
BROKEN = (struct.error, ValueError, IndexError, UnicodeDecodeError)

_FORMATS = {
    ColumnType.BYTE: struct.Struct("<b"), ColumnType.UBYTE: struct.Struct("<B"), ColumnType.BOOL: struct.Struct("<?"),
    ColumnType.SHORT: struct.Struct("<h"), ColumnType.USHORT: struct.Struct("<H"), ColumnType.INT: struct.Struct("<i"),
    ColumnType.UINT: struct.Struct("<I"), ColumnType.LONG: struct.Struct("<q"), ColumnType.ULONG: struct.Struct("<Q"),
    ColumnType.FLOAT: struct.Struct("<f"), ColumnType.DOUBLE: struct.Struct("<d"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Feature:
    """Values by column, None where there are none, and a geometry.

    Date-times are text in ISO 8601, as the file has them.
    """

    properties: dict[str, Any]
    geometry: Geometry | None


class FlatGeobuf:
    """A file or object in FlatGeobuf.

    Parameters
    ----------
    read
        Bytes by offset and length; fewer only where the file ends. `Storage.read_range` with its key is one.

    Raises
    ------
    FlatGeobufError
        When it is no FlatGeobuf, or broken; so do the methods.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        start = read(0, FIRST_READ)
        if start[:7] != MAGIC:
            raise FlatGeobufError("this is no FlatGeobuf file of version 3")
        try:
            (length,) = struct.unpack_from("<I", start, 8)
            if length > MOST_HEADER:
                raise FlatGeobufError(f"a header of {length} bytes can't be right")
            self._index_start = 12 + length
            if self._index_start > len(start):
                start = self._exactly(0, self._index_start)
            self.header = Header.parse(start[12 : self._index_start])
        except BROKEN as error:
            raise FlatGeobufError(f"the header can't be read: {error}") from error
        self._start = start
        count, node_size = self.header.features_count, self.header.index_node_size
        self._indexed = bool(node_size and count)
        self._features_start = self._index_start + (index.size(count, node_size) if self._indexed else 0)

    @classmethod
    def open(cls, path: Path) -> "FlatGeobuf":
        """A file on disk."""

        def read(offset: int, length: int) -> bytes:
            with path.open("rb") as stream:
                stream.seek(offset)
                return stream.read(length)

        return cls(read)

    @property
    def header_bytes(self) -> bytes:
        """The header's buffer."""
        return self._start[12 : self._index_start]

    @property
    def features_start(self) -> int:
        """Where the first feature begins."""
        return int(self._features_start)

    def spans(self, box: Box | None = None, most: int = 200_000) -> list[tuple[int, int]]:
        """Ranges of features, by number in the file, outside of which none touches a box; see `index.spans`."""
        count = self._counted()
        if box is None:
            return [(0, count)] if count else []
        return index.spans(self._read_index, count, self.header.index_node_size, box, most) if count else []

    def leaves(self, first: int, end: int) -> bytes:
        """The index' nodes of some features, by number: their boxes, and where they begin after the first feature."""
        leaf = index.levels(self._counted(), self.header.index_node_size)[0][0]
        start, stop = ((leaf + number) * index.NODE.size for number in (first, end))
        pieces = range(start, stop, index.MOST)
        return b"".join(self._read_index(at, min(index.MOST, stop - at)) for at in pieces)

    def octets(self, offset: int, length: int) -> bytes:
        """Bytes of the features, counted from the first."""
        return self._exactly(self._features_start + offset, length)

    def _counted(self) -> int:
        """How many features the index holds."""
        if self.header.features_count and not self._indexed:
            raise FlatGeobufError("the file has no index")
        return self.header.features_count

    def features(self, box: Box | None = None) -> Iterator[Feature]:
        """All features, or those whose bounding boxes touch a box, in the file's order.

        Parameters
        ----------
        box
            West, south, east, north in the file's CRS.

        Raises
        ------
        FlatGeobufError
            Also for a box in a file without an index.
        """
        buffers = self._all() if box is None else self._found(box)
        for buffer in buffers:
            try:
                yield self._feature(buffer)
            except BROKEN as error:
                raise FlatGeobufError(f"a feature can't be read: {error}") from error

    def _found(self, box: Box) -> Iterator[bytes]:
        if not self.header.features_count:
            return
        if not self._indexed:
            raise FlatGeobufError("the file has no index to search a box by")
        places = index.search(self._read_index, self.header.features_count, self.header.index_node_size, box)
        ranges = [(place, place + AHEAD) for place in places]
        for start, end, inside in index.coalesced(ranges):
            chunk = self._read(self._features_start + start, end - start)
            for place, _ in inside:
                yield self._one(chunk, place - start, self._features_start + start)

    def _one(self, chunk: bytes, at: int, chunk_start: int) -> bytes:
        """A feature's buffer out of a chunk, or read anew where the chunk ends too early."""
        if len(chunk) < at + 4:
            raise FlatGeobufError("the file ends before a feature")
        (length,) = struct.unpack_from("<I", chunk, at)
        if at + 4 + length <= len(chunk):
            return chunk[at + 4 : at + 4 + length]
        return self._exactly(chunk_start + at + 4, length)

    def _all(self) -> Iterator[bytes]:
        offset, chunk, start = self._features_start, b"", 0
        counted, seen = self.header.features_count, 0
        while True:
            if offset + 4 > start + len(chunk) or not chunk:
                chunk, start = self._read(offset, index.MOST), offset
            if not chunk and (seen == counted or not counted):
                return
            buffer = self._one(chunk, offset - start, start)
            offset, seen = offset + 4 + len(buffer), seen + 1
            yield buffer
            if seen == counted:
                return

    def _read_index(self, offset: int, length: int) -> bytes:
        start = self._index_start + offset
        known = self._start[start : start + length]
        return known if len(known) == length else self._exactly(start, length)

    def _exactly(self, offset: int, length: int) -> bytes:
        content = self._read(offset, length)
        if len(content) != length:
            raise FlatGeobufError(f"the file is cut short: {length} bytes were expected at {offset}")
        return content

    def _feature(self, buffer: bytes) -> Feature:
        table = Table.root(buffer)
        shape = table.table(0)
        properties: dict[str, Any] = dict.fromkeys(column.name for column in self.header.columns)
        data, at = table.octets(1), 0
        while at < len(data):
            column = self.header.columns[struct.unpack_from("<H", data, at)[0]]
            value, at = _value(data, at + 2, column.type)
            properties[column.name] = value
        return Feature(properties, geometry(shape, self.header.geometry_type) if shape else None)


def _value(data: bytes, at: int, kind: ColumnType) -> tuple[Any, int]:
    """A property's value and where the next begins."""
    layout = _FORMATS.get(kind)
    if layout:
        return layout.unpack_from(data, at)[0], at + layout.size
    (length,) = struct.unpack_from("<I", data, at)
    content = data[at + 4 : at + 4 + length]
    if len(content) != length:
        raise FlatGeobufError("a property is longer than its feature")
    return (content if kind is ColumnType.BINARY else content.decode("utf-8")), at + 4 + length
