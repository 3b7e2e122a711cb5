"""Why the local cloud cannot start."""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.aws.database import is_full

START_BYTES = 1 << 18
"""A cloud that has less room than this does not start: it could keep nothing that it is told."""


LOOPBACK = "127.0.0.1"
"""The address that only this machine's own programs reach."""


class CloudFailure(Exception):
    """The local cloud cannot start; the text is for the person who started it."""


class PortInUse(CloudFailure):
    """Something else listens on the port."""

    def __init__(self, port: int, host: str = LOOPBACK) -> None:
        super().__init__(f"Port {port} of {host} is in use. Choose another with --port, or 0 for any free one.")
        self.port = port


class CannotListen(CloudFailure):
    """An address that is none of this machine's, or a port that this user may not have."""

    def __init__(self, host: str, port: int, error: OSError) -> None:
        super().__init__(f"Nothing can listen on port {port} of {host}: {error.strerror or error}.")


class CannotWrite(CloudFailure):
    """The state cannot be kept there: it is no folder, or not this user's to write."""

    def __init__(self, state: Path, error: OSError) -> None:
        super().__init__(
            f"Nothing can be written to {state}: {error.strerror or error}. Name another folder by --state."
        )


class DiskFull(CloudFailure):
    """There is no room where the cloud keeps its state."""

    def __init__(self, state: Path) -> None:
        super().__init__(f"The disk of {state} is full. What was stored there is safe; make room, and start again.")


@contextmanager
def room_in(state: Path) -> Iterator[None]:
    """Look for room, and say of an error that comes from a full disk that it does."""
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=state, buffering=0) as file:
            file.write(bytes(START_BYTES))
            os.fsync(file.fileno())
    except OSError as error:
        raise (DiskFull(state) if is_full(error, state) else CannotWrite(state, error)) from error
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        if not is_full(error, state):
            raise
        raise DiskFull(state) from error
