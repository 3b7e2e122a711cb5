"""A SQLite database that is whole whatever happens: opened, written in transactions, and what its errors mean."""

import errno
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

FULL = {errno.ENOSPC, errno.EDQUOT}
TIGHT_BYTES = 1 << 20
"""With less room than this, an error of input or output is a full disk's."""


def connect(path: Path | None, schema: str, *, synchronous: Literal["FULL", "NORMAL"] = "FULL") -> sqlite3.Connection:
    """Open a database and make what its schema lacks.

    Parameters
    ----------
    path
        None is a database that goes with the process, and does not stay in its memory.
    synchronous
        FULL: a commit outlives the machine's power; NORMAL: it outlives the process.
    """
    database = sqlite3.connect(path or "", check_same_thread=False, isolation_level=None)
    try:
        database.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous};{schema}")
    except BaseException:
        database.close()
        raise
    return database


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """All that is written within, or none of it; on disk afterwards."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:  # a full disk may have ended it already
            database.execute("ROLLBACK")
        raise


def is_full(error: BaseException, folder: Path) -> bool:
    """Whether an error comes from the disk of a folder being full."""
    if isinstance(error, OSError):
        return error.errno in FULL
    if not isinstance(error, sqlite3.Error):
        return False
    # SQLite tells only of a full file; where it could not make or extend one, it says that it failed
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return True
    return code in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN} and shutil.disk_usage(folder).free < TIGHT_BYTES
