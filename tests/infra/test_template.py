"""The template keeps the rules, and each rule can be broken."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from local.template import load_yaml
from tests.conftest import ROOT
from tests.infra.rules import (
    RULES,
    Rule,
    bounded,
    closed_buckets,
    functions,
    guarded_routes,
    kept_and_encrypted,
    named_rights,
    own_logs,
    own_role,
    queues_are_patient,
    runs_are_throttled,
    scheduled_sweeps,
    signers_only_read,
    whole_plugins,
)
from tests.plugins.with_layer_digest import template_with_layer_digest

TEMPLATE = load_yaml(ROOT / "template.yaml")
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]
FUNCTIONS = functions(TEMPLATE)
STATE_MACHINES = {n: r["Properties"] for n, r in RESOURCES.items() if r["Type"] == "AWS::Serverless::StateMachine"}

Break = Callable[[dict[str, Any]], Any]


@pytest.fixture(scope="module")
def with_queue(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The template with a fifth plugin, whose jobs come by a queue."""
    return load_yaml(template_with_layer_digest(tmp_path_factory.mktemp("project") / "p"))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_template_keeps_the_rule(rule: Rule) -> None:
    assert list(rule(TEMPLATE)) == []


@pytest.mark.parametrize("rule", [r for r in RULES if r is not runs_are_throttled], ids=lambda rule: rule.__name__)
def test_so_does_a_template_with_a_plugin_more(rule: Rule, with_queue: dict[str, Any]) -> None:
    # all but one: the routes' limits stand with the API, and not in a plugin's stanza
    assert list(rule(with_queue)) == []


def test_every_plugin_is_whole(with_queue: dict[str, Any], tmp_path: Path) -> None:
    assert list(whole_plugins(TEMPLATE, ROOT)) == []
    (tmp_path / "functions/permits/permits").mkdir(parents=True)
    (tmp_path / "functions/permits/permits/worker.py").touch()
    assert len(list(whole_plugins(with_queue, tmp_path))) == 5


def _at(*path: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def find(template: dict[str, Any]) -> dict[str, Any]:
        here: Any = template["Resources"]
        for step in path:
            here = here[step]
        return cast("dict[str, Any]", here)

    return find


def _set(member: str, value: Any, *path: str) -> Break:
    return lambda template: _at(*path)(template).__setitem__(member, value)


def _drop(member: str, *path: str) -> Break:
    return lambda template: _at(*path)(template).__delitem__(member)


def _allow(role: str, action: str, resource: Any) -> Break:
    def add(template: dict[str, Any]) -> None:
        policy = template["Resources"][role]["Properties"]["Policies"][0]["PolicyDocument"]
        policy["Statement"].append({"Effect": "Allow", "Action": action, "Resource": resource})

    return add


WORKER, QUEUE, DLQ = "LayerDigestWorkerFunction", "LayerDigestQueue", "LayerDigestDlq"
DATA = {"Fn::Sub": "${DataBucket.Arn}/counties/*"}
BROKEN: list[tuple[Rule, Break]] = [
    (own_role, _drop("Role", WORKER, "Properties")),
    (own_role, _set("Role", {"Fn::GetAtt": ["GisExportApiRole", "Arn"]}, WORKER, "Properties")),
    (named_rights, _allow("GisExportApiRole", "s3:*", DATA)),
    (named_rights, _allow("GisExportApiRole", "s3:GetObject", "*")),
    (own_logs, _drop("LoggingConfig", WORKER, "Properties")),
    (own_logs, _set("LoggingConfig", {"LogGroup": {"Ref": "GisExportApiLogs"}}, WORKER, "Properties")),
    (own_logs, _drop("RetentionInDays", "LayerDigestWorkerLogs", "Properties")),
    (own_logs, _drop("KmsKeyId", "LayerDigestWorkerLogs", "Properties")),
    (bounded, _drop("ReservedConcurrentExecutions", WORKER, "Properties")),
    (bounded, lambda template: template["Globals"]["Function"].__delitem__("DeadLetterQueue")),
    (queues_are_patient, _set("VisibilityTimeout", 17, QUEUE, "Properties")),
    (queues_are_patient, _set("Timeout", 4, WORKER, "Properties")),
    (queues_are_patient, _drop("RedrivePolicy", QUEUE, "Properties")),
    (queues_are_patient, _drop("FunctionResponseTypes", WORKER, "Properties", "Events", "Jobs", "Properties")),
    (queues_are_patient, _drop("ScalingConfig", WORKER, "Properties", "Events", "Jobs", "Properties")),
    (queues_are_patient, _drop("Events", "LayerDigestCloserFunction", "Properties")),
    (kept_and_encrypted, _drop("KmsMasterKeyId", DLQ, "Properties")),
    (kept_and_encrypted, _drop("DeletionPolicy", "AuditTable")),
    (kept_and_encrypted, _set("SSESpecification", {"SSEEnabled": True}, "JobsTable", "Properties")),
    (kept_and_encrypted, _drop("PointInTimeRecoverySpecification", "JobsTable", "Properties")),
    (
        closed_buckets,
        _set("BlockPublicAcls", False, "DataBucket", "Properties", "PublicAccessBlockConfiguration"),
    ),
    (closed_buckets, _drop("OwnershipControls", "ResultsBucket", "Properties")),
    (closed_buckets, _drop("LifecycleConfiguration", "ResultsBucket", "Properties")),
    (closed_buckets, _drop("BucketEncryption", "ResultsBucket", "Properties")),
    (closed_buckets, _drop("LoggingConfiguration", "ResultsBucket", "Properties")),
    (closed_buckets, lambda template: template["Resources"].__delitem__("ResultsBucketPolicy")),
    (signers_only_read, _allow("GisExportResultsRole", "s3:GetObject", DATA)),
    (signers_only_read, _allow("LayerDigestResultsRole", "s3:PutObject", DATA)),
    (scheduled_sweeps, _drop("Events", "LayerDigestSweepFunction", "Properties")),
    (guarded_routes, _drop("DefaultAuthorizer", "Api", "Properties", "Auth")),
    (guarded_routes, _drop("DefaultRouteSettings", "Api", "Properties")),
    (guarded_routes, _drop("AccessLogSettings", "Api", "Properties")),
    (
        guarded_routes,
        _set("Auth", {"Authorizer": "NONE"}, "GisExportApiFunction", "Properties", "Events", "Run", "Properties"),
    ),
    (runs_are_throttled, _drop("RouteSettings", "Api", "Properties")),
]


@pytest.mark.parametrize(("rule", "break_it"), BROKEN, ids=[f"{r.__name__}-{i}" for i, (r, _) in enumerate(BROKEN)])
def test_a_template_that_breaks_the_rule_is_found(rule: Rule, break_it: Break, with_queue: dict[str, Any]) -> None:
    broken = copy.deepcopy(with_queue)
    before = len(list(rule(broken)))

    break_it(broken)

    assert len(list(rule(broken))) > before


def test_every_rule_is_broken_once() -> None:
    assert {rule for rule, _ in BROKEN} == set(RULES)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_s_handler_exists(name: str) -> None:
    module, _, attribute = FUNCTIONS[name]["Handler"].rpartition(".")
    source = ROOT / FUNCTIONS[name]["CodeUri"] / Path(*module.split(".")).with_suffix(".py")

    assert f"def {attribute}(" in source.read_text() or f"{attribute} = " in source.read_text()


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

    for state in definition["States"].values():
        if state["Type"] == "Task":
            placeholder = state["Parameters"]["FunctionName"].strip("${}")
            function = properties["DefinitionSubstitutions"][placeholder]["Fn::GetAtt"][0]
            assert state["TimeoutSeconds"] > FUNCTIONS[function]["Timeout"]
