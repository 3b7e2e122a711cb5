"""The state machine of a job: every legal change, and nothing else.

A change is one conditional write. What it is conditional on depends on the state that it finds: a guard. The store
turns guards into DynamoDB's condition; `allows` says the same of a job in memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from terrafusion.jobs.model import Job, JobStatus

PENDING, RUNNING = JobStatus.PENDING, JobStatus.RUNNING


class Guard(StrEnum):
    """What must hold beside the state."""

    FREE = "free"
    """Nothing."""
    OWN = "own"
    """The attempt that writes has the job."""
    EARLIER = "earlier"
    """An earlier attempt has the job: whoever asks knows that it is over."""
    LEASE_OVER = "lease_over"
    """The attempt that has the job can no longer be running."""
    UNCHANGED = "unchanged"
    """Nobody has written since the writer read the job and decided."""


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of state: where it leads, and from where under which guard."""

    name: str
    target: JobStatus
    sources: Mapping[JobStatus, Guard]

    def allows(
        self, job: Job, *, attempt: str | None = None, version: int | None = None, moment: datetime | None = None
    ) -> bool:
        """Whether a job may change so, asked by an attempt, for a version, at a moment."""
        guard = self.sources.get(job.status)
        if guard is None:
            return False
        if guard is Guard.FREE:
            return True
        if guard is Guard.UNCHANGED:
            return job.version == version
        if guard is Guard.LEASE_OVER:
            return job.lease_until is not None and moment is not None and job.lease_until < moment
        if job.attempt is None or attempt is None:
            return False
        return job.attempt == attempt if guard is Guard.OWN else job.attempt < attempt


def _transition(name: str, target: JobStatus, sources: dict[JobStatus, Guard]) -> Transition:
    return Transition(name, target, MappingProxyType(sources))


CLAIM = _transition("claim", RUNNING, {PENDING: Guard.FREE, RUNNING: Guard.EARLIER})
"""A workflow hands the job to an attempt of its worker; its attempts follow each other."""
CLAIM_DELIVERED = _transition("claim_delivered", RUNNING, {PENDING: Guard.FREE, RUNNING: Guard.LEASE_OVER})
"""A message was delivered; it may be a second copy of one that is being worked on."""
REPORT = _transition("report", RUNNING, {RUNNING: Guard.OWN})
COMPLETE = _transition("complete", JobStatus.COMPLETED, {RUNNING: Guard.OWN})
FAIL = _transition("fail", JobStatus.FAILED, {RUNNING: Guard.OWN})
CLOSE = _transition("close", JobStatus.FAILED, {PENDING: Guard.FREE, RUNNING: Guard.FREE})
"""Whoever started the worker knows that it is over."""
CLOSE_STALE = _transition("close_stale", JobStatus.FAILED, {PENDING: Guard.UNCHANGED, RUNNING: Guard.UNCHANGED})
"""Somebody looked at a silent job and decided that nobody works on it."""
DISPATCH_AGAIN = _transition("dispatch_again", PENDING, {PENDING: Guard.UNCHANGED})
CANCEL = _transition("cancel", JobStatus.CANCELLED, {PENDING: Guard.FREE, RUNNING: Guard.FREE})

TRANSITIONS = (CLAIM, CLAIM_DELIVERED, REPORT, COMPLETE, FAIL, CLOSE, CLOSE_STALE, DISPATCH_AGAIN, CANCEL)
