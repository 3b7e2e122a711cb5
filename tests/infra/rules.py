"""Rules for every resource of a template, so that whoever adds one cannot forget what the others have.

Each rule takes a template as `local.template.load_yaml` reads it, and gives what breaks it, in words.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from local.template import merge

Template = dict[str, Any]
Rule = Callable[[Template], Iterator[str]]

FUNCTION, ROLE, QUEUE = "AWS::Serverless::Function", "AWS::IAM::Role", "AWS::SQS::Queue"
LAYER = "AWS::Serverless::LayerVersion"
WORKFLOW, TABLE, BUCKET = "AWS::Serverless::StateMachine", "AWS::DynamoDB::Table", "AWS::S3::Bucket"
STATEFUL = (BUCKET, TABLE, "AWS::KMS::Key")
LOG_DELIVERY = {
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
}
"""Actions of workflows' log delivery, which know no narrower resource."""
MANAGED = {"service-role/AWSLambdaVPCAccessExecutionRole"}
"""AWS's own policies that a role may have: network interfaces know no narrower resource either."""
ELSEWHERE = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy")
"""Where rights could stand besides a role; nothing reads them there, so nothing may."""
EVERYTHING = re.compile(r"\*|arn:[^:]*:[^:]*:[^:]*:[^:]*:(\*|[a-z-]+[:/]\*)")
"""A resource without a name in it: all there is, all of a service, all of a kind."""
SIGNER = {
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "kms:Decrypt",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "s3:GetObject",
    "sqs:SendMessage",
}
"""All that a function may do that signs links; to send is for its dead letters, which Lambda insists on."""
KEY_OF_S3 = {"AccessLogsBucket"}
"""S3 delivers access logs only to a bucket with S3's own encryption."""
LEAST_AT_ONCE = 2
"""Messages that a queue hands over at once at least, as AWS has it. What is refused counts as delivered."""
VISIBILITY_FACTOR = 6
DEFAULT_VISIBILITY = 30


def of_type(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    """Properties by logical id."""
    return {n: r.get("Properties", {}) for n, r in template["Resources"].items() if r["Type"] == kind}


def functions(template: Template) -> dict[str, dict[str, Any]]:
    """Functions, with what the globals give them."""
    shared = template.get("Globals", {}).get("Function", {})
    return {name: {**shared, **properties} for name, properties in of_type(template, FUNCTION).items()}


def statements(properties: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The statements of a role's, a function's or a state machine's policies."""
    for policy in each(properties.get("Policies", [])):
        if isinstance(policy, dict):
            yield from each(policy.get("PolicyDocument", policy).get("Statement", []))


def managed(properties: dict[str, Any]) -> Iterator[str]:
    """Policies that stand elsewhere: AWS's own by their names, SAM's templates by theirs."""
    for policy in each(properties.get("Policies", [])):
        if not isinstance(policy, dict):
            yield str(policy)
        elif "PolicyDocument" not in policy and "Statement" not in policy:
            yield from policy
    for arn in each(properties.get("ManagedPolicyArns", [])):
        choices = arn["Fn::If"][1:] if isinstance(arn, dict) and "Fn::If" in arn else [arn]
        for policy in (one for choice in choices for one in each(choice)):
            if policy != {"Ref": "AWS::NoValue"}:
                yield text_of(policy).partition(":policy/")[2] or text_of(policy)


def text_of(value: Any) -> str:
    """A string, or the text of a `!Sub`; other intrinsic functions as JSON."""
    inner = value.get("Fn::Sub", value) if isinstance(value, dict) else value
    return inner if isinstance(inner, str) else json.dumps(inner)


def each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def logical_id(value: Any) -> str | None:
    """The resource that `!Ref` or `!GetAtt X.Arn` names."""
    if not isinstance(value, dict):
        return None
    found = value.get("Ref") or value.get("Fn::GetAtt")
    return str(each(found)[0]).split(".")[0] if found else None


def own_role(template: Template) -> Iterator[str]:
    """A role for each function, which only that function may take."""
    roles = of_type(template, ROLE)
    taken: dict[str, str] = {}
    for name, function in functions(template).items():
        role = logical_id(function.get("Role"))
        if role not in roles:
            yield f"{name} has no role of the template's"
        elif role in taken:
            yield f"{name} and {taken[role]} share {role}"
        else:
            taken[role] = name


def named_rights(template: Template) -> Iterator[str]:
    """Rights name their actions and their resources, and stand where they can be read."""
    for kind in (ROLE, FUNCTION, WORKFLOW):
        for name, properties in of_type(template, kind).items():
            for policy in set(managed(properties)) - MANAGED:
                yield f"{name} has {policy}, which is written elsewhere"
            for statement in statements(properties):
                yield from _unnamed(name, statement)
    for kind in ELSEWHERE:
        for name in of_type(template, kind):
            yield f"{name} stands apart from its role"


def _unnamed(name: str, statement: dict[str, Any]) -> Iterator[str]:
    if "Action" not in statement or "Resource" not in statement:
        yield f"{name} has a statement by what it leaves out"
        return
    actions = {str(action) for action in each(statement["Action"])}
    if any("*" in action for action in actions):
        yield f"{name} may {sorted(actions)}"
    resources = [text_of(resource) for resource in each(statement["Resource"])]
    if any(EVERYTHING.fullmatch(_named(resource)) for resource in resources) and not actions <= LOG_DELIVERY:
        yield f"{name} may {sorted(actions)} with {resources}"
    if "s3:ListBucket" in actions and "s3:prefix" not in json.dumps(statement.get("Condition")):
        yield f"{name} lists all of {resources}"


def _named(resource: str) -> str:
    """An ARN with pseudo-parameters out of the way, whose colons would be taken for the ARN's."""
    return re.sub(r"\$\{AWS::(\w+)\}", r"\1", resource)


def own_logs(template: Template) -> Iterator[str]:
    """A log group for each function, kept for a stated time, encrypted with our key; its role writes there alone."""
    groups, used = of_type(template, "AWS::Logs::LogGroup"), set()
    for name, function in functions(template).items():
        group = logical_id(function.get("LoggingConfig", {}).get("LogGroup"))
        if group not in groups or group in used:
            yield f"{name} has no log group of its own"
        used.add(group)
    for name, group in groups.items():
        if "RetentionInDays" not in group or logical_id(group.get("KmsKeyId")) is None:
            yield f"{name} has no retention or no key"


def bounded(template: Template) -> Iterator[str]:
    """Time, concurrency, a key, and a queue of ours for what an asynchronous invocation could not do."""
    queues = of_type(template, QUEUE)
    for name, function in functions(template).items():
        for member in ("Timeout", "ReservedConcurrentExecutions", "KmsKeyArn"):
            if member not in function:
                yield f"{name} has no {member}"
        if logical_id(function.get("DeadLetterQueue", {}).get("TargetArn")) not in queues:
            yield f"{name} has no dead-letter queue of the template's"


def queues_are_patient(template: Template) -> Iterator[str]:
    """A message stays hidden for six times the function's time, comes back alone, and ends in a consumed DLQ."""
    queues = of_type(template, QUEUE)
    consumed = {logical_id(e["Queue"]) for _, _, e in queue_events(template)}
    for name, function, event in queue_events(template):
        queue = queues[str(logical_id(event["Queue"]))]
        if queue.get("VisibilityTimeout", DEFAULT_VISIBILITY) < VISIBILITY_FACTOR * function["Timeout"]:
            yield f"{name}'s messages come back while it may still run"
        if event.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name} does not report which messages failed"
        most = event.get("ScalingConfig", {}).get("MaximumConcurrency")
        if not _within(most, function.get("ReservedConcurrentExecutions")):
            yield f"{name} takes more messages at once than are reserved for it"
    dead_letter_queues = {logical_id(q.get("RedrivePolicy", {}).get("deadLetterTargetArn")) for q in queues.values()}
    for name, queue in queues.items():
        if name in consumed and name not in dead_letter_queues:
            target = logical_id(queue.get("RedrivePolicy", {}).get("deadLetterTargetArn"))
            if target not in consumed:
                yield f"{name} has no dead-letter queue that somebody consumes"


def _within(most: Any, reserved: Any) -> bool:
    """Whether a queue never hands over more than its function may run; without a reservation it is the least."""
    if not isinstance(most, dict):
        return isinstance(most, int) and most <= LEAST_AT_ONCE
    condition, with_reservation, without = most.get("Fn::If", [None, None, None])
    return reserved == {"Fn::If": [condition, with_reservation, {"Ref": "AWS::NoValue"}]} and without == LEAST_AT_ONCE


def queue_events(template: Template) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Functions that queues feed: name, properties, the event's properties."""
    for name, function in functions(template).items():
        for event in function.get("Events", {}).values():
            if event["Type"] == "SQS":
                yield name, function, event["Properties"]


def kept(template: Template) -> Iterator[str]:
    """What holds data outlives the stack; tables can be set back, and are not deleted by mistake."""
    for name, resource in template["Resources"].items():
        if resource["Type"] in STATEFUL and not (
            resource.get("DeletionPolicy") == resource.get("UpdateReplacePolicy") == "Retain"
        ):
            yield f"{name} goes with the stack"
    for name, table in of_type(template, TABLE).items():
        if not table.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled"):
            yield f"table {name} cannot be set back to a moment"
        if table.get("DeletionProtectionEnabled") is not True:
            yield f"table {name} can be deleted"


def encrypted(template: Template) -> Iterator[str]:
    """Tables, queues and buckets are encrypted with a key of ours, which changes."""
    for name, queue in of_type(template, QUEUE).items():
        if logical_id(queue.get("KmsMasterKeyId")) is None:
            yield f"queue {name} has no key"
    for name, table in of_type(template, TABLE).items():
        if logical_id(table.get("SSESpecification", {}).get("KMSMasterKeyId")) is None:
            yield f"table {name} has no key"
    for name, bucket in of_type(template, BUCKET).items():
        rules = bucket.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [])
        keys = [logical_id(rule["ServerSideEncryptionByDefault"].get("KMSMasterKeyID")) for rule in rules]
        if name not in KEY_OF_S3 and (None in keys or not keys):
            yield f"bucket {name} has no key"
    for name, key in of_type(template, "AWS::KMS::Key").items():
        if key.get("EnableKeyRotation") is not True:
            yield f"key {name} stays the same for ever"


def closed_buckets(template: Template) -> Iterator[str]:
    """Nothing public, one owner, TLS only, encrypted, cleaned up, versioned, and their use on record."""
    policies = {logical_id(p["Bucket"]): p for p in of_type(template, "AWS::S3::BucketPolicy").values()}
    for name, bucket in of_type(template, BUCKET).items():
        block = bucket.get("PublicAccessBlockConfiguration", {})
        if len(block) != 4 or set(block.values()) != {True}:
            yield f"{name} could be public"
        if bucket.get("OwnershipControls") != {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}:
            yield f"{name} knows other owners"
        for member in ("BucketEncryption", "LifecycleConfiguration", "VersioningConfiguration"):
            if member not in bucket:
                yield f"{name} has no {member}"
        denied = [
            s for s in policies.get(name, {}).get("PolicyDocument", {}).get("Statement", []) if s["Effect"] == "Deny"
        ]
        if not any("aws:SecureTransport" in json.dumps(s.get("Condition")) for s in denied):
            yield f"{name} answers without TLS"
        if "LoggingConfiguration" not in bucket and not name.startswith("AccessLogs"):
            yield f"{name}'s use is not on record"


def signers_only_read(template: Template) -> Iterator[str]:
    """A function that signs links may get objects below its plugin's results, and do little else."""
    roles = of_type(template, ROLE)
    for name, function in functions(template).items():
        if not str(function.get("Handler", "")).endswith(".results.handler"):
            continue
        slug = str(function["CodeUri"]).strip("/").rsplit("/", 1)[1].replace("_", "-")
        for statement in statements(roles.get(str(logical_id(function.get("Role"))), {})):
            actions = {str(action) for action in each(statement.get("Action", "*"))}
            resources = [text_of(resource) for resource in each(statement.get("Resource", "*"))]
            if not actions <= SIGNER:
                yield f"{name} signs links and may {sorted(actions - SIGNER)}"
            if "s3:GetObject" in actions and resources != [f"${{ResultsBucket.Arn}}/results/{slug}/*"]:
                yield f"{name} signs links to more than results"


def whole_plugins(template: Template, folder: Path) -> Iterator[str]:
    """A plugin with a worker has everything that ends its jobs."""
    handlers = {str(function.get("Handler")) for function in functions(template).values()}
    for worker in sorted(folder.glob("functions/*/*/worker.py")):
        for part in ("api", "results", "worker", "closer", "sweep"):
            if f"{worker.parent.name}.{part}.handler" not in handlers:
                yield f"{worker.parent.name} has no function for its {part}"


def scheduled_sweeps(template: Template) -> Iterator[str]:
    """Sweeps run by themselves."""
    for name, function in functions(template).items():
        if str(function.get("Handler")).endswith(".sweep.handler"):
            kinds = {event["Type"] for event in function.get("Events", {}).values()}
            if not kinds & {"Schedule", "ScheduleV2"}:
                yield f"{name} is never called"


def guarded_routes(template: Template) -> Iterator[str]:
    """Every API has a default authorizer, throttling and access logs; open routes are those that are known."""
    for name, api in of_type(template, "AWS::Serverless::HttpApi").items():
        if not api.get("Auth", {}).get("DefaultAuthorizer"):
            yield f"{name} is open"
        throttle = api.get("DefaultRouteSettings", {})
        if not {"ThrottlingBurstLimit", "ThrottlingRateLimit"} <= set(throttle):
            yield f"{name} is not throttled"
        if "AccessLogSettings" not in api:
            yield f"{name}'s use is not on record"
    for path in open_paths(template) - {"/api/v1/health", "/api/v1/openapi.json", "/api/v1/docs"}:
        yield f"{path} is open"


def caught(template: Template, folder: Path) -> Iterator[str]:
    """Whatever a workflow's work throws is caught, or tried again; it waits longer than its function may run."""
    known = functions(template)
    for name, properties in of_type(template, WORKFLOW).items():
        states = json.loads((folder / properties["DefinitionUri"]).read_text(encoding="utf-8"))["States"]
        for step, state, caught_around in _working(states):
            answers = [*state.get("Catch", []), *state.get("Retry", [])]
            if not caught_around and not any("States.ALL" in answer["ErrorEquals"] for answer in answers):
                yield f"{name}'s {step} is not caught"
            if any(retry.get("JitterStrategy") != "FULL" for retry in state.get("Retry", [])):
                yield f"{name}'s {step} comes back at the same moment for all"
            if state["Type"] == "Task":
                placeholder = state["Parameters"]["FunctionName"].strip("${}")
                function = known[str(logical_id(properties["DefinitionSubstitutions"][placeholder]))]
                if state.get("TimeoutSeconds", 0) <= function["Timeout"]:
                    yield f"{name}'s {step} gives up before its function does"


def _working(states: dict[str, Any], caught_around: bool = False) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Tasks and maps, those within maps included: what those throw, the map around them throws."""
    for step, state in states.items():
        if state["Type"] in {"Task", "Map"}:
            yield step, state, caught_around
        if state["Type"] == "Map":
            yield from _working(state["ItemProcessor"]["States"], True)


def open_paths(template: Template) -> set[str]:
    """Paths that no authorizer guards."""
    return {
        str(event["Properties"].get("Path"))
        for function in functions(template).values()
        for event in function.get("Events", {}).values()
        if event.get("Properties", {}).get("Auth", {}).get("Authorizer") == "NONE"
    }


def runs_are_throttled(template: Template) -> Iterator[str]:
    """A route that makes jobs has limits of its own."""
    limits = {
        key for api in of_type(template, "AWS::Serverless::HttpApi").values() for key in api.get("RouteSettings", {})
    }
    for function in functions(template).values():
        for event in function.get("Events", {}).values():
            path = str(event.get("Properties", {}).get("Path", ""))
            if event["Type"] == "HttpApi" and path.endswith("/run") and f"POST {path}" not in limits:
                yield f"POST {path} has no limits of its own"


def taken_back(template: Template) -> Iterator[str]:
    """A new version is taken back when its own unit's functions crash; a unit is what is built from one folder."""
    shared = template.get("Globals", {}).get("Function", {})
    for name, properties in of_type(template, FUNCTION).items():
        preference = merge(shared, properties).get("DeploymentPreference", {})
        folder = str(properties["CodeUri"]).strip("/").rsplit("/", 1)[-1]
        own = "".join(word.capitalize() for word in folder.split("_")) + "ErrorsAlarm"
        watched = {logical_id(alarm) for alarm in preference.get("Alarms", [])}
        if preference.get("Enabled", True) and own not in watched:
            yield f"{name} stays though it crashes: {own} is none of its alarms"


def built_by_make(template: Template) -> Iterator[str]:
    """Functions and layers are built by make, which needs no Python of the runtime's version (decision 25)."""
    for name, resource in template["Resources"].items():
        if resource["Type"] not in {FUNCTION, LAYER}:
            continue
        if resource.get("Metadata", {}).get("BuildMethod") != "makefile":
            yield f"{name} is not built by make"


RULES: tuple[Rule, ...] = (
    built_by_make,
    own_role,
    named_rights,
    own_logs,
    bounded,
    queues_are_patient,
    kept,
    encrypted,
    closed_buckets,
    signers_only_read,
    scheduled_sweeps,
    guarded_routes,
    runs_are_throttled,
    taken_back,
)
