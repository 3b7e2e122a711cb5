"""The HTTP API of the template: an ASGI application that does what API Gateway does, and its server."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send

from local.authorization import Authorization, Refused
from local.cors import preflight, with_cors
from local.failures import LOOPBACK, PortInUse
from local.invocation import InvokeError, InvokeResult
from local.payload import HttpAnswer, HttpRequest, MalformedAnswer, as_problem, function_event, message, read_answer
from local.routing import Match, Router
from local.stack import HttpApi
from local.throttle import Bucket

MAX_BODY_BYTES = 10 * 1024 * 1024
MAX_DRAINED_BYTES = 10 * MAX_BODY_BYTES
"""Of a body that is too large this much is read and dropped, so that its sender lives to see the answer."""

AUTHORIZER_SECONDS = 10
THREADS = 64
GRACE_SECONDS = 2
NO_CONTENT = frozenset({204, 304})

UNAUTHORIZED = message(401, "Unauthorized")
FORBIDDEN = message(403, "Forbidden")
NOT_FOUND = message(404, "Not Found")
TOO_LARGE = message(413, "Request Entity Too Large")
TOO_MANY = message(429, "Too Many Requests")
FAILED = message(500, "Internal Server Error")
UNAVAILABLE = message(503, "Service Unavailable")
OWN_ANSWERS = (NOT_FOUND, TOO_LARGE, TOO_MANY, FAILED, UNAVAILABLE)
REFUSALS: Mapping[int, HttpAnswer] = MappingProxyType({401: UNAUTHORIZED, 403: FORBIDDEN, 500: FAILED})
INVOKE_FAILURES: Mapping[str, HttpAnswer] = MappingProxyType(
    {InvokeError.THROTTLED: UNAVAILABLE, InvokeError.TOO_LARGE: TOO_LARGE}
)

Page = Callable[[], tuple[str, bytes]]
OnUnanswered = Callable[[str, str, int, float], None]
"""Takes method, route, status and seconds."""


class Gateway:
    """Answers HTTP requests by calling functions.

    Parameters
    ----------
    invoke
        Calls a function by name.
    on_access
        Takes a line for each request: method, route, status, milliseconds. Never a header, a query or a token.
    on_unanswered
        Is told of a request that a function should have answered, and did not: the answer is the gateway's, 500 or 503.
    extra
        Pages of the local cloud's own, in front of the routes: content type and body by path.
    """

    def __init__(
        self,
        api: HttpApi,
        invoke: Callable[[str, bytes], InvokeResult],
        *,
        on_access: Callable[[str], None] = lambda _line: None,
        on_unanswered: OnUnanswered = lambda _method, _route, _status, _seconds: None,
        extra: Mapping[str, Page] = MappingProxyType({}),
    ) -> None:
        self._api = api
        self._invoke = invoke
        self._on_access = on_access
        self._on_unanswered = on_unanswered
        self._extra = extra
        self._router = Router(api.routes)
        self._authorization = Authorization(api.authorizers, invoke)
        self._buckets = {route.key: Bucket(route.throttle) for route in api.routes if route.throttle}
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="gateway")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http":
            return
        started = time.monotonic()
        page = self._extra.get(scope["path"]) if scope["method"] in {"GET", "HEAD"} else None
        if page is not None:
            kind, content = await self._in_thread(page)
            await _send(send, HttpAnswer(200, content, (("content-type", kind), ("cache-control", "no-store"))))
            return
        body = await _read(receive)
        if body is None:
            return
        request = _request(scope, body)
        match = self._router.find(request.method, request.raw_path)
        answer = preflight(self._api.cors, request)
        if answer is None:
            found = TOO_LARGE if len(body) > MAX_BODY_BYTES else await self._answer_in_time(request, match)
            if any(found is own for own in OWN_ANSWERS):
                found = as_problem(found, request.request_id)
            answer = with_cors(self._api.cors, request, found)
        milliseconds = (time.monotonic() - started) * 1000
        route = match.route.path if match else "-"
        self._on_access(f"{request.method} {route} {answer.status} {milliseconds:.1f} {request.request_id}")
        await _send(send, answer)

    def close(self) -> None:
        """Take no more work."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _answer_in_time(self, request: HttpRequest, match: Match | None) -> HttpAnswer:
        started = time.monotonic()
        try:
            answer = await self._answer(request, match)
            if match is not None and (answer is FAILED or answer is UNAVAILABLE):
                taken = time.monotonic() - started
                await self._in_thread(self._on_unanswered, request.method, match.route.path, answer.status, taken)
        except asyncio.CancelledError:  # the server is stopping, and the time that it gave is over
            return UNAVAILABLE
        return answer

    async def _answer(self, request: HttpRequest, match: Match | None) -> HttpAnswer:
        if match is None:
            return NOT_FOUND
        bucket = self._buckets.get(match.route.key)
        if bucket is not None and not bucket.take():
            return TOO_MANY
        try:
            async with asyncio.timeout(AUTHORIZER_SECONDS):
                context = await self._in_thread(self._authorization.check, request, match)
        except Refused as refused:
            return REFUSALS[refused.status]
        except TimeoutError:
            return FAILED
        event = json.dumps(function_event(request, match, context)).encode()
        try:
            async with asyncio.timeout(match.route.timeout):
                result: InvokeResult = await self._in_thread(self._invoke, match.route.function, event)
        except TimeoutError:
            return UNAVAILABLE
        if result.error:
            return INVOKE_FAILURES.get(result.error, FAILED)
        try:
            return read_answer(result.payload)
        except MalformedAnswer:
            return FAILED

    async def _in_thread(self, call: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments)


class GatewayServer:
    """Serves a gateway in a thread.

    Parameters
    ----------
    port
        0 for any free one.
    host
        The address to listen on.

    Raises
    ------
    PortInUse
    """

    def __init__(self, port: int, host: str = LOOPBACK) -> None:
        # without the protocol named, asyncio leaves Nagle's algorithm on and each answer is 40 ms late
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            raise PortInUse(port, host) from error
        self._host = host
        self.port = int(self._socket.getsockname()[1])
        self._gateway: Gateway | None = None
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Base URL."""
        return f"http://{self._host}:{self.port}"

    def start(self, gateway: Gateway) -> None:
        """Serve; requests are answered when this returns."""
        self._gateway = gateway
        config = uvicorn.Config(
            gateway,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        self._server = uvicorn.Server(config)
        # in a thread, uvicorn leaves the process's signals alone
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="gateway", daemon=True)
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.005)

    def stop(self) -> None:
        """Stop listening; requests under way have a moment to end."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(timeout=GRACE_SECONDS + 3)
        if self._gateway is not None:
            self._gateway.close()
        self._socket.close()


async def _read(receive: Receive) -> bytes | None:
    """The body; of one that is too large, one byte more than the limit. None when the client went away."""
    kept = bytearray()
    total = 0
    while True:
        part = await receive()
        if part["type"] != "http.request":
            return None
        chunk = part.get("body", b"")
        total += len(chunk)
        kept += chunk[: MAX_BODY_BYTES + 1 - len(kept)]
        if not part.get("more_body") or total > MAX_DRAINED_BYTES:
            return bytes(kept)


def _request(scope: Scope, body: bytes) -> HttpRequest:
    client = scope.get("client")
    return HttpRequest(
        method=scope["method"],
        raw_path=scope["raw_path"].decode("latin-1"),
        raw_query=scope["query_string"].decode("latin-1"),
        headers=tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]),
        body=body,
        protocol=f"HTTP/{scope['http_version']}",
        client=client[0] if client else "127.0.0.1",
    )


async def _send(send: Send, answer: HttpAnswer) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in answer.headers]
    if answer.status not in NO_CONTENT:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    with contextlib.suppress(OSError):
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})
