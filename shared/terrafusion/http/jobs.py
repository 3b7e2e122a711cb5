"""The routes that every plugin's jobs share: status, results, cancel, list, download."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel
from starlette.responses import RedirectResponse

from terrafusion.auth import Principal
from terrafusion.deployment import Deployment
from terrafusion.errors import Conflict, NotFound
from terrafusion.http.app import Caller
from terrafusion.jobs.model import Job, JobStatus, timestamp
from terrafusion.jobs.service import JobService
from terrafusion.jobs.work import result_of
from terrafusion.plugins import Plugin
from terrafusion.storage import Link


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


class ResultsDocument(StatusDocument):
    """A job with its result, null until it is COMPLETED."""

    result: dict[str, Any] | None


class JobList(BaseModel):
    """A page of jobs, newest first."""

    items: list[StatusDocument]
    next_cursor: str | None


class JobRoutes:
    """A plugin's shared routes, and the documents that they answer."""

    def __init__(self, plugin: Plugin, deployment: Callable[[], Deployment], service: Callable[[], JobService]) -> None:
        self._plugin = plugin
        self._deployment = deployment
        self._service = service
        self._prefix = f"/api/v1/{plugin.slug}"
        self.router = APIRouter(prefix=self._prefix, tags=[plugin.slug])
        add = self.router.add_api_route
        add("/status/{job_id}", self.status, response_model=StatusDocument, summary="A job's state")
        add("/results/{job_id}", self.results, response_model=ResultsDocument, summary="A job's result")
        add(
            "/cancel/{job_id}",
            self.cancel,
            methods=["POST"],
            response_model=StatusDocument,
            summary="End a job early",
        )
        add("/list", self.list_jobs, response_model=JobList, summary="Jobs, newest first")
        add(
            "/download/{job_id}",
            self.download,
            status_code=302,
            response_class=RedirectResponse,
            summary="A fresh link to a job's file",
        )

    def accepted(self, job: Job, response: Response) -> dict[str, Any]:
        """Answer to a job just submitted."""
        document = self.document(job)
        response.headers["location"] = document["links"]["status"]
        return document

    def document(self, job: Job) -> dict[str, Any]:
        """The status document."""
        links = {name: f"{self._prefix}/{name}/{job.job_id}" for name in Links.model_fields}
        times = ("created_at", "updated_at", "started_at", "completed_at")
        label = {self._plugin.metrics.label: job.type_label} if self._plugin.metrics.label else {}
        return {
            **job.model_dump(exclude={"attempt", "result_key", "type_label"}),
            **{name: timestamp(getattr(job, name)) for name in times},
            **label,
            "links": links,
        }

    def status(self, job_id: UUID, caller: Caller) -> dict[str, Any]:
        """How a job stands."""
        caller.require(self._plugin.view_status)
        return self.document(self._service().get(caller, str(job_id)))

    def results(self, job_id: UUID, caller: Caller) -> dict[str, Any]:
        """What a job came to, with a fresh link to its file."""
        caller.require(self._plugin.view_results)
        job = self._service().get(caller, str(job_id))
        stored = result_of(job, self._deployment().results)
        if stored is None:
            return {**self.document(job), "result": None}
        result = dict(stored["result"])
        if stored["file"]:
            link = self._link(stored["file"])
            result["download_url"] = link.url
            result["download_url_expires_at"] = timestamp(link.expires_at)
        return {**self.document(job), "result": result}

    def cancel(self, job_id: UUID, caller: Caller) -> dict[str, Any]:
        """End a job; 409 when it has ended already."""
        caller.require(self._plugin.execute)
        return self.document(self._service().cancel(caller, str(job_id)))

    def list_jobs(
        self,
        caller: Caller,
        county_id: str | None = None,
        status: JobStatus | None = None,
        created_after: datetime | None = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
        cursor: str | None = None,
    ) -> dict[str, Any]:
        """The caller's jobs, a page at a time."""
        caller.require(self._plugin.view_status)
        page = self._service().page(caller, county_id, status, created_after, limit, cursor)
        return {"items": [self.document(job) for job in page.jobs], "next_cursor": page.next_cursor}

    def download(self, job_id: UUID, caller: Caller) -> RedirectResponse:
        """Redirect to a link that lives for some minutes."""
        caller.require(self._plugin.view_results)
        return RedirectResponse(self._fresh_link(caller, str(job_id)).url, 302)

    def _fresh_link(self, caller: Principal, job_id: str) -> Link:
        job = self._service().get(caller, job_id)
        stored = result_of(job, self._deployment().results)
        if stored is None:
            raise Conflict(f"Job {job_id} is {job.status}; only a COMPLETED job has a file.")
        if not stored["file"]:
            raise NotFound(f"Job {job_id} has a result, but no file.")
        return self._link(stored["file"])

    def _link(self, file: dict[str, str]) -> Link:
        deployment = self._deployment()
        return deployment.results.link(file["key"], file["name"], deployment.settings.link_seconds)
