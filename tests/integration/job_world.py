"""A plugin's jobs on the real engines, with processes that can die at any call."""

import io
import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from local.aws.endpoint import AwsEndpoint
from terrafusion.audit import AuditLog
from terrafusion.auth import Principal
from terrafusion.counties import Catalogue
from terrafusion.jobs import Job, JobStore
from terrafusion.jobs.access import JobAccess
from terrafusion.jobs.closing import Closer
from terrafusion.jobs.counting import JobCounter
from terrafusion.jobs.dispatch import Handover
from terrafusion.jobs.idempotency import IdempotencyKeys
from terrafusion.jobs.messages import DeadLetters
from terrafusion.jobs.service import JobService
from terrafusion.jobs.sweep import Sweep
from terrafusion.jobs.work import Outcome, Progress, Worker
from terrafusion.metrics import EmfSink, JobMetrics
from terrafusion.plugins import Plugin
from terrafusion.storage import Storage

JOBS_TABLE = "terrafusion-local-jobs"
AUDIT_TABLE = "terrafusion-local-audit"
ADA = Principal("ada", frozenset({"*"}), frozenset({"a"}))


class Killed(BaseException):
    """The process died here."""


class Fuse:
    """Kills the process at one of its next calls, before it is sent or after it was answered."""

    def __init__(self) -> None:
        self._calls: int | None = None
        self._after = False

    @contextmanager
    def lit(self, calls: int | None, *, after: bool) -> Iterator[None]:
        before = self._calls, self._after
        self._calls, self._after = calls, after
        try:
            yield
        except Killed:
            pass
        finally:
            self._calls, self._after = before

    def burn(self) -> bool:
        """Count a call; gives whether to die after it."""
        if self._calls is None:
            return False
        self._calls -= 1
        if self._calls >= 0:
            return False
        self._calls = None
        if not self._after:
            raise Killed
        return True


class Mortal:
    """A client whose process may die at a call."""

    def __init__(self, client: Any, fuse: Fuse) -> None:
        self._client = client
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._client, name)
        if not callable(member) or name in {"get_paginator", "exceptions"}:
            return member

        def call(*arguments: Any, **options: Any) -> Any:
            dies = self._fuse.burn()
            answer = member(*arguments, **options)
            if dies:
                raise Killed
            return answer

        return call


@dataclass
class Handovers:
    """A dispatcher that remembers what it was given."""

    fails: bool = False
    given: dict[str, Handover] = field(default_factory=dict)
    patience: timedelta = timedelta(seconds=60)

    def start(self, job: Job) -> None:
        if self.fails:
            raise ConnectionError("no dispatcher")
        self.given.setdefault(job.job_id, Handover.UNDER_WAY)

    def stop(self, job: Job, cause: str) -> None:
        self.given[job.job_id] = Handover.ENDED

    def state(self, job: Job) -> Handover:
        return self.given.get(job.job_id, Handover.NONE)


@dataclass(frozen=True)
class Remaining:
    """A deadline; a dead worker's lease is over at once when its time was."""

    seconds: float

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


ALIVE = Remaining(60)
OVERDUE = Remaining(-60)


class World:
    """Everything of one plugin."""

    def __init__(self, endpoint: AwsEndpoint, results_bucket: str, data: Storage) -> None:
        self.fuse = Fuse()
        self.lines = io.StringIO()
        self._read_to = 0
        self._seen: set[tuple[str, str]] = set()
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        client = Mortal(endpoint.client("dynamodb"), self.fuse)
        self.plugin = Plugin("lives", "life", JobMetrics.of(f"p{uuid.uuid4().hex[:8]}", "life", None, (1, 10)))
        self.plugin = Plugin(f"lives-{uuid.uuid4().hex}", "life", self.plugin.metrics)
        self.results = Storage(Mortal(endpoint.client("s3"), self.fuse), results_bucket)
        self.store = JobStore(client, JOBS_TABLE, self.results, keep_days=7)
        self.audit = AuditLog(client, AUDIT_TABLE, keep_days=365)
        self.counter = JobCounter(self.plugin, self.store, EmfSink("test", stream=self.lines))
        self.handovers = Handovers()
        self.access = JobAccess(self.plugin, self.store, self.audit)
        keys = IdempotencyKeys(client, JOBS_TABLE)
        self.service = JobService(self.access, Catalogue(data), self.handovers, self.counter, keys)
        self.worker = Worker(self.store, self.results, self.counter)
        self.closer = Closer(self.store, self.counter)
        self.dead_letters = DeadLetters(self.store, self.counter)
        self.sweep = Sweep(self.store, self.handovers, self.counter)

    def counted(self, job_id: str) -> dict[str, int]:
        """How often each of a job's events was counted, lines that were written twice taken once."""
        new = self.lines.getvalue()[self._read_to :]  # others may be writing: the stream's place is theirs
        self._read_to += len(new)
        for line in new.splitlines():
            self._count(json.loads(line))
        return dict(self._counts[job_id])

    def _count(self, document: dict[str, Any]) -> None:
        (metric,) = document["_aws"]["CloudWatchMetrics"][0]["Metrics"]
        if not metric["Name"].startswith(f"{self.plugin.metrics.prefix}_jobs_"):
            return  # durations, faults, what sweeps tell: these are not a job's events
        identity = (document["event_id"], metric["Name"])
        if identity not in self._seen:
            self._seen.add(identity)
            name = metric["Name"].removeprefix(f"{self.plugin.metrics.prefix}_jobs_").removesuffix("_total")
            self._counts[document["event_id"].partition(":")[0]][name] += 1


def done(job: Job, directory: Path, progress: Progress) -> Outcome:
    """Work that succeeds; its result tells which attempt it was."""
    return Outcome("done", {"attempt": job.attempt})
