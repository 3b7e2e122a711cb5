"""Files that only their owner may read."""

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def write_private(path: Path, content: bytes) -> None:
    """Write a file in one step, readable by its owner alone."""
    made = _temporary(path.parent, content)
    made.replace(path)


def keep_once(path: Path, make: Callable[[], bytes]) -> bytes:
    """The file's content; made when there is none yet. Of several processes at once all get the same."""
    if not path.exists():
        made = _temporary(path.parent, make())
        with contextlib.suppress(FileExistsError):
            os.link(made, path)
        made.unlink()
    return path.read_bytes()


def _temporary(folder: Path, content: bytes) -> Path:
    """A complete file with mode 0600."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(dir=folder)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
    except BaseException:
        Path(name).unlink()
        raise
    return Path(name)
