"""Step Functions' executions: each runs once by its name, over every restart, and its end is known for long."""

import json
import logging
import sqlite3
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

from local.aws.journal import End, Execution, Journal
from local.aws.moto_engine import RUNNING, EngineAnswer, MotoEngine
from local.aws.signatures import SignedRequest

START = "AWSStepFunctions.StartExecution"
ABORTED = "ABORTED"
FAILED = "FAILED"
WATCH_SECONDS = 0.5
HISTORY_SECONDS = 300
"""How long an ended execution's history and output can be read; what it was and how it ended is known for longer."""

log = logging.getLogger(__name__)


class Executions:
    """The state machines' executions."""

    def __init__(
        self,
        engine: MotoEngine,
        journal: Journal,
        stopping: threading.Event,
        history_seconds: float = HISTORY_SECONDS,
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._stopping = stopping
        self._history_seconds = history_seconds
        self._starting = threading.Lock()
        self._failing = False
        self._watcher = threading.Thread(target=self._watch, name="executions", daemon=True)

    def start(self) -> None:
        """Begin to watch for executions that end."""
        self._watcher.start()

    def join(self) -> None:
        """Wait for the watch to end, and take a last look."""
        if self._watcher.is_alive():
            self._watcher.join(timeout=5)
        self.note_ended()

    def call(self, operation: str, request: SignedRequest, body: bytes) -> EngineAnswer:
        """Answer a request."""
        if operation == "StartExecution":
            return self._start(request, json.loads(body or b"{}"))
        if operation == "StopExecution":
            return self._stop(request, body)
        answer = self._engine.call(request, body)
        return self._describe(answer, json.loads(body)) if operation == "DescribeExecution" else answer

    def restart(self) -> int:
        """Start the executions again that had not ended; gives how many. Those that cannot start have ended."""
        machines = {machine.arn for machine in self._engine.machines()}
        started, orphans = 0, []
        for execution in self._journal.open_executions():
            given = {"stateMachineArn": execution.machine, "name": execution.name, "input": execution.input}
            if execution.machine not in machines:
                orphans.append(End(execution.arn, ABORTED, time.time()))
                continue
            with self._starting:
                answer = self._engine.ask("states", START, given)
            if answer.status == 200:
                started += 1
            elif not str(answer.document.get("__type", "")).endswith("ExecutionAlreadyExists"):
                orphans.append(End(execution.arn, FAILED, time.time()))
        if orphans:
            log.warning("%d executions cannot be started again; they have ended", len(orphans))
            self._journal.end_executions(orphans)
        return started

    def note_ended(self) -> bool:
        """Look which of the open executions have ended, and keep that; gives whether it could be kept."""
        try:
            unfinished = {execution.arn for execution in self._journal.open_executions()}
            if unfinished:
                ends = (End(*end) for machine in self._engine.machines() for end in machine.ended())
                self._journal.end_executions([end for end in ends if end.arn in unfinished])
        except sqlite3.Error as error:  # such as of a full disk: they are looked at again
            if not self._failing:
                log.warning("the end of executions could not be kept: %s", error)
            self._failing = True
            return False
        self._failing = False
        return True

    def drop_old(self) -> None:
        """Forget the history of those that ended a while ago; the engine would keep it for ever."""
        before = time.time() - self._history_seconds
        for machine in self._engine.machines():
            old = [arn for arn, _, moment in machine.ended() if moment < before]
            kept = {execution.arn for execution in self._journal.open_executions()} if old else set()
            with self._starting:
                machine.drop(arn for arn in old if arn not in kept)

    def _start(self, request: SignedRequest, document: dict[str, Any]) -> EngineAnswer:
        """Start an execution once per name. It is on disk before it begins: what has begun is not forgotten."""
        document.setdefault("name", str(uuid.uuid4()))
        arn = _execution_arn(document)
        body = json.dumps(document).encode()
        with self._starting:
            known = self._journal.execution(arn)
            if known:
                ended = known.ended is not None
                return _exists(arn) if ended else self._engine.call(request, body)
            self._journal.put_execution(
                Execution(arn, document["stateMachineArn"], document["name"], document.get("input", "{}"), time.time())
            )
            started = False
            try:
                answer = self._engine.call(request, body)
                started = answer.status == 200
            finally:
                if not started:
                    self._journal.delete_execution(arn)
            return answer

    def _stop(self, request: SignedRequest, body: bytes) -> EngineAnswer:
        """Stop an execution; one that has ended stays as it ended."""
        self.note_ended()
        arn = json.loads(body)["executionArn"]
        known = self._journal.execution(arn)
        if known and known.ended is not None:
            return EngineAnswer.of({"stopDate": known.ended})
        answer = self._engine.call(request, body)
        if answer.status == 200:
            self._journal.end_executions([End(arn, ABORTED, time.time())])
        return answer

    def _describe(self, answer: EngineAnswer, request: Mapping[str, Any]) -> EngineAnswer:
        """What the engine knows, else what is kept; an end is told only when it will not be taken back.

        One that was stopped has ended, though the engine lets its task come to an end first.
        """
        known = self._journal.execution(request.get("executionArn", ""))
        stopped = known is not None and known.ended is not None and known.status == ABORTED
        if answer.status == 200 and not stopped:
            if answer.document["status"] != RUNNING:
                self.note_ended()
            return answer
        return EngineAnswer.of(_description(known)) if known else answer

    def _watch(self) -> None:
        looked = time.monotonic()
        while not self._stopping.wait(WATCH_SECONDS):
            self.note_ended()
            if time.monotonic() - looked > self._history_seconds / 5:
                looked = time.monotonic()
                self.drop_old()


def _description(known: Execution) -> dict[str, Any]:
    """DescribeExecution's answer, without an output."""
    description = {
        "executionArn": known.arn,
        "stateMachineArn": known.machine,
        "name": known.name,
        "input": known.input,
        "startDate": known.started,
        "status": RUNNING if known.ended is None else known.status or FAILED,
    }
    return description if known.ended is None else {**description, "stopDate": known.ended}


def _execution_arn(document: Mapping[str, Any]) -> str:
    machine = str(document.get("stateMachineArn", ""))
    return f"{machine.replace(':stateMachine:', ':execution:', 1)}:{document['name']}"


def _exists(arn: str) -> EngineAnswer:
    return EngineAnswer.error("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")
