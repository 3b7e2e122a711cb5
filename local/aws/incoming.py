"""A body on its way into the object store."""

import hashlib
import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

CHUNK_BYTES = 1 << 20


class Incoming:
    """A body on its way into the store."""

    def __init__(self, files: Path) -> None:
        identifier = uuid.uuid4().hex
        self.name = f"{identifier[:2]}/{identifier}"
        self.size = 0
        self._path = files / self.name
        if not self._path.parent.exists():
            self._path.parent.mkdir(exist_ok=True)
            _sync_folder(files)
        self._file = self._path.open("wb")
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256()
        self._kept = False

    def write(self, chunk: bytes) -> None:
        """Take a chunk."""
        self._md5.update(chunk)
        self._sha256.update(chunk)
        self.size += self._file.write(chunk)

    def fill(self, source: BinaryIO, size: int) -> None:
        """Take the next `size` bytes of a file."""
        while size and (chunk := source.read(min(CHUNK_BYTES, size))):
            size -= len(chunk)
            self.write(chunk)

    @property
    def md5(self) -> str:
        """MD5 of what was taken, in hex: the tag of an object."""
        return self._md5.hexdigest()

    @property
    def sha256(self) -> str:
        """SHA-256 of what was taken, in hex."""
        return self._sha256.hexdigest()

    def sync(self) -> None:
        """Bring file and folder entry to the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        _sync_folder(self._path.parent)

    def keep(self) -> None:
        """Leave the file where it is: a row names it."""
        self._kept = True

    def drop_unless_kept(self) -> None:
        """Remove the file when no row came to name it."""
        with suppress(OSError):  # what it holds back may not fit on the disk
            self._file.close()
        if not self._kept:
            self._path.unlink(missing_ok=True)


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
