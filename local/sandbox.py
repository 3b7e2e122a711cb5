"""One execution environment: a process of AWS's Runtime Interface Client, started for one function."""

import contextlib
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from local.invocation import InvokeError, InvokeResult
from local.memory import MemoryWatch
from local.output import Output
from local.runtime_api import Event, RuntimeApi, Signal, Task
from local.stack import FunctionSpec
from local.watchdog import Watchdog, kill_group

INIT_SECONDS = 10
"""What Lambda grants the start of a function before its timeout counts."""


class Sandbox:
    """A started function, for one invocation at a time; one that crashed or ran out of time is not used again.

    Parameters
    ----------
    environment
        All of the process's environment but what the sandbox itself adds.
    scratch
        A folder for its temporary files, removed with it.
    on_line
        Takes each line that the function writes.
    """

    def __init__(
        self,
        spec: FunctionSpec,
        environment: Mapping[str, str],
        scratch: Path,
        watchdog: Watchdog,
        memory: MemoryWatch,
        on_line: Callable[[str, str], None],
    ) -> None:
        self._spec = spec
        self._on_line = on_line
        self._scratch = scratch / f"{spec.name}-{uuid.uuid4().hex[:8]}"
        self._scratch.mkdir(parents=True)
        self._watchdog = watchdog
        self._memory = memory
        self._events: queue.Queue[Event] = queue.Queue()
        self._tasks: queue.Queue[Task | None] = queue.Queue()
        self._ready = False
        self._closed = False
        self._api = RuntimeApi(self._tasks, self._events, spec.arn)
        self._process = self._start(environment)
        watchdog.guard(self._process.pid)
        if self._process.stdout is None:
            raise AssertionError("the process was started with a pipe")
        self._output = Output(self._process.stdout, lambda line: on_line(spec.name, line))
        self._threads = [
            threading.Thread(target=target, name=f"{spec.name} {target.__name__}", daemon=True)
            for target in (self._api.serve, self._output.follow, self._await_exit)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def usable(self) -> bool:
        """Whether another invocation can go in."""
        return not self._closed and self._process.poll() is None

    def invoke(self, payload: bytes) -> InvokeResult:
        """Run one invocation to its end: a result, an error of the function, a crash, or the function's timeout.

        What the function wrote up to then has been handed on when this returns.
        """
        with self._memory.of(self._process.pid, self._spec.memory, self._end_for_memory):
            result = self._run(payload)
        self.drain()
        return result

    def drain(self) -> None:
        """Hand on what the function has written up to now."""
        self._output.drain()

    def _run(self, payload: bytes) -> InvokeResult:
        timeout = self._spec.timeout
        if not self._ready:
            event = self._wait(time.monotonic() + INIT_SECONDS + timeout)
            if event is None or event.signal is not Signal.READY:
                return self._broken(event, "")
            self._ready = True
        task = Task(str(uuid.uuid4()), payload, time.time() + timeout)
        self._tasks.put(task)
        end = time.monotonic() + timeout
        while True:
            event = self._wait(end)
            if event is not None and event.signal in {Signal.RESULT, Signal.FAILURE}:
                if event.request_id != task.request_id:
                    continue
                error = None if event.signal is Signal.RESULT else InvokeError.UNHANDLED
                return InvokeResult(event.body, error)
            if event is None or event.signal is not Signal.READY:
                return self._broken(event, task.request_id)

    def close(self) -> None:
        """Kill the process with all its children, and clear away what it left."""
        self._closed = True
        kill_group(self._process.pid)
        self._process.wait()
        self._watchdog.release(self._process.pid)
        self._tasks.put(None)
        self._api.close()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(timeout=2)
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _wait(self, end: float) -> Event | None:
        with contextlib.suppress(queue.Empty):
            return self._events.get(timeout=max(0.0, end - time.monotonic()))
        return None

    def _broken(self, event: Event | None, request_id: str) -> InvokeResult:
        """Close, and say what broke, in Lambda's words; without a request, it was the start."""
        self.close()
        if event is None:
            text = f"Task timed out after {self._spec.timeout:.2f} seconds"
            self._on_line(self._spec.name, f"{text} {request_id or 'during its start'}")
            return InvokeResult.failure(InvokeError.UNHANDLED, "Sandbox.Timedout", text)
        if event.signal is Signal.INIT_FAILURE:
            return InvokeResult(event.body, InvokeError.UNHANDLED)
        ending = _exit_text(self._process.returncode)
        text = f"RequestId: {request_id or '-'} Error: Runtime exited with error: {ending}"
        self._on_line(self._spec.name, text)
        return InvokeResult.failure(InvokeError.UNHANDLED, "Runtime.ExitError", text)

    def _end_for_memory(self) -> None:
        if self._process.poll() is None:
            # a line of its own, as what Lambda answers does not tell of memory
            self._on_line(self._spec.name, f"The function is killed: it uses more than its {self._spec.memory} MB")
            kill_group(self._process.pid)

    def _start(self, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        own = {
            "AWS_LAMBDA_RUNTIME_API": self._api.address,
            "AWS_LAMBDA_LOG_STREAM_NAME": self._scratch.name,
            "TMPDIR": str(self._scratch),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "awslambdaric", self._spec.handler],
            env={**environment, **own},
            cwd=self._spec.code,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _await_exit(self) -> None:
        self._process.wait()
        kill_group(self._process.pid)
        self._watchdog.release(self._process.pid)
        self._events.put(Event(Signal.EXIT))


def sandbox_environment(spec: FunctionSpec, more: Mapping[str, str]) -> dict[str, str]:
    """The environment that Lambda gives a function, and nothing else of this process's but where things are.

    Parameters
    ----------
    more
        Endpoint and credentials of the AWS that the function is to use.
    """
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {
        **inherited,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{version}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory),
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": spec.log_format,
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{spec.name}",
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "LAMBDA_TASK_ROOT": str(spec.code),
        "MALLOC_ARENA_MAX": "2",
        "PYTHONPATH": os.pathsep.join(str(p) for p in (spec.code, *(layer.path for layer in spec.layers)) if p),
        "PYTHONUNBUFFERED": "1",
        "TZ": "UTC",
        "_HANDLER": spec.handler,
        **spec.environment,
        **more,
    }


def _exit_text(code: int) -> str:
    return f"signal: {(signal.strsignal(-code) or str(-code)).lower()}" if code < 0 else f"exit status {code}"
