"""Tells a client that its export has ended, where it asked for that: the workflow's last step."""

import logging
import time
from typing import Any

from gis_export.callbacks import RefusedAddress, post
from gis_export.deployed import deployment
from gis_export.plugin import PLUGIN
from terrafusion.jobs.model import Job, timestamp
from terrafusion.logs import configure
from terrafusion.storage import ObjectMissing

log = logging.getLogger(__name__)
logger = configure(PLUGIN.slug)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _context: Any) -> dict[str, str]:
    """Send the callback of `{"job_id"}`, if it has one; an error asks the workflow to try again."""
    logger.append_keys(job_id=event["job_id"])
    job = deployment().jobs.get(event["job_id"])
    url = job.parameters["parameters"].get("callback_url")
    return {"job_id": job.job_id, "callback": notify(job, url) if url and job.status.is_terminal else "none"}


def notify(job: Job, url: str) -> str:
    """Send a job's end, signed with its county's secret; without one, or to a private address, nothing is sent."""
    here = deployment()
    try:
        secret = here.data.read(f"secrets/{job.county_id}/callback").strip()
    except ObjectMissing:
        log.error("county %s has no secret for callbacks", job.county_id)  # noqa: TRY400  nothing is broken
        return "no_secret"
    try:
        post(url, document_of(job), secret, int(time.time()), loopback=here.settings.stage == "local")
    except RefusedAddress as error:
        log.error("callback refused: %s", error)  # noqa: TRY400  what the address is says it all
        return "refused"
    return "sent"


def document_of(job: Job) -> dict[str, Any]:
    """What a callback says: how the job ended, and where the rest is found."""
    names = ("status", "results", "download")
    return {
        "event": f"job.{job.status.value.lower()}",
        "job_id": job.job_id,
        "plugin": job.plugin,
        "county_id": job.county_id,
        "status": job.status.value,
        "failure_reason": job.failure_reason,
        "message": job.message,
        "completed_at": timestamp(job.completed_at),
        "links": {name: f"/api/v1/{job.plugin}/{name}/{job.job_id}" for name in names},
    }
