"""The functions: sandboxes started when needed, as many at once as each function may have, kept warm for a while."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from local.invocation import InvokeError, InvokeResult
from local.memory import MemoryWatch
from local.sandbox import Sandbox, sandbox_environment
from local.stack import FunctionSpec
from local.watchdog import Watchdog

MAX_PAYLOAD_BYTES = 6 * 1024 * 1024 + 100
"""Of a synchronous call and of its answer, as on Lambda."""


THROTTLED = InvokeResult.failure(InvokeError.THROTTLED, InvokeError.THROTTLED, "Rate Exceeded.")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much runs at once on this machine.

    Attributes
    ----------
    concurrency, http_concurrency
        Sandboxes of a function that reserves no concurrency; the second for functions that answer HTTP.
    waiting, waiting_seconds
        Invocations that wait for a sandbox, and how long each does, before they are throttled, by function.
    idle_seconds
        How long an unused sandbox is kept.
    """

    concurrency: int = 2
    http_concurrency: int = 4
    waiting: int = 1000
    waiting_seconds: float = 60
    idle_seconds: float = 300


class Functions:
    """All functions of a template.

    Parameters
    ----------
    environment
        What every function finds besides its own variables: endpoint and credentials.
    scratch
        Where the sandboxes' temporary folders are made.
    on_line
        Takes each line that a function writes, with the function's name.
    """

    def __init__(
        self,
        specs: Iterable[FunctionSpec],
        environment: Mapping[str, str],
        on_line: Callable[[str, str], None],
        *,
        scratch: Path,
        limits: Limits | None = None,
    ) -> None:
        limits = limits or Limits()
        self._watchdog = Watchdog()
        self._memory = MemoryWatch()

        def start(spec: FunctionSpec) -> Sandbox:
            own = sandbox_environment(spec, environment)
            return Sandbox(spec, own, scratch, self._watchdog, self._memory, on_line)

        self._pools = {spec.name: _Pool(spec, partial(start, spec), on_line, limits) for spec in specs}
        self._stopping = threading.Event()
        self._reaper = threading.Thread(target=self._reap, args=(limits.idle_seconds,), daemon=True, name="reaper")
        self._reaper.start()

    def invoke(self, name: str, payload: bytes) -> InvokeResult:
        """Call a function and wait for its end.

        Parameters
        ----------
        name
            Its name or ARN, qualified or not.
        payload
            JSON.
        """
        parts = name.split(":")
        pool = self._pools.get(parts[6] if len(parts) > 6 else parts[0])
        if pool is None:
            text = f"Function not found: {name}"
            return InvokeResult.failure(InvokeError.UNKNOWN_FUNCTION, InvokeError.UNKNOWN_FUNCTION, text)
        if len(payload) > MAX_PAYLOAD_BYTES:
            text = f"Request must be smaller than {MAX_PAYLOAD_BYTES} bytes for the InvokeFunction operation"
            return InvokeResult.failure(InvokeError.TOO_LARGE, InvokeError.TOO_LARGE, text)
        result = pool.invoke(payload)
        if len(result.payload) > MAX_PAYLOAD_BYTES:
            text = f"Response payload size exceeded maximum allowed payload size ({MAX_PAYLOAD_BYTES} bytes)."
            return InvokeResult.failure(InvokeError.UNHANDLED, "Function.ResponseSizeTooLarge", text)
        return result

    def concurrency(self, name: str) -> int:
        """How many invocations of a function run at once."""
        return self._pools[name].size

    def drain(self) -> None:
        """Hand on every line that a busy function has written up to now."""
        for pool in self._pools.values():
            pool.drain()

    def stop(self) -> None:
        """Kill every sandbox, busy or not; invocations that wait are refused."""
        self._stopping.set()
        for pool in self._pools.values():
            pool.stop()
        self._memory.close()
        self._watchdog.close()
        self._reaper.join(timeout=2)

    def _reap(self, idle_seconds: float) -> None:
        while not self._stopping.wait(min(idle_seconds / 4, 15)):
            for pool in self._pools.values():
                pool.close_idle(time.monotonic() - idle_seconds)


class _Pool:
    """The sandboxes of one function."""

    def __init__(
        self,
        spec: FunctionSpec,
        start: Callable[[], Sandbox],
        on_line: Callable[[str, str], None],
        limits: Limits,
    ) -> None:
        default = limits.http_concurrency if spec.answers_http else limits.concurrency
        self.size = default if spec.reserved_concurrency is None else spec.reserved_concurrency
        self._spec = spec
        self._start = start
        self._on_line = on_line
        self._may_wait = limits.waiting
        self._wait_seconds = limits.waiting_seconds
        self._waiting = 0
        self._idle: list[tuple[float, Sandbox]] = []
        self._busy: set[Sandbox] = set()
        self._reserved = 0
        self._stopped = False
        self._free = threading.Condition()

    def invoke(self, payload: bytes) -> InvokeResult:
        with self._free:
            if self.size == 0 or (self._reserved >= self.size and self._waiting >= self._may_wait):
                return THROTTLED
            self._waiting += 1
            there = self._free.wait_for(lambda: self._reserved < self.size or self._stopped, self._wait_seconds)
            self._waiting -= 1
            if self._stopped:
                return self._stopped_result()
            if not there:
                return THROTTLED
            self._reserved += 1
        try:
            return self._run(payload)
        finally:
            with self._free:
                self._reserved -= 1
                self._free.notify()

    def stop(self) -> None:
        with self._free:
            self._stopped = True
            running = [sandbox for _, sandbox in self._idle] + list(self._busy)
            self._idle.clear()
            self._free.notify_all()
        for sandbox in running:
            sandbox.close()

    def drain(self) -> None:
        with self._free:
            busy = list(self._busy)
        for sandbox in busy:
            sandbox.drain()

    def close_idle(self, before: float) -> None:
        with self._free:
            old = [entry for entry in self._idle if entry[0] < before or not entry[1].usable]
            self._idle = [entry for entry in self._idle if entry not in old]
        for _, sandbox in old:
            sandbox.close()

    def _run(self, payload: bytes) -> InvokeResult:
        try:
            sandbox = self._take()
        except OSError as error:
            text = f"No process could be started: {error.strerror}"
            self._on_line(self._spec.name, text)
            return InvokeResult.failure(InvokeError.SERVICE, InvokeError.SERVICE, text)
        if sandbox is None:
            return self._stopped_result()
        try:
            return sandbox.invoke(payload)
        finally:
            with self._free:
                self._busy.discard(sandbox)
                keep = sandbox.usable and not self._stopped
                if keep:
                    self._idle.append((time.monotonic(), sandbox))
            if not keep:
                sandbox.close()

    def _take(self) -> Sandbox | None:
        """The sandbox used last, else a new one; None when all is stopping."""
        dead = []
        with self._free:
            sandbox = None
            while self._idle and sandbox is None:
                _, last = self._idle.pop()
                if last.usable:
                    sandbox = last
                else:
                    dead.append(last)
            if sandbox is None and not self._stopped:
                sandbox = self._start()
            if sandbox is not None:
                self._busy.add(sandbox)
        for gone in dead:
            gone.close()
        return sandbox

    def _stopped_result(self) -> InvokeResult:
        return InvokeResult.failure(InvokeError.THROTTLED, InvokeError.THROTTLED, "The local cloud is stopping.")
