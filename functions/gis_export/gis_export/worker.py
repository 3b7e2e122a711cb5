"""The export plugin's Step Functions entry: one step of a job's workflow.

A step is an event `{"step", "job_id", …}`. The first, `export`, makes the whole export, or finds that it takes parts;
then `part` makes each of them, and `join` one result of all.
"""

import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from gis_export import gdal
from gis_export.job import ExportWork
from gis_export.part_job import JoinWork, PartWork
from gis_export.parts import Division
from gis_export.plugin import PLUGIN
from gis_export.sources import CountyFiles
from terrafusion.deployment import Deployment
from terrafusion.jobs.model import JobStatus
from terrafusion.jobs.shares import Share, work_on_share
from terrafusion.jobs.work import Attempt, key_part
from terrafusion.logs import configure
from terrafusion.settings import PlatformSettings

logger = configure(PLUGIN.slug)


@cache
def deployment() -> Deployment:
    """The resources of this deployment."""
    return Deployment(PlatformSettings.read(os.environ), PLUGIN.slug)


@cache
def files() -> CountyFiles:
    """The counties' files."""
    return CountyFiles(deployment().catalogue, deployment().data)


def _export(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Work on `{"job_id", "attempt"}`; says which parts are to be made, and whether somebody is to be told."""
    here, attempt = deployment(), Attempt.of_workflow(event["attempt"])
    work = ExportWork(files(), here.results, here.audit, here.settings.result_days)
    found = here.worker(PLUGIN).run_or_begin(event["job_id"], attempt, context, work)
    if not isinstance(found, Division):
        return _ended(event["job_id"], found)
    parts = list(range(len(found.parts)))
    return {"job_id": event["job_id"], "next": "parts", "parts": parts, "count": len(parts), "token": attempt.token}


def _part(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Make part `{"job_id", "part", "count", "token", "attempt"}`, unless the job is over."""
    here, number = deployment(), event["part"]
    own = Attempt.of_workflow(event["attempt"])
    work = PartWork(files(), here.results, number, key_part(own.token))
    share = Share(number, event["count"], event["token"])
    made = work_on_share(here.worker(PLUGIN), event["job_id"], share, context, work)
    return {"part": number, "features": made.layer.record_count if made else 0}


def _join(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Make one result of the parts of `{"job_id", "attempt"}`."""
    here, attempt = deployment(), Attempt.of_workflow(event["attempt"])
    work = JoinWork(files(), here.results, here.audit, here.settings.result_days)
    status = here.worker(PLUGIN).run(event["job_id"], attempt, context, work, goes_on=True)
    return _ended(event["job_id"], status)


def _ended(job_id: str, status: JobStatus) -> dict[str, Any]:
    url = deployment().jobs.get(job_id).parameters["parameters"].get("callback_url")
    return {"job_id": job_id, "status": status, "next": "end", "callback": bool(url)}


STEPS: Mapping[str, Callable[[dict[str, Any], Any], dict[str, Any]]] = {
    "export": _export,
    "part": _part,
    "join": _join,
}


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Do a step of a job."""
    logger.append_keys(job_id=event["job_id"])
    here = deployment()
    gdal.load().configure_s3(here.settings.aws_endpoint_url, here.settings.aws_region)
    return STEPS[event.get("step", "export")](event, context)
