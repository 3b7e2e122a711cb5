"""A job and its states."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
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

PREDECESSORS: Mapping[JobStatus, frozenset[JobStatus]] = MappingProxyType(
    {
        JobStatus.RUNNING: frozenset({JobStatus.PENDING, JobStatus.RUNNING}),
        JobStatus.COMPLETED: frozenset({JobStatus.RUNNING}),
        JobStatus.FAILED: frozenset({JobStatus.PENDING, JobStatus.RUNNING}),
        JobStatus.CANCELLED: frozenset({JobStatus.PENDING, JobStatus.RUNNING}),
    }
)
"""Which states may come before a state. RUNNING follows RUNNING when a later attempt takes over from a dead one."""


class Job(BaseModel):
    """A job as recorded.

    `type_label` is the value of the plugin's metric label (an export's format). `attempt` tells the worker's runs
    apart: a later one compares greater. `result_key` names the result document in the results bucket.
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
    type_label: str = ""
    failure_reason: str | None = None
    progress: int = 0
    started_at: datetime | None = None
    completed_at: datetime | None = None
    attempt: str | None = None
    result_key: str | None = None


def now() -> datetime:
    """The present, UTC, in microseconds, as documents carry it."""
    return datetime.now(UTC)


def timestamp(moment: datetime | None) -> str | None:
    """RFC 3339 with a fixed width, so that text order is time order."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment else None
