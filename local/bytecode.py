"""Compiles what `sam build` made: `python -m local.bytecode`. Lambda can keep none, and would compile at each start.

The bytecode is the runtime's version's and never checked against its source (PEP 552), as a package's files carry no
dates to trust. Without a Python of that version nothing is compiled, and cold starts take longer; all else is the same.
Where RUNTIME_PYTHON names one, as in a pipeline, it must be there.
"""

import subprocess
import sys
from pathlib import Path

from local.artifacts import BUILD, PYTHON, NotTheRuntime, functions, runtime_python

CODE, LAYERS = "/var/task", "/opt"
"""Where Lambda lays a function's folder, and its layers."""


def compile_all(python: str) -> None:
    """Compile every module of the build.

    Raises
    ------
    subprocess.CalledProcessError
        When one does not compile.
    """
    built = list(functions())
    places = {function.folder: CODE for function in built}
    places |= {folder: LAYERS for function in built for folder in function.layers.values()}
    for folder, place in sorted(places.items()):
        compile_folder(python, folder, place)


def compile_folder(python: str, folder: Path, place: str) -> None:
    """Compile every module below a folder that will lie at `place`; the same bytes wherever it lies now."""
    how = ["-f", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", place]
    subprocess.run([python, "-m", "compileall", *how, str(folder)], check=True)


def main() -> int:
    """Compile the last build, where that is possible; 1 when the Python that was named is none to do it with."""
    try:
        python = runtime_python()
    except NotTheRuntime as error:
        sys.stderr.write(f"Nothing was compiled: {error}\n")
        return 1
    if python is None:
        sys.stdout.write(f"Nothing was compiled: there is no {PYTHON} (RUNTIME_PYTHON names one).\n")
    elif (BUILD / "template.yaml").exists():
        compile_all(python)
    return 0


if __name__ == "__main__":
    sys.exit(main())
