"""Reads lines of a pipe or a file in batches; of a file, so that another process can go on where one stopped."""

import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

MAX_LINE_BYTES = 1_048_576
"""CloudWatch's limit for an event. A longer line is given cut, one byte too long."""
BATCH_BYTES = 1 << 18
BATCH_LINES = 1000
HEAD_BYTES = 256
LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Position:
    """How far a file was read, and the checksum of its first bytes, by which it is known when it was moved aside."""

    offset: int
    head: str

    @classmethod
    def of(cls, file: BufferedReader, offset: int) -> "Position":
        """A position in a file that is open."""
        first = os.pread(file.fileno(), min(HEAD_BYTES, offset), 0)
        return cls(offset, hashlib.sha256(first).hexdigest())


Batch = tuple[list[bytes], Position]


def lines_of(stream: BufferedReader) -> Iterator[list[bytes]]:
    """Lines of a pipe as they come, to its end."""
    rest = b""
    while chunk := stream.read1(BATCH_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        rest = rest[: MAX_LINE_BYTES + 1]
        yield lines
    if rest:
        yield [rest]


class Follower:
    """A log file as it grows, and when it is moved aside for a new one.

    Parameters
    ----------
    position
        Where an earlier reader stopped.
    grows
        Whether more may come. Where not, it is read once, and what stands after its last newline is a line, too; as it
        is of a file that was moved aside.
    """

    def __init__(self, path: Path, position: Position | None = None, *, grows: bool = True) -> None:
        self._path = path
        self._position = position
        self._grows = grows
        self._stopping = threading.Event()
        if not grows:
            self.stop()

    def stop(self) -> None:
        """Read what is there now, and no more."""
        self._stopping.set()

    def batches(self) -> Iterator[Batch]:
        """Whole lines in batches, each with the position after it; waits for more at the end, until stopped."""
        moved = self._moved_aside()
        if moved is not None:
            with moved.open("rb") as file:
                yield from self._rest(file, ended=True)
            self._position = None
        while True:
            last = self._stopping.is_set()
            if self._path.exists():
                with self._path.open("rb") as file:
                    yield from self._until_replaced(file)
            if last or self._stopping.wait(LOOK_SECONDS):
                return

    def _until_replaced(self, file: BufferedReader) -> Iterator[Batch]:
        """What a file holds and gets, until another has its name, or it holds something else."""
        if self._position is not None and Position.of(file, self._position.offset) != self._position:
            self._position = None
        while True:
            last, replaced = self._stopping.is_set(), self._is_replaced(file)
            yield from self._rest(file, ended=replaced or not self._grows)
            if replaced:
                self._position = None
            if replaced or last:
                return
            self._stopping.wait(LOOK_SECONDS)

    def _rest(self, file: BufferedReader, *, ended: bool) -> Iterator[Batch]:
        file.seek(self._position.offset if self._position else 0)
        while lines := _whole_lines(file, ended=ended):
            self._position = Position.of(file, file.tell())
            yield lines, self._position

    def _is_replaced(self, file: BufferedReader) -> bool:
        try:
            named = self._path.stat()
        except FileNotFoundError:
            return False  # moved aside, and no new one yet: it may still be written to
        mine = os.fstat(file.fileno())
        if (mine.st_dev, mine.st_ino) != (named.st_dev, named.st_ino):
            return True
        return self._position is not None and mine.st_size < self._position.offset

    def _moved_aside(self) -> Path | None:
        """The file that was read last, where it has another name now."""
        if self._position is None:
            return None
        others = sorted(self._path.parent.glob(f"{self._path.name}.*"))
        known = (path for path in (self._path, *others) if path.exists() and _is_known(path, self._position))
        found = next(known, None)
        return None if found == self._path else found


def _is_known(path: Path, position: Position) -> bool:
    with path.open("rb") as file:
        return Position.of(file, position.offset) == position


def _whole_lines(file: BufferedReader, *, ended: bool) -> list[bytes]:
    """The next lines, a batch at most; leaves the file after the last that is whole. All are, of one that has ended."""
    lines: list[bytes] = []
    while len(lines) < BATCH_LINES:
        start = file.tell()
        line = file.readline(MAX_LINE_BYTES + 1)
        whole = line.endswith(b"\n") or len(line) > MAX_LINE_BYTES or (ended and line)
        if not whole:
            file.seek(start)  # nothing, or a line that is still being written
            break
        lines.append(line)
        while not line.endswith(b"\n") and line:
            line = file.readline(MAX_LINE_BYTES)
    return lines
