"""The end of jobs whose worker can no longer end them."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from terrafusion.errors import FailureReason
from terrafusion.jobs.counting import JobCounter
from terrafusion.jobs.model import JobEvent, JobStatus
from terrafusion.jobs.store import JobStore
from terrafusion.logs import about

log = logging.getLogger(__name__)

TIMEOUTS = frozenset({"States.Timeout", "Sandbox.Timedout"})


@dataclass(frozen=True, slots=True)
class Closer:
    """Ends what a dead worker left."""

    store: JobStore
    counter: JobCounter

    def close(self, job_id: str, error: Mapping[str, Any]) -> JobStatus:
        """End a job whose workflow caught an error, given as `{"Error", "Cause"}`."""
        name = str(error.get("Error", ""))
        timed_out = name in TIMEOUTS or "Sandbox.Timedout" in str(error.get("Cause", ""))
        reason = FailureReason.TIMEOUT if timed_out else FailureReason.WORKER_CRASHED
        texts = {
            FailureReason.TIMEOUT: "The worker ran into its time limit.",
            FailureReason.WORKER_CRASHED: f"The worker died ({name or 'no reason given'}).",
        }
        job = self.store.close(job_id, reason, texts[reason])
        if job is None:
            return self.store.get(job_id).status
        with about(job.log_keys):
            log.warning("job failed, %s: %s", reason, texts[reason])
            self.counter.count(job, JobEvent.ENDED)
        return job.status
