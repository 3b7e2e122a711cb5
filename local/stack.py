"""What a template describes, as the local cloud runs it: functions, what calls them, and what they use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from local.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer; `path` is the folder to import from, None where the packages come from the environment."""

    arn: str
    path: Path | None


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the HTTP API.

    Attributes
    ----------
    method
        Upper case, or ANY.
    path
        With `{name}` and `{name+}`; `$default` for whatever no other route takes.
    function
        Physical name.
    authorizer
        Name of the authorizer; None for an open route.
    timeout
        Seconds that the API waits for the function.
    """

    method: str
    path: str
    function: str
    authorizer: str | None = None
    timeout: float = 30
    throttle: "Throttle | None" = None

    @property
    def key(self) -> str:
        """The route as API Gateway writes it."""
        return self.path if self.path == "$default" else f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class QueueEvent:
    """A queue that calls a function.

    Attributes
    ----------
    window_seconds
        How long to gather messages for a batch.
    partial
        Whether the function reports which items failed.
    max_concurrency
        How many batches at once; None for as many as the function takes.
    """

    queue_arn: str
    batch_size: int = 10
    window_seconds: float = 0
    partial: bool = False
    max_concurrency: int | None = None


class Scheduler(StrEnum):
    """Which service fires a schedule; the events differ."""

    EVENTBRIDGE_RULE = "aws.events"
    EVENTBRIDGE_SCHEDULER = "aws.scheduler"


@dataclass(frozen=True, slots=True)
class ScheduleEvent:
    """A schedule that calls a function; `input` is the JSON to pass instead of the usual event."""

    name: str
    schedule: Schedule
    source: Scheduler = Scheduler.EVENTBRIDGE_RULE
    input: str | None = None


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """A function.

    Attributes
    ----------
    code
        The folder of its code.
    timeout
        Seconds.
    memory
        MB.
    reserved_concurrency
        How many invocations at once; None for the default, 0 for none.
    """

    logical_id: str
    name: str
    arn: str
    handler: str
    code: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 3
    memory: int = 128
    layers: tuple[Layer, ...] = ()
    reserved_concurrency: int | None = None
    log_format: str = "Text"
    routes: tuple[Route, ...] = ()
    queues: tuple[QueueEvent, ...] = ()
    schedules: tuple[ScheduleEvent, ...] = ()
    answers_http: bool = False


@dataclass(frozen=True, slots=True)
class Authorizer:
    """A Lambda authorizer (payload 2.0, simple responses).

    Attributes
    ----------
    headers, query
        The identity sources; a request that lacks one is refused without a call.
    ttl_seconds
        How long an answer holds for the same identity; 0 for no cache.
    """

    name: str
    function: str
    headers: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    ttl_seconds: float = 0


@dataclass(frozen=True, slots=True)
class Cors:
    """The CORS configuration of an HTTP API."""

    origins: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    expose: tuple[str, ...] = ()
    max_age: int | None = None
    credentials: bool = False


@dataclass(frozen=True, slots=True)
class Throttle:
    """A token bucket: `burst` tokens, `rate` new ones a second."""

    rate: float
    burst: float


@dataclass(frozen=True, slots=True)
class HttpApi:
    """The HTTP API with all its routes."""

    logical_id: str
    routes: tuple[Route, ...] = ()
    authorizers: Mapping[str, Authorizer] = field(default_factory=dict)
    cors: Cors | None = None


@dataclass(frozen=True, slots=True)
class Resource:
    """A table, bucket or queue: physical name and resolved properties, the name among them."""

    logical_id: str
    name: str
    arn: str
    properties: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StateMachine:
    """A state machine; `definition` is its ASL text with all substitutions made."""

    logical_id: str
    name: str
    arn: str
    definition: str
