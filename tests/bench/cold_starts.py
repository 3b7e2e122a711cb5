"""How long each function takes to start, as it was built: its entry's import, from its own folder and layers alone."""

import shutil
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from local.artifacts import BUILD, functions, lay_out_runtime, runtime_python, start
from local.bytecode import compile_folder


@dataclass(frozen=True, slots=True)
class ColdStart:
    """Medians: milliseconds until the entry is imported, and the process's peak in MiB."""

    function: str
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
                statistics.median(one.milliseconds for one in seen),
                statistics.median(one.peak_mb for one in seen),
            )


def table(starts: list[ColdStart]) -> str:
    """The figures as Markdown."""
    rows = "\n".join(f"| {s.function} | {s.milliseconds:.0f} | {s.peak_mb:.0f} |" for s in starts)
    return f"| function | import, ms | peak, MiB |\n|---|---|---|\n{rows}"


if __name__ == "__main__":
    print(table(list(cold_starts(5))))
