"""The routes that show what a job came to, and sign links to its file: a function of their own, which may only read."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import RedirectResponse

from terrafusion.audit import Action
from terrafusion.auth import Principal
from terrafusion.deployment import Deployment
from terrafusion.errors import Conflict, Forbidden, NotFound
from terrafusion.http.app import Caller, Term
from terrafusion.http.jobs import StatusDocument, status_document
from terrafusion.jobs.model import Job, timestamp
from terrafusion.jobs.work import result_of
from terrafusion.plugins import Plugin
from terrafusion.storage import Link


class ResultsDocument(StatusDocument):
    """A job with its result, null until it is COMPLETED."""

    result: dict[str, Any] | None


RequireSight = Callable[[Principal, Job], None]


def sees_all(_caller: Principal, _job: Job) -> None:
    """Who may see a plugin's results may see each of them."""


class ResultRoutes:
    """A plugin's results and downloads; each view is recorded before it is answered.

    `require_sight` refuses a job's result to callers who may see the plugin's results, but not all that this one tells.
    """

    def __init__(
        self, plugin: Plugin, deployment: Callable[[], Deployment], require_sight: RequireSight = sees_all
    ) -> None:
        self._plugin = plugin
        self._deployment = deployment
        self._require_sight = require_sight
        self.router = APIRouter(prefix=f"/api/v1/{plugin.slug}", tags=[plugin.slug])
        self.router.add_api_route(
            "/results/{job_id}", self.results, response_model=ResultsDocument, summary="A job's result"
        )
        self.router.add_api_route(
            "/download/{job_id}",
            self.download,
            status_code=302,
            response_class=RedirectResponse,
            summary="A fresh link to a job's file",
        )

    def results(self, job_id: UUID, caller: Caller) -> dict[str, Any]:
        """What a job came to, with fresh links to its files."""
        job, stored = self._read(caller, str(job_id))
        document = status_document(self._plugin, job)
        if stored is None:
            return {**document, "result": None}
        self._record(caller, Action.RESULT_VIEWED, job)
        result = dict(stored["result"])
        files = [self._with_link(file) for file in stored["files"]]
        if files:
            links = ("download_url", "download_url_expires_at")
            result |= {"files": files, **{name: files[0][name] for name in links}}
        return {**document, "result": result}

    def download(self, job_id: UUID, caller: Caller, file: Term | None = None) -> RedirectResponse:
        """Redirect to a link that lives for some minutes: to the job's main file, or to the one that is named."""
        job, stored = self._read(caller, str(job_id))
        if stored is None:
            raise Conflict(f"Job {job_id} is {job.status}; only a COMPLETED job has a file.")
        names = [entry["name"] for entry in stored["files"]]
        if not names:
            raise NotFound(f"Job {job_id} has a result, but no file.")
        if file is not None and file not in names:
            raise NotFound(f"Job {job_id} has no file '{file}'. It has {', '.join(names)}.")
        chosen = stored["files"][names.index(file) if file else 0]
        self._record(caller, Action.DOWNLOADED, job, chosen["name"])
        return RedirectResponse(self._link(chosen).url, 302)

    def _read(self, caller: Principal, job_id: str) -> tuple[Job, dict[str, Any] | None]:
        here = self._deployment()
        access = here.access(self._plugin)
        job = access.job(caller, self._plugin.view_results, job_id)
        try:
            self._require_sight(caller, job)
        except Forbidden:
            access.audit.add(access.record(caller, Action.DENIED, job.county_id, job_id, self._plugin.view_results))
            raise
        return job, result_of(job, here.results)

    def _record(self, caller: Principal, action: Action, job: Job, detail: str | None = None) -> None:
        access = self._deployment().access(self._plugin)
        access.audit.add(access.record(caller, action, job.county_id, job.job_id, detail))

    def _with_link(self, file: dict[str, Any]) -> dict[str, Any]:
        link = self._link(file)
        described = {name: file[name] for name in ("name", "media_type", "size_bytes", "sha256")}
        return {**described, "download_url": link.url, "download_url_expires_at": timestamp(link.expires_at)}

    def _link(self, file: dict[str, Any]) -> Link:
        here = self._deployment()
        return here.results.link(file["key"], file["name"], here.settings.link_seconds)
