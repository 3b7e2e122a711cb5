"""The typeface of every picture and document: Source Sans Pro, under the SIL Open Font License (LICENSE.txt)."""

import struct
from functools import cache
from pathlib import Path

FAMILY = "Source Sans Pro"
DIRECTORY = Path(__file__).resolve().parent
"""Holds regular and bold as OpenType files, unchanged: the name 'Source' is reserved by the licence."""

FILES = tuple(sorted(DIRECTORY.glob("*.otf")))
REPLACEMENT = "\u2610"  # a box


@cache
def characters() -> frozenset[int]:
    """Code points that all files have a sign for."""
    return frozenset.intersection(*(frozenset(_characters(file.read_bytes())) for file in FILES))


def printable(text: str) -> str:
    """A text with a box for each character that the typeface lacks; line breaks and tabs become spaces.

    Documents for the blind (PDF/UA) may hold no character without a sign.
    """
    known = characters()
    return "".join(c if ord(c) in known else " " if c in "\n\t\r" else REPLACEMENT for c in text)


def _characters(font: bytes) -> set[int]:
    """Code points of a font's `cmap` table, from its Unicode subtables of format 4 (OpenType 1.9)."""
    tables = struct.unpack_from(">H", font, 4)[0]
    entries = (struct.unpack_from(">4sIII", font, 12 + 16 * index) for index in range(tables))
    start = next(offset for tag, _, offset, _ in entries if tag == b"cmap")
    found: set[int] = set()
    for index in range(struct.unpack_from(">H", font, start + 2)[0]):
        _, _, offset = struct.unpack_from(">HHI", font, start + 4 + 8 * index)
        if struct.unpack_from(">H", font, start + offset)[0] == 4:
            found |= _format_4(font, start + offset)
    return found


def _format_4(font: bytes, start: int) -> set[int]:
    segments = struct.unpack_from(">H", font, start + 6)[0] // 2
    columns = [
        struct.unpack_from(f">{segments}H", font, start + 14 + 2 * segments * column + (2 if column else 0))
        for column in range(4)
    ]
    ranges_at = start + 16 + 6 * segments
    found: set[int] = set()
    for index, (last, first, delta, offset) in enumerate(zip(*columns, strict=True)):
        for code in range(first, last + 1):
            glyph = code
            if offset:
                (glyph,) = struct.unpack_from(">H", font, ranges_at + 2 * index + offset + 2 * (code - first))
            if code != 0xFFFF and (glyph or not offset) and (glyph + delta) & 0xFFFF:
                found.add(code)
    return found
