"""The one HTTP server of the local cloud's AWS services."""

import errno
import fcntl
import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import IO, Any, BinaryIO

import boto3
from botocore.config import Config

from local.aws.database import is_full
from local.aws.engines import Engines
from local.aws.invocations import Invoker, LambdaClient, answer_invoke, no_functions
from local.aws.journal import Journal
from local.aws.object_calls import error_answer
from local.aws.object_http import ObjectService
from local.aws.objects import ObjectStore
from local.aws.server import Answer, HttpServer
from local.aws.signatures import UNSIGNED, Credentials, Refused, SignedRequest, service_of, verify
from local.gauges import Depth
from local.invocation import InvokeResult

__all__ = ["AddressInUse", "AwsEndpoint", "Credentials", "InvokeResult", "Invoker", "StateInUse"]

HOST = "127.0.0.1"
MAX_ENGINE_BODY = 8_000_000

TABLE_PROPERTIES = (
    *("TableName", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "LocalSecondaryIndexes"),
    *("BillingMode", "ProvisionedThroughput"),
)
QUEUE_PROPERTIES = (
    *("VisibilityTimeout", "MessageRetentionPeriod", "DelaySeconds", "ReceiveMessageWaitTimeSeconds"),
    *("MaximumMessageSize", "FifoQueue", "ContentBasedDeduplication"),
)


class AddressInUse(Exception):
    """Another program has the port."""


class StateInUse(Exception):
    """Another local cloud has the folder."""


class AwsEndpoint:
    """S3, DynamoDB, SQS, Step Functions and Lambda's Invoke at one address, durable below one folder.

    Every request must be signed with the credentials.

    Parameters
    ----------
    port
        0 takes a free one.
    invoke
        Calls a function.
    before_engines
        Called before each request to DynamoDB, SQS or Step Functions is answered.
    host
        The address to listen on.
    """

    def __init__(
        self,
        state: Path,
        credentials: Credentials,
        port: int = 0,
        invoke: Invoker | None = None,
        before_engines: Callable[[], None] = lambda: None,
        host: str = HOST,
    ) -> None:
        self._state = state
        self._credentials = credentials
        self._port = port
        self._host = host
        self._invoke = invoke or no_functions
        self._before_engines = before_engines
        self._queues: list[str] = []
        self._undo = ExitStack()

    @property
    def url(self) -> str:
        """The address; known once started, or when a port was given."""
        return f"http://{self._host}:{self._port}"

    def start(self) -> None:
        """Take the folder and the port, restore what was there, and serve.

        Raises
        ------
        StateInUse
            Naming the process that has the folder.
        AddressInUse
            Naming the port.
        OSError, sqlite3.Error
            When the folder cannot be read or written, as on a full disk. Nothing is left open.
        """
        try:
            self._start()
        except BaseException:
            self._undo.close()
            raise

    def stop(self) -> None:
        """Stop serving; what was acknowledged is on disk."""
        self._undo.close()

    def _start(self) -> None:
        self._state.mkdir(parents=True, exist_ok=True)
        self._undo.enter_context(_lock(self._state / "lock"))
        self._server = _listen(self._host, self._port, self._answer)
        self._undo.callback(self._server.close)
        self._port = self._server.port
        self._store = ObjectStore(self._state)
        self._undo.callback(self._store.close)
        self._objects = ObjectService(self._store)
        self._journal = Journal(self._state / "journal.sqlite")
        self._undo.callback(self._journal.close)
        os.environ["MOTO_PORT"] = str(self._port)
        self._engines = Engines(self._journal, self._credentials, cache(self._client_of_workflows))
        self._server.start()
        self._engines.start()
        self._undo.callback(self._engines.stop)
        self._undo.callback(self._server.stop)

    def client(self, service: str) -> Any:
        """A boto3 client of this endpoint; ambient AWS settings do not count."""
        config = Config(
            signature_version="s3v4" if service == "s3" else "v4",
            retries={"mode": "standard", "max_attempts": 2},
            max_pool_connections=50,
            read_timeout=900,
        )
        session: Any = boto3.session.Session()
        return session.client(
            service,
            endpoint_url=self.url,
            region_name=self._credentials.region,
            aws_access_key_id=self._credentials.access_key,
            aws_secret_access_key=self._credentials.secret_key,
            config=config,
        )

    def create_table(self, properties: Mapping[str, Any]) -> None:
        """Create a table from its CloudFormation properties, with the items it had."""
        client = self.client("dynamodb")
        try:
            client.create_table(**{name: properties[name] for name in TABLE_PROPERTIES if name in properties})
        except client.exceptions.ResourceInUseException:
            return
        self._engines.items.restore(properties["TableName"])

    def create_bucket(self, name: str) -> None:
        """Create a bucket; one that is there keeps its objects."""
        self._store.create_bucket(name)

    def create_queue(self, properties: Mapping[str, Any]) -> str:
        """Create a queue from its CloudFormation properties; gives its URL."""
        attributes = {name: _attribute(properties[name]) for name in QUEUE_PROPERTIES if name in properties}
        if "RedrivePolicy" in properties:
            attributes["RedrivePolicy"] = json.dumps(properties["RedrivePolicy"])
        url = str(self.client("sqs").create_queue(QueueName=properties["QueueName"], Attributes=attributes)["QueueUrl"])
        self._queues.append(url)
        return url

    def depths(self) -> Mapping[str, Depth]:
        """How deep each queue is, by its name."""
        names = [url.rsplit("/", 1)[-1] for url in self._queues]
        return {name: self._engines.messages.depth(name) for name in names}

    def tally(self, table: str, where: str, by: Sequence[str]) -> Mapping[tuple[str, ...], int]:
        """Number of a table's items that have an attribute, by the values of others."""
        return self._engines.items.tally(table, where, by)

    def create_state_machine(self, name: str, definition: str) -> str:
        """Create a state machine; gives its ARN."""
        role = f"arn:aws:iam::{self._credentials.account}:role/local"
        made = self.client("stepfunctions").create_state_machine(name=name, definition=definition, roleArn=role)
        return str(made["stateMachineArn"])

    def resume(self) -> int:
        """Put messages back and start unfinished executions again; gives how many executions."""
        for url in self._queues:
            self._engines.messages.restore(url)
        return self._engines.executions.restart()

    def _answer(self, request: SignedRequest, body: BinaryIO) -> Answer:
        service = service_of(request)
        try:
            return self._dispatch(service, request, body)
        except Refused as refusal:
            return _refusal(service, refusal)
        except (OSError, sqlite3.Error) as error:
            if is_full(error, self._state):
                full = Refused("InsufficientStorage", "The disk is full; nothing was stored.", 507)
                return _refusal(service, full)
            raise

    def _dispatch(self, service: str | None, request: SignedRequest, body: BinaryIO) -> Answer:
        if service is None:
            raise Refused("AccessDenied", "Access Denied")
        moment = datetime.now(UTC)
        if service == "s3":
            payload = request.headers.get("x-amz-content-sha256", UNSIGNED)
            verify(request, self._credentials, payload, moment)
            return self._objects.answer(request, body)
        content = body.read(MAX_ENGINE_BODY + 1)
        if len(content) > MAX_ENGINE_BODY:
            raise Refused("RequestEntityTooLarge", "The request is too large.", 413)
        verify(request, self._credentials, hashlib.sha256(content).hexdigest(), moment)
        if service == "lambda":
            return answer_invoke(request, content, self._invoke)
        if service not in {"dynamodb", "sqs", "states"}:
            raise Refused("UnknownService", f"The local cloud does not offer {service}.", 501)
        if request.path != "/":
            raise Refused("UnknownOperation", f"Nothing of {service} is at this address.", 404)
        self._before_engines()
        return self._engines.call(request, content).as_http()

    def _client_of_workflows(self, service: str) -> Any:
        """What a workflow's task calls: Lambda in this process, the rest over the endpoint."""
        return LambdaClient(self._invoke) if service == "lambda" else self.client(service)


def _listen(host: str, port: int, application: Any) -> HttpServer:
    try:
        return HttpServer(host, port, application)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise AddressInUse(f"Port {port} of {host} is taken by another program.") from error


def _lock(path: Path) -> IO[str]:
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        owner = file.read().strip() or "unknown"
        file.close()
        raise StateInUse(f"{path.parent} is in use by the local cloud of process {owner}.") from None
    try:
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
    except OSError:
        with suppress(OSError):  # it cannot be flushed now either
            file.close()
        raise
    return file


def _refusal(service: str | None, refusal: Refused) -> Answer:
    """A refusal as the service's clients understand it: XML from S3, JSON from the others."""
    if service in {None, "s3"}:
        return error_answer(refusal.code, refusal.status, refusal.message)
    body = json.dumps({"__type": refusal.code, "message": refusal.message}).encode()
    headers = {"content-type": "application/x-amz-json-1.0", "x-amzn-errortype": refusal.code}
    return Answer(refusal.status, headers, [body])


def _attribute(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
