"""A job and its states."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict


class JobStatus(StrEnum):
    """The states of a job; the last three are final."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing can follow."""
        return self in TERMINAL


TERMINAL = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED})


class JobEvent(StrEnum):
    """What the metrics count of a job, each once."""

    SUBMITTED = "submitted"
    ENDED = "ended"


class Job(BaseModel):
    """A job as recorded.

    `parameters` are the request as it was accepted, defaults filled in; asked again, it makes the same job. `decided`
    is what the county's data and settings and the caller's roles settled besides. `type_label` is the value of the
    plugin's metric label (an export's format). `attempt` names the worker's run that has the job, until `lease_until`
    at the latest. `result_key` names the result document in the results bucket.
    `request_id` is that of the request which asked for the job. `version` grows with every write. `uncounted` are the
    events that no metric has counted yet, `samples` the values of the plugin's own metrics. `shares` tells how far
    each is, in percent by its number, of a job that is worked on side by side.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    job_id: str
    plugin: str
    county_id: str
    status: JobStatus
    message: str
    parameters: dict[str, Any]
    requested_by: str
    dataset_version: str
    created_at: datetime
    updated_at: datetime
    decided: dict[str, Any] = {}
    type_label: str = ""
    failure_reason: str | None = None
    progress: int = 0
    started_at: datetime | None = None
    completed_at: datetime | None = None
    attempt: str | None = None
    lease_until: datetime | None = None
    result_key: str | None = None
    version: int = 1
    uncounted: frozenset[JobEvent] = frozenset({JobEvent.SUBMITTED})
    samples: dict[str, float] = {}
    request_id: str = ""
    shares: dict[int, int] = {}

    @property
    def folder(self) -> str:
        """Where its files lie in the results bucket."""
        return f"results/{self.plugin}/{self.county_id}/{self.job_id}"

    @property
    def log_keys(self) -> dict[str, str]:
        """What every line that is about this job carries."""
        return {
            "job_id": self.job_id,
            "county_id": self.county_id,
            "plugin": self.plugin,
            "request_id": self.request_id,
        }


def now() -> datetime:
    """The present, UTC, in microseconds, as documents carry it."""
    return datetime.now(UTC)


def timestamp(moment: datetime | None) -> str | None:
    """RFC 3339 with a fixed width, so that text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z" if moment else None
