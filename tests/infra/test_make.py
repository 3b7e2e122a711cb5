"""What people type fails when what it calls does."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

FAILS = """#!/bin/sh
[ "$1" = build ] || exit 0
echo "Building"; seq 9; echo "Build Failed: no room" >&2; seq 9
exit 1
"""


def make(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """`make` with our Makefile, in a checkout whose `sam` cannot build."""
    (folder / ".venv/bin").mkdir(parents=True)
    for name, script in (("sam", FAILS), ("python", "#!/bin/sh\necho went on\n")):
        (folder / ".venv/bin" / name).write_text(script)
        (folder / ".venv/bin" / name).chmod(0o755)
    (folder / "requirements.lock").touch()
    (folder / ".venv/.installed").touch()
    shutil.copy(ROOT / "Makefile", folder)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_a_build_that_fails_fails_make_and_says_all(tmp_path: Path) -> None:
    done = make(tmp_path, "build")

    assert done.returncode != 0
    assert "Build Failed: no room" in done.stderr
    assert "went on" not in done.stdout


@pytest.mark.parametrize("named", ["mips", "", "arm64 x86_64", "aarch64"])
def test_a_build_for_another_processor_is_refused(tmp_path: Path, named: str) -> None:
    done = make(tmp_path, "build", f"ARCHITECTURE={named}")

    assert done.returncode != 0
    assert f"ARCHITECTURE is arm64 or x86_64, not '{named}'" in done.stderr
    assert "Building" not in done.stdout + done.stderr
