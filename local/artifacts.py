"""Checks what `sam build` made, and prints its sizes: `python -m local.artifacts arm64`.

A function has what Lambda gives it and no more: its own folder, its layers, the runtime's boto3. Every library must be
for the processor that was built for, find what it links, and ask no newer glibc than Lambda has. What was built for
this machine's own processor is imported, too, in a Python of the runtime's version.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile

from local.template import load_yaml

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / ".aws-sam" / "build"
LIMIT_MB = 240
"""Lambda's own is 250 MiB unzipped, function and layers together."""
MEBIBYTE = 1024 * 1024

RUNTIME = (3, 13)
PYTHON = "python{}.{}".format(*RUNTIME)
MACHINES = {"x86_64": "EM_X86_64", "arm64": "EM_AARCH64"}
HOSTS = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
NEWEST_GLIBC = (2, 34)
"""Of Amazon Linux 2023, on which Lambda's Python 3.13 runs."""
OF_THE_SYSTEM = re.compile(
    r"(lib(c|m|dl|pthread|rt|util|resolv|gcc_s|stdc\+\+|z|expat)|ld-linux-[a-z0-9-]+)\.so(\.\d+)*"
)
OF_THE_RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
"""What Lambda's Python has besides the standard library."""
NEEDED_LATER: Mapping[str, tuple[str, ...]] = {
    "TablesLayer": ("duckdb", "numpy"),
    "AnalyticsLayer": ("lightgbm", "scipy.optimize", "scipy.spatial"),
    "DocumentsLayer": ("jinja2", "resvg_py", "typst", "xlsxwriter"),
    "GeoLayer": ("arro3.core", "arro3.io"),
    "FiltersLayer": ("cql2",),
}
"""What functions import from a layer only when they need it."""
IMPORTED = """
import resource, sys, time
started = time.perf_counter()
sys.path[:0] = {folders!r}
import {module}
milliseconds = (time.perf_counter() - started) * 1000
print(milliseconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@dataclass(frozen=True)
class Built:
    """A function as it was built: its folder, its entry's module, and the folders of its layers by name."""

    name: str
    folder: Path
    module: str
    layers: dict[str, Path]

    def sizes(self) -> dict[str, float]:
        """MiB unzipped of the function and of each layer."""
        return {"code": size(self.folder), **{name: size(folder) for name, folder in self.layers.items()}}


def functions() -> Iterator[Built]:
    """The functions of the built template."""
    template = load_yaml(BUILD / "template.yaml")
    shared = template["Globals"]["Function"]
    for name, resource in template["Resources"].items():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        properties = resource["Properties"]
        layers = [layer["Ref"] for layer in (*shared.get("Layers", ()), *properties.get("Layers", ()))]
        folders = {layer: BUILD / template["Resources"][layer]["Properties"]["ContentUri"] for layer in layers}
        module = properties["Handler"].rpartition(".")[0]
        yield Built(name, BUILD / properties["CodeUri"], module, folders)


def size(folder: Path) -> float:
    """MiB of all files below a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir()) / MEBIBYTE


def too_large(built: list[Built]) -> Iterator[str]:
    """Print the sizes; gives the functions that pass the limit."""
    names = sorted({layer for function in built for layer in function.layers})
    short = [name.removesuffix("Layer").lower() for name in names]
    print(f"{'MiB unzipped':<32}" + "".join(f"{name:>11}" for name in ("code", *short, "together")))
    for function in sorted(built, key=lambda f: f.name):
        sizes = function.sizes()
        together = sum(sizes.values())
        cells = [sizes["code"], *(sizes.get(name) for name in names), together]
        print(f"{function.name:<32}" + "".join(f"{'' if cell is None else f'{cell:.1f}':>11}" for cell in cells))
        if together > LIMIT_MB:
            yield f"{function.name} has {together:.1f} MiB with its layers; the limit is {LIMIT_MB}"


def foreign_code(built: list[Built], architecture: str) -> Iterator[str]:
    """Libraries for another processor, with nothing to link to, or of a newer glibc than Lambda's."""
    folders = {folder for function in built for folder in (function.folder, *function.layers.values())}
    for folder in sorted(folders):
        libraries = {path: read for path in sorted(folder.rglob("*.so*")) if (read := _library(path))}
        beside = {path.name for path in libraries}
        for path, (machine, needed, glibc) in libraries.items():
            where = path.relative_to(BUILD)
            if machine != MACHINES[architecture]:
                yield f"{where} is for {machine}, and not for {architecture}"
            if glibc > NEWEST_GLIBC:
                yield f"{where} asks for glibc {glibc[0]}.{glibc[1]}; Lambda has {NEWEST_GLIBC[0]}.{NEWEST_GLIBC[1]}"
            for name in needed:
                if name not in beside and not OF_THE_SYSTEM.fullmatch(name):
                    yield f"{where} links {name}, which neither its layer nor Lambda has"


def _library(path: Path) -> tuple[str, list[str], tuple[int, int]] | None:
    """A library's machine, what it links, and the newest glibc that it asks for."""
    if path.is_symlink() or not path.is_file():
        return None
    with path.open("rb") as stream:
        try:
            file = ELFFile(stream)
        except ELFError:
            return None
        dynamic = file.get_section_by_name(".dynamic")
        tags = dynamic.iter_tags("DT_NEEDED") if isinstance(dynamic, DynamicSection) else ()
        needed = [tag.needed for tag in tags]
        versions = file.get_section_by_name(".gnu.version_r")
        names = [aux.name for _, entries in versions.iter_versions() for aux in entries] if versions else []
    numbers = [tuple(map(int, name.removeprefix("GLIBC_").split(".")[:2])) for name in names if name[:6] == "GLIBC_"]
    return str(file.header.e_machine), needed, max((n for n in numbers if len(n) == 2), default=(0, 0))


@dataclass(frozen=True)
class Start:
    """How an entry's import went: its error, or the milliseconds and MiB that it took."""

    error: str = ""
    milliseconds: float = 0
    peak_mb: float = 0


def start(function: Built, python: str, runtime: Path, *, whole: bool = False) -> Start:
    """Import a function's entry with nothing around it but what Lambda gives, in a process of its own.

    `runtime` is a folder that `lay_out_runtime` filled; `whole` imports what the work needs later, too.
    """
    folders = [function.folder, *(folder / "python" for folder in function.layers.values()), runtime]
    settings = {
        "PATH": os.environ["PATH"],
        "LD_LIBRARY_PATH": ":".join(str(folder / "lib") for folder in function.layers.values()),
        "AWS_DEFAULT_REGION": "us-west-2",
    }
    later = [module for layer in function.layers for module in NEEDED_LATER.get(layer, ())] if whole else []
    modules = ", ".join((function.module, *later))
    code = IMPORTED.format(folders=[str(folder) for folder in folders], module=modules)
    done = subprocess.run(
        [python, "-I", "-S", "-B", "-c", code], env=settings, capture_output=True, text=True, check=False
    )
    if done.returncode:
        return Start(error=done.stderr.strip().splitlines()[-1])
    milliseconds, kilobytes = map(float, done.stdout.split()[-2:])
    return Start("", milliseconds, kilobytes / 1024)


def lay_out_runtime(folder: Path) -> None:
    """Put into a folder what Lambda's Python has besides the standard library."""
    for name in OF_THE_RUNTIME:
        spec = find_spec(name)
        if spec and spec.origin:
            origin = Path(spec.origin)
            source = origin.parent if origin.name == "__init__.py" else origin
            (folder / source.name).symlink_to(source)


def unimportable(built: list[Built], python: str) -> Iterator[str]:
    """The entries that cannot be imported."""
    with tempfile.TemporaryDirectory() as folder:
        lay_out_runtime(Path(folder))
        for function in built:
            error = start(function, python, Path(folder), whole=True).error
            if error:
                yield f"{function.name}: import {function.module}: {error}"


class NotTheRuntime(Exception):
    """RUNTIME_PYTHON names what is no Python of the runtime's version."""

    def __init__(self, named: str) -> None:
        super().__init__(f"RUNTIME_PYTHON is {named}, which is no {PYTHON}.")


def runtime_python() -> str | None:
    """A Python of the runtime's version; one that only prints an error (a version manager's shim) is none.

    Raises
    ------
    NotTheRuntime
        Who names one counts on it, so no other is taken, nor none.
    """
    named = os.environ.get("RUNTIME_PYTHON")
    managed = sorted(Path.home().glob(f".pyenv/versions/*/bin/{PYTHON}"))
    for candidate in (named,) if named else (PYTHON, *map(str, managed)):
        found = _executable(candidate)
        if found:
            return found
    if named:
        raise NotTheRuntime(named)
    return None


def _executable(candidate: str) -> str:
    """The path of a Python of the runtime's version; nothing when it is none."""
    if not shutil.which(candidate):
        return ""
    ask = [candidate, "-c", f"import sys; print(sys.executable if sys.version_info[:2] == {RUNTIME} else '')"]
    return subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip()


def main(architecture: str) -> int:
    """Check the last build for an architecture; 1 when something is wrong with it."""
    if not (BUILD / "template.yaml").exists():
        print("nothing has been built: run `make build`", file=sys.stderr)
        return 1
    built = list(functions())
    wrong = [*too_large(built), *foreign_code(built, architecture)]
    try:
        python = runtime_python()
    except NotTheRuntime as error:
        print(error, file=sys.stderr)
        return 1
    if HOSTS.get(platform.machine()) != architecture:
        print(f"Built for {architecture}: libraries were read; importing them takes such a machine.")
    elif python is None:
        print(f"Libraries were read; importing them takes {PYTHON}, and there is none (RUNTIME_PYTHON names one).")
    else:
        wrong += unimportable(built, python)
        print(f"Every entry, and what its layers hold, was imported with {PYTHON}, and nothing else.")
    for line in wrong:
        print(f"wrong: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "arm64"))
