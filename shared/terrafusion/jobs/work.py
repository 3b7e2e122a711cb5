"""The worker's side of a job: claim it, do the work, keep the result, finish it. Repeating any step changes nothing."""

import hashlib
import json
import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

from terrafusion.errors import FailureReason, JobFailure, JobSuperseded
from terrafusion.jobs.counting import JobCounter
from terrafusion.jobs.model import Job, JobEvent, JobStatus, now
from terrafusion.jobs.store import JobStore
from terrafusion.jobs.transitions import CLAIM, CLAIM_DELIVERED, Transition
from terrafusion.logs import about
from terrafusion.metrics import MetricSpec
from terrafusion.storage import Storage

log = logging.getLogger(__name__)

REPORT_EVERY_SECONDS = 1.0
STOP_BEFORE_DEADLINE_SECONDS = 15.0
STOP_BEFORE_DEADLINE_SHARE = 0.2
"""So much of its time a function leaves, when that is less: short functions stop later."""
LEASE_MARGIN = timedelta(seconds=5)
"""After its deadline the platform takes a moment to end a function."""


class Deadline(Protocol):
    """The part of a Lambda context that says how long the function may still run."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds left."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of a job's worker: the token that its writes carry, and how it may take the job."""

    token: str
    transition: Transition

    @classmethod
    def of_workflow(cls, text: str) -> "Attempt":
        """A workflow's attempt `{time}#{retry}`, as text that grows: retry 10 after retry 9."""
        entered, _, retry = text.rpartition("#")
        return cls(f"{entered}#{int(retry):06}", CLAIM)

    @classmethod
    def of_message(cls, message_id: str, deliveries: int) -> "Attempt":
        """A delivery of a message; others of the same job may be under way."""
        return cls(f"{message_id}#{deliveries:06}", CLAIM_DELIVERED)


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A file that a job made; the result's member `location_field`, when named, will tell its address in S3.

    `sha256` in hex where the work knows it already.
    """

    path: Path
    name: str
    media_type: str
    location_field: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file of a result that an earlier step has put into the results bucket, below the job's folder."""

    key: str
    name: str
    media_type: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the work of a job came to: the result's document, its files, and samples for metrics of its own.

    `file` is what a download without a name gives; `attachments` and what is `kept` are asked for by their names.
    """

    message: str
    document: Mapping[str, Any]
    file: ResultFile | None = None
    attachments: tuple[ResultFile, ...] = ()
    kept: tuple[KeptFile, ...] = ()
    samples: Mapping[MetricSpec, float] | None = None

    @property
    def files(self) -> tuple[ResultFile, ...]:
        """All files that were made now, the one that a download without a name gives first."""
        return (self.file, *self.attachments) if self.file else self.attachments


class Progress:
    """How the work tells how far it is, and learns that it should stop."""

    def __init__(self, store: JobStore, job: Job, deadline: Deadline) -> None:
        self._store = store
        self._job = job
        self._deadline = deadline
        left = deadline.get_remaining_time_in_millis()
        self._stop_at_millis = min(STOP_BEFORE_DEADLINE_SECONDS * 1000, STOP_BEFORE_DEADLINE_SHARE * left)
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
        if self._deadline.get_remaining_time_in_millis() < self._stop_at_millis:
            raise JobFailure(FailureReason.TIMEOUT, "The work did not fit into the worker's time limit.")
        self.tell(fraction, message)

    def tell(self, fraction: float, message: str) -> None:
        """Report as `__call__` does, however little time is left: the work is done, and only kept.

        Raises
        ------
        JobSuperseded
        """
        moment = time.monotonic()
        if moment - self._reported_at < REPORT_EVERY_SECONDS:
            return
        self._reported_at = moment
        self._report(max(0, min(99, int(fraction * 100))), message)

    def _report(self, percent: int, message: str) -> None:
        self._store.report(self._job.job_id, self._job.attempt or "", percent, message)


T = TypeVar("T")
Part = Callable[[Job, Path, Progress], T]
Work = Part[Outcome]


@dataclass(frozen=True, slots=True)
class Steps:
    """How long each step of a job took, in seconds: what the line at its end tells."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def time(self, name: str) -> Iterator[None]:
        """Take the time of a step, however it ends."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(time.perf_counter() - started, 3)


@dataclass(frozen=True, slots=True)
class Worker:
    """Runs the jobs of one plugin."""

    store: JobStore
    results: Storage
    counter: JobCounter

    def run(self, job_id: str, attempt: Attempt, deadline: Deadline, work: Work, *, goes_on: bool = False) -> JobStatus:
        """Claim a job and work on it, unless it is finished or somebody else's; see `JobStore.claim` for `goes_on`.

        Returns
        -------
        The state in which it leaves the job.
        """
        return self.run_or_begin(job_id, attempt, deadline, work, goes_on=goes_on)

    def run_or_begin(
        self, job_id: str, attempt: Attempt, deadline: Deadline, work: Part[Outcome | T], *, goes_on: bool = False
    ) -> JobStatus | T:
        """As `run`, of work that may find that others have to go on with it, and gives what they are to know."""
        steps = Steps()

        def whole(job: Job, directory: Path, progress: Progress) -> Job | T:
            with steps.time("work"):
                outcome = work(job, directory, progress)
            if not isinstance(outcome, Outcome):
                return outcome
            with steps.time("keep"):
                return self._finish(job, outcome, progress)

        ended = self.run_part(job_id, attempt, deadline, whole, goes_on=goes_on)
        if ended is None:
            return self.store.get(job_id).status
        if not isinstance(ended, Job):
            return ended
        with about(ended.log_keys):
            self.counter.count(ended, JobEvent.ENDED)
            log.info("job completed: %s", ended.message, extra={"seconds": steps.seconds})
        return ended.status

    def run_part(
        self, job_id: str, attempt: Attempt, deadline: Deadline, part: Part[T], *, goes_on: bool = False
    ) -> T | None:
        """Claim a job and work on a part of it, which a later step of its workflow goes on from.

        Returns
        -------
        What the part gives, or None when there is nothing to go on from: the job is over, or somebody else's.
        """
        job = self.store.claim(job_id, attempt.token, lease(deadline), attempt.transition, goes_on=goes_on)
        if job is None:
            log.info("job %s is not this attempt's", job_id)
            return None
        with about(job.log_keys):
            log.info("job taken by attempt %s", attempt.token)
            return self.work_on(job, part, Progress(self.store, job, deadline))

    def work_on(self, job: Job, part: Part[T], progress: Progress) -> T | None:
        """Work on a part of a job that is this attempt's, and end the job where that fails; None when it is over."""
        with tempfile.TemporaryDirectory(prefix="terrafusion-") as directory:
            try:
                return part(job, Path(directory), progress)
            except JobSuperseded:
                log.info("job %s was cancelled or taken over; the attempt stops", job.job_id)
            except JobFailure as failure:
                self._fail(job, failure.reason, failure.message)
            except Exception:
                log.exception("job %s failed", job.job_id)
                self._fail(job, FailureReason.PROCESSING_EXCEPTION, "The job failed unexpectedly.")
        return None

    def _finish(self, job: Job, outcome: Outcome, progress: Progress) -> Job:
        """Keep the result under a key of this attempt's own, and only then let the job point to it."""
        folder = f"{job.folder}/{key_part(job.attempt)}"
        result_key = f"{folder}/result.json"
        document: dict[str, Any] = {"result": dict(outcome.document), "files": []}
        made: list[str] = []
        samples = {spec.name: value for spec, value in (outcome.samples or {}).items()}
        try:
            for file in outcome.files:
                key = f"{folder}/{file.name}"
                made.append(key)
                document["files"].append(_entry(file, key))
                self.results.upload(file.path, key, file.media_type, lambda: progress.tell(1, "Keeping the result"))
                if file.location_field:
                    document["result"][file.location_field] = self.results.uri(key)
            document["files"] += [asdict(file) for file in outcome.kept]
            self.results.write_json(result_key, document)
            return self.store.complete(job.job_id, job.attempt or "", result_key, outcome.message, samples)
        except JobSuperseded:
            for key in (*made, result_key):  # what is kept from earlier steps may be another attempt's as well
                self.results.delete(key)
            raise

    def _fail(self, job: Job, reason: FailureReason, message: str) -> None:
        try:
            failed = self.store.fail_attempt(job.job_id, job.attempt or "", reason, message)
        except JobSuperseded:
            return
        log.warning("job failed, %s: %s", reason, message)
        self.counter.count(failed, JobEvent.ENDED)


def lease(deadline: Deadline) -> datetime:
    """When an attempt that starts now can no longer be running."""
    return now() + timedelta(milliseconds=deadline.get_remaining_time_in_millis()) + LEASE_MARGIN


def key_part(attempt: str | None) -> str:
    """An attempt's token as a part of a key: its characters are dates' and '#'."""
    return (attempt or "0").replace("#", "-").replace(":", "").replace("+", "_")


def _entry(file: ResultFile, key: str) -> dict[str, Any]:
    """What the result keeps of a file."""
    digest = file.sha256
    if digest is None:
        with file.path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
    size = file.path.stat().st_size
    return {"key": key, "name": file.name, "media_type": file.media_type, "size_bytes": size, "sha256": digest}


def result_of(job: Job, results: Storage) -> dict[str, Any] | None:
    """The result document of a COMPLETED job.

    `{"result": {…}, "files": [{"key", "name", "media_type", "size_bytes", "sha256"}]}`
    """
    if job.status is not JobStatus.COMPLETED or job.result_key is None:
        return None
    document = json.loads(results.read(job.result_key))
    return dict(document)
