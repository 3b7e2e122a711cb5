"""The example pipeline deploys all that samconfig.toml says, compiled for the runtime."""

import shlex
import shutil
import subprocess
import sys
import tomllib
from typing import Any

import pytest
import yaml

from local.artifacts import NotTheRuntime, runtime_python
from tests.conftest import ROOT

SAMCONFIG = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
PIPELINE = yaml.safe_load((ROOT / "docs/examples/deploy.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("stage", ["staging", "prod"])
def test_the_pipeline_deploys_a_stage_with_all_that_samconfig_gives_it(
    monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    from samcli.commands.deploy.command import cli

    monkeypatch.chdir(ROOT)
    job = {"staging": "staging", "prod": "production"}[stage]
    (script,) = (step["run"] for step in PIPELINE["jobs"][job]["steps"] if step.get("name") == "deploy")
    (line,) = (line for line in script.replace("\\\n", " ").splitlines() if line.startswith("sam deploy"))
    arguments = [argument.replace("$STAGE", stage) for argument in shlex.split(line)]

    given = cli.make_context("deploy", arguments[2:]).params

    section: dict[str, Any] = SAMCONFIG[stage]["deploy"]["parameters"]
    expected = dict(pair.split("=", 1) for pair in section["parameter_overrides"])
    assert given["parameter_overrides"].items() >= expected.items()
    assert given["stack_name"] == section["stack_name"]
    assert given["confirm_changeset"] is False


@pytest.mark.parametrize("job", PIPELINE["jobs"])
def test_each_job_of_the_pipeline_has_the_runtime_s_python_and_one_that_deploys_insists_on_it(job: str) -> None:
    steps = PIPELINE["jobs"][job]["steps"]

    runs = [step["run"] for step in steps if "run" in step]
    asked = [
        step["with"]["python-version"] for step in steps if step.get("uses", "").startswith("actions/setup-python@")
    ]
    assert asked == ["3.13"]
    for step in steps:
        if step.get("run") == "make build":
            assert step["env"] == {"RUNTIME_PYTHON": "python3.13"}
    assert "make build" in runs or job == "check"


@pytest.mark.parametrize("named", ["missing-python", shutil.which("true")])
def test_a_python_that_is_named_and_is_none_fails_the_build(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    monkeypatch.setenv("RUNTIME_PYTHON", named)

    with pytest.raises(NotTheRuntime, match=r"no python3\.13"):
        runtime_python()
    command = [sys.executable, "-m", "local.bytecode"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, named in done.stderr) == (1, True)
