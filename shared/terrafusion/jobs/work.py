"""The worker's side of a job: claim it, do the work, keep the result, finish it. Repeating any step changes nothing."""

import json
import logging
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from terrafusion.errors import FailureReason, JobFailure, JobSuperseded
from terrafusion.jobs.model import Job, JobStatus, now
from terrafusion.jobs.service import base_labels
from terrafusion.jobs.store import JobStore
from terrafusion.metrics import EmfSink, MetricSpec
from terrafusion.plugins import Plugin
from terrafusion.storage import Storage

log = logging.getLogger(__name__)

REPORT_EVERY_SECONDS = 1.0
STOP_BEFORE_DEADLINE_SECONDS = 15.0

TIMEOUTS = frozenset({"States.Timeout", "Sandbox.Timedout"})


class Deadline(Protocol):
    """The part of a Lambda context that says how long the function may still run."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds left."""


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A file that a job made; the result's member `location_field` will tell its address in S3."""

    path: Path
    name: str
    media_type: str
    location_field: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the work of a job came to: the result's document, its file, and samples for metrics of its own."""

    message: str
    document: Mapping[str, Any]
    file: ResultFile | None = None
    samples: Mapping[MetricSpec, float] | None = None


class Progress:
    """How the work tells how far it is, and learns that it should stop."""

    def __init__(self, store: JobStore, job: Job, deadline: Deadline) -> None:
        self._store = store
        self._job = job
        self._deadline = deadline
        self._reported_at = time.monotonic()

    def __call__(self, fraction: float, message: str) -> None:
        """Report; `fraction` from 0 to 1. Written at most once a second.

        Raises
        ------
        JobSuperseded
            When the job was cancelled or taken over.
        JobFailure
            When the function's own time is nearly over: better to say so than to be killed.
        """
        if self._deadline.get_remaining_time_in_millis() < STOP_BEFORE_DEADLINE_SECONDS * 1000:
            raise JobFailure(FailureReason.TIMEOUT, "The work did not fit into the worker's time limit.")
        moment = time.monotonic()
        if moment - self._reported_at < REPORT_EVERY_SECONDS:
            return
        self._reported_at = moment
        percent = max(0, min(99, int(fraction * 100)))
        self._store.report(self._job.job_id, self._job.attempt or "", percent, message)


Work = Callable[[Job, Path, Progress], Outcome]


@dataclass(frozen=True, slots=True)
class Worker:
    """Runs the jobs of one plugin."""

    plugin: Plugin
    store: JobStore
    results: Storage
    metrics: EmfSink

    def run(self, job_id: str, attempt: str, deadline: Deadline, work: Work) -> JobStatus:
        """Claim a job and work on it, unless it is finished or somebody else's.

        Returns
        -------
        The state in which it leaves the job.
        """
        job = self.store.claim(job_id, ordered(attempt))
        if job is None:
            log.info("job %s is not this attempt's", job_id)
            return self.store.get(job_id).status
        with tempfile.TemporaryDirectory(prefix="terrafusion-") as directory:
            try:
                outcome = work(job, Path(directory), Progress(self.store, job, deadline))
                return self._finish(job, outcome)
            except JobSuperseded:
                log.info("job %s was cancelled or taken over; the attempt stops", job_id)
                return self.store.get(job_id).status
            except JobFailure as failure:
                return self._fail(job, failure.reason, failure.message)
            except Exception:
                log.exception("job %s failed", job_id)
                return self._fail(job, FailureReason.PROCESSING_EXCEPTION, "The job failed unexpectedly.")

    def close_crashed(self, job_id: str, error: Mapping[str, Any]) -> JobStatus:
        """Finish what a dead worker left: called by the workflow with the error that it caught."""
        name = str(error.get("Error", ""))
        reason = FailureReason.TIMEOUT if name in TIMEOUTS else FailureReason.WORKER_CRASHED
        texts = {
            FailureReason.TIMEOUT: "The worker ran into its time limit.",
            FailureReason.WORKER_CRASHED: f"The worker died ({name or 'no reason given'}).",
        }
        job = self.store.close(job_id, JobStatus.FAILED, texts[reason], reason)
        if job is None:
            return self.store.get(job_id).status
        self._count_failed(job, reason)
        return job.status

    def _finish(self, job: Job, outcome: Outcome) -> JobStatus:
        """Keep the result under a key of this attempt's own, and only then let the job point to it."""
        folder = f"results/{job.plugin}/{job.county_id}/{job.job_id}/{_key_part(job.attempt)}"
        document: dict[str, Any] = {"result": dict(outcome.document), "file": None}
        if outcome.file:
            key = f"{folder}/{outcome.file.name}"
            self.results.upload(outcome.file.path, key, outcome.file.media_type)
            document["file"] = {"key": key, "name": outcome.file.name}
            document["result"][outcome.file.location_field] = self.results.uri(key)
        result_key = f"{folder}/result.json"
        self.results.write_json(result_key, document)
        try:
            done = self.store.complete(job.job_id, job.attempt or "", result_key, outcome.message)
        except JobSuperseded:
            self._discard(result_key, document)
            raise
        labels = base_labels(self.plugin, done)
        self.metrics.record(self.plugin.metrics.completed, 1, labels)
        self.metrics.record(self.plugin.metrics.duration, _seconds(done), labels)
        for spec, value in (outcome.samples or {}).items():
            self.metrics.record(spec, value, labels)
        return done.status

    def _fail(self, job: Job, reason: FailureReason, message: str) -> JobStatus:
        try:
            failed = self.store.fail_attempt(job.job_id, job.attempt or "", reason, message)
        except JobSuperseded:
            return self.store.get(job.job_id).status
        self._count_failed(failed, reason)
        return failed.status

    def _count_failed(self, job: Job, reason: FailureReason) -> None:
        labels = base_labels(self.plugin, job)
        self.metrics.record(self.plugin.metrics.failed, 1, {**labels, "failure_reason": reason})
        if job.started_at:
            self.metrics.record(self.plugin.metrics.duration, _seconds(job), labels)

    def _discard(self, result_key: str, document: Mapping[str, Any]) -> None:
        if document["file"]:
            self.results.delete(document["file"]["key"])
        self.results.delete(result_key)


def ordered(attempt: str) -> str:
    """An attempt's token `{time}#{retry}` such that a later one compares greater as text: retry 10 after retry 9."""
    entered, _, retry = attempt.rpartition("#")
    return f"{entered}#{int(retry):06}"


def _seconds(job: Job) -> float:
    """Time from claim to end."""
    start, end = job.started_at or job.created_at, job.completed_at or now()
    return max(0.0, (end - start).total_seconds())


def _key_part(attempt: str | None) -> str:
    """An attempt's token as a part of a key: its characters are dates' and '#'."""
    return (attempt or "0").replace("#", "-").replace(":", "").replace("+", "_")


def result_of(job: Job, results: Storage) -> dict[str, Any] | None:
    """The result document of a COMPLETED job: `{"result": {…}, "file": {"key", "name"} | None}`."""
    if job.status is not JobStatus.COMPLETED or job.result_key is None:
        return None
    document = json.loads(results.read(job.result_key))
    return dict(document)
