"""The template as the local cloud reads it: intrinsic functions, Globals, names, and what it refuses."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from textwrap import dedent

import pytest

from local.schedule import Rate
from local.stack import Authorizer, Cors, QueueEvent, Route, Throttle
from local.template import Template, TemplateError
from tests.conftest import ROOT

Load = Callable[..., Template]
FUNCTION = "{Type: AWS::Serverless::Function, Properties: {CodeUri: code/, Handler: h.f, Runtime: python3.13%s}}"


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Read a template whose text is given, beside a folder `code`."""
    (tmp_path / "code").mkdir()

    def read(text: str, parameters: dict[str, str] | None = None) -> Template:
        path = tmp_path / "template.yaml"
        path.write_text(dedent(text))
        return Template.load(path, parameters or {}, endpoint="http://127.0.0.1:4566")

    return read


def variable(load: Load, expression: str, rest: str = "", parameters: dict[str, str] | None = None) -> str | None:
    """What an expression comes to in a function's environment."""
    function = FUNCTION % f", Environment: {{Variables: {{X: {expression}}}}}"
    return load(f"{rest}\nResources:\n  F: {function}\n{RESOURCES}", parameters).functions["F"].environment.get("X")


RESOURCES = """\
  Table: {Type: AWS::DynamoDB::Table, Properties: {TableName: !Sub "${AWS::StackName}-t"}}
  Data: {Type: AWS::S3::Bucket}
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: work}}
  Key: {Type: AWS::KMS::Key}
  Alarm: {Type: AWS::CloudWatch::Alarm}
"""
HEAD = """\
Parameters:
  Stage: {Type: String, Default: dev, AllowedValues: [dev, prod]}
  Days: {Type: Number, Default: 7}
Mappings:
  Sizes: {dev: {memory: 128}, prod: {memory: 512}}
Conditions:
  Prod: !Equals [!Ref Stage, prod]
  NotProd: !Not [Condition: Prod]
  Never: !And [Condition: Prod, Condition: NotProd]
  Always: !Or [Condition: Prod, Condition: NotProd]
"""


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("!Ref Stage", "dev"),
        ("!Ref Days", "7"),
        ("!Ref AWS::Region", "us-west-2"),
        ("!Ref Table", "terrafusion-local-t"),
        ("!Ref Data", "data"),
        ("!Ref Queue", "http://127.0.0.1:4566/123456789012/work"),
        ("!GetAtt Queue.Arn", "arn:aws:sqs:us-west-2:123456789012:work"),
        ("!GetAtt Queue.QueueName", "work"),
        ("!GetAtt Table.Arn", "arn:aws:dynamodb:us-west-2:123456789012:table/terrafusion-local-t"),
        ("!GetAtt [Data, Arn]", "arn:aws:s3:::data"),
        ("!GetAtt F.Arn", "arn:aws:lambda:us-west-2:123456789012:function:F"),
        ("!GetAtt FRole.Arn", "arn:aws:iam::123456789012:role/FRole"),
        ("!GetAtt Key.Arn", "arn:aws:kms:us-west-2:123456789012:key/Key"),
        ("!Ref Alarm", "Alarm"),
        ("!Sub '${Stage}-${Table}-${Data.Arn}'", "dev-terrafusion-local-t-arn:aws:s3:::data"),
        ("!Sub ['${a}/${!literal}', {a: !Ref Stage}]", "dev/${literal}"),
        ("!Join ['-', [a, !Ref Stage]]", "a-dev"),
        ("!Select [1, !Split [',', 'a,b,c']]", "b"),
        ("!FindInMap [Sizes, !Ref Stage, memory]", "128"),
        ("!If [Prod, yes, !Sub 'no-${Stage}']", "no-dev"),
        ("!If [Always, 'in', 'out']", "in"),
        ("!If [Never, 'in', 'out']", "out"),
        ("!If [Prod, a, !Ref AWS::NoValue]", None),
        ("{'Fn::Sub': '${Stage}'}", "dev"),
        ("true", "true"),
        ("2012-10-17", "2012-10-17"),
    ],
)
def test_an_expression_comes_to(load: Load, expression: str, value: str | None) -> None:
    assert variable(load, expression, HEAD) == value


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("!ImportValue other", "line 13: !ImportValue is not supported"),
        ("{'Fn::ImportValue': other}", "Resources.F.Properties.Environment.Variables.X: Fn::ImportValue"),
        ("!Ref Nothing", "Resources.F.Properties.Environment.Variables.X: Ref"),
        ("!GetAtt Queue.Colour", "Queue has no attribute Colour"),
        ("!FindInMap [Sizes, test, memory]", "'test'"),
        ("!If [Nowhere, 1, 2]", "there is no condition Nowhere"),
    ],
)
def test_an_expression_that_cannot_be_resolved_names_its_place(load: Load, expression: str, words: str) -> None:
    with pytest.raises(TemplateError) as caught:
        variable(load, expression, HEAD)

    assert words in str(caught.value)


def test_parameters_are_given_checked_and_required(load: Load) -> None:
    assert variable(load, "!Ref Stage", HEAD, {"Stage": "prod"}) == "prod"
    with pytest.raises(TemplateError, match=r"Parameters\.Stage: moon is none of dev, prod"):
        variable(load, "x", HEAD, {"Stage": "moon"})
    with pytest.raises(TemplateError, match="has no parameter Other"):
        variable(load, "x", HEAD, {"Other": "1"})
    with pytest.raises(TemplateError, match=r"Parameters\.Url: has no default"):
        variable(load, "x", "Parameters: {Url: {Type: String}}")


def test_a_resource_whose_condition_does_not_hold_is_not_there(load: Load) -> None:
    text = (
        HEAD
        + """\
Resources:
  A: {Type: AWS::S3::Bucket, Condition: Prod}
  B: {Type: AWS::S3::Bucket, Condition: NotProd}
"""
    )

    assert list(load(text).buckets) == ["B"]
    assert list(load(text, {"Stage": "prod"}).buckets) == ["A"]


def test_globals_merge_as_in_sam(load: Load, tmp_path: Path) -> None:
    (tmp_path / "lib" / "package").mkdir(parents=True)
    (tmp_path / "lib" / "package" / "__init__.py").touch()
    (tmp_path / "built").mkdir()
    template = load("""
        Globals:
          Function:
            Runtime: python3.13
            Timeout: 20
            MemorySize: 512
            Layers: [!Ref Lib]
            Environment: {Variables: {A: global, B: global}}
        Resources:
          Lib: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: lib/}}
          Built: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: built/}}
          F:
            Type: AWS::Serverless::Function
            Properties:
              FunctionName: !Sub "${AWS::StackName}-f"
              CodeUri: code/
              Handler: h.f
              Timeout: 5
              ReservedConcurrentExecutions: 3
              Layers: [!Ref Built]
              Environment: {Variables: {B: own}}
    """)

    function = template.functions["F"]
    assert (function.name, function.timeout, function.memory) == ("terrafusion-local-f", 5, 512)
    assert function.environment == {"A": "global", "B": "own"}
    assert function.reserved_concurrency == 3
    assert [layer.path for layer in function.layers] == [tmp_path / "lib", None]


def test_events_become_routes_queues_and_schedules(load: Load) -> None:
    template = load("""
        Resources:
          Api:
            Type: AWS::Serverless::HttpApi
            Properties:
              CorsConfiguration: {AllowOrigins: ["https://a.example"], AllowMethods: [get], MaxAge: 60}
              DefaultRouteSettings: {ThrottlingRateLimit: 5, ThrottlingBurstLimit: 10}
              RouteSettings: {"GET /a": {ThrottlingRateLimit: 1, ThrottlingBurstLimit: 2}}
              Auth:
                DefaultAuthorizer: Mine
                Authorizers:
                  Mine:
                    FunctionArn: !GetAtt Auth.Arn
                    AuthorizerPayloadFormatVersion: 2.0
                    EnableSimpleResponses: true
                    FunctionInvokeRole: !GetAtt Nowhere.Arn
                    Identity: {Headers: [Authorization], QueryStrings: [key], ReauthorizeEvery: 30}
          Auth: {Type: AWS::Serverless::Function, Properties: {CodeUri: code, Handler: a.h, Runtime: python3.12}}
          Work: {Type: AWS::SQS::Queue}
          F:
            Type: AWS::Serverless::Function
            Properties:
              CodeUri: code/
              Handler: h.f
              Runtime: python3.13
              Events:
                A: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: get, Path: /a}}
                B: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: '*', Path: /b, Auth: {Authorizer: NONE}}}
                C: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: options, Path: /c}}
                D: {Type: HttpApi, Properties: {ApiId: !Ref Api}}
                Q:
                  Type: SQS
                  Properties:
                    Queue: !GetAtt Work.Arn
                    BatchSize: 5
                    MaximumBatchingWindowInSeconds: 3
                    FunctionResponseTypes: [ReportBatchItemFailures]
                    ScalingConfig: {MaximumConcurrency: 2}
                Off: {Type: SQS, Properties: {Queue: !GetAtt Work.Arn, Enabled: false}}
                S: {Type: Schedule, Properties: {Schedule: rate(5 minutes), Input: '{"sweep": true}'}}
                S2: {Type: ScheduleV2, Properties: {ScheduleExpression: 'cron(0 3 * * ? *)'}}
    """)

    function, api = template.functions["F"], template.http_api
    throttle = Throttle(5, 10)
    assert api.routes == (
        Route("GET", "/a", "F", "Mine", throttle=Throttle(1, 2)),
        Route("ANY", "/b", "F", None, throttle=throttle),
        Route("OPTIONS", "/c", "F", None, throttle=throttle),
        Route("ANY", "$default", "F", "Mine", throttle=throttle),
    )
    assert [route.key for route in api.routes] == ["GET /a", "ANY /b", "OPTIONS /c", "$default"]
    assert api.authorizers == {"Mine": Authorizer("Mine", "Auth", ("authorization",), ("key",), 30)}
    assert api.cors == Cors(origins=("https://a.example",), methods=("GET",), max_age=60)
    assert function.queues == (QueueEvent(template.queues["Work"].arn, 5, 3, True, 2),)
    assert [schedule.input for schedule in function.schedules] == ['{"sweep": true}', None]
    assert function.schedules[0].schedule == Rate(timedelta(minutes=5))
    assert template.functions["Auth"].answers_http


@pytest.mark.parametrize("inline", [True, False])
def test_a_state_machine_s_definition_has_its_substitutions(load: Load, tmp_path: Path, inline: bool) -> None:
    body = {"StartAt": "Work", "States": {"Work": {"Type": "Task", "Resource": "${WorkArn}", "End": True}}}
    (tmp_path / "work.asl.json").write_text(json.dumps(body))
    definition = f"Definition: {json.dumps(body)}" if inline else "DefinitionUri: work.asl.json"
    template = load(f"""
        Resources:
          F: {FUNCTION % ""}
          Flow:
            Type: AWS::Serverless::StateMachine
            Properties:
              {definition}
              DefinitionSubstitutions: {{WorkArn: !GetAtt F.Arn}}
    """)

    machine = template.state_machines["Flow"]
    assert json.loads(machine.definition)["States"]["Work"]["Resource"] == template.functions["F"].arn
    assert machine.arn == "arn:aws:states:us-west-2:123456789012:stateMachine:Flow"


REFUSED = {
    "an event of type Kinesis cannot run": FUNCTION % ", Events: {K: {Type: Kinesis}}",
    "Resources.X.Properties.CodeUri:": FUNCTION.replace("code/", "nowhere/") % "",
    "nodejs22.x cannot run": FUNCTION.replace("python3.13", "nodejs22.x") % "",
    "InlineCode: only a CodeUri": FUNCTION % ", InlineCode: pass",
    "Handler is missing": "{Type: AWS::Serverless::Function, Properties: {CodeUri: code/, Runtime: python3.13}}",
    "is no queue of this template": FUNCTION % ", Events: {Q: {Type: SQS, Properties: {Queue: 'arn:aws:sqs:::q'}}}",
    "FilterCriteria: filters cannot": FUNCTION % ", Events: {Q: {Type: SQS, Properties: {FilterCriteria: {}}}}",
    "never comes true": FUNCTION % ", Events: {S: {Type: Schedule, Properties: {Schedule: 'cron(0 0 31 2 ? *)'}}}",
    "neither rate": FUNCTION % ", Events: {S: {Type: Schedule, Properties: {Schedule: daily}}}",
    "write it as AWS::Serverless::HttpApi": "{Type: AWS::Serverless::Api}",
    "write it as AWS::Serverless::Function": "{Type: AWS::Lambda::Function}",
    "only a Lambda authorizer": "{Type: AWS::Serverless::HttpApi, Properties: {Auth: {Authorizers: {J: {JwtConfiguration: {}}}}}}",  # noqa: E501
    "there is no authorizer Other": FUNCTION
    % ", Events: {A: {Type: HttpApi, Properties: {Auth: {Authorizer: Other}}}}",
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_run_here_is_named_and_never_skipped(load: Load, words: str) -> None:
    with pytest.raises(TemplateError) as caught:
        load(f"Resources:\n  X: {REFUSED[words]}\n")

    assert words in str(caught.value)


@pytest.mark.parametrize(("text", "words"), [("Resources: [", "is not YAML"), ("a: 1", "has no Resources")])
def test_a_file_that_is_no_template(load: Load, text: str, words: str) -> None:
    with pytest.raises(TemplateError, match=words):
        load(text)


def test_the_platform_s_own_template_can_run_here() -> None:
    template = Template.load(ROOT / "template.yaml", {"Stage": "local", "JwtIssuer": "i", "JwksUrl": "http://k"})

    assert {"JobsTable"} <= set(template.tables)
    assert {route.authorizer for route in template.http_api.routes if "/gis-export/" in route.path} == {
        "TokenAuthorizer"
    }
    assert all((ROOT / "shared") in [layer.path for layer in f.layers] for f in template.functions.values())


def platform(**parameters: str) -> Template:
    """This project's own template."""
    given = {"JwtIssuer": "https://issuer.example", "JwksUrl": "https://issuer.example/keys", **parameters}
    return Template.load(ROOT / "template.yaml", given)


def test_the_platform_has_cross_origin_headers_for_the_pages_it_is_given() -> None:
    assert platform().http_api.cors is None

    cors = platform(CorsOrigins="https://a.example, https://b.example").http_api.cors

    assert cors is not None
    assert cors.origins == ("https://a.example", "https://b.example")
    assert {"authorization", "content-type", "idempotency-key"} == set(cors.headers)
    assert {"location", "x-request-id", "retry-after", "idempotency-replayed"} == set(cors.expose)


def test_the_platform_reserves_what_it_is_told_or_nothing() -> None:
    def reserved(**parameters: str) -> dict[str, int | None]:
        functions = platform(**parameters).functions
        return {name: functions[f"GisExport{name}Function"].reserved_concurrency for name in ("Api", "Worker", "Sweep")}

    assert reserved() == {"Api": 20, "Worker": 10, "Sweep": 1}
    assert reserved(WorkerConcurrency="0") == {"Api": 20, "Worker": None, "Sweep": None}
    assert reserved(ApiConcurrency="0", WorkerConcurrency="3") == {"Api": None, "Worker": 3, "Sweep": 1}
