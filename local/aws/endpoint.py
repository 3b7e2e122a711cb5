"""The one HTTP server of the local cloud's AWS services."""

import fcntl
import hashlib
import json
import os
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import unquote

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from werkzeug.serving import WSGIRequestHandler, make_server

from local.aws.engines import EngineAnswer, Engines
from local.aws.journal import Journal
from local.aws.object_http import Answer, ObjectService, error_answer
from local.aws.objects import ObjectStore
from local.aws.signatures import UNSIGNED, Credentials, Refused, SignedRequest, service_of, verify
from local.invocation import InvokeError, InvokeResult

__all__ = ["AddressInUse", "AwsEndpoint", "Credentials", "InvokeResult", "Invoker", "StateInUse"]

HOST = "127.0.0.1"
MAX_ENGINE_BODY = 8_000_000
DRAINED_BYTES = 10_000_000
INVOKE_PATH = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")

REFUSALS: dict[str, int] = {InvokeError.THROTTLED: 429, InvokeError.TOO_LARGE: 413, InvokeError.UNKNOWN_FUNCTION: 404}
"""Errors of the platform's, which Lambda answers with a status, and not as a function's failure."""

Invoker = Callable[[str, bytes], InvokeResult]


class AddressInUse(Exception):
    """Another program has the port."""


class StateInUse(Exception):
    """Another local cloud has the folder."""


class _Body(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


class AwsEndpoint:
    """S3, DynamoDB, SQS, Step Functions and Lambda's Invoke at one address, durable below one folder.

    Every request must be signed with the credentials. `port` 0 takes a free one.
    """

    def __init__(self, state: Path, credentials: Credentials, port: int = 0, invoke: Invoker | None = None) -> None:
        self._state = state
        self._credentials = credentials
        self._port = port
        self._invoke = invoke
        self._queues: list[str] = []
        self._server: Any = None
        self._lock_file: IO[str] | None = None

    @property
    def url(self) -> str:
        """The address; known once started."""
        return f"http://{HOST}:{self._server.server_port}"

    def start(self) -> None:
        """Take the folder and the port, restore what was there, and serve.

        Raises
        ------
        StateInUse
            Naming the process that has the folder.
        AddressInUse
            Naming the port.
        """
        self._state.mkdir(parents=True, exist_ok=True)
        self._lock_file = _lock(self._state / "lock")
        try:
            self._server = _listen(self._port, self._answer)
        except AddressInUse:
            self._lock_file.close()
            raise
        self._store = ObjectStore(self._state)
        self._objects = ObjectService(self._store)
        self._journal = Journal(self._state / "journal.sqlite")
        os.environ["MOTO_PORT"] = str(self._server.server_port)
        self._engines = Engines(self._journal, self._credentials, self._client_of_workflows)
        threading.Thread(target=self._server.serve_forever, name="aws", daemon=True).start()
        self._engines.start()

    def stop(self) -> None:
        """Stop serving; what was acknowledged is on disk."""
        self._server.shutdown()
        self._server.server_close()
        self._engines.stop()
        self._journal.close()
        self._store.close()
        if self._lock_file:
            self._lock_file.close()

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
        wanted = ("TableName", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
        client = self.client("dynamodb")
        try:
            client.create_table(**{name: properties[name] for name in wanted if name in properties})
        except client.exceptions.ResourceInUseException:
            return
        self._engines.restore_table(properties["TableName"])

    def create_bucket(self, name: str) -> None:
        """Create a bucket; one that is there keeps its objects."""
        self._store.create_bucket(name)

    def create_queue(self, properties: Mapping[str, Any]) -> str:
        """Create a queue from its CloudFormation properties; gives its URL."""
        names = ("VisibilityTimeout", "MessageRetentionPeriod", "DelaySeconds", "ReceiveMessageWaitTimeSeconds")
        attributes = {name: str(properties[name]) for name in names if name in properties}
        if "RedrivePolicy" in properties:
            attributes["RedrivePolicy"] = json.dumps(properties["RedrivePolicy"])
        url = str(self.client("sqs").create_queue(QueueName=properties["QueueName"], Attributes=attributes)["QueueUrl"])
        self._queues.append(url)
        return url

    def create_state_machine(self, name: str, definition: str) -> str:
        """Create a state machine; gives its ARN."""
        role = f"arn:aws:iam::{self._credentials.account}:role/local"
        made = self.client("stepfunctions").create_state_machine(name=name, definition=definition, roleArn=role)
        return str(made["stateMachineArn"])

    def resume(self) -> int:
        """Put messages back and start unfinished executions again; gives how many executions."""
        sqs = self.client("sqs")
        for url in self._queues:
            self._engines.resend(url, sqs.send_message)
        return self._engines.restart(self.client("stepfunctions").start_execution)

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = _signed_request(environ)
        body = environ["wsgi.input"]
        try:
            answer = self._dispatch(request, environ, body)
        except Refused as refusal:
            answer = error_answer(refusal.code, refusal.status, refusal.message)
            _drain(body, request)
        if answer.status >= 400 and request.headers.get("content-length", "0") != "0":
            answer.headers["Connection"] = "close"
        start_response(f"{answer.status} {_phrase(answer.status)}", list(answer.headers.items()))
        return answer.body

    def _dispatch(self, request: SignedRequest, environ: dict[str, Any], body: Any) -> Answer:
        service = service_of(request)
        if service is None:
            raise Refused("AccessDenied", "Access Denied")
        moment = datetime.now(UTC)
        if service == "s3":
            payload = request.headers.get("x-amz-content-sha256", UNSIGNED)
            verify(request, self._credentials, payload, moment)
            return self._objects.answer(request, body)
        content = _read(body, request)
        verify(request, self._credentials, hashlib.sha256(content).hexdigest(), moment)
        if service == "lambda":
            return self._answer_invoke(request, content)
        if service not in {"dynamodb", "sqs", "states"}:
            raise Refused("UnknownService", f"The local cloud does not offer {service}.", 501)
        return _as_answer(self._engines.call(environ, content))

    def _answer_invoke(self, request: SignedRequest, payload: bytes) -> Answer:
        match = INVOKE_PATH.fullmatch(request.path)
        if match is None:
            raise Refused("UnknownOperation", "Of Lambda only Invoke is offered here.", 501)
        name = function_name(unquote(match[1]))
        if request.headers.get("x-amz-invocation-type") == "Event":
            threading.Thread(target=self._run, args=(name, payload), daemon=True).start()
            return Answer(202, {"Content-Length": "0"})
        result = self._run(name, payload)
        if result.error in REFUSALS:
            body = json.dumps({"Message": json.loads(result.payload)["errorMessage"]}).encode()
            refused = {"x-amzn-errortype": result.error, "Content-Length": str(len(body))}
            return Answer(REFUSALS[result.error], refused, [body])
        headers = {"Content-Type": "application/json", "Content-Length": str(len(result.payload))}
        if result.error:
            headers["X-Amz-Function-Error"] = result.error
        return Answer(200, headers, [result.payload])

    def _run(self, name: str, payload: bytes) -> InvokeResult:
        if self._invoke is None:
            return InvokeResult(
                b'{"errorType": "ResourceNotFoundException", "errorMessage": "no functions"}', "Unhandled"
            )
        return self._invoke(name, payload)

    def _client_of_workflows(self, service: str) -> Any:
        """What a workflow's task calls: Lambda in this process, the rest over the endpoint."""
        return _LambdaClient(self._run) if service == "lambda" else self.client(service)


class _LambdaClient:
    """The part of a Lambda client that a workflow's task uses."""

    def __init__(self, invoke: Invoker) -> None:
        self._invoke = invoke

    def invoke(self, **request: Any) -> dict[str, Any]:
        """Invoke a function and wait for its answer; what the platform refuses is raised, as boto3 raises it."""
        payload = request.get("Payload", b"{}")
        result = self._invoke(
            function_name(request["FunctionName"]), payload if isinstance(payload, bytes) else payload.encode()
        )
        if result.error in REFUSALS:
            details = {"Code": result.error, "Message": json.loads(result.payload)["errorMessage"]}
            metadata = {"HTTPStatusCode": REFUSALS[result.error], "RequestId": ""}
            raise ClientError({"Error": details, "ResponseMetadata": metadata}, "Invoke")  # type: ignore[typeddict-item]
        answer = {
            "StatusCode": 200,
            "ExecutedVersion": "$LATEST",
            "Payload": BytesIO(result.payload),
            "ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": {}, "RequestId": "", "RetryAttempts": 0},
        }
        return answer | ({"FunctionError": result.error} if result.error else {})


def function_name(reference: str) -> str:
    """The bare name in a function's ARN, with or without a version or alias."""
    return reference.split(":function:", 1)[-1].split(":", 1)[0]


class _Handler(WSGIRequestHandler):
    """HTTP/1.1 with connections kept, and nothing logged: a line would show signed links."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


def _listen(port: int, application: Any) -> Any:
    try:
        return make_server(HOST, port, application, threaded=True, request_handler=_Handler)
    except (OSError, SystemExit) as error:
        raise AddressInUse(f"Port {port} of {HOST} is taken by another program.") from error


def _lock(path: Path) -> IO[str]:
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        owner = file.read().strip() or "unknown"
        file.close()
        raise StateInUse(f"{path.parent} is in use by the local cloud of process {owner}.") from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def _signed_request(environ: Mapping[str, Any]) -> SignedRequest:
    path, _, query = str(environ.get("REQUEST_URI") or environ["PATH_INFO"]).partition("?")
    headers = {n[5:].replace("_", "-").lower(): v for n, v in environ.items() if n.startswith("HTTP_")}
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = environ[name]
    return SignedRequest(environ["REQUEST_METHOD"], path, query, headers)


def _read(body: _Body, request: SignedRequest) -> bytes:
    length = int(request.headers.get("content-length") or 0)
    if length > MAX_ENGINE_BODY:
        raise Refused("RequestEntityTooLarge", "The request is too large.", 413)
    return body.read(length)


def _drain(body: _Body, request: SignedRequest) -> None:
    """Read what a refused caller still sends, so that it gets to read the refusal."""
    left = min(DRAINED_BYTES, int(request.headers.get("content-length") or 0))
    while left > 0 and (chunk := body.read(min(65_536, left))):
        left -= len(chunk)


def _as_answer(answer: EngineAnswer) -> Answer:
    headers = {n: v for n, v in answer.headers if n.lower() != "content-length"}
    return Answer(answer.status, {**headers, "Content-Length": str(len(answer.body))}, [answer.body])


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
