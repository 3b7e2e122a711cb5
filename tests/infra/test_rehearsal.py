"""A rehearsal of the deployment: what SAM makes of the template, created in moto, and what must never be replaced."""

import json
import tomllib
from typing import Any

import boto3
import pytest
from moto import mock_aws
from samtranslator.translator.transform import transform

from local.template import load_yaml
from tests.conftest import ROOT
from tests.infra.rules import STATEFUL

KEPT = ROOT / "tests" / "infra" / "stateful.json"
REPLACING = {
    "AWS::S3::Bucket": ("BucketName",),
    "AWS::DynamoDB::Table": ("TableName", "KeySchema", "AttributeDefinitions"),
    "AWS::KMS::Key": ("KeySpec", "KeyUsage", "Origin"),
}
"""Properties of kinds that hold data whose change makes CloudFormation replace the resource, or rebuild its index."""
UNKNOWN_TO_MOTO = {
    "AWS::ApiGatewayV2::Api",
    "AWS::ApiGatewayV2::Stage",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::CompositeAlarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::CodeDeploy::Application",
    "AWS::CodeDeploy::DeploymentGroup",
    "AWS::Lambda::Alias",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::TopicPolicy",
}
REGION = "us-west-2"
PARAMETERS = {"JwtIssuer": "https://login.county.example/", "JwksUrl": "https://login.county.example/keys"}
SAMCONFIG = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))


class _NoPolicies:
    """The template names none of AWS's managed policies by their short names."""

    def load(self) -> dict[str, str]:
        return {}


@pytest.fixture(scope="module")
def transformed() -> dict[str, Any]:
    """The template as CloudFormation gets it, with its code where `sam deploy` would have put it."""
    template = load_yaml(ROOT / "template.yaml")
    for resource in template["Resources"].values():
        for member in ("CodeUri", "ContentUri", "DefinitionUri"):
            if isinstance(resource.get("Properties", {}).get(member), str):
                resource["Properties"][member] = "s3://code/key"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        return dict(transform(template, PARAMETERS, _NoPolicies()))


@pytest.mark.filterwarnings("ignore:Tried to parse AWS:UserWarning")
def test_cloudformation_creates_all_that_the_template_names(
    transformed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        storage = boto3.client("s3")
        storage.create_bucket(Bucket="code", CreateBucketConfiguration={"LocationConstraint": REGION})
        storage.put_object(Bucket="code", Key="key", Body=b'{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}')
        formation = boto3.client("cloudformation")
        formation.create_stack(
            StackName="rehearsal",
            TemplateBody=json.dumps(known_to_moto(transformed)),
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in PARAMETERS.items()],
            Capabilities=["CAPABILITY_IAM"],
        )
        resources = formation.describe_stack_resources(StackName="rehearsal")["StackResources"]
        tables = boto3.client("dynamodb").list_tables()["TableNames"]

    made = {resource.get("LogicalResourceId") for resource in resources}
    conditions = {name for name, resource in transformed["Resources"].items() if "Condition" in resource}
    wanted = {n for n, r in transformed["Resources"].items() if r["Type"] not in UNKNOWN_TO_MOTO} - conditions
    assert wanted - made == set()
    assert sorted(tables) == ["terrafusion-dev-audit", "terrafusion-dev-jobs"]


def known_to_moto(template: dict[str, Any]) -> dict[str, Any]:
    """A template without aliases, functions named in their place, and without what refers to attributes of alarms."""
    aliases = {n: r for n, r in template["Resources"].items() if r["Type"] == "AWS::Lambda::Alias"}
    text = json.dumps(template)
    for name, alias in aliases.items():
        function = alias["Properties"]["FunctionName"]["Ref"]
        text = text.replace(f'{{"Ref": "{name}"}}', f'{{"Fn::GetAtt": ["{function}", "Arn"]}}')
    known = json.loads(text)
    for name, resource in template["Resources"].items():
        if resource["Type"] in {"AWS::CloudWatch::CompositeAlarm", "AWS::CloudWatch::Dashboard", "AWS::Lambda::Alias"}:
            del known["Resources"][name]
    return dict(known)


def stateful(template: dict[str, Any]) -> dict[str, Any]:
    """What holds data: logical id, kind, and the properties whose change would replace it."""
    return {
        name: {"Type": r["Type"], **{p: r["Properties"][p] for p in REPLACING[r["Type"]] if p in r["Properties"]}}
        for name, r in template["Resources"].items()
        if r["Type"] in STATEFUL
    }


def test_nothing_that_holds_data_is_replaced(transformed: dict[str, Any]) -> None:
    assert stateful(transformed) == json.loads(KEPT.read_text(encoding="utf-8")), (
        "a bucket, table or key would be replaced, and its data left behind; if that is meant, change the snapshot "
        "in the same commit and write the move of the data into docs/operations.md"
    )


def test_a_replacement_is_noticed(transformed: dict[str, Any]) -> None:
    renamed = json.loads(json.dumps(transformed))
    renamed["Resources"]["JobsTable"]["Properties"]["KeySchema"].pop()
    assert stateful(renamed) != json.loads(KEPT.read_text(encoding="utf-8"))


@pytest.mark.parametrize("stage", ["dev", "staging", "prod"])
def test_each_stage_can_be_deployed_with_parameters_that_the_template_takes(stage: str) -> None:
    known = load_yaml(ROOT / "template.yaml")["Parameters"]
    section = SAMCONFIG["default" if stage == "dev" else stage]["deploy"]["parameters"]
    given = dict(pair.split("=", 1) for pair in section["parameter_overrides"])

    assert given["Stage"] == stage
    assert set(given) <= set(known)
    assert section["stack_name"] == f"terrafusion-{stage}"
    for name, value in given.items():
        allowed = known[name].get("AllowedValues")
        assert allowed is None or value in {str(one) for one in allowed}, name
