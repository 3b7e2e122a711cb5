"""What nobody finishes otherwise: jobs that were never handed over, whose work vanished, or that were not counted."""

import logging
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from terrafusion.errors import FailureReason
from terrafusion.jobs.counting import JobCounter
from terrafusion.jobs.dispatch import Dispatcher, Handover
from terrafusion.jobs.model import Job, JobEvent, JobStatus, now
from terrafusion.jobs.store import JobStore
from terrafusion.logs import about
from terrafusion.metrics import LONGEST_SILENCE, SILENT_JOBS, SWEEPS, SWEPT

log = logging.getLogger(__name__)

COUNT_AFTER = timedelta(seconds=60)
"""Whoever made a change has so long to count it."""
LONGEST_WAIT = timedelta(hours=24)
"""A job that could not begin for so long is not wanted any more."""
MAX_JOBS = 500
"""So many jobs a run looks at; the next goes on."""


class Finding(StrEnum):
    """What the sweep did about a job."""

    COUNTED = "counted"
    DISPATCHED_AGAIN = "dispatched_again"
    CLOSED = "closed"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Sweep:
    """Looks after the silent jobs of one plugin."""

    store: JobStore
    dispatcher: Dispatcher
    counter: JobCounter

    def run(self, moment: datetime | None = None) -> dict[str, int]:
        """Look at every job that has been silent for too long; gives what was done, by number of jobs."""
        moment = moment or now()
        findings: Counter[str] = Counter()
        silences: list[timedelta] = []
        shortest = min(COUNT_AFTER, self.dispatcher.patience)
        for job, _ in zip(
            self.store.open_jobs(self.counter.plugin.slug, moment - shortest), range(MAX_JOBS), strict=False
        ):
            with about(job.log_keys):
                try:
                    finding = self._look_at(job, moment)
                except Exception:  # one job's trouble is not the others'
                    log.exception("job %s could not be looked after", job.job_id)
                    continue
                if finding is not Finding.LEFT:
                    log.warning("job %s was silent since %s: %s", job.job_id, job.updated_at, finding)
            findings[finding] += 1
            if not job.status.is_terminal and finding is not Finding.CLOSED:
                silences.append(moment - job.updated_at)
        self._tell(findings, silences)
        return dict(findings)

    def _tell(self, findings: Counter[str], silences: list[timedelta]) -> None:
        """Record what was found and done."""
        metrics, plugin = self.counter.metrics, {"plugin": self.counter.plugin.slug}
        metrics.record(SWEEPS, 1, plugin)
        metrics.record(SILENT_JOBS, len(silences), plugin)
        metrics.record(LONGEST_SILENCE, max(silences, default=timedelta()).total_seconds(), plugin)
        for finding, count in sorted(findings.items()):
            if finding != Finding.LEFT:
                metrics.record(SWEPT, count, {**plugin, "finding": finding})

    def _look_at(self, job: Job, moment: datetime) -> Finding:
        for event in sorted(job.uncounted):
            self.counter.count(job, event)
        if job.status.is_terminal:
            self.store.close_if_counted(self.store.get(job.job_id))
            return Finding.COUNTED
        if job.uncounted:
            return Finding.COUNTED  # that was a write: what was decided before it would no longer hold
        if moment - job.updated_at < self.dispatcher.patience:
            return Finding.LEFT
        return self._look_after(job, moment)

    def _look_after(self, job: Job, moment: datetime) -> Finding:
        state = self.dispatcher.state(job)
        if state is Handover.UNDER_WAY:
            return Finding.LEFT
        if state is Handover.ENDED:
            return self._close(job, FailureReason.WORKER_CRASHED, "The work on the job ended without a result.")
        if job.status is JobStatus.RUNNING:
            if job.lease_until is not None and job.lease_until > moment:
                return Finding.LEFT
            return self._close(job, FailureReason.WORKER_CRASHED, "The worker died, and nothing took over.")
        if moment - job.created_at > LONGEST_WAIT:
            return self._close(job, FailureReason.TIMEOUT, "No worker was free for a day.")
        if not self.store.touch(job, "Waiting for a worker"):
            return Finding.LEFT
        self.dispatcher.start(job)
        return Finding.DISPATCHED_AGAIN

    def _close(self, job: Job, reason: FailureReason, message: str) -> Finding:
        closed = self.store.close(job.job_id, reason, message, job.version)
        if closed is None:
            return Finding.LEFT
        self.counter.count(closed, JobEvent.ENDED)
        return Finding.CLOSED
