"""The template keeps the rules, and each rule can be broken."""

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from local.intrinsics import Resolver
from local.template import Template, load_yaml
from tests.conftest import ROOT
from tests.infra.rules import (
    RULES,
    Rule,
    bounded,
    built_by_make,
    caught,
    closed_buckets,
    encrypted,
    functions,
    guarded_routes,
    kept,
    named_rights,
    own_logs,
    own_role,
    queues_are_patient,
    runs_are_throttled,
    scheduled_sweeps,
    signers_only_read,
    taken_back,
    whole_plugins,
)
from tests.plugins.with_layer_digest import template_with_layer_digest

TEMPLATE = load_yaml(ROOT / "template.yaml")
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]
FUNCTIONS = functions(TEMPLATE)
WORKFLOW = Path(RESOURCES["GisExportWorkflow"]["Properties"]["DefinitionUri"])

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


def _append(member: str, value: Any, *path: str) -> Break:
    return lambda template: _at(*path)(template).setdefault(member, []).append(value)


ROLE = ("GisExportApiRole", "Properties")
SIGNER, ITS_RESULTS = "GisExportResultsRole", {"Fn::Sub": "${ResultsBucket.Arn}/results/gis-export/*"}
ALL = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
WORKER, QUEUE, DLQ = "LayerDigestWorkerFunction", "LayerDigestQueue", "LayerDigestDlq"
SCALING = ("ValuationWorkerFunction", "Properties", "Events", "Jobs", "Properties", "ScalingConfig")
LIMIT = {"Ref": "WorkerConcurrency"}
DATA = {"Fn::Sub": "${DataBucket.Arn}/counties/*"}
BROKEN: list[tuple[Rule, Break]] = [
    (built_by_make, _drop("Metadata", WORKER)),
    (built_by_make, _set("BuildMethod", "python3.13", "WebLayer", "Metadata")),
    (own_role, _drop("Role", WORKER, "Properties")),
    (own_role, _set("Role", {"Fn::GetAtt": ["GisExportApiRole", "Arn"]}, WORKER, "Properties")),
    (named_rights, _allow("GisExportApiRole", "s3:*", DATA)),
    (named_rights, _allow("GisExportApiRole", "s3:GetObject", "*")),
    (named_rights, _allow("GisExportApiRole", "s3:GetObject", [DATA, "*"])),
    (named_rights, _allow("GisExportApiRole", "s3:ListBucket", {"Fn::GetAtt": ["DataBucket", "Arn"]})),
    (named_rights, _allow("GisExportApiRole", ["logs:CreateLogDelivery", "s3:GetObject"], "*")),
    (named_rights, _allow("GisExportApiRole", "s3:GetObject", {"Fn::Sub": "arn:${AWS::Partition}:s3:::*"})),
    (
        named_rights,
        _allow(
            "GisExportApiRole",
            "dynamodb:Query",
            {"Fn::Sub": "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/*"},
        ),
    ),
    (
        named_rights,
        lambda template: template["Resources"]["GisExportApiRole"]["Properties"]["Policies"][0]["PolicyDocument"][
            "Statement"
        ].append({"Effect": "Allow", "NotAction": "iam:PassRole", "Resource": DATA}),
    ),
    (named_rights, _set("ManagedPolicyArns", ["arn:aws:iam::aws:policy/AdministratorAccess"], *ROLE)),
    (named_rights, _set("Policies", ["AmazonS3FullAccess"], "GisExportApiFunction", "Properties")),
    (named_rights, _set("Policies", [{"S3CrudPolicy": {"BucketName": "b"}}], "GisExportApiFunction", "Properties")),
    (named_rights, _append("Policies", {"Statement": [ALL]}, "GisExportWorkflow", "Properties")),
    (
        named_rights,
        lambda template: template["Resources"].update(More={"Type": "AWS::IAM::Policy", "Properties": {}}),
    ),
    (own_logs, _drop("LoggingConfig", WORKER, "Properties")),
    (own_logs, _set("LoggingConfig", {"LogGroup": {"Ref": "GisExportApiLogs"}}, WORKER, "Properties")),
    (own_logs, _drop("RetentionInDays", "LayerDigestWorkerLogs", "Properties")),
    (own_logs, _drop("KmsKeyId", "LayerDigestWorkerLogs", "Properties")),
    (bounded, _drop("ReservedConcurrentExecutions", WORKER, "Properties")),
    (bounded, lambda template: template["Globals"]["Function"].__delitem__("Timeout")),
    (bounded, lambda template: template["Globals"]["Function"].__delitem__("KmsKeyArn")),
    (bounded, lambda template: template["Globals"]["Function"].__delitem__("DeadLetterQueue")),
    (bounded, _set("DeadLetterQueue", {"TargetArn": "arn:aws:sqs:us-west-2:1:theirs"}, WORKER, "Properties")),
    (queues_are_patient, _set("VisibilityTimeout", 17, QUEUE, "Properties")),
    (queues_are_patient, _set("Timeout", 4, WORKER, "Properties")),
    (queues_are_patient, _drop("RedrivePolicy", QUEUE, "Properties")),
    (queues_are_patient, _drop("FunctionResponseTypes", WORKER, "Properties", "Events", "Jobs", "Properties")),
    (queues_are_patient, _drop("ScalingConfig", WORKER, "Properties", "Events", "Jobs", "Properties")),
    (queues_are_patient, _set("MaximumConcurrency", 10, *SCALING)),
    (queues_are_patient, _set("MaximumConcurrency", {"Fn::If": ["LimitWorkers", 10, 2]}, *SCALING)),
    (queues_are_patient, _set("MaximumConcurrency", {"Fn::If": ["LimitConcurrency", LIMIT, 2]}, *SCALING)),
    (queues_are_patient, _set("MaximumConcurrency", {"Fn::If": ["LimitWorkers", LIMIT, 10]}, *SCALING)),
    (queues_are_patient, _set("MaximumConcurrency", LIMIT, *SCALING)),
    (queues_are_patient, _drop("Events", "LayerDigestCloserFunction", "Properties")),
    (encrypted, _drop("KmsMasterKeyId", DLQ, "Properties")),
    (kept, _drop("DeletionPolicy", "AuditTable")),
    (encrypted, _set("SSESpecification", {"SSEEnabled": True}, "JobsTable", "Properties")),
    (kept, _drop("PointInTimeRecoverySpecification", "JobsTable", "Properties")),
    (kept, _set("DeletionProtectionEnabled", False, "AuditTable", "Properties")),
    (kept, _drop("UpdateReplacePolicy", "DataBucket")),
    (encrypted, _drop("EnableKeyRotation", "PlatformKey", "Properties")),
    (
        encrypted,
        lambda template: template["Resources"]["DataBucket"]["Properties"]["BucketEncryption"].update(
            ServerSideEncryptionConfiguration=[{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        ),
    ),
    (
        closed_buckets,
        _set("BlockPublicAcls", False, "DataBucket", "Properties", "PublicAccessBlockConfiguration"),
    ),
    (closed_buckets, _drop("OwnershipControls", "ResultsBucket", "Properties")),
    (closed_buckets, _drop("LifecycleConfiguration", "ResultsBucket", "Properties")),
    (closed_buckets, _drop("BucketEncryption", "ResultsBucket", "Properties")),
    (closed_buckets, _drop("LoggingConfiguration", "ResultsBucket", "Properties")),
    (closed_buckets, lambda template: template["Resources"].__delitem__("ResultsBucketPolicy")),
    (signers_only_read, _allow(SIGNER, "s3:GetObject", DATA)),
    (signers_only_read, _allow(SIGNER, "s3:GetObject", [ITS_RESULTS, DATA])),
    (signers_only_read, _allow(SIGNER, "s3:DeleteObject", ITS_RESULTS)),
    (signers_only_read, _allow(SIGNER, "dynamodb:UpdateItem", {"Fn::GetAtt": ["JobsTable", "Arn"]})),
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
    (taken_back, _drop("DeploymentPreference", WORKER, "Properties")),
    (taken_back, _set("Alarms", [{"Ref": "ValuationErrorsAlarm"}], WORKER, "Properties", "DeploymentPreference")),
]


@pytest.mark.parametrize(("rule", "break_it"), BROKEN, ids=[f"{r.__name__}-{i}" for i, (r, _) in enumerate(BROKEN)])
def test_a_template_that_breaks_the_rule_is_found(rule: Rule, break_it: Break, with_queue: dict[str, Any]) -> None:
    broken = copy.deepcopy(with_queue)
    before = len(list(rule(broken)))

    break_it(broken)

    assert len(list(rule(broken))) > before


def test_every_rule_is_broken_once() -> None:
    assert {rule for rule, _ in BROKEN} == set(RULES)


@pytest.mark.parametrize(("concurrency", "deployed"), [(0, True), (1, False), (2, True), (30, True)])
def test_workers_are_none_reserved_or_as_many_as_a_queue_feeds(concurrency: int, deployed: bool) -> None:
    (rule,) = TEMPLATE["Rules"]["QueuesFeedTwoAtLeast"]["Assertions"]
    given = Resolver({"WorkerConcurrency": concurrency}.__getitem__, lambda *_: None, {}, {})

    assert given.resolve(rule["Assert"], "Rules") is deployed


@pytest.mark.parametrize(("concurrency", "workers"), [("0", 2), ("2", 2), ("30", 30)])
def test_queues_feed_as_many_jobs_as_there_are_workers(concurrency: str, workers: int) -> None:
    values = {"JwtIssuer": "i", "JwksUrl": "http://i", "WorkerConcurrency": concurrency}
    found = Template.load(ROOT / "template.yaml", values).functions

    for name in ("MarketAnalysisWorkerFunction", "ValuationWorkerFunction"):
        (queue,) = found[name].queues
        assert queue.max_concurrency == workers
        assert found[name].reserved_concurrency in {None, workers}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_s_handler_exists(name: str) -> None:
    module, _, attribute = FUNCTIONS[name]["Handler"].rpartition(".")
    source = ROOT / FUNCTIONS[name]["CodeUri"] / Path(*module.split(".")).with_suffix(".py")

    assert f"def {attribute}(" in source.read_text() or f"{attribute} = " in source.read_text()


@pytest.mark.parametrize("folder", sorted({f["CodeUri"] for f in FUNCTIONS.values()}))
def test_a_function_s_folder_says_how_it_is_built(folder: str) -> None:
    package = Path(folder).name
    assert f"cp -R {package} " in (ROOT / folder / "Makefile").read_text()


def test_workflows_catch_whatever_their_work_throws() -> None:
    assert list(caught(TEMPLATE, ROOT)) == []


@pytest.mark.parametrize(
    ("step", "member", "value"),
    [
        ("Export", "Catch", []),
        ("Export", "Catch", [{"ErrorEquals": ["States.Timeout"], "Next": "CloseCrashed"}]),
        ("Export", "TimeoutSeconds", 900),
        ("CloseCrashed", "Retry", []),
        ("CloseCrashed", "Retry", [{"ErrorEquals": ["States.ALL"]}]),
    ],
)
def test_a_workflow_that_lets_work_vanish_is_found(tmp_path: Path, step: str, member: str, value: Any) -> None:
    for workflow in ROOT.glob("functions/*/workflow.asl.json"):
        copy = tmp_path / workflow.relative_to(ROOT)
        copy.parent.mkdir(parents=True)
        shutil.copyfile(workflow, copy)
    definition = json.loads((ROOT / WORKFLOW).read_text())
    definition["States"][step][member] = value
    (tmp_path / WORKFLOW).write_text(json.dumps(definition))

    assert len(list(caught(TEMPLATE, tmp_path))) == 1


def test_a_map_that_lets_work_vanish_is_found(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "functions", tmp_path / "functions", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    path = tmp_path / "functions/valuation/workflow.asl.json"
    definition = json.loads(path.read_text())
    del definition["States"]["ValueChunks"]["Catch"]
    del definition["States"]["ValueChunks"]["ItemProcessor"]["States"]["ValueChunk"]["TimeoutSeconds"]
    path.write_text(json.dumps(definition))

    found = list(caught(TEMPLATE, tmp_path))

    assert len(found) == 2
    assert "ValueChunks is not caught" in found[0]
    assert "ValueChunk gives up before its function does" in found[1]
