"""The little of FlatBuffers that FlatGeobuf uses: tables with fields by number, vectors, strings."""

import struct
from typing import Any, Self


class FlatGeobufError(Exception):
    """The file is no FlatGeobuf, is cut short, or holds what can't be read."""


class Table:
    """A FlatBuffers table within a buffer; a field that isn't there has its default."""

    __slots__ = ("_buffer", "_fields", "_start", "_table_size")

    def __init__(self, buffer: bytes, start: int) -> None:
        self._buffer = buffer
        self._start = start
        self._fields = start - struct.unpack_from("<i", buffer, start)[0]
        if self._fields < 0:
            raise FlatGeobufError("a table points outside of its buffer")
        self._table_size = struct.unpack_from("<H", buffer, self._fields)[0]

    @classmethod
    def root(cls, buffer: bytes) -> Self:
        """The table that a buffer is about."""
        return cls(buffer, struct.unpack_from("<I", buffer)[0])

    def place(self, field: int) -> int:
        """Where a field's value stands; 0 when it isn't there."""
        entry = 4 + 2 * field
        if entry >= self._table_size:
            return 0
        offset = struct.unpack_from("<H", self._buffer, self._fields + entry)[0]
        return self._start + offset if offset else 0

    def target(self, field: int) -> int:
        """Where a field's string, vector or table stands; 0 when it isn't there."""
        place = self.place(field)
        return place + struct.unpack_from("<I", self._buffer, place)[0] if place else 0

    def scalar(self, field: int, code: str, default: Any) -> Any:
        """A number, by its code in `struct`."""
        place = self.place(field)
        return struct.unpack_from(f"<{code}", self._buffer, place)[0] if place else default

    def text(self, field: int) -> str:
        """A string; "" when it isn't there."""
        return self.octets(field).decode("utf-8")

    def octets(self, field: int) -> bytes:
        """A string's or vector's bytes; b"" when it isn't there."""
        place = self.target(field)
        if not place:
            return b""
        length = struct.unpack_from("<I", self._buffer, place)[0]
        content = self._buffer[place + 4 : place + 4 + length]
        if len(content) != length:
            raise FlatGeobufError("a vector is longer than its buffer")
        return content

    def numbers(self, field: int, code: str) -> tuple[Any, ...]:
        """A vector of numbers; () when it isn't there."""
        place = self.target(field)
        if not place:
            return ()
        length = struct.unpack_from("<I", self._buffer, place)[0]
        return struct.unpack_from(f"<{length}{code}", self._buffer, place + 4)

    def table(self, field: int) -> "Table | None":
        """A table within this one."""
        place = self.target(field)
        return Table(self._buffer, place) if place else None

    def tables(self, field: int) -> "list[Table]":
        """A vector of tables."""
        place = self.target(field)
        if not place:
            return []
        offsets = self.numbers(field, "I")
        return [Table(self._buffer, place + 4 + 4 * index + offset) for index, offset in enumerate(offsets)]
