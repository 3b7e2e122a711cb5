"""Each sample event, handed to its function: whatever comes again changes nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.samples import JOB, TARGET, TOKEN
from tests.e2e.support import Client, LocalCloud

FOLDERS = sorted(path for path in TARGET.iterdir() if path.is_dir())
PLUGINS = [folder for folder in FOLDERS if list(folder.glob("*.run.json"))]


def invoke(cloud: LocalCloud, file: Path, text: str) -> Any:
    """What a function answers to an event; it must not fail."""
    answer = cloud.client("lambda").invoke(FunctionName=file.name.partition(".")[0], Payload=text)
    payload = answer["Payload"].read()
    assert "FunctionError" not in answer, f"{file.name}: {payload!r}"
    value = json.loads(payload)
    if isinstance(value, dict) and "statusCode" in value:
        assert value["statusCode"] < 500, f"{file.name}: {value}"
    return value


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_a_plugin_s_events(cloud: LocalCloud, as_role: Callable[..., Client], folder: Path) -> None:
    (first,) = folder.glob("*.run.json")
    accepted = invoke(cloud, first, first.read_text())
    assert accepted["statusCode"] == 202, accepted["body"]
    job = json.loads(accepted["body"])
    client = as_role("ITAdmin")
    before = client.wait(job)
    assert before["status"] == "COMPLETED", before

    for file in sorted(set(folder.glob("*.json")) - {first}):
        invoke(cloud, file, file.read_text().replace(JOB, job["job_id"]))

    after = client.http.get(job["links"]["status"]).json()
    assert after == before


@pytest.mark.parametrize("folder", [f for f in FOLDERS if f not in PLUGINS], ids=lambda folder: folder.name)
def test_the_other_functions_events(cloud: LocalCloud, folder: Path) -> None:
    for file in sorted(folder.glob("*.json")):
        text = file.read_text().replace(TOKEN, cloud.token("Assessor", "sample"))
        answer = invoke(cloud, file, text)
        assert answer.get("isAuthorized", True) is True, file.name
