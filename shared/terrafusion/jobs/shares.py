"""A job's shares: parts of its work that are done side by side, by a map of its workflow, between two other steps.

The step before claims the job; the shares work under that attempt's token, so that whatever ends the job stops them
all. A share's own outcome lies in the job's work folder: it may be made twice, and whoever joins reads one of each.
"""

import logging
from dataclasses import dataclass

from terrafusion.errors import JobSuperseded
from terrafusion.jobs.model import Job
from terrafusion.jobs.work import Deadline, Part, Progress, T, Worker
from terrafusion.logs import about
from terrafusion.storage import Storage

log = logging.getLogger(__name__)

END_PERCENT = 90
"""What remains is the step that joins."""


@dataclass(frozen=True, slots=True)
class WorkFolder:
    """What the steps of a job hand on to each other: files in the results bucket, below the job's `work/`."""

    results: Storage
    job: Job

    def key(self, name: str) -> str:
        """The key of a file."""
        return f"results/{self.job.plugin}/{self.job.county_id}/{self.job.job_id}/work/{name}"


@dataclass(frozen=True, slots=True)
class Share:
    """One of `count` shares, by its number from 0, and the token of the attempt that began them.

    `begins` is the job's progress, in percent, before any is done.
    """

    number: int
    count: int
    token: str
    begins: int = 5


class _Watch(Progress):
    """The progress of one of many: it learns that it should stop, and leaves the telling to those that are done."""

    def _report(self, _percent: int, _message: str) -> None:
        self._store.owned(self._job.job_id, self._job.attempt or "")


def work_on_share(worker: Worker, job_id: str, share: Share, deadline: Deadline, part: Part[T]) -> T | None:
    """Do a share of a job; the job ends where that fails for a reason.

    The job's progress is the number of shares that are done, whichever they are, so that it only grows.

    Returns
    -------
    What the part gives, or None when nobody waits for it any more.
    """
    try:
        job = worker.store.owned(job_id, share.token)
        with about(job.log_keys):
            done = worker.work_on(job, part, _Watch(worker.store, job, deadline))
            if done is not None:
                _tell(worker, job_id, share)
            return done
    except JobSuperseded:
        log.info("job %s is over; nobody waits for share %s", job_id, share.number)
        return None


def _tell(worker: Worker, job_id: str, share: Share) -> None:
    finished = len(worker.store.note_share(job_id, share.token, share.number).shares_done)
    percent = share.begins + (END_PERCENT - share.begins) * finished // share.count
    worker.store.report_forward(job_id, share.token, percent, f"{finished:,} of {share.count:,} parts are done")
