"""Reads the template's stanzas of functions: code, environment, layers, and the events that call them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from local.intrinsics import Resolver, TemplateError
from local.resources import Names
from local.schedule import parse_schedule
from local.stack import FunctionSpec, Layer, QueueEvent, Route, ScheduleEvent, Scheduler, Throttle

ANY_METHODS = frozenset({"ANY", "*", "X-AMAZON-APIGATEWAY-ANY-METHOD"})
OPEN = "NONE"
MAX_ROUTE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Stanza:
    """A resource's properties, read piece by piece; what nobody asks for is not resolved."""

    logical_id: str
    properties: Mapping[str, Any]
    resolver: Resolver

    @property
    def where(self) -> str:
        """Its place in the template, for errors."""
        return f"Resources.{self.logical_id}.Properties"

    def get(self, key: str, default: Any = None) -> Any:
        """A property without intrinsic functions."""
        value = self.resolver.resolve({key: self.properties.get(key)}, self.where).get(key)
        return default if value is None else value

    def require(self, key: str) -> Any:
        """A property that must be there."""
        value = self.get(key)
        if value is None:
            raise TemplateError(f"{self.where}: {key} is missing")
        return value

    def refuse(self, *keys: str, why: str) -> None:
        """Stop at properties that would not work here."""
        for key in keys:
            if self.properties.get(key) is not None:
                raise TemplateError(f"{self.where}.{key}: {why}")

    def folder(self, key: str, root: Path) -> Path:
        """A local folder or file that a property names."""
        value = self.require(key)
        if not isinstance(value, str) or value.startswith("s3://"):
            raise TemplateError(f"{self.where}.{key}: only a path beside the template can run here")
        path = (root / value).resolve()
        if not path.exists():
            raise TemplateError(f"{self.where}.{key}: {path} does not exist")
        return path


def read_function(
    stanza: Stanza, names: Names, root: Path, layers: Mapping[str, Layer], default_authorizer: str | None
) -> FunctionSpec:
    """Read a function with its events.

    Raises
    ------
    TemplateError
        When it, or one of its events, cannot run here.
    """
    stanza.refuse("InlineCode", "ImageUri", why="only a CodeUri can run here")
    runtime = str(stanza.require("Runtime"))
    if not runtime.startswith("python3."):
        raise TemplateError(f"{stanza.where}.Runtime: {runtime} cannot run here, only Python")
    name = names.name(stanza.logical_id)
    variables = stanza.get("Environment", {}).get("Variables", {})
    reserved = stanza.get("ReservedConcurrentExecutions")
    events = _Events(stanza, name, default_authorizer)
    events.read()
    return FunctionSpec(
        logical_id=stanza.logical_id,
        name=name,
        arn=names.arn(stanza.logical_id),
        handler=str(stanza.require("Handler")),
        code=stanza.folder("CodeUri", root),
        environment={key: _variable(value) for key, value in variables.items()},
        timeout=float(stanza.get("Timeout", 3)),
        memory=int(stanza.get("MemorySize", 128)),
        layers=tuple(layers.get(str(arn), Layer(str(arn), None)) for arn in stanza.get("Layers", [])),
        reserved_concurrency=None if reserved is None else int(reserved),
        log_format=str(stanza.get("LoggingConfig", {}).get("LogFormat", "Text")),
        routes=tuple(events.routes),
        queues=tuple(events.queues),
        schedules=tuple(events.schedules),
        answers_http=bool(events.routes),
    )


def read_throttle(settings: Mapping[str, Any]) -> Throttle | None:
    """Read ThrottlingRateLimit and ThrottlingBurstLimit; one alone stands for both."""
    limits = [settings.get("ThrottlingRateLimit"), settings.get("ThrottlingBurstLimit")]
    given = [float(limit) for limit in limits if limit is not None]
    return Throttle(given[0], given[-1]) if given else None


class _Events:
    """The events of one function."""

    def __init__(self, stanza: Stanza, function: str, default_authorizer: str | None) -> None:
        self._stanza = stanza
        self._function = function
        self._default_authorizer = default_authorizer
        self.routes: list[Route] = []
        self.queues: list[QueueEvent] = []
        self.schedules: list[ScheduleEvent] = []

    def read(self) -> None:
        readers: Mapping[str, Callable[[str, str, Mapping[str, Any]], None]] = MappingProxyType(
            {
                "HttpApi": self._read_route,
                "SQS": self._read_queue,
                "Schedule": self._read_rule,
                "ScheduleV2": self._read_schedule,
            }
        )
        for name, event in self._stanza.properties.get("Events", {}).items():
            where = f"{self._stanza.where}.Events.{name}"
            reader = readers.get(event.get("Type"))
            if reader is None:
                raise TemplateError(f"{where}: an event of type {event.get('Type')} cannot run here")
            properties = self._stanza.resolver.resolve(event.get("Properties", {}), where)
            if str(properties.get("Enabled", True)).lower() == "false" or properties.get("State") == "DISABLED":
                continue
            reader(name, where, properties)

    def _read_route(self, _name: str, where: str, properties: Mapping[str, Any]) -> None:
        if str(properties.get("PayloadFormatVersion", "2.0")) != "2.0":
            raise TemplateError(f"{where}: only payload format 2.0 can run here")
        path, method = str(properties.get("Path", "$default")), str(properties.get("Method", "ANY")).upper()
        method = "ANY" if method in ANY_METHODS or path == "$default" else method
        # as in SAM, a default authorizer spares OPTIONS
        default = None if method == "OPTIONS" else self._default_authorizer
        authorizer = properties.get("Auth", {}).get("Authorizer", default)
        self.routes.append(
            Route(
                method,
                path,
                self._function,
                None if authorizer == OPEN else authorizer,
                min(float(properties.get("TimeoutInMillis", MAX_ROUTE_SECONDS * 1000)) / 1000, MAX_ROUTE_SECONDS),
                read_throttle(properties.get("RouteSettings", {})),
            )
        )

    def _read_queue(self, _name: str, where: str, properties: Mapping[str, Any]) -> None:
        if "FilterCriteria" in properties:
            raise TemplateError(f"{where}.FilterCriteria: filters cannot run here")
        concurrency = properties.get("ScalingConfig", {}).get("MaximumConcurrency")
        self.queues.append(
            QueueEvent(
                queue_arn=str(properties["Queue"]) if "Queue" in properties else _missing(where, "Queue"),
                batch_size=int(properties.get("BatchSize", 10)),
                window_seconds=float(properties.get("MaximumBatchingWindowInSeconds", 0)),
                partial="ReportBatchItemFailures" in properties.get("FunctionResponseTypes", []),
                max_concurrency=None if concurrency is None else int(concurrency),
            )
        )

    def _read_rule(self, name: str, where: str, properties: Mapping[str, Any]) -> None:
        expression = str(properties.get("Schedule") or _missing(where, "Schedule"))
        self._add_schedule(name, where, expression, Scheduler.EVENTBRIDGE_RULE, properties)

    def _read_schedule(self, name: str, where: str, properties: Mapping[str, Any]) -> None:
        if properties.get("ScheduleExpressionTimezone", "UTC") != "UTC":
            raise TemplateError(f"{where}.ScheduleExpressionTimezone: schedules run in UTC here")
        expression = str(properties.get("ScheduleExpression") or _missing(where, "ScheduleExpression"))
        self._add_schedule(name, where, expression, Scheduler.EVENTBRIDGE_SCHEDULER, properties)

    def _add_schedule(
        self, name: str, where: str, expression: str, source: Scheduler, properties: Mapping[str, Any]
    ) -> None:
        given = properties.get("Input")
        text = given if given is None or isinstance(given, str) else json.dumps(given)
        try:
            schedule = parse_schedule(expression)
        except ValueError as error:
            raise TemplateError(f"{where}: schedule '{expression}': {error}") from error
        self.schedules.append(
            ScheduleEvent(properties.get("Name", f"{self._stanza.logical_id}{name}"), schedule, source, text)
        )


def _missing(where: str, key: str) -> str:
    raise TemplateError(f"{where}: {key} is missing")


def _variable(value: Any) -> str:
    """A value as the environment holds it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
