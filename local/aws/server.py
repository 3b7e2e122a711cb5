"""An HTTP/1.1 server for signed requests: connections are kept, bodies streamed, and nothing of a request is logged.

A line of an access log would show signed links.
"""

import io
import logging
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any, BinaryIO

from local.aws.signatures import SignedRequest

IDLE_SECONDS = 300
"""For so long a kept connection may be silent."""
STOP_SECONDS = 3
"""For so long requests under way may still be answered when the server stops."""
BUFFER_BYTES = 1 << 16

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, headers, and a body in chunks; a body with `close` is closed when it was sent, or could not be."""

    status: int
    headers: dict[str, str]
    body: Iterable[bytes] = ()


Application = Callable[[SignedRequest, BinaryIO], Answer]


class HttpServer:
    """Serves an application on one address, in threads of its own.

    Raises
    ------
    OSError
        When the address cannot be taken.
    """

    def __init__(self, host: str, port: int, application: Application) -> None:
        self._server = _Server(host, port, application)
        self.port = int(self._server.server_address[1])

    def start(self) -> None:
        """Serve from now on."""
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="aws", daemon=True).start()

    def stop(self) -> None:
        """Take no more requests, let those under way finish for a moment, and close every connection."""
        self._server.shutdown()
        self.close()
        self._server.end_connections()

    def close(self) -> None:
        """Give the address back."""
        self._server.server_close()


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str, port: int, application: Application) -> None:
        self.application = application
        self.stopping = False
        self._busy: dict[socket.socket, bool] = {}
        self._changed = threading.Condition()
        super().__init__((host, port), _Handler)

    def mark(self, connection: Any, *, busy: bool) -> None:
        """Note whether a connection has a request under way."""
        with self._changed:
            self._busy[connection] = busy
            self._changed.notify_all()

    def end_connections(self) -> None:
        """Close the idle connections at once, the others when they are done or time is up."""
        with self._changed:
            self.stopping = True
            self._cut(connection for connection, busy in self._busy.items() if not busy)
            self._changed.wait_for(lambda: not any(self._busy.values()), STOP_SECONDS)
            self._cut(self._busy)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.mark(request, busy=False)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._changed:
            self._busy.pop(request, None)
            self._changed.notify_all()
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        log.error("A connection failed", exc_info=sys.exc_info())

    @staticmethod
    def _cut(connections: Iterable[socket.socket]) -> None:
        for connection in connections:
            with suppress(OSError):  # the caller closed it first
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_SECONDS
    wbufsize = BUFFER_BYTES

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def finish(self) -> None:
        try:
            super().finish()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""

    def version_string(self) -> str:
        return "TerraFusion"

    def handle_expect_100(self) -> bool:
        """Ask for the body, and not in a buffer's own time."""
        asked = super().handle_expect_100()
        self.wfile.flush()
        return asked

    def _serve(self) -> None:
        self.server.mark(self.connection, busy=True)
        try:
            framed = _Framed(self.rfile, self.headers.get("transfer-encoding"), self.headers.get("content-length"))
            body = io.BufferedReader(framed, BUFFER_BYTES)
            self._send(self._answer(body))
            while body.read(BUFFER_BYTES):  # what was not asked for is in the next request's way
                continue
            self.close_connection = self.close_connection or self.server.stopping
        finally:
            self.server.mark(self.connection, busy=False)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_OPTIONS = do_PATCH = _serve  # noqa: N815

    def _answer(self, body: BinaryIO) -> Answer:
        path, _, query = self.path.partition("?")
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            key = name.lower()
            headers[key] = f"{headers[key]},{value}" if key in headers else value
        try:
            return self.server.application(SignedRequest(self.command, path, query, headers), body)
        except (ConnectionError, TimeoutError):
            raise
        except Exception:
            if not self.server.stopping:
                log.exception("A request failed")
            return Answer(500, {"Connection": "close"})

    def _send(self, answer: Answer) -> None:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        has_body = self.command != "HEAD" and answer.status not in {204, 304}
        body = answer.body
        try:
            if has_body and "content-length" not in headers:
                body = [b"".join(body)]
                headers["content-length"] = str(len(body[0]))
            self.send_response(answer.status, _phrase(answer.status))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            for chunk in body if has_body else ():
                self.wfile.write(chunk)
            self.wfile.flush()
        except BaseException:
            self.close_connection = True
            raise
        finally:
            close = getattr(answer.body, "close", None)
            if close:
                close()


class _Framed(io.RawIOBase):
    """A request's body, which ends where its length or its last chunk says; one that ends earlier raises."""

    def __init__(self, source: Any, encoding: str | None, length: str | None) -> None:
        self._source = source
        self._chunked = "chunked" in (encoding or "").lower()
        self._left = 0 if self._chunked else _number(length or "0", 10)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._chunked and not self._left:
            self._left = _number(self._source.readline(BUFFER_BYTES).split(b";", 1)[0].decode("latin-1"), 16)
            if not self._left:
                self._chunked = False
                while self._source.readline(BUFFER_BYTES).strip():
                    continue
        if not self._left:
            return 0
        count = int(self._source.readinto1(memoryview(buffer).cast("B")[: self._left]))
        if not count:
            raise ConnectionResetError("The body ended early.")
        self._left -= count
        if self._chunked and not self._left:
            self._source.readline(BUFFER_BYTES)
        return count


def _number(text: str, base: int) -> int:
    try:
        number = int(text.strip(), base)
    except ValueError:
        number = -1
    if number < 0:
        raise ConnectionResetError("The body's length is malformed.")
    return number


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
