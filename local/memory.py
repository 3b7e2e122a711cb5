"""Kills what uses more memory than its function was given, as Lambda does; where there is no /proc, nothing."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LOOK_SECONDS = 0.1
KIB_PER_MB = 1024


@dataclass(frozen=True, slots=True, eq=False)
class _Watched:
    pid: int
    most_mb: int
    on_excess: Callable[[], None]


class MemoryWatch:
    """One thread that looks at all busy processes; while none is busy, it sleeps."""

    def __init__(self) -> None:
        self._watched: set[_Watched] = set()
        self._changed = threading.Condition()
        self._stopped = not Path("/proc/self/status").exists()
        self._thread = threading.Thread(target=self._run, name="memory", daemon=True)
        self._thread.start()

    @contextmanager
    def of(self, pid: int, most_mb: int, on_excess: Callable[[], None]) -> Iterator[None]:
        """Watch a process; `on_excess` is called at most once, and not after this has ended."""
        entry = _Watched(pid, most_mb, on_excess)
        with self._changed:
            self._watched.add(entry)
            self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._watched.discard(entry)

    def close(self) -> None:
        """Watch no more."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        with self._changed:
            while not self._stopped:
                for entry in [e for e in self._watched if _resident_kib(e.pid) > e.most_mb * KIB_PER_MB]:
                    self._watched.discard(entry)
                    entry.on_excess()
                self._changed.wait(LOOK_SECONDS if self._watched else None)


def _resident_kib(pid: int) -> int:
    """Memory that a process has in RAM; 0 of one that has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")), 0)
