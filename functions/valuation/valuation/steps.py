"""The valuation plugin's Step Functions entry: models, batches, and values that become a packet.

Each step is an event `{"step", "job_id", …}`; what steps hand on lies in the results bucket, below the job's `work/`.
"""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from terrafusion.errors import JobSuperseded
from terrafusion.jobs.work import Attempt
from terrafusion.logs import configure
from valuation.batch_job import joining, value_chunk
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


def _chunk(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Value chunk `{"job_id", "chunk", "count", "token"}`, unless the job is over."""
    here = deployment()
    job = here.jobs.get(event["job_id"])
    if job.status.is_terminal:
        return {"chunk": event["chunk"], "properties": 0}
    with tempfile.TemporaryDirectory(prefix="terrafusion-") as directory:
        count = value_chunk(office(), here.results, job, event["chunk"], Path(directory))
    percent = 10 + 80 * (event["chunk"] + 1) // event["count"]
    try:
        here.jobs.report(job.job_id, event["token"], percent, f"Valued {count:,} properties more")
    except JobSuperseded:
        logger.info("the job is over; nobody waits for chunk %s", event["chunk"])
    return {"chunk": event["chunk"], "properties": count}


def _join(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Join the chunks of `{"job_id", "attempt"}` into its result."""
    attempt, work = Attempt.of_workflow(event["attempt"]), joining(deployment().results)
    status = deployment().worker(PLUGIN).run(event["job_id"], attempt, context, work)
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
