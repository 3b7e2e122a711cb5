"""The export plugin's Step Functions entry."""

import os
from functools import cache
from typing import Any

from gis_export import gdal
from gis_export.job import ExportWork
from gis_export.plugin import PLUGIN
from terrafusion.deployment import Deployment
from terrafusion.jobs.work import Attempt
from terrafusion.logs import configure
from terrafusion.settings import PlatformSettings

logger = configure(PLUGIN.slug)


@cache
def deployment() -> Deployment:
    """The resources of this deployment."""
    return Deployment(PlatformSettings.read(os.environ), PLUGIN.slug)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Work on `{"job_id", "attempt"}`; says whether somebody is to be told."""
    logger.append_keys(job_id=event["job_id"])
    here = deployment()
    gdal.load().configure_s3(here.settings.aws_endpoint_url, here.settings.aws_region)
    work = ExportWork(here.catalogue, here.data, here.audit, here.settings.result_days)
    status = here.worker(PLUGIN).run(event["job_id"], Attempt.of_workflow(event["attempt"]), context, work)
    job = here.jobs.get(event["job_id"])
    return {"job_id": job.job_id, "status": status, "callback": bool(job.parameters["parameters"].get("callback_url"))}
