"""Says what this machine lacks and how to get it: `make doctor`. Needs nothing but a Python, of whatever version."""

import ctypes.util
import os
import platform
import shutil
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PORT = 3000
ROOM_GB = 4
OK, MISSING, OPTIONAL = "ok", "missing", "not there"


def _answers(*command: str) -> bool:
    """Whether a program is there and works: a version manager's shim may only print an error."""
    if not shutil.which(command[0]):
        return False
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0


def _python() -> tuple[str, str]:
    test = "import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))"
    for name in (sys.executable, "python3.13", "python3.12", "python3.11", "python3"):
        if _answers(name, "-c", test):
            return OK, subprocess.run([name, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    return MISSING, "Python 3.11 to 3.13 with venv. Debian, Ubuntu: apt-get install python3 python3-venv"


def _linux() -> tuple[str, str]:
    if platform.system() == "Linux":
        return OK, "Linux"
    return MISSING, "the local cloud needs Linux (AWS's runtime client has no other wheels): WSL, a VM or a container"


def _room() -> tuple[str, str]:
    free = shutil.disk_usage(ROOT).free / 1e9
    text = f"{free:.0f} GB free here"
    return (OK, text) if free > ROOM_GB else (MISSING, f"{text}; the environment and a demo take {ROOM_GB} GB")


def _port() -> tuple[str, str]:
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", PORT)):
            return OK, f"port {PORT} is free"
    return MISSING, f"port {PORT} is taken: stop what has it, or say `terrafusion up --port …`"


def _environment() -> tuple[str, str]:
    stamp, lock = ROOT / ".venv" / ".installed", ROOT / "requirements.lock"
    if not stamp.exists():
        return OPTIONAL, "`make setup` makes it, as do `make demo` and `make test`"
    if stamp.stat().st_mtime < lock.stat().st_mtime:
        return OPTIONAL, "older than the lock; `make setup` makes it anew"
    return OK, ".venv"


def _openmp() -> tuple[str, str]:
    if ctypes.util.find_library("gomp") or list(ROOT.glob(".venv/lib/*/site-packages/scikit_learn.libs/libgomp*")):
        return OK, "libgomp"
    return MISSING, "libgomp, for LightGBM. Debian, Ubuntu: apt-get install libgomp1"


def _program(command: str, how: str, *words: str) -> tuple[str, str]:
    return (OK, command) if _answers(command, *(words or ("--version",))) else (OPTIONAL, how)


CHECKS = (
    ("all", "Python", _python),
    ("all", "room on the disk", _room),
    ("all", "environment", _environment),
    ("demo, run, test", "system", _linux),
    ("run", "port", _port),
    ("valuations", "OpenMP", _openmp),
    (
        "some tests",
        "ogrinfo",
        lambda: _program("ogrinfo", "those tests skip. Debian, Ubuntu: apt-get install gdal-bin"),
    ),
    ("some tests", "pdftoppm", lambda: _program("pdftoppm", "those skip. apt-get install poppler-utils", "-v")),
    ("some tests", "promtool", lambda: _program("promtool", "those tests skip. apt-get install prometheus")),
    ("build", "Python 3.13", lambda: _program("python3.13", "`make build` then imports nothing of what it built")),
    (
        "sam-local, test-sam",
        "container engine",
        lambda: _program("docker", "apt-get install docker.io, or Docker Desktop, or DOCKER_HOST", "info"),
    ),
)


def main() -> int:
    """Print what is there and what is not; 1 when the README's two commands cannot work."""
    colour = {OK: "32", MISSING: "31", OPTIONAL: "33"} if sys.stdout.isatty() and "NO_COLOR" not in os.environ else {}
    missing = False
    for purpose, name, check in CHECKS:
        state, text = check()
        missing |= state == MISSING
        shown = f"\033[{colour[state]}m{state:<9}\033[0m" if colour else f"{state:<9}"
        print(f"{shown}  {name:<17} {text}" + (f"  (for {purpose})" if state != OK else ""))
    return int(missing)


if __name__ == "__main__":
    sys.exit(main())
