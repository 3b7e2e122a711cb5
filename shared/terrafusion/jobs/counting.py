"""The metrics of jobs: each event of each job counted once, whoever dies on the way.

What is not yet counted is written into the job with the change itself. Whoever made the change writes the samples, and
then notes in the job that they are written. Should it die in between, the sweep finds the job and writes them; a line
that was written twice carries the same `event_id` twice.
"""

from dataclasses import dataclass

from terrafusion.errors import FailureReason
from terrafusion.jobs.model import Job, JobEvent, JobStatus, now
from terrafusion.jobs.store import JobStore
from terrafusion.metrics import FAULTS, EmfSink, MetricSpec
from terrafusion.plugins import Plugin

Sample = tuple[MetricSpec, float, dict[str, str]]
"""A metric, its value, and the labels that not all of the family have."""


@dataclass(frozen=True, slots=True)
class JobCounter:
    """Counts the jobs of one plugin."""

    plugin: Plugin
    store: JobStore
    metrics: EmfSink

    def count(self, job: Job, event: JobEvent) -> None:
        """Write the samples of an event, and note it in the job."""
        samples = self._submitted(job) if event is JobEvent.SUBMITTED else self._ended(job)
        event_id = f"{job.job_id}:{event}"
        for spec, value, labels in samples:
            self.metrics.record(spec, value, {**self._labels(job), **labels}, event_id)
        if event is JobEvent.ENDED and job.failure_reason and FailureReason(job.failure_reason).is_fault:
            self.metrics.record(FAULTS, 1, {"kind": job.failure_reason}, event_id)
        self.store.settle(job, event)

    def _submitted(self, job: Job) -> list[Sample]:
        undelivered = job.failure_reason == FailureReason.DISPATCH_FAILED
        status = JobStatus.FAILED if undelivered else JobStatus.PENDING
        return [(self.plugin.metrics.submitted, 1, {"status_on_submit": status.value})]

    def _ended(self, job: Job) -> list[Sample]:
        metrics = self.plugin.metrics
        if job.status is JobStatus.CANCELLED:
            return [(metrics.cancelled, 1, {})]
        duration: list[Sample] = [(metrics.duration, _seconds(job), {})] if job.started_at else []
        if job.status is JobStatus.FAILED:
            return [(metrics.failed, 1, {"failure_reason": str(job.failure_reason)}), *duration]
        own: list[Sample] = [
            (spec, job.samples[spec.name], {}) for spec in self.plugin.samples if spec.name in job.samples
        ]
        return [(metrics.completed, 1, {}), *duration, *own]

    def _labels(self, job: Job) -> dict[str, str]:
        label = self.plugin.metrics.label
        return {"county_id": job.county_id, **({label: job.type_label} if label else {})}


def _seconds(job: Job) -> float:
    """Time from the first claim to the end."""
    start, end = job.started_at or job.created_at, job.completed_at or now()
    return max(0.0, (end - start).total_seconds())
