"""Whole processes, measured by the operating system: wall seconds and peak memory."""

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a command; memory is the peak of the process itself, in MB, `cpu_seconds` what it had of the cores."""

    seconds: float
    peak_mb: float
    cpu_seconds: float


LAUNCHER = """
import json, os, sys, time
started = time.perf_counter()
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
seconds = time.perf_counter() - started
cpu = usage.ru_utime + usage.ru_stime
print(json.dumps([os.waitstatus_to_exitcode(status), seconds, usage.ru_maxrss / 1024, cpu]))
"""
"""Stands between: a process's peak includes that of the one that started it, and this one is small."""


def measure(command: Sequence[str]) -> Run:
    """Run a command to its end; of several processes in it the largest counts.

    Raises
    ------
    RuntimeError
        With what it printed, when it failed.
    """
    done = subprocess.run([sys.executable, "-I", "-S", "-c", LAUNCHER, *command], capture_output=True, text=True)
    status, seconds, peak_mb, cpu_seconds = json.loads(done.stdout.splitlines()[-1])
    if status:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr[-2000:]}")
    return Run(seconds, peak_mb, cpu_seconds)


def median(runs: Sequence[Run]) -> Run:
    """The median of each figure."""
    figures = zip(*((run.seconds, run.peak_mb, run.cpu_seconds) for run in runs), strict=True)
    return Run(*(statistics.median(figure) for figure in figures))
