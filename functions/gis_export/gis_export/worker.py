"""The export plugin's Step Functions entries: `handler` works on a job, `close_crashed` ends what a dead one left."""

import os
from functools import cache
from typing import Any

from gis_export import gdal
from gis_export.job import export_job
from gis_export.plugin import PLUGIN
from terrafusion.deployment import Deployment
from terrafusion.jobs.work import Worker
from terrafusion.logs import configure
from terrafusion.settings import PlatformSettings

logger = configure(PLUGIN.slug)


@cache
def deployment() -> Deployment:
    """The resources of this deployment."""
    return Deployment(PlatformSettings.read(os.environ), PLUGIN.slug)


@cache
def worker() -> Worker:
    """What runs the plugin's jobs."""
    here = deployment()
    return Worker(PLUGIN, here.jobs, here.results, here.metrics)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Work on `{"job_id", "attempt"}`."""
    logger.append_keys(job_id=event["job_id"])
    settings = deployment().settings
    gdal.load().configure_s3(settings.aws_endpoint_url, settings.aws_region)
    work = export_job(deployment().catalogue, deployment().data, settings.result_days)
    status = worker().run(event["job_id"], event["attempt"], context, work)
    return {"job_id": event["job_id"], "status": status}


@logger.inject_lambda_context(clear_state=True)
def close_crashed(event: dict[str, Any], _context: Any) -> dict[str, str]:
    """End the job of `{"job_id", "error"}`, whose worker could not."""
    logger.append_keys(job_id=event["job_id"])
    status = worker().close_crashed(event["job_id"], event["error"])
    return {"job_id": event["job_id"], "status": status}
