"""Ends what a dead worker left. Imports nothing of the worker's: what broke that one must not break this one."""

from typing import Any

from gis_export.deployed import deployment
from gis_export.plugin import PLUGIN
from terrafusion.logs import configure

logger = configure(PLUGIN.slug)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _context: Any) -> dict[str, str]:
    """End the job of `{"job_id", "error"}`."""
    logger.append_keys(job_id=event["job_id"])
    status = deployment().closer(PLUGIN).close(event["job_id"], event["error"])
    return {"job_id": event["job_id"], "status": status}
