"""Rules that every resource of the template keeps, so that a new one cannot forget them."""

import json
from pathlib import Path
from typing import Any

import pytest

from local.template import load_yaml
from tests.conftest import ROOT

TEMPLATE = load_yaml(ROOT / "template.yaml")
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]
FUNCTIONS = {n: r["Properties"] for n, r in RESOURCES.items() if r["Type"] == "AWS::Serverless::Function"}
BUCKETS = [n for n, r in RESOURCES.items() if r["Type"] == "AWS::S3::Bucket"]
STATE_MACHINES = {n: r["Properties"] for n, r in RESOURCES.items() if r["Type"] == "AWS::Serverless::StateMachine"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_a_log_group_of_its_own(name: str) -> None:
    group = FUNCTIONS[name]["LoggingConfig"]["LogGroup"]["Ref"]

    assert RESOURCES[group]["Type"] == "AWS::Logs::LogGroup"
    assert "RetentionInDays" in RESOURCES[group]["Properties"]
    assert [n for n, f in FUNCTIONS.items() if f["LoggingConfig"]["LogGroup"]["Ref"] == group] == [name]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_s_handler_exists(name: str) -> None:
    module, _, attribute = FUNCTIONS[name]["Handler"].rpartition(".")
    source = ROOT / FUNCTIONS[name]["CodeUri"] / Path(*module.split(".")).with_suffix(".py")

    assert f"def {attribute}(" in source.read_text() or f"{attribute} = " in source.read_text()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_names_its_actions_and_resources(name: str) -> None:
    for policy in FUNCTIONS[name].get("Policies", []):
        for statement in policy["Statement"]:
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            assert not [action for action in actions if "*" in action]
            assert statement["Resource"] != "*"


@pytest.mark.parametrize("name", BUCKETS)
def test_a_bucket_is_closed_encrypted_and_kept(name: str) -> None:
    bucket = RESOURCES[name]

    assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"
    assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["Properties"]["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert "BucketEncryption" in bucket["Properties"]
    assert RESOURCES[f"{name}Policy"]["Properties"]["PolicyDocument"]["Statement"][0]["Sid"] == "TlsOnly"


@pytest.mark.parametrize("name", STATE_MACHINES)
def test_a_workflow_catches_whatever_its_work_throws(name: str) -> None:
    definition = json.loads((ROOT / STATE_MACHINES[name]["DefinitionUri"]).read_text())

    for state in definition["States"].values():
        if state["Type"] == "Task":
            assert "TimeoutSeconds" in state
            caught = [error for catch in state.get("Catch", []) for error in catch["ErrorEquals"]]
            retried = [error for retry in state.get("Retry", []) for error in retry["ErrorEquals"]]
            assert "States.ALL" in caught or "States.ALL" in retried
            assert all(retry.get("JitterStrategy") == "FULL" for retry in state.get("Retry", []))


@pytest.mark.parametrize("name", STATE_MACHINES)
def test_a_workflow_waits_longer_than_its_worker_may_run(name: str) -> None:
    properties = STATE_MACHINES[name]
    definition = json.loads((ROOT / properties["DefinitionUri"]).read_text())
    default = TEMPLATE["Globals"]["Function"]["Timeout"]

    for state in definition["States"].values():
        if state["Type"] == "Task":
            placeholder = state["Parameters"]["FunctionName"].strip("${}")
            function = properties["DefinitionSubstitutions"][placeholder]["Fn::GetAtt"][0]
            assert state["TimeoutSeconds"] > FUNCTIONS[function].get("Timeout", default)


def test_every_route_but_the_open_ones_is_behind_the_authorizer() -> None:
    open_routes = {
        event["Properties"].get("Path")
        for function in FUNCTIONS.values()
        for event in function.get("Events", {}).values()
        if event["Properties"].get("Auth", {}).get("Authorizer") == "NONE"
    }

    assert RESOURCES["Api"]["Properties"]["Auth"]["DefaultAuthorizer"]
    assert open_routes == {"/api/v1/health", "/api/v1/openapi.json", "/api/v1/docs"}
