"""moto's WSGI application and what it keeps in memory.

Neither is a public interface: moto's version is pinned, and this is the one module that reaches into it.
"""

import copy
import io
import json
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.aws.server import Answer
from local.aws.signatures import ALGORITHM, Credentials, SignedRequest

JSON = "application/x-amz-json-1.0"
RUNNING = "RUNNING"
_HOP_BY_HOP = {"content-length", "connection", "date", "server", "transfer-encoding"}


@dataclass(frozen=True, slots=True)
class EngineAnswer:
    """What an engine answered."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "EngineAnswer":
        """A good answer."""
        return cls(200, [("Content-Type", JSON)], json.dumps(document).encode())

    @classmethod
    def error(cls, kind: str, message: str) -> "EngineAnswer":
        """A refusal as AWS words it."""
        body = json.dumps({"__type": kind, "message": message}).encode()
        return cls(400, [("Content-Type", JSON), ("x-amzn-errortype", kind)], body)

    @property
    def document(self) -> dict[str, Any]:
        """The body's JSON."""
        return dict(json.loads(self.body or b"{}"))

    def as_http(self) -> Answer:
        """The answer for the server."""
        return Answer(self.status, {n: v for n, v in self.headers if n.lower() not in _HOP_BY_HOP}, [self.body])


class MotoEngine:
    """moto's engines of one account and region.

    Parameters
    ----------
    clients
        Gives the client of a service that a workflow's task calls.
    """

    def __init__(self, credentials: Credentials, clients: Callable[[str], Any]) -> None:
        self._account = credentials.account
        self._region = credentials.region
        self._access_key = credentials.access_key
        self._application = _application(clients)

    def call(self, request: SignedRequest, body: bytes) -> EngineAnswer:
        """Pass a request on."""
        environ = _environ(request, body)
        heard: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], _info: Any = None) -> None:
            heard.append((status, headers))

        content = b"".join(self._application(environ, start_response))
        status, headers = heard[-1]
        return EngineAnswer(int(status.split(" ", 1)[0]), headers, content)

    def ask(self, service: str, target: str, document: Mapping[str, Any]) -> EngineAnswer:
        """Make a request of one's own; moto looks for account and region in what would be its signature."""
        day = time.strftime("%Y%m%d", time.gmtime())
        scope = f"{self._access_key}/{day}/{self._region}/{service}/aws4_request"
        headers = {
            "host": "localhost",
            "content-type": JSON,
            "x-amz-target": target,
            "authorization": f"{ALGORITHM} Credential={scope}, SignedHeaders=host, Signature=0",
        }
        return self.call(SignedRequest("POST", "/", "", headers), json.dumps(document).encode())

    def table(self, name: str) -> "Table | None":
        """A table, or None when there is none."""
        found = self._dynamodb.tables.get(name)
        return Table(found) if found is not None else None

    def keep_table(self, name: str) -> Callable[[], None]:
        """What puts a table back that is about to be deleted."""
        tables = self._dynamodb.tables
        found = tables.get(name)

        def put_back() -> None:
            if found is not None:
                tables[name] = found

        return put_back

    def queue(self, name: str) -> "Queue | None":
        """A queue, or None when there is none."""
        from moto.sqs.models import sqs_backends

        found = sqs_backends[self._account][self._region].queues.get(name)
        return Queue(found) if found is not None else None

    def machines(self) -> Iterable["Machine"]:
        """The state machines."""
        # of the engine that executes: moto has another one that only keeps machines
        from moto.stepfunctions.parser.models import stepfunctions_parser_backends

        return [Machine(m) for m in stepfunctions_parser_backends[self._account][self._region].state_machines]

    @property
    def _dynamodb(self) -> Any:
        from moto.dynamodb.models import dynamodb_backends

        return dynamodb_backends[self._account][self._region]


class Table:
    """A table in memory."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def key_of(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """The part of an item (or key) that names it."""
        return {name: item[name] for name in self._table.table_key_attrs}

    def get(self, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """An item's attributes, or None when there is none."""
        found = self._table.get_item(*self._typed(key))
        return dict(found.to_json()["Attributes"]) if found else None

    def put(self, key: Mapping[str, Any], item: Mapping[str, Any] | None) -> None:
        """Put an item, or remove it; without conditions."""
        if item is None:
            self._table.delete_item(*self._typed(key))
        else:
            self._table.put_item(dict(item), overwrite=True)

    def tally(self, where: str, by: Sequence[str]) -> Counter[tuple[str, ...]]:
        """Number of items that have an attribute, by the values of others."""
        items = (item.attrs for ranged in list(self._table.items.values()) for item in list(ranged.values()))
        return Counter(
            tuple(str(item[name].value) if name in item else "" for name in by) for item in items if where in item
        )

    def _typed(self, key: Mapping[str, Any]) -> tuple[Any, Any]:
        from moto.dynamodb.models.dynamo_type import DynamoType

        table = self._table
        ranged = DynamoType(key[table.range_key_attr]) if table.has_range_key else None
        return DynamoType(key[table.hash_key_attr]), ranged


class Queue:
    """A queue in memory."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue

    @property
    def wait_seconds(self) -> int:
        """How long a call waits for messages that does not say so itself."""
        return int(self._queue.receive_message_wait_time_seconds)

    def sent_at(self) -> list[float]:
        """When each message that is not deleted was sent, in seconds since the epoch."""
        return [message.sent_timestamp / 1000 for message in list(self._queue._messages)]  # noqa: SLF001

    def wait(self, seconds: float) -> None:
        """Wait for a message, but not longer than this."""
        self._queue.wait_for_messages(seconds)

    def identifier(self, receipt: str) -> str | None:
        """Which message a receipt is of."""
        found = (m.id for m in self._queue._messages if m.had_receipt_handle(receipt))  # noqa: SLF001
        return next(found, None)

    def rename(self, identifier: str, other: str) -> None:
        """Give a message another id."""
        for message in self._queue._messages:  # noqa: SLF001
            if message.id == identifier:
                message.id = other

    def take_out(self, identifiers: Iterable[str]) -> None:
        """Remove messages as if they had never been sent."""
        gone = set(identifiers)
        self._queue._messages = [m for m in self._queue._messages if m.id not in gone]  # noqa: SLF001


class Machine:
    """A state machine in memory."""

    def __init__(self, machine: Any) -> None:
        self._machine = machine
        self.arn = str(machine.arn)

    def ended(self) -> Iterable[tuple[str, str, float]]:
        """ARN, status and end (seconds since the epoch) of the executions that have ended."""
        for execution in list(self._machine.executions):
            status = execution.exec_status
            if status is not None and status.value != RUNNING and execution.stop_date is not None:
                yield execution.exec_arn, status.value, execution.stop_date.timestamp()

    def drop(self, arns: Iterable[str]) -> None:
        """Forget executions."""
        gone = set(arns)
        self._machine.executions[:] = [e for e in self._machine.executions if e.exec_arn not in gone]


def _application(clients: Callable[[str], Any]) -> Any:
    """Moto's WSGI application, its workflows calling other services through `clients`."""
    os.environ["MOTO_DISABLE_GLOBAL_CORS"] = "true"
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    from moto.core.config import default_user_config
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    application = DomainDispatcherApplication(create_backend_app)
    import moto.dynamodb.models
    import moto.stepfunctions.parser.models  # loads the modules that the next lines reach into

    def client_for(region: str, service: str, state_credentials: Any = None) -> Any:  # noqa: ARG001
        return clients(service)

    moto.dynamodb.models.copy = _TablesStay
    for name, module in list(sys.modules.items()):
        if name.startswith("moto.stepfunctions.parser") and hasattr(module, "boto_client_for"):
            module.boto_client_for = client_for  # type: ignore[attr-defined]
    return application


class _TablesStay:
    """`copy`, as moto's DynamoDB uses it: of items, and of the whole tables of every transaction, should it fail.

    The latter takes longer with each item in them; here it is not done, and whoever asks takes a failed transaction
    back.
    """

    @staticmethod
    def deepcopy(value: Any) -> Any:
        from moto.dynamodb.models.table import Table as MotoTable

        return value if isinstance(value, MotoTable) else copy.deepcopy(value)


def _environ(request: SignedRequest, body: bytes) -> dict[str, Any]:
    """A request in WSGI's form."""
    host, _, port = request.headers.get("host", "localhost").partition(":")
    headers = {name: value for name, value in request.headers.items() if name != "transfer-encoding"}
    return {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": request.path,
        "QUERY_STRING": request.query,
        "REQUEST_URI": f"{request.path}?{request.query}" if request.query else request.path,
        "SERVER_NAME": host,
        "SERVER_PORT": port or "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": headers.pop("content-type", ""),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **{f"HTTP_{name.replace('-', '_').upper()}": value for name, value in headers.items()},
        "CONTENT_LENGTH": str(len(body)),
    }
