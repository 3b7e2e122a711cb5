"""What a process writes, line by line, as soon as it is there."""

import contextlib
import os
import select
import threading
from collections.abc import Callable
from typing import IO

MAX_LINE_BYTES = 1_048_576
PIPE_BYTES = 1 << 20
"""More than a pipe holds: one read takes all that was written before it."""


class Output:
    """The reading end of a process's pipe.

    Parameters
    ----------
    on_line
        Takes each line; what has no end within 1 MiB is cut there.
    """

    def __init__(self, pipe: IO[bytes], on_line: Callable[[str], None]) -> None:
        self._pipe = pipe
        self._on_line = on_line
        self._rest = b""
        self._lock = threading.Lock()
        os.set_blocking(pipe.fileno(), False)

    def follow(self) -> None:
        """Read to the end: until every process that has the pipe is gone, and all that they wrote is read."""
        waiting = select.poll()
        waiting.register(self._pipe, select.POLLIN)
        while self.drain():
            waiting.poll()

    def drain(self) -> bool:
        """Read all that was written up to now, whoever else reads; gives whether there may be more."""
        with self._lock:
            if self._pipe.closed:
                return False
            chunk = b""
            with contextlib.suppress(BlockingIOError):
                chunk = os.read(self._pipe.fileno(), PIPE_BYTES)
                if not chunk:
                    self._pipe.close()
                    self._tell(self._rest)
                    return False
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                self._tell(line)
            while len(self._rest) > MAX_LINE_BYTES:
                self._tell(self._rest[:MAX_LINE_BYTES])
                self._rest = self._rest[MAX_LINE_BYTES:]
            return True

    def _tell(self, line: bytes) -> None:
        for start in range(0, len(line), MAX_LINE_BYTES):
            # the runtime client parts the lines of one record with carriage returns
            text = line[start : start + MAX_LINE_BYTES].decode("utf-8", "replace").rstrip("\r").replace("\r", "\n")
            if text:
                self._on_line(text)
