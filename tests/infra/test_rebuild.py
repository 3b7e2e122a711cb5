"""What a change builds again: `sam build --cached` itself, with the package `terrafusion` as the only layer."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from local.template import load_yaml
from tests.conftest import ROOT

OURS = "PlatformLayer"
LAYER, FUNCTION = "AWS::Serverless::LayerVersion", "AWS::Serverless::Function"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The functions and the package as they would be checked out, and built once; layers of others are not fetched."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("functions", "shared"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    resources = {}
    for name, resource in load_yaml(ROOT / "template.yaml")["Resources"].items():
        if resource["Type"] == FUNCTION:
            kept = {key: resource["Properties"][key] for key in ("Handler", "CodeUri")}
            resources[name] = {**resource, "Properties": kept}
        elif name == OURS:
            resources[name] = resource
    shared = {"Runtime": "python3.13", "Layers": [{"Ref": OURS}]}
    template = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Globals": {"Function": shared},
        "Resources": resources,
    }
    (folder / "template.yaml").write_text(yaml.safe_dump(template), encoding="utf-8")
    _build(folder)
    return folder


def _build(folder: Path) -> dict[str, str]:
    """Build, from the cache where it holds; gives a digest of each artifact."""
    sam = Path(sys.executable).parent / "sam"
    command = [str(sam), "build", "--cached", "--cache-dir", "cache"]
    environment = {**os.environ, "AWS_DEFAULT_REGION": "us-west-2", "SAM_CLI_TELEMETRY": "0"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {path.name: _digest(path) for path in (folder / ".aws-sam/build").iterdir() if path.is_dir()}


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _changed(folder: Path, file: str) -> set[str]:
    before = _build(folder)
    with (folder / file).open("a", encoding="utf-8") as code:
        code.write("\nCHANGED = True\n")
    after = _build(folder)
    assert before.keys() == after.keys()
    return {name for name in after if after[name] != before[name]}


def test_a_change_in_the_package_reaches_every_function_by_its_layer(project: Path) -> None:
    assert _changed(project, "shared/terrafusion/errors.py") == {OURS}

    built = load_yaml(ROOT / "template.yaml")
    everywhere = built["Globals"]["Function"]["Layers"]
    functions = [r["Properties"] for r in built["Resources"].values() if r["Type"] == FUNCTION]
    assert {"Ref": OURS} in everywhere
    assert len(functions) > 20
    assert built["Globals"]["LayerVersion"]["PublishLambdaVersion"] is True
    assert built["Globals"]["Function"]["AutoPublishAliasAllProperties"] is True


def test_a_change_in_one_plugin_builds_its_functions_and_no_other(project: Path) -> None:
    names = {
        name
        for name, resource in load_yaml(project / "template.yaml")["Resources"].items()
        if resource["Properties"].get("CodeUri") == "functions/market_analysis/"
    }
    assert len(names) == 5
    assert _changed(project, "functions/market_analysis/market_analysis/models.py") == names
