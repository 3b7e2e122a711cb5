"""Lambda's Runtime API (2018-06-01) for one process: it fetches its tasks here and posts what became of them."""

import contextlib
import queue
import socket
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler
from socketserver import BaseServer
from typing import cast

PREFIX = "/2018-06-01/runtime"


class Signal(Enum):
    """What a sandbox tells of itself."""

    READY = auto()
    RESULT = auto()
    FAILURE = auto()
    INIT_FAILURE = auto()
    EXIT = auto()


@dataclass(frozen=True, slots=True)
class Event:
    """One signal, with the id of the invocation it belongs to."""

    signal: Signal
    body: bytes = b""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """An invocation on its way into the process; the deadline is in seconds since the epoch."""

    request_id: str
    payload: bytes
    deadline: float


class RuntimeApi:
    """The API of one sandbox, on a port of its own as the client takes no path.

    Parameters
    ----------
    tasks
        What the process is to do; None ends the wait for more.
    events
        Where its signals go.
    arn
        The function's.
    """

    def __init__(self, tasks: "queue.Queue[Task | None]", events: "queue.Queue[Event]", arn: str) -> None:
        self._handler = type("Handler", (_Handler,), {"tasks": tasks, "events": events, "arn": arn})
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = "{}:{}".format(*self._socket.getsockname())

    def serve(self) -> None:
        """Accept until closed; without polling, as a sandbox may be idle for long."""
        while True:
            try:
                connection, peer = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection, peer), daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _answer(self, connection: socket.socket, peer: tuple[str, int]) -> None:
        with connection, contextlib.suppress(ConnectionError):
            self._handler(connection, peer, cast("BaseServer", self))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    tasks: "queue.Queue[Task | None]"
    events: "queue.Queue[Event]"
    arn: str

    def do_GET(self) -> None:
        if self.path != f"{PREFIX}/invocation/next":
            self._reply(404)
            return
        self.events.put(Event(Signal.READY))
        task = self.tasks.get()
        if task is None:
            self.close_connection = True
            return
        self._reply(
            200,
            task.payload,
            {
                "Lambda-Runtime-Aws-Request-Id": task.request_id,
                "Lambda-Runtime-Deadline-Ms": str(int(task.deadline * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": self.arn,
                "Lambda-Runtime-Trace-Id": f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=0",
            },
        )

    def do_POST(self) -> None:
        body = self._body()
        match self.path.removeprefix(PREFIX).strip("/").split("/"):
            case ["invocation", request_id, "response"]:
                event = Event(Signal.RESULT, body, request_id)
            case ["invocation", request_id, "error"]:
                event = Event(Signal.FAILURE, body, request_id)
            case ["init", "error"]:
                event = Event(Signal.INIT_FAILURE, body)
            case _:
                self._reply(404)
                return
        self._reply(202, b'{"status":"OK"}')
        self.events.put(event)

    def log_message(self, *_: object) -> None:
        """Say nothing: what matters is told as events."""

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0].strip() or b"0", 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def _reply(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
