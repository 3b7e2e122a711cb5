"""How long each function takes to start, as it was built: its entry's import, from its own folder and layers alone."""

import platform
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from local.artifacts import BUILD, functions, lay_out_runtime, runtime_python, start
from local.bytecode import compile_folder
from tests.bench.page import machine, put_section

RUNS = 5


@dataclass(frozen=True, slots=True)
class ColdStart:
    """MiB with its layers; medians: milliseconds until the entry is imported, and the process's peak in MiB."""

    function: str
    unzipped_mb: float
    milliseconds: float
    peak_mb: float


def cold_starts(runs: int) -> Iterator[ColdStart]:
    """Each function in turn, with the bytecode that was built; the first run, from a cold disk, does not count.

    The runtime's boto3 is compiled too, as Lambda's image has it; its service descriptions are no part of an import.

    Raises
    ------
    RuntimeError
        When nothing was built for this machine, there is no Python of the runtime's version, or an import fails.
    """
    python = runtime_python()
    if python is None or not (BUILD / "template.yaml").exists():
        raise RuntimeError("cold starts need `make build` for this machine's processor, and python3.13")
    with tempfile.TemporaryDirectory() as folder:
        links, runtime = Path(folder) / "links", Path(folder) / "runtime"
        links.mkdir()
        lay_out_runtime(links)
        shutil.copytree(links, runtime, ignore=shutil.ignore_patterns("data", "__pycache__"))
        compile_folder(python, runtime, "/var/runtime")
        for function in sorted(functions(), key=lambda f: f.name):
            seen = [start(function, python, runtime) for _ in range(runs + 1)][1:]
            if seen[0].error:
                raise RuntimeError(f"{function.name}: {seen[0].error}")
            yield ColdStart(
                function.name,
                sum(function.sizes().values()),
                statistics.median(one.milliseconds for one in seen),
                statistics.median(one.peak_mb for one in seen),
            )


def section(starts: list[ColdStart]) -> str:
    """The figures as a section of the page."""
    rows = "\n".join(f"| {s.function} | {s.unzipped_mb:.1f} | {s.milliseconds:.0f} | {s.peak_mb:.0f} |" for s in starts)
    return f"""## Cold starts

Each function as `make build ARCHITECTURE={platform.machine()}` made it: MiB unzipped with its layers (the build fails
beyond 240); milliseconds that its entry's import takes with what was built alone, the median of {RUNS}; and the
process' peak. What Lambda itself needs to start a sandbox comes on top.
{machine()}

| function | MiB unzipped | import, ms | peak, MiB |
|---|---|---|---|
{rows}
"""


def main() -> None:
    """Measure, and write the section."""
    put_section("Cold starts", section(list(cold_starts(RUNS))))


if __name__ == "__main__":
    main()
