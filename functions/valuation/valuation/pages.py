"""The valuation plugin's second Step Functions entry: sets what a first part found as pages."""

from typing import Any

from terrafusion.jobs.work import Attempt
from terrafusion.logs import configure
from valuation.deployed import deployment
from valuation.pages_job import pages_job
from valuation.plugin import PLUGIN

logger = configure(PLUGIN.slug)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Finish `{"job_id", "attempt"}` with its pages."""
    logger.append_keys(job_id=event["job_id"])
    here = deployment()
    attempt, work = Attempt.of_workflow(event["attempt"]), pages_job(here.catalogue, here.data, here.results)
    status = here.worker(PLUGIN).run(event["job_id"], attempt, context, work, goes_on=True)
    return {"job_id": event["job_id"], "status": status}
