"""A job's shares: parts of its work that are done side by side, by a map of its workflow, between two other steps.

The step before claims the job; the shares work under that attempt's token, so that whatever ends the job stops them
all. A share's own outcome lies in the job's work folder: it may be made twice, and whoever joins reads one of each.
"""

import logging
from dataclasses import dataclass

from terrafusion.errors import JobSuperseded
from terrafusion.jobs.model import Job
from terrafusion.jobs.store import JobStore
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
        return f"{self.job.folder}/work/{name}"


@dataclass(frozen=True, slots=True)
class Share:
    """One of `count` shares, by its number from 0, and the token of the attempt that began them.

    `begins` is the job's progress, in percent, before any is done.
    """

    number: int
    count: int
    token: str
    begins: int = 5


class _ShareProgress(Progress):
    """The progress of one of many."""

    def __init__(self, store: JobStore, job: Job, deadline: Deadline, share: Share) -> None:
        super().__init__(store, job, deadline)
        self._share = share

    def _report(self, percent: int, _message: str) -> None:
        tell(self._store, self._job.job_id, self._share, percent)


def work_on_share(worker: Worker, job_id: str, share: Share, deadline: Deadline, part: Part[T]) -> T | None:
    """Do a share of a job; the job ends where that fails for a reason.

    Returns
    -------
    What the part gives, or None when nobody waits for it any more.
    """
    try:
        job = worker.store.owned(job_id, share.token)
        with about(job.log_keys):
            done = worker.work_on(job, part, _ShareProgress(worker.store, job, deadline, share))
            if done is not None:
                tell(worker.store, job_id, share, 100)
            return done
    except JobSuperseded:
        log.info("job %s is over; nobody waits for share %s", job_id, share.number)
        return None


def tell(store: JobStore, job_id: str, share: Share, percent: int) -> None:
    """Note how far a share is; the job is as far as all shares together, and never less far than it was.

    Raises
    ------
    JobSuperseded
    """
    job = store.note_share(job_id, share.token, share.number, percent)
    whole = share.begins + (END_PERCENT - share.begins) * sum(job.shares.values()) // (100 * share.count)
    if whole > job.progress:
        finished = sum(each == 100 for each in job.shares.values())
        store.report_forward(job_id, share.token, whole, f"{finished:,} of {share.count:,} parts are done")
