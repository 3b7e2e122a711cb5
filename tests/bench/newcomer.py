"""How long the README's two commands take from a bare clone: `python -m tests.bench.newcomer`."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import ROOT
from tests.bench.page import machine, put_section

COMMANDS = ("demo", "test-fast")


def section() -> str:
    """Both commands, with an empty cache of pip's and then with a full one, each from a clone of its own."""
    with tempfile.TemporaryDirectory(prefix="terrafusion-newcomer-") as name:
        folder = Path(name)
        cold, warm = (_start(folder / kind, folder / "cache") for kind in ("cold", "warm"))
    rows = [(f"`make {command}`", cold[command], warm[command]) for command in COMMANDS]
    rows.append(("both", sum(cold.values()), sum(warm.values())))
    lines = "\n".join(f"| {what} | {before:.0f} | {after:.0f} |" for what, before, after in rows)
    return f"""## A newcomer's start

Seconds from a bare clone, the environment included; pip's cache empty, and full.
{machine()}

| | cold | warm |
|---|---|---|
{lines}
"""


def _start(folder: Path, cache: Path) -> dict[str, float]:
    subprocess.run(["git", "clone", "--quiet", "--no-local", str(ROOT), str(folder)], check=True)
    environment = {**os.environ, "PIP_CACHE_DIR": str(cache)}
    seconds = {}
    for command in COMMANDS:
        started = time.perf_counter()
        subprocess.run(["make", command], cwd=folder, env=environment, check=True, stdout=sys.stderr)
        seconds[command] = time.perf_counter() - started
    return seconds


def main() -> None:
    """Measure, and write the section."""
    put_section("A newcomer's start", section())


if __name__ == "__main__":
    main()
