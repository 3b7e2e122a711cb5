"""What a function does when it starts: nothing that a snapshot may not hold; and its bytecode is what was built."""

import subprocess
import sys
from pathlib import Path

import pytest

from local.bytecode import compile_folder
from local.template import load_yaml
from tests.conftest import ROOT

FUNCTIONS = {
    name: resource["Properties"]
    for name, resource in load_yaml(ROOT / "template.yaml")["Resources"].items()
    if resource["Type"] == "AWS::Serverless::Function"
}
WATCHED = """
import random, socket, sys
import botocore.client, numpy.random  # numpy seeds a generator of its own when it is imported
def refused(*_args, **_more):
    raise AssertionError("done at init: a snapshot would hold it")
socket.socket.connect = socket.getaddrinfo = botocore.client.ClientCreator.create_client = refused
before = random.getstate()
sys.path[:0] = {paths!r}
import {module}
assert random.getstate() == before, "random numbers were drawn at init"
"""


@pytest.mark.parametrize("name", FUNCTIONS)
def test_starting_connects_to_nothing_and_draws_no_random_numbers(name: str) -> None:
    properties = FUNCTIONS[name]
    paths = [str(ROOT / "shared"), str(ROOT / properties["CodeUri"])]
    code = WATCHED.format(paths=paths, module=properties["Handler"].rpartition(".")[0])

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env={})

    assert done.returncode == 0, done.stderr


def test_bytecode_is_never_checked_against_its_source(tmp_path: Path) -> None:
    (tmp_path / "parcels.py").write_text("def area():\n    return 'first'\n", encoding="utf-8")
    compile_folder(sys.executable, tmp_path, "/var/task")
    (tmp_path / "parcels.py").write_text("def area():\n    return 'other'\n", encoding="utf-8")

    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import parcels; print(parcels.area())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "first"


def test_bytecode_tells_nothing_of_where_it_was_built(tmp_path: Path) -> None:
    made = []
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "parcels.py").write_text("def area():\n    return 1\n", encoding="utf-8")
        compile_folder(sys.executable, tmp_path / name, "/var/task")
        made += [path.read_bytes() for path in (tmp_path / name).rglob("*.pyc")]

    assert len(made) == 2
    assert made[0] == made[1]


def test_compiling_again_takes_the_source_as_it_is_then(tmp_path: Path) -> None:
    for value in ("first", "other"):
        (tmp_path / "parcels.py").write_text(f"VALUE = {value!r}\n", encoding="utf-8")
        compile_folder(sys.executable, tmp_path, "/var/task")

    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import parcels; print(parcels.VALUE)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "other"


def test_what_does_not_compile_fails_the_build(tmp_path: Path) -> None:
    (tmp_path / "parcels.py").write_text("def area(:\n", encoding="utf-8")

    with pytest.raises(subprocess.CalledProcessError):
        compile_folder(sys.executable, tmp_path, "/var/task")
