"""Reads a SAM template into what the local cloud runs."""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from local.http_api import default_authorizer, read_http_api
from local.intrinsics import NO_VALUE, Resolver, TemplateError, is_intrinsic, load_yaml
from local.resources import ACCOUNT, PARTITION, REGION, STACK_NAME, Names
from local.stack import FunctionSpec, HttpApi, Layer, Resource, StateMachine
from local.stanzas import Stanza, read_function

__all__ = ["Template", "TemplateError", "load_yaml"]

FUNCTION = "AWS::Serverless::Function"
HTTP_API = "AWS::Serverless::HttpApi"
LAYER = "AWS::Serverless::LayerVersion"
STATE_MACHINE = "AWS::Serverless::StateMachine"
IMPLICIT_API = "ServerlessHttpApi"
REFUSED: Mapping[str, str] = MappingProxyType(
    {
        "AWS::ApiGateway::RestApi": f"write it as {HTTP_API}",
        "AWS::ApiGatewayV2::Api": f"write it as {HTTP_API}",
        "AWS::Events::Rule": f"write it as a Schedule event of a {FUNCTION}",
        "AWS::Lambda::EventSourceMapping": f"write it as an SQS event of a {FUNCTION}",
        "AWS::Lambda::Function": f"write it as {FUNCTION}",
        "AWS::Scheduler::Schedule": f"write it as a ScheduleV2 event of a {FUNCTION}",
        "AWS::Serverless::Api": f"write it as {HTTP_API}",
        "AWS::Serverless::Application": "nested applications do not run here",
        "AWS::Serverless::SimpleTable": "write it as AWS::DynamoDB::Table",
        "AWS::StepFunctions::StateMachine": f"write it as {STATE_MACHINE}",
    }
)
"""Types that do work in the cloud and would silently not do it here."""

PSEUDO: Mapping[str, Any] = MappingProxyType(
    {
        "AWS::AccountId": ACCOUNT,
        "AWS::NoValue": NO_VALUE,
        "AWS::NotificationARNs": [],
        "AWS::Partition": PARTITION,
        "AWS::Region": REGION,
        "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK_NAME}/local",
        "AWS::StackName": STACK_NAME,
        "AWS::URLSuffix": "amazonaws.com",
    }
)
SUBSTITUTION = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class Template:
    """What a template describes, by logical id, after parameters and conditions."""

    functions: Mapping[str, FunctionSpec]
    http_api: HttpApi
    queues: Mapping[str, Resource]
    tables: Mapping[str, Resource]
    buckets: Mapping[str, Resource]
    state_machines: Mapping[str, StateMachine]
    layers: Mapping[str, Layer]

    @classmethod
    def load(
        cls,
        path: Path,
        parameters: Mapping[str, str] = MappingProxyType({}),
        *,
        endpoint: str = "http://127.0.0.1",
    ) -> "Template":
        """Read a template.

        Parameters
        ----------
        parameters
            Values of its parameters; the others have their defaults.
        endpoint
            Base URL of the AWS endpoint, part of the queues' URLs.

        Raises
        ------
        TemplateError
            When something in it cannot run here; the text names the place.
        """
        return _Reader(path, parameters, endpoint).read()


def declared_parameters(path: Path) -> frozenset[str]:
    """Names of the parameters that a template takes."""
    return frozenset(load_yaml(path).get("Parameters", {}))


class _Reader:
    """Reads one template."""

    def __init__(self, path: Path, parameters: Mapping[str, str], endpoint: str) -> None:
        document = load_yaml(path)
        self._root = path.resolve().parent
        self._globals: Mapping[str, Any] = document.get("Globals", {})
        self._values = {**PSEUDO, **_parameters(document.get("Parameters", {}), parameters)}
        self._resources: dict[str, Any] = {}
        conditions, mappings = document.get("Conditions", {}), document.get("Mappings", {})
        self._resolver = Resolver(self._ref, self._attribute, conditions, mappings)
        self._names = Names(self._resources, self._resolver.resolve, endpoint)
        for name, resource in document["Resources"].items():
            if "Condition" not in resource or self._resolver.condition(resource["Condition"], f"Resources.{name}"):
                self._resources[name] = resource

    def read(self) -> Template:
        for name, resource in self._resources.items():
            if resource.get("Type") in REFUSED:
                raise TemplateError(
                    f"Resources.{name}: {resource['Type']} cannot run here; {REFUSED[resource['Type']]}"
                )
        api = self._http_api_stanza()
        layers = {stanza.logical_id: self._layer(stanza) for stanza in self._stanzas(LAYER)}
        by_arn = {layer.arn: layer for layer in layers.values()}
        functions = {
            stanza.logical_id: read_function(stanza, self._names, self._root, by_arn, default_authorizer(api))
            for stanza in self._stanzas(FUNCTION)
        }
        http_api = read_http_api(api, functions)
        queues = self._named("AWS::SQS::Queue", "QueueName")
        _check_queues(functions.values(), {queue.arn for queue in queues.values()})
        callers = {authorizer.function for authorizer in http_api.authorizers.values()}
        return Template(
            functions={
                key: replace(spec, answers_http=True) if spec.name in callers else spec
                for key, spec in functions.items()
            },
            http_api=http_api,
            queues=queues,
            tables=self._named("AWS::DynamoDB::Table", "TableName"),
            buckets=self._named("AWS::S3::Bucket", "BucketName"),
            state_machines={s.logical_id: self._state_machine(s) for s in self._stanzas(STATE_MACHINE)},
            layers=layers,
        )

    def _stanzas(self, kind: str) -> list[Stanza]:
        base = self._globals.get(kind.rsplit("::", 1)[1], {}) if kind.startswith("AWS::Serverless::") else {}
        return [
            Stanza(name, merge(base, resource.get("Properties", {})), self._resolver)
            for name, resource in self._resources.items()
            if resource.get("Type") == kind
        ]

    def _http_api_stanza(self) -> Stanza:
        found = self._stanzas(HTTP_API)
        if len(found) > 1:
            raise TemplateError(f"Resources.{found[1].logical_id}: one {HTTP_API} can run here, this is the second")
        return found[0] if found else Stanza(IMPLICIT_API, self._globals.get("HttpApi", {}), self._resolver)

    def _named(self, kind: str, key: str) -> dict[str, Resource]:
        found = {}
        for stanza in self._stanzas(kind):
            name = self._names.name(stanza.logical_id)
            properties = self._resolver.resolve(dict(stanza.properties), stanza.where)
            arn = self._names.arn(stanza.logical_id)
            found[stanza.logical_id] = Resource(stanza.logical_id, name, arn, {**properties, key: name})
        return found

    def _layer(self, stanza: Stanza) -> Layer:
        content = stanza.folder("ContentUri", self._root)
        candidates = [content / "python", content]
        path = next((folder for folder in candidates if any(folder.glob("*/__init__.py"))), None)
        return Layer(self._names.arn(stanza.logical_id), path)

    def _state_machine(self, stanza: Stanza) -> StateMachine:
        if stanza.properties.get("Events"):
            raise TemplateError(f"{stanza.where}.Events: events of a state machine cannot run here")
        if "Definition" in stanza.properties:
            text = json.dumps(stanza.require("Definition"))
        else:
            text = stanza.folder("DefinitionUri", self._root).read_text(encoding="utf-8")
        values = stanza.get("DefinitionSubstitutions", {})
        text = SUBSTITUTION.sub(lambda match: str(values.get(match[1], match[0])), text)
        try:
            json.loads(text)
        except ValueError as error:
            raise TemplateError(f"{stanza.where}: the definition is not JSON: {error}") from error
        names = self._names
        return StateMachine(stanza.logical_id, names.name(stanza.logical_id), names.arn(stanza.logical_id), text)

    def _ref(self, name: str) -> Any:
        return self._values[name] if name in self._values else self._names.ref(name)

    def _attribute(self, name: str, attribute: str) -> str:
        return self._names.attribute(name, attribute)


def merge(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Merge Globals into a resource's properties as SAM does: maps merge, lists join, all else is replaced."""
    result = dict(base)
    for key, value in own.items():
        before = result.get(key)
        if isinstance(before, dict) and isinstance(value, dict) and not (is_intrinsic(before) or is_intrinsic(value)):
            result[key] = merge(before, value)
        elif isinstance(before, list) and isinstance(value, list):
            result[key] = [*before, *value]
        else:
            result[key] = value
    return result


def _check_queues(functions: Iterable[FunctionSpec], known: Collection[str]) -> None:
    for function in functions:
        for event in function.queues:
            if event.queue_arn not in known:
                raise TemplateError(f"Resources.{function.logical_id}: {event.queue_arn} is no queue of this template")


def _parameters(declared: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    for name in given:
        if name not in declared:
            raise TemplateError(f"Parameters: the template has no parameter {name}")
    return {name: _parameter(name, details, given.get(name)) for name, details in declared.items()}


def _parameter(name: str, details: Mapping[str, Any], given: str | None) -> Any:
    value = details.get("Default") if given is None else given
    where = f"Parameters.{name}"
    if value is None:
        raise TemplateError(f"{where}: has no default and was not given")
    allowed = [str(item) for item in details.get("AllowedValues", [])]
    if allowed and str(value) not in allowed:
        raise TemplateError(f"{where}: {value} is none of {', '.join(allowed)}")
    kind = str(details.get("Type", "String"))
    if kind == "Number":
        return _number(str(value), where)
    if kind == "CommaDelimitedList" or kind.startswith("List<"):
        return [item.strip() for item in str(value).split(",")]
    return str(value)


def _number(text: str, where: str) -> int | float:
    try:
        return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)
    except ValueError as error:
        raise TemplateError(f"{where}: {text} is not a number") from error
