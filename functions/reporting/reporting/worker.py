"""The report plugin's Step Functions entry."""

from typing import Any

from reporting.deployed import deployment
from reporting.job import report_job
from reporting.plugin import PLUGIN
from terrafusion.jobs.work import Attempt
from terrafusion.logs import configure

logger = configure(PLUGIN.slug)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Work on `{"job_id", "attempt"}`."""
    logger.append_keys(job_id=event["job_id"])
    here = deployment()
    work = report_job(here.catalogue, here.data)
    status = here.worker(PLUGIN).run(event["job_id"], Attempt.of_workflow(event["attempt"]), context, work)
    return {"job_id": event["job_id"], "status": status}
