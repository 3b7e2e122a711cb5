"""Kills process groups whose owner has died, however it died: a process of its own that watches a pipe.

A signal on the parent's death (PR_SET_PDEATHSIG) would not do: it fires when the *thread* that forked ends, and misses
grandchildren.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import BinaryIO


class Watchdog:
    """Guards process groups for as long as this process lives."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).resolve())],
            stdin=subprocess.PIPE,
            bufsize=0,
            env={},
            start_new_session=True,
        )

    def guard(self, group: int) -> None:
        """Kill this group should this process die."""
        self._write(f"+{group}\n")

    def release(self, group: int) -> None:
        """Let go of a group that has ended: its number may soon be another's."""
        self._write(f"-{group}\n")

    def close(self) -> None:
        """End it; groups that are still guarded are killed."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()

    def _write(self, line: str) -> None:
        # a watchdog that was killed, or closed, guards nothing; its groups still end with their runtime API
        with self._lock, contextlib.suppress(OSError, ValueError):
            if self._process.stdin is not None:
                self._process.stdin.write(line.encode())


def kill_group(group: int) -> None:
    """Kill a process group; one that has ended is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def watch(pipe: BinaryIO) -> None:
    """Follow the pipe to its end, then kill what is still guarded."""
    groups: set[int] = set()
    for line in pipe:
        if line.endswith(b"\n"):
            group = int(line[1:])
            groups = groups | {group} if line.startswith(b"+") else groups - {group}
    for group in groups:
        kill_group(group)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watch(sys.stdin.buffer)
