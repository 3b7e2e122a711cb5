"""The plugin's SQS entry."""

from typing import Any

from market_analysis.deployed import deployment
from market_analysis.job import analysis_job
from market_analysis.plugin import PLUGIN
from terrafusion.jobs.messages import work_on
from terrafusion.jobs.model import JobStatus
from terrafusion.jobs.work import Attempt
from terrafusion.logs import configure

logger = configure(PLUGIN.slug)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Work on a batch of messages; gives those that are to be delivered again."""
    here = deployment()

    def run(job_id: str, attempt: Attempt) -> JobStatus:
        logger.append_keys(job_id=job_id)
        return here.worker(PLUGIN).run(job_id, attempt, context, analysis_job(here.catalogue, here.data))

    return work_on(event, run)
