"""What changed in a layer between two snapshots: features added, changed and removed, told apart by key.

Keys and digests of the older selection go into a SQLite file, so that memory stays constant; the newer is read once,
the older twice.
"""

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from ctypes import create_string_buffer
from dataclasses import dataclass
from pathlib import Path

from gis_export.gdal import EngineError, Library

CHANGE = "change"
ADDED, CHANGED, REMOVED = "added", "changed", "removed"


@dataclass(frozen=True, slots=True)
class Previous:
    """The older state of a layer: its file, the condition as its columns have it, and the column that is the key.

    `columns` are those that count, `change` names the one that tells what became of a feature.
    """

    path: str | None
    where: str | None
    key: str
    columns: tuple[str, ...]
    change: str = CHANGE


def change_column(fields: Collection[str]) -> str:
    """A name for the column that tells the change, which none of the layer's has, exported or not, in any case."""
    name, taken = CHANGE, {field.casefold() for field in fields}
    while name in taken:
        name += "_"
    return name


class Comparison:
    """Digests of the older features by key, and which of them the newer ones have met."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE before (key TEXT PRIMARY KEY, digest BLOB, met INTEGER DEFAULT 0)")
        self._database.execute("BEGIN")
        self.counts: Counter[str] = Counter({ADDED: 0, CHANGED: 0, REMOVED: 0})

    def remember(self, key: str, mark: bytes) -> None:
        """Note an older feature.

        Raises
        ------
        EngineError
            When its key is not its own.
        """
        try:
            self._database.execute("INSERT INTO before (key, digest) VALUES (?, ?)", (key, mark))
        except sqlite3.IntegrityError:
            raise EngineError(f"The key '{key}' occurs twice; what changed cannot be told.") from None

    def change_of(self, key: str, mark: bytes) -> str | None:
        """What became of a newer feature; None when it is as it was."""
        row = self._database.execute("SELECT digest FROM before WHERE key = ?", (key,)).fetchone()
        if row is None:
            return self._count(ADDED)
        self._database.execute("UPDATE before SET met = 1 WHERE key = ?", (key,))
        return None if row[0] == mark else self._count(CHANGED)

    def is_removed(self, key: str) -> bool:
        """Whether no newer feature met an older one."""
        (met,) = self._database.execute("SELECT met FROM before WHERE key = ?", (key,)).fetchone()
        return not met and self._count(REMOVED) == REMOVED

    def close(self) -> None:
        """Forget all."""
        self._database.close()

    def _count(self, change: str) -> str:
        self.counts[change] += 1
        return change


@dataclass(frozen=True, slots=True)
class Place:
    """A column in an open layer: its number there, and whether it holds floating point."""

    name: str
    index: int
    is_real: bool


def digest(library: Library, feature: int, places: Sequence[Place]) -> bytes:
    """A feature's mark: of some columns, by name, and of the geometry, to the bit."""
    parts = []
    for place in places:
        if not library.OGR_F_IsFieldSetAndNotNull(feature, place.index):
            parts.append(f"{place.name}~")
        elif place.is_real:
            parts.append(f"{place.name}={library.OGR_F_GetFieldAsDouble(feature, place.index)!r}")
        else:
            parts.append(f"{place.name}={library.OGR_F_GetFieldAsString(feature, place.index).decode()}")
    geometry = library.OGR_F_GetGeometryRef(feature)
    buffer = create_string_buffer(int(library.OGR_G_WkbSize(geometry)) if geometry else 0)
    if geometry:
        library.OGR_G_ExportToWkb(geometry, 1, buffer)
    return hashlib.blake2b("\0".join(parts).encode() + b"\0" + buffer.raw, digest_size=16).digest()


@contextmanager
def compared(path: Path) -> Iterator[Comparison]:
    """A comparison whose file is gone afterwards."""
    comparison = Comparison(path)
    try:
        yield comparison
    finally:
        comparison.close()
        path.unlink(missing_ok=True)
