"""Ends what a dead worker left: a queue's dead letters, or the job of a workflow that caught an error."""

from typing import Any

from terrafusion.logs import configure
from valuation.deployed import deployment
from valuation.plugin import PLUGIN

logger = configure(PLUGIN.slug)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """End the jobs of a batch of messages, or that of `{"job_id", "error"}`."""
    if "Records" in event:
        return deployment().dead_letters(PLUGIN).close(event)
    logger.append_keys(job_id=event["job_id"])
    status = deployment().closer(PLUGIN).close(event["job_id"], event["error"])
    return {"job_id": event["job_id"], "status": status}
