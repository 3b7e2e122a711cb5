"""The valuation plugin's Step Functions entry: models, batches, and values that become a packet.

Each step is an event `{"step", "job_id", …}`; what steps hand on lies in the results bucket, below the job's `work/`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from terrafusion.jobs.model import Job
from terrafusion.jobs.shares import Share, work_on_share
from terrafusion.jobs.work import Attempt, Progress
from terrafusion.logs import configure
from valuation.batch_job import SELECTED_PERCENT, joining, value_chunk
from valuation.beginning import Begun, begin
from valuation.deployed import deployment
from valuation.plugin import PLUGIN
from valuation.worker import office

logger = configure(PLUGIN.slug)


def _begin(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Do the first part of `{"job_id", "attempt"}`; gives what comes next."""
    attempt = Attempt.of_workflow(event["attempt"])
    part = begin(office(), deployment().results)
    begun = deployment().worker(PLUGIN).run_part(event["job_id"], attempt, context, part) or Begun.over()
    return {
        "next": begun.next.value,
        "chunks": list(range(begun.chunks)),
        "count": begun.chunks,
        "token": attempt.token,
    }


def _chunk(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Value chunk `{"job_id", "chunk", "count", "token"}`, unless the job is over."""
    here, number = deployment(), event["chunk"]

    def value(job: Job, directory: Path, _progress: Progress) -> int:
        return value_chunk(office(), here.results, job, number, directory)

    share = Share(number, event["count"], event["token"], SELECTED_PERCENT)
    count = work_on_share(here.worker(PLUGIN), event["job_id"], share, context, value)
    return {"chunk": number, "properties": count or 0}


def _join(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Join the chunks of `{"job_id", "attempt"}` into its result."""
    attempt, work = Attempt.of_workflow(event["attempt"]), joining(deployment().results)
    status = deployment().worker(PLUGIN).run(event["job_id"], attempt, context, work, goes_on=True)
    return {"job_id": event["job_id"], "status": status}


STEPS: Mapping[str, Callable[[dict[str, Any], Any], dict[str, Any]]] = {
    "begin": _begin,
    "chunk": _chunk,
    "join": _join,
}


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Do a step of a job."""
    logger.append_keys(job_id=event["job_id"])
    return STEPS[event["step"]](event, context)
