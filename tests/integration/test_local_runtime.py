"""Functions run by AWS's own runtime client: results, errors, crashes, limits, and nothing left behind."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from local.invocation import InvokeResult
from local.runtime import MAX_PAYLOAD_BYTES, Functions, Limits
from local.stack import FunctionSpec, Layer
from tests.conftest import is_alive

HANDLER = """
import json, os, subprocess, sys, tempfile, time
import lent

def handler(event, context):
    match event.get("do"):
        case "raise": raise ValueError("no such thing")
        case "exit": os._exit(3)
        case "sleep": time.sleep(event["seconds"])
        case "print": print(event["text"])
        case "lines":
            for number in range(event["count"]): print("line", number)
            if event["then"] == "exit": os._exit(1)
            if event["then"] == "kill": os.kill(os.getpid(), 9)
        case "note":
            print("noted")
            with open(event["file"], "w") as file: file.write("noted")
            time.sleep(600)
        case "allocate":
            held = b"x" * (event["size"] * 1024 * 1024)
            time.sleep(event["seconds"])
            return len(held)
        case "big": return "x" * event["size"]
        case "child":
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            with open(event["file"], "w") as file: file.write(f"{os.getpid()} {child.pid}")
            time.sleep(600)
    return {
        "pid": os.getpid(), "lent": lent.VALUE, "environment": dict(os.environ), "cwd": os.getcwd(),
        "temporary": tempfile.gettempdir(), "left": context.get_remaining_time_in_millis(),
        "name": context.function_name, "memory": context.memory_limit_in_mb, "arn": context.invoked_function_arn,
    }
"""
Make = Callable[..., "Calls"]


class Calls:
    """Functions, and what they wrote."""

    def __init__(self, functions: Functions, lines: list[tuple[str, str]]) -> None:
        self.functions = functions
        self.lines = lines

    def __call__(self, name: str = "Echo", **event: Any) -> InvokeResult:
        return self.functions.invoke(name, json.dumps(event).encode())

    def value(self, name: str = "Echo", **event: Any) -> dict[str, Any]:
        result = self(name, **event)
        assert result.error is None, result
        return dict(json.loads(result.payload))


@pytest.fixture
def spec(tmp_path: Path) -> FunctionSpec:
    code, layer = tmp_path / "code", tmp_path / "layer"
    (layer / "lent").mkdir(parents=True)
    (layer / "lent" / "__init__.py").write_text("VALUE = 'from the layer'")
    code.mkdir()
    (code / "echo.py").write_text(HANDLER)
    (code / "broken.py").write_text("import nothing_of_that_name")
    return FunctionSpec(
        "Echo",
        "Echo",
        "arn:aws:lambda:us-west-2:123456789012:function:Echo",
        "echo.handler",
        code,
        environment={"COLOUR": "green"},
        timeout=20,
        memory=256,
        layers=(Layer("arn:layer", layer), Layer("arn:built", None)),
    )


@pytest.fixture
def make(spec: FunctionSpec, tmp_path: Path) -> Iterator[Make]:
    made: list[Functions] = []

    def start(*specs: FunctionSpec, limits: Limits | None = None) -> Calls:
        lines: list[tuple[str, str]] = []
        functions = Functions(
            specs or [spec],
            {"AWS_REGION": "us-west-2"},
            lambda name, line: lines.append((name, line)),
            scratch=tmp_path / "scratch",
            limits=limits,
        )
        made.append(functions)
        return Calls(functions, lines)

    yield start
    for functions in made:
        functions.stop()


def error_of(result: InvokeResult) -> tuple[str | None, str]:
    return result.error, json.loads(result.payload)["errorType"]


def eventually(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "did not come true"
        time.sleep(0.02)


def test_a_function_finds_what_it_would_find_on_lambda(
    make: Make, spec: FunctionSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THIS_PROCESS", "hush")

    value = make().value()

    environment = value["environment"]
    assert (value["name"], value["memory"], value["arn"]) == ("Echo", "256", spec.arn)
    assert value["lent"] == "from the layer"
    assert value["cwd"] == environment["LAMBDA_TASK_ROOT"] == str(spec.code)
    assert 0 < value["left"] <= 20_000
    assert value["temporary"].startswith(str(tmp_path / "scratch"))
    assert (environment["COLOUR"], environment["AWS_REGION"], environment["TZ"]) == ("green", "us-west-2", "UTC")
    assert "SECRET_OF_THIS_PROCESS" not in environment


def test_a_sandbox_is_kept_warm_and_calls_at_once_get_their_own(make: Make) -> None:
    calls = make(limits=Limits(concurrency=3))

    assert calls.value()["pid"] == calls.value()["pid"]
    with ThreadPoolExecutor(3) as threads:
        pids = {v["pid"] for v in threads.map(lambda _: calls.value(do="sleep", seconds=1), range(3))}
    assert len(pids) == 3


def test_an_idle_sandbox_is_closed_after_a_while(make: Make, tmp_path: Path) -> None:
    calls = make(limits=Limits(idle_seconds=0.2))

    pid = calls.value()["pid"]

    eventually(lambda: not is_alive(pid))
    eventually(lambda: list((tmp_path / "scratch").iterdir()) == [])
    assert calls.value()["pid"] != pid


def test_an_exception_is_an_unhandled_error_and_the_sandbox_lives_on(make: Make) -> None:
    calls = make()
    pid = calls.value()["pid"]

    result = calls(do="raise")

    assert error_of(result) == ("Unhandled", "ValueError")
    assert json.loads(result.payload)["errorMessage"] == "no such thing"
    assert calls.value()["pid"] == pid


def test_a_crash_is_an_exit_error_and_the_next_call_has_a_new_process(make: Make) -> None:
    calls = make()

    result = calls(do="exit")

    assert error_of(result) == ("Unhandled", "Runtime.ExitError")
    assert "exit status 3" in json.loads(result.payload)["errorMessage"]
    assert calls(do="raise").error == "Unhandled"


def test_a_process_killed_in_its_sleep_is_replaced(make: Make) -> None:
    calls = make()
    pid = calls.value()["pid"]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not is_alive(pid))

    assert calls.value()["pid"] != pid


def test_a_function_that_takes_too_long_is_killed_with_its_children(
    make: Make, spec: FunctionSpec, tmp_path: Path
) -> None:
    calls = make(replace(spec, timeout=1))
    file = tmp_path / "pids"

    result = calls(do="child", file=str(file))

    assert error_of(result) == ("Unhandled", "Sandbox.Timedout")
    assert "timed out after 1.00 seconds" in json.loads(result.payload)["errorMessage"]
    eventually(lambda: not any(is_alive(int(pid)) for pid in file.read_text().split()))
    assert calls.value()["lent"]


def test_children_of_a_crashed_function_end_with_it(make: Make, tmp_path: Path) -> None:
    calls = make()
    file = tmp_path / "pids"
    results: list[InvokeResult] = []
    thread = threading.Thread(target=lambda: results.append(calls(do="child", file=str(file))))
    thread.start()
    eventually(lambda: file.exists() and len(file.read_text().split()) == 2)
    worker, child = (int(pid) for pid in file.read_text().split())

    os.kill(worker, signal.SIGKILL)
    thread.join()

    assert error_of(results[0]) == ("Unhandled", "Runtime.ExitError")
    assert "signal: killed" in json.loads(results[0].payload)["errorMessage"]
    eventually(lambda: not is_alive(child))


@pytest.mark.parametrize(
    ("handler", "kind", "words"),
    [
        ("broken.handler", "Runtime.ImportModuleError", "No module named 'nothing_of_that_name'"),
        ("echo.missing", "Runtime.HandlerNotFound", "Handler 'missing' missing on module 'echo'"),
    ],
)
def test_a_function_that_does_not_start_says_why(
    make: Make, spec: FunctionSpec, handler: str, kind: str, words: str
) -> None:
    result = make(replace(spec, handler=handler))()

    assert error_of(result) == ("Unhandled", kind)
    assert words in json.loads(result.payload)["errorMessage"]


def test_lines_come_out_whole_with_the_function_s_name(make: Make) -> None:
    calls = make()

    calls.value(do="print", text="one\ntwo ä " + "x" * 200_000)
    calls(do="raise")

    eventually(lambda: len(calls.lines) >= 3)
    assert calls.lines[:2] == [("Echo", "one"), ("Echo", "two ä " + "x" * 200_000)]
    assert calls.lines[2][1].startswith("[ERROR] ValueError: no such thing\nTraceback")


@pytest.mark.parametrize("then", ["return", "exit", "kill"])
def test_every_line_is_handed_on_before_its_invocation_ends_however_it_does(make: Make, then: str) -> None:
    calls = make()

    result = calls(do="lines", count=1000, then=then)

    assert calls.lines[:1000] == [("Echo", f"line {number}") for number in range(1000)]
    assert (result.error is None) == (then == "return")


def test_lines_of_a_busy_function_are_handed_on_when_asked_for(make: Make, tmp_path: Path) -> None:
    calls = make()
    file = tmp_path / "noted"
    with ThreadPoolExecutor(1) as threads:
        threads.submit(calls, do="note", file=str(file))
        eventually(file.exists)

        calls.functions.drain()

        assert calls.lines == [("Echo", "noted")]
        calls.functions.stop()


def test_a_function_that_uses_more_than_its_memory_is_killed(make: Make, spec: FunctionSpec) -> None:
    calls = make(replace(spec, memory=128))
    assert calls(do="allocate", size=10, seconds=0).error is None

    result = calls(do="allocate", size=300, seconds=600)

    assert error_of(result) == ("Unhandled", "Runtime.ExitError")
    assert "Runtime exited with error: signal: killed" in json.loads(result.payload)["errorMessage"]
    assert ("Echo", "The function is killed: it uses more than its 128 MB") in calls.lines
    assert calls.value()["memory"] == "128"


def test_calls_wait_for_a_sandbox_and_too_many_are_throttled(make: Make) -> None:
    calls = make(limits=Limits(concurrency=1, waiting=1))
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: calls(do="sleep", seconds=1), range(4)))

    throttled = [result for result in results if result.error]
    assert len(throttled) == 2
    assert {error_of(result) for result in throttled} == {("TooManyRequestsException", "TooManyRequestsException")}


def test_reserved_concurrency_is_what_a_function_gets(make: Make, spec: FunctionSpec) -> None:
    calls = make(replace(spec, reserved_concurrency=0), replace(spec, name="One", reserved_concurrency=1))

    assert calls().error == "TooManyRequestsException"
    with ThreadPoolExecutor(3) as threads:
        pids = {v["pid"] for v in threads.map(lambda _: calls.value("One", do="sleep", seconds=0.1), range(3))}
    assert len(pids) == 1


def test_payloads_have_lambda_s_limits(make: Make) -> None:
    calls = make()

    assert calls.functions.invoke("Echo", b" " * (MAX_PAYLOAD_BYTES + 1)).error == "RequestTooLargeException"
    assert error_of(calls(do="big", size=MAX_PAYLOAD_BYTES)) == ("Unhandled", "Function.ResponseSizeTooLarge")
    assert calls(do="big", size=6_000_000).error is None


@pytest.mark.parametrize("suffix", ["", ":live"])
def test_a_function_is_found_by_name_and_arn(make: Make, spec: FunctionSpec, suffix: str) -> None:
    calls = make()

    assert calls.value(f"Echo{suffix}")["name"] == "Echo"
    assert calls.value(f"{spec.arn}{suffix}")["name"] == "Echo"
    assert error_of(calls("Nobody")) == ("ResourceNotFoundException", "ResourceNotFoundException")


def test_stop_ends_busy_sandboxes_and_refuses_those_who_wait(make: Make, tmp_path: Path) -> None:
    calls = make(limits=Limits(concurrency=1))
    file = tmp_path / "pids"
    with ThreadPoolExecutor(2) as threads:
        busy = threads.submit(calls, do="child", file=str(file))
        eventually(lambda: file.exists() and len(file.read_text().split()) == 2)
        waiting = threads.submit(calls)

        calls.functions.stop()

        assert error_of(busy.result()) == ("Unhandled", "Runtime.ExitError")
        assert waiting.result().error == "TooManyRequestsException"
    assert not any(is_alive(int(pid)) for pid in file.read_text().split()[:1])
    eventually(lambda: not any(is_alive(int(pid)) for pid in file.read_text().split()))
    assert list((tmp_path / "scratch").iterdir()) == []


SUPERVISOR = """
import sys
from pathlib import Path
from local.runtime import Functions
from local.stack import FunctionSpec, Layer
code, layer, file, scratch = map(Path, sys.argv[1:])
spec = FunctionSpec("Echo", "Echo", "arn", "echo.handler", code, timeout=600, layers=(Layer("arn", layer),))
functions = Functions([spec], {}, lambda *_: None, scratch=scratch)
functions.invoke("Echo", b'{"do": "child", "file": "%s"}' % str(file).encode())
"""


def test_nothing_outlives_a_supervisor_that_was_killed(spec: FunctionSpec, tmp_path: Path) -> None:
    file, layer = tmp_path / "pids", spec.layers[0].path
    arguments = [str(path) for path in (spec.code, layer, file, tmp_path / "scratch")]
    with subprocess.Popen([sys.executable, "-c", SUPERVISOR, *arguments]) as supervisor:
        eventually(lambda: file.exists() and len(file.read_text().split()) == 2)
        children = [int(p) for p in Path(f"/proc/{supervisor.pid}/task/{supervisor.pid}/children").read_text().split()]

        supervisor.kill()

    pids = [*children, *(int(pid) for pid in file.read_text().split())]
    eventually(lambda: not any(is_alive(pid) for pid in pids))
