"""The routes that every plugin's jobs share: run's second half, status, cancel, list."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Protocol
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel

from terrafusion.auth import Principal
from terrafusion.counties import CountyConfiguration, CountySnapshot
from terrafusion.http.app import Caller, Moment, Term
from terrafusion.jobs.idempotency import IdempotencyKey
from terrafusion.jobs.model import Job, JobStatus, now, timestamp
from terrafusion.jobs.service import Accepted, JobService
from terrafusion.plugins import Plugin

KEY_PATTERN = r"^[!-~]{1,255}$"

KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=KEY_PATTERN,
        description="Sent again with the same request within 24 hours, it finds the job of the first.",
    ),
]


class Links(BaseModel):
    """Where the rest of a job is found."""

    status: str
    results: str
    cancel: str
    download: str


class StatusDocument(BaseModel, extra="allow"):
    """A job as clients see it."""

    job_id: UUID
    plugin: str
    county_id: str
    status: JobStatus
    message: str
    failure_reason: str | None
    progress: int
    parameters: dict[str, Any]
    requested_by: str
    dataset_version: str
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    links: Links


class JobList(BaseModel):
    """A page of jobs, newest first."""

    items: list[StatusDocument]
    next_cursor: str | None


class CountyRequest(Protocol):
    """A request for a job: a pydantic model that names its county."""

    @property
    def county_id(self) -> str:
        """Whose data."""

    def model_dump(self, *, mode: str, exclude_defaults: bool) -> dict[str, Any]:
        """The request as a document."""


Plan = Callable[[CountySnapshot, CountyConfiguration], Accepted]
"""Checks a request against a county's data and settings; raises where it cannot be fulfilled."""


def status_document(plugin: Plugin, job: Job) -> dict[str, Any]:
    """The status document of a job."""
    links = {name: f"/api/v1/{plugin.slug}/{name}/{job.job_id}" for name in Links.model_fields}
    members = {name: getattr(job, name) for name in StatusDocument.model_fields if name != "links"}
    times = {name: timestamp(value) for name, value in members.items() if isinstance(value, datetime)}
    label = {plugin.metrics.label: job.type_label} if plugin.metrics.label else {}
    return {**members, **times, **label, **plugin.members(job), "links": links}


def expected_end(job: Job, moment: datetime) -> datetime | None:
    """When a running job may end, if it goes on as it did; None before it has come anywhere."""
    if job.status is not JobStatus.RUNNING or job.started_at is None or job.progress <= 0:
        return None
    reported = job.updated_at - job.started_at
    return max(moment, job.started_at + reported * (100 / job.progress))


class JobRoutes:
    """A plugin's shared routes, and the answer to a request for a job."""

    def __init__(self, plugin: Plugin, service: Callable[[], JobService]) -> None:
        self._plugin = plugin
        self._service = service
        self.router = APIRouter(prefix=f"/api/v1/{plugin.slug}", tags=[plugin.slug])
        add = self.router.add_api_route
        add("/status/{job_id}", self.status, response_model=StatusDocument, summary="A job's state")
        add(
            "/cancel/{job_id}",
            self.cancel,
            methods=["POST"],
            response_model=StatusDocument,
            summary="End a job early",
        )
        add("/list", self.list_jobs, response_model=JobList, summary="Jobs, newest first")

    def run(
        self, caller: Principal, request: CountyRequest, key: str | None, response: Response, plan: Plan
    ) -> dict[str, Any]:
        """Submit a job, or find the one that the same request was given under the same key."""
        service = self._service()
        service.access.run(caller, request.county_id)
        document = request.model_dump(mode="json", exclude_defaults=True)
        once = IdempotencyKey.of(self._plugin.slug, caller.subject, key, document) if key else None
        job = service.submitted_before(once)
        response.headers["idempotency-replayed"] = str(job is not None).lower()
        if job is None:
            snapshot = service.catalogue.current(request.county_id)
            accepted = plan(snapshot, service.catalogue.configuration(request.county_id))
            job = service.submit(caller, request.county_id, snapshot.version, accepted, once)
        answer = status_document(self._plugin, job)
        response.headers["location"] = answer["links"]["status"]
        return answer

    def status(self, job_id: UUID, caller: Caller) -> dict[str, Any]:
        """How a job stands."""
        job = self._service().access.job(caller, self._plugin.view_status, str(job_id))
        document = status_document(self._plugin, job)
        if self._plugin.tells_queue:
            waits = job.status is JobStatus.PENDING
            document["queue_position"] = self._service().access.store.before(job) + 1 if waits else None
            document["estimated_completion_at"] = timestamp(expected_end(job, now()))
        return document

    def cancel(self, job_id: UUID, caller: Caller) -> dict[str, Any]:
        """End a job; 409 when it has ended already."""
        return status_document(self._plugin, self._service().cancel(caller, str(job_id)))

    def list_jobs(
        self,
        caller: Caller,
        county_id: Term | None = None,
        status: JobStatus | None = None,
        created_after: Moment | None = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
        cursor: str | None = None,
    ) -> dict[str, Any]:
        """The caller's jobs, a page at a time."""
        page = self._service().page(caller, county_id, status, created_after, limit, cursor)
        items = [status_document(self._plugin, job) for job in page.jobs]
        return {"items": items, "next_cursor": page.next_cursor}
