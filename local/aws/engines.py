"""moto's engines for DynamoDB, SQS and Step Functions, made durable and atomic by what stands around them.

moto's WSGI application is not a public interface: its version is pinned, and this is the one module that knows it.
"""

import io
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from local.aws.journal import Execution, Journal
from local.aws.server import Answer
from local.aws.signatures import Credentials, Refused, SignedRequest

RUNNING = "RUNNING"
WATCH_SECONDS = 0.5
MESSAGE = ("MessageBody", "MessageAttributes", "MessageGroupId", "MessageDeduplicationId")
"""What a message is sent with again."""
FORGETFUL = {"ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"}
"""DynamoDB's operations whose writes cannot be told from the request, so they would be lost at the next start."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EngineAnswer:
    """What an engine answered."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The body's JSON."""
        return dict(json.loads(self.body or b"{}"))

    def as_http(self) -> Answer:
        """The answer for the server."""
        dropped = {"content-length", "connection", "date", "server", "transfer-encoding"}
        return Answer(self.status, {n: v for n, v in self.headers if n.lower() not in dropped}, [self.body])


class Engines:
    """The engines of one local cloud."""

    def __init__(
        self,
        journal: Journal,
        credentials: Credentials,
        clients: Callable[[str], Any],
    ) -> None:
        self._journal = journal
        self._credentials = credentials
        self._application = _application(clients)
        self._items = threading.RLock()
        self._starting = threading.Lock()
        self._receipts: dict[str, str] = {}
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="executions", daemon=True)
        self._after: Mapping[str, Callable[[Mapping[str, Any], EngineAnswer], None]] = {
            "SendMessage": self._after_send,
            "SendMessageBatch": self._after_send_batch,
            "ReceiveMessage": self._after_receive,
            "DeleteMessage": self._after_delete,
            "DeleteMessageBatch": self._after_delete_batch,
            "PurgeQueue": self._after_purge,
            "DeleteQueue": self._after_purge,
            "StopExecution": self._after_stop,
        }

    def start(self) -> None:
        """Begin to watch for executions that end."""
        self._watcher.start()

    def stop(self) -> None:
        """Stop watching, after a last look."""
        self._stopping.set()
        if self._watcher.is_alive():
            self._watcher.join(timeout=5)
        self.note_ended()

    def call(self, request: SignedRequest, body: bytes) -> EngineAnswer:
        """Pass a request on; what it changed is on disk before the answer is given."""
        service, _, operation = request.headers.get("x-amz-target", "").partition(".")
        if not operation or operation in FORGETFUL:
            raise Refused("UnknownOperationException", "The local cloud does not offer this operation.", 501)
        if service.startswith("DynamoDB"):
            return self._call_items(operation, request, body)
        if operation == "StartExecution":
            with self._starting:
                return self._start_execution(request, body)
        answer = self._pass_on(request, body)
        after = self._after.get(operation)
        if after and answer.status == 200:
            after(json.loads(body), answer)
        return answer

    def restore_table(self, name: str) -> None:
        """Fill a table that was just created with the items it had."""
        table = self._tables.tables[name]
        with self._items:
            for item in self._journal.items(name):
                table.put_item(item)

    def resend(self, queue_url: str, send: Callable[..., Any]) -> None:
        """Put the messages back that a queue held; each gets a new id, and loses the old one in the same step."""
        for identifier, request in self._journal.messages(_queue_name(queue_url)):
            send(**{**request, "QueueUrl": queue_url})
            self._journal.delete_messages([identifier])

    def restart(self, start: Callable[..., Any]) -> int:
        """Start the executions again that had not ended; gives how many. Those without a machine have ended."""
        machines = {machine.arn for machine in self._machines}
        unfinished = self._journal.open_executions()
        orphans = [execution.arn for execution in unfinished if execution.machine not in machines]
        if orphans:
            log.warning("%d executions are of state machines that are no more; they have ended", len(orphans))
            self._journal.end_executions(orphans)
        kept = [execution for execution in unfinished if execution.machine in machines]
        for execution in kept:
            start(stateMachineArn=execution.machine, name=execution.name, input=execution.input)
        return len(kept)

    def note_ended(self) -> None:
        """Look which of the open executions have ended, and keep that."""
        unfinished = self._journal.open_executions()
        if not unfinished:
            return
        ended = {e.exec_arn for machine in self._machines for e in list(machine.executions) if not _is_running(e)}
        self._journal.end_executions([execution.arn for execution in unfinished if execution.arn in ended])

    @property
    def _tables(self) -> Any:
        from moto.dynamodb.models import dynamodb_backends

        return dynamodb_backends[self._credentials.account][self._credentials.region]

    @property
    def _machines(self) -> list[Any]:
        # of the engine that executes: moto has another one that only keeps machines
        from moto.stepfunctions.parser.models import stepfunctions_parser_backends

        return list(stepfunctions_parser_backends[self._credentials.account][self._credentials.region].state_machines)

    def _call_items(self, operation: str, request: SignedRequest, body: bytes) -> EngineAnswer:
        with self._items:  # moto's check and write are not one step
            answer = self._pass_on(request, body)
            if answer.status == 200:
                document = json.loads(body or b"{}")
                self._journal.put_items(self._touched(operation, document))
                if operation == "DeleteTable":
                    self._journal.delete_items(document["TableName"])
            return answer

    def _pass_on(self, request: SignedRequest, body: bytes) -> EngineAnswer:
        environ = _environ(request, body)
        heard: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], _info: Any = None) -> None:
            heard.append((status, headers))

        content = b"".join(self._application(environ, start_response))
        status, headers = heard[-1]
        return EngineAnswer(int(status.split(" ", 1)[0]), headers, content)

    def _touched(
        self, operation: str, request: Mapping[str, Any]
    ) -> Iterable[tuple[str, Mapping[str, Any], Mapping[str, Any] | None]]:
        """The items that a request may have changed, as they are now."""
        for table, key_or_item in _written(operation, request):
            backend = self._tables
            attributes = backend.tables[table].table_key_attrs
            key = {name: key_or_item[name] for name in attributes}
            found = backend.get_item(table, key)
            yield table, key, found.to_json()["Attributes"] if found else None

    def _start_execution(self, request: SignedRequest, body: bytes) -> EngineAnswer:
        """Start an execution once per name, as AWS does, restarts of this cloud included."""
        document = json.loads(body)
        machine, name = document["stateMachineArn"], document.get("name")
        known = self._journal.execution(machine, name) if name else None
        if known and known.ended is not None:
            return _error(400, "ExecutionAlreadyExists", f"Execution Already Exists: '{known.arn}'")
        answer = self._pass_on(request, body)
        if answer.status == 200:
            arn = answer.document["executionArn"]
            text = document.get("input", "{}")
            self._journal.put_execution(Execution(arn, machine, arn.rsplit(":", 1)[1], text, time.time()))
        return answer

    def _after_send(self, request: Mapping[str, Any], answer: EngineAnswer) -> None:
        kept = {name: request[name] for name in MESSAGE if name in request}
        self._journal.put_message(answer.document["MessageId"], _queue_name(request["QueueUrl"]), kept)

    def _after_send_batch(self, request: Mapping[str, Any], answer: EngineAnswer) -> None:
        entries = {entry["Id"]: entry for entry in request["Entries"]}
        for sent in answer.document.get("Successful", ()):
            entry = entries[sent["Id"]]
            kept = {name: entry[name] for name in MESSAGE if name in entry}
            self._journal.put_message(sent["MessageId"], _queue_name(request["QueueUrl"]), kept)

    def _after_receive(self, request: Mapping[str, Any], answer: EngineAnswer) -> None:
        messages = answer.document.get("Messages", ())
        for message in messages:
            self._receipts[message["ReceiptHandle"]] = message["MessageId"]
        self._journal.move_messages((m["MessageId"] for m in messages), _queue_name(request["QueueUrl"]))

    def _after_delete(self, request: Mapping[str, Any], _answer: EngineAnswer) -> None:
        self._forget([request["ReceiptHandle"]])

    def _after_delete_batch(self, request: Mapping[str, Any], answer: EngineAnswer) -> None:
        deleted = {entry["Id"] for entry in answer.document.get("Successful", ())}
        self._forget(entry["ReceiptHandle"] for entry in request["Entries"] if entry["Id"] in deleted)

    def _after_purge(self, request: Mapping[str, Any], _answer: EngineAnswer) -> None:
        queue = _queue_name(request["QueueUrl"])
        self._journal.delete_messages(identifier for identifier, _ in self._journal.messages(queue))

    def _after_stop(self, request: Mapping[str, Any], _answer: EngineAnswer) -> None:
        self._journal.end_executions([request["executionArn"]])

    def _forget(self, receipts: Iterable[str]) -> None:
        identifiers = (self._receipts.pop(receipt, None) for receipt in receipts)
        self._journal.delete_messages([i for i in identifiers if i])

    def _watch(self) -> None:
        while not self._stopping.wait(WATCH_SECONDS):
            self.note_ended()


def _application(clients: Callable[[str], Any]) -> Any:
    """Moto's WSGI application, its workflows calling other services through `clients`."""
    os.environ["MOTO_DISABLE_GLOBAL_CORS"] = "true"
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    from moto.core.config import default_user_config
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    application = DomainDispatcherApplication(create_backend_app)
    import moto.stepfunctions.parser.models  # noqa: F401  loads the modules that the next lines reach into

    def client_for(region: str, service: str, state_credentials: Any = None) -> Any:  # noqa: ARG001
        return clients(service)

    for name, module in list(sys.modules.items()):
        if name.startswith("moto.stepfunctions.parser") and hasattr(module, "boto_client_for"):
            module.boto_client_for = client_for  # type: ignore[attr-defined]
    return application


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


def _written(operation: str, request: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Tables and keys (or whole items) that a DynamoDB request writes."""
    if operation == "PutItem":
        yield request["TableName"], request["Item"]
    elif operation in {"UpdateItem", "DeleteItem"}:
        yield request["TableName"], request["Key"]
    elif operation == "BatchWriteItem":
        for table, entries in request["RequestItems"].items():
            for entry in entries:
                yield table, entry["PutRequest"]["Item"] if "PutRequest" in entry else entry["DeleteRequest"]["Key"]
    elif operation == "TransactWriteItems":
        for entry in request["TransactItems"]:
            for kind, action in entry.items():
                if kind != "ConditionCheck":
                    yield action["TableName"], action["Item"] if kind == "Put" else action["Key"]


def _queue_name(url: str) -> str:
    return url.rsplit("/", 1)[1]


def _is_running(execution: Any) -> bool:
    return execution.exec_status is None or execution.exec_status.value == RUNNING


def _error(status: int, kind: str, message: str) -> EngineAnswer:
    body = json.dumps({"__type": kind, "message": message}).encode()
    return EngineAnswer(status, [("Content-Type", "application/x-amz-json-1.0"), ("x-amzn-errortype", kind)], body)
