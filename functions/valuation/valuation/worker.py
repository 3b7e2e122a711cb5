"""The valuation plugin's SQS entry: jobs of one property."""

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from terrafusion.jobs.messages import work_on
from terrafusion.jobs.model import JobStatus
from terrafusion.jobs.work import Attempt
from terrafusion.logs import configure
from valuation.deployed import deployment
from valuation.office import Office
from valuation.plugin import PLUGIN
from valuation.property_job import property_job

logger = configure(PLUGIN.slug)


@cache
def office() -> Office:
    """Tables and models of this process, kept from job to job."""
    directory = Path(tempfile.gettempdir()) / "terrafusion-tables"
    return Office(deployment().catalogue, deployment().data, directory)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Work on a batch of messages; gives those that are to be delivered again."""

    def run(job_id: str, attempt: Attempt) -> JobStatus:
        logger.append_keys(job_id=job_id)
        return deployment().worker(PLUGIN).run(job_id, attempt, context, property_job(office()))

    return work_on(event, run)
