"""Log files that do not grow for ever."""

import logging
import sys
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

MAX_BYTES = 10_000_000
KEPT = 2


class LogFiles:
    """One file by name in a folder, each moved aside when it is full; older ones are dropped."""

    def __init__(self, folder: Path, *, max_bytes: int = MAX_BYTES) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._max_bytes = max_bytes
        self._loggers: dict[str, logging.Logger] = {}

    def write(self, name: str, line: str) -> None:
        """Add a line to `<name>.log`, with the time."""
        logger = self._loggers.get(name) or self._loggers.setdefault(name, self._open(name))
        logger.info(line)

    def close(self) -> None:
        """Close all files."""
        for logger in self._loggers.values():
            for handler in logger.handlers:
                with suppress(OSError):  # what it holds back may not fit on the disk
                    handler.close()

    def _open(self, name: str) -> logging.Logger:
        path = self._folder / f"{name}.log"
        handler = _LogFile(
            path, maxBytes=self._max_bytes, backupCount=KEPT, encoding="utf-8", delay=True, errors="backslashreplace"
        )
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        logger = logging.Logger(name)  # noqa: LOG001  not of the tree: a function's lines are not this process's
        logger.addHandler(handler)
        return logger


class _LogFile(RotatingFileHandler):
    """A file whose lines may be lost, such as on a full disk; it says so once."""

    told = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802
        if not self.told:
            self.told = True
            with suppress(OSError):
                sys.stderr.write(f"{self.baseFilename} cannot be written: {sys.exc_info()[1]}\n")
