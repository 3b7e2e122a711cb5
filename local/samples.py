"""Writes a sample event for each way in which a function is called, to events/: `python -m local.samples`.

Everything follows from the template, its workflows and the API's description, so a new function has its events at once.
`make invoke EVENT=…` hands one to a function; ids in them are made up.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.events import message_record, schedule_payload
from local.openapi import TARGET as DESCRIPTION
from local.payload import HttpRequest, authorizer_event, function_event
from local.routing import DEFAULT, Match
from local.stack import FunctionSpec, Route
from local.template import Template

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "events"
JOB = "3e0f9d0c-4a54-4dd6-9b02-9b8f6a2a1111"
TOKEN = "TOKEN"  # noqa: S105  where a caller's token goes
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PARAMETERS = {
    "Stage": "local",
    "JwtIssuer": "https://login.county.example/",
    "JwksUrl": "https://login.county.example/k",
}
CALLER = {"subject": "ada@county.example", "permissions": "*", "counties": "sample"}
VARIABLES = {"job_id": JOB, "county_id": "sample"}
TASK_MEMBERS: Mapping[str, Any] = {
    "job_id": JOB,
    "attempt": "2026-01-02T03:04:05.678Z#0",
    "error": {"Error": "Runtime.ExitError", "Cause": '{"errorType": "Runtime.ExitError"}'},
    "chunk": 0,
    "part": 0,
    "count": 1,
    "token": "2026-01-02T03:04:05.678Z#000000",
}
"""What a workflow hands to its functions, by the name under which it does."""


def events() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each event and its path below events/: `package/Function.what.json`."""
    template = Template.load(ROOT / "template.yaml", PARAMETERS)
    authorizers = {authorizer.function for authorizer in template.http_api.authorizers.values()}
    for function in template.functions.values():
        folder = function.code.name
        for route in function.routes:
            yield f"{folder}/{function.logical_id}.{_name(route)}.json", _http(route)
        for queue in function.queues:
            yield (
                f"{folder}/{function.logical_id}.queue.json",
                {"Records": [message_record(_message(), queue.queue_arn)]},
            )
        for schedule in function.schedules:
            event = json.loads(schedule_payload(schedule, MOMENT))
            yield f"{folder}/{function.logical_id}.schedule.json", {**event, "id": JOB}
        if function.name in authorizers:
            route = next(route for route in template.http_api.routes if route.authorizer)
            request = _request(route, authorization=f"Bearer {TOKEN}")
            event = authorizer_event(request, Match(route, VARIABLES), [f"Bearer {TOKEN}"])
            yield f"{folder}/{function.logical_id}.token.json", _timeless(event)
    for machine in template.state_machines.values():
        yield from _tasks(json.loads(machine.definition)["States"], {f.arn: f for f in template.functions.values()})


def _tasks(states: Mapping[str, Any], functions: Mapping[str, FunctionSpec]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What a workflow's tasks hand to functions, those within its maps included."""
    for name, state in states.items():
        if state["Type"] == "Map":
            yield from _tasks(state["ItemProcessor"]["States"], functions)
        parameters = state.get("Parameters", {})
        function = functions.get(str(parameters.get("FunctionName", "")))
        if function is not None:
            members = {key.removesuffix(".$"): value for key, value in parameters["Payload"].items()}
            event = {key: TASK_MEMBERS.get(key, value) for key, value in members.items()}
            yield f"{function.code.name}/{function.logical_id}.{_snake(name)}.json", event


def _http(route: Route) -> dict[str, Any]:
    """A request that API Gateway hands on, with what the authorizer said of its caller."""
    body = _example(route) if route.method == "POST" and route.path.endswith(("/run", "/estimate")) else None
    request = _request(route, body)
    variables = {name: value for name, value in VARIABLES.items() if f"{{{name}}}" in route.path}
    return _timeless(function_event(request, Match(route, variables), CALLER if route.authorizer else None))


def _request(route: Route, body: dict[str, Any] | None = None, **headers: str) -> HttpRequest:
    path = "/api/v1/elsewhere" if route.path == DEFAULT else route.path.format(**VARIABLES)
    return HttpRequest(
        method="GET" if route.method == "ANY" else route.method,
        raw_path=path,
        raw_query="",
        headers=(("host", "api.county.example"), *headers.items()),
        body=json.dumps(body).encode() if body else b"",
        request_id=JOB,
    )


def _timeless(event: dict[str, Any]) -> dict[str, Any]:
    """The same event at a fixed moment."""
    moment = {"time": MOMENT.strftime("%d/%b/%Y:%H:%M:%S +0000"), "timeEpoch": int(MOMENT.timestamp() * 1000)}
    event["requestContext"].update(moment)
    return event


def _message() -> dict[str, Any]:
    sent = {"ApproximateReceiveCount": "1", "SentTimestamp": str(int(MOMENT.timestamp() * 1000))}
    body = json.dumps({"job_id": JOB})
    return {"MessageId": JOB, "ReceiptHandle": "receipt", "Body": body, "Attributes": sent, "MD5OfBody": ""}


def _example(route: Route) -> dict[str, Any]:
    """A request's body from the API's description: its example, or those of the members that it must have."""
    document = json.loads(DESCRIPTION.read_text(encoding="utf-8"))
    content = document["paths"][route.path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    schema = _resolved(document, content)
    if schema.get("examples"):
        return dict(schema["examples"][0])
    wanted = {name: part for name, part in schema["properties"].items() if name in schema.get("required", ())}
    return {name: _value(document, part) for name, part in wanted.items()}


def _value(document: Mapping[str, Any], part: Mapping[str, Any]) -> Any:
    if part.get("examples"):
        return part["examples"][0]
    return _resolved(document, part)["enum"][0]


def _resolved(document: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    found = part
    while "$ref" in found:
        found = document["components"]["schemas"][found["$ref"].rsplit("/", 1)[1]]
    return dict(found)


def _name(route: Route) -> str:
    """`run`, `status`, `counties`: the last part of a path that is no variable."""
    words = [part for part in route.path.split("/") if part and "{" not in part and part != "v1"]
    name = "elsewhere" if route.path == DEFAULT else words[-1].removesuffix(".json")
    return f"{name}_one" if route.path.endswith("}") and name == "counties" else name


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))


def write(target: Path = TARGET) -> None:
    """Write all events; those of functions that are gone go."""
    shutil.rmtree(target, ignore_errors=True)
    for path, event in events():
        file = target / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(event, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
