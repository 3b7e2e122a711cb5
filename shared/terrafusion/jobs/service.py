"""What the API does with jobs: submit, look up, cancel, list."""

import json
import logging
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from terrafusion.auth import Principal
from terrafusion.counties import Catalogue
from terrafusion.errors import Conflict, FailureReason, NotFound, Unavailable
from terrafusion.jobs.model import Job, JobStatus, now
from terrafusion.jobs.store import JobStore, Page
from terrafusion.metrics import EmfSink, MetricSpec
from terrafusion.plugins import Plugin

log = logging.getLogger(__name__)


class Dispatcher(Protocol):
    """Hands an accepted job to its worker, and takes it back."""

    def start(self, job: Job) -> None:
        """Have the job worked on; starting the same job twice is the same as once."""

    def stop(self, job: Job, cause: str) -> None:
        """Stop the work on a job that has ended already; none running is no error."""


@dataclass(frozen=True, slots=True)
class WorkflowDispatcher:
    """A Step Functions execution per job, named after it: a repeated start finds the first."""

    client: Any
    state_machine_arn: str

    def start(self, job: Job) -> None:
        """Start the job's execution."""
        self.client.start_execution(
            stateMachineArn=self.state_machine_arn,
            name=job.job_id,
            input=json.dumps({"job_id": job.job_id}),
        )

    def stop(self, job: Job, cause: str) -> None:
        """Stop the job's execution."""
        arn = self.state_machine_arn.replace(":stateMachine:", ":execution:", 1)
        try:
            self.client.stop_execution(executionArn=f"{arn}:{job.job_id}", cause=cause)
        except self.client.exceptions.ExecutionDoesNotExist:
            log.info("job %s had no execution to stop", job.job_id)


@dataclass(frozen=True, slots=True)
class JobService:
    """The jobs of one plugin."""

    plugin: Plugin
    store: JobStore
    catalogue: Catalogue
    dispatcher: Dispatcher
    metrics: EmfSink

    def submit(
        self,
        principal: Principal,
        county_id: str,
        dataset_version: str,
        parameters: Mapping[str, Any],
        type_label: str,
    ) -> Job:
        """Record a job and have it worked on.

        Raises
        ------
        Unavailable
            When it could not be handed over; the job is then recorded as FAILED.
        """
        moment = now()
        job = Job(
            job_id=str(uuid.uuid4()),
            plugin=self.plugin.slug,
            county_id=county_id,
            status=JobStatus.PENDING,
            message="Waiting for a worker",
            parameters=dict(parameters),
            requested_by=principal.subject,
            dataset_version=dataset_version,
            created_at=moment,
            updated_at=moment,
            type_label=type_label,
        )
        self.store.create(job)
        try:
            self.dispatcher.start(job)
        except Exception as error:
            log.exception("job %s could not be dispatched", job.job_id)
            self._dispatch_failed(job)
            raise Unavailable(f"Job {job.job_id} could not be handed to a worker; submit it again.") from error
        self.count(self.plugin.metrics.submitted, job, status_on_submit=JobStatus.PENDING)
        return job

    def get(self, principal: Principal, job_id: str) -> Job:
        """A job the caller may see; another county's is as unknown as none."""
        job = self.store.get(job_id)
        if job.plugin != self.plugin.slug or not principal.sees(job.county_id):
            raise NotFound(f"There is no job {job_id}.")
        return job

    def cancel(self, principal: Principal, job_id: str) -> Job:
        """End a job that has not ended.

        Raises
        ------
        Conflict
            When it has.
        """
        job = self.get(principal, job_id)
        cancelled = self.store.close(job_id, JobStatus.CANCELLED, f"Cancelled by {principal.subject}")
        if cancelled is None:
            raise Conflict(f"Job {job_id} is {self.store.get(job_id).status} already; it cannot be cancelled.")
        self.count(self.plugin.metrics.cancelled, cancelled)
        try:
            self.dispatcher.stop(job, "cancelled")
        except Exception:  # the job has ended; its worker finds out by itself
            log.warning("execution of cancelled job %s could not be stopped", job_id, exc_info=True)
        return cancelled

    def page(
        self,
        principal: Principal,
        county_id: str | None,
        status: JobStatus | None,
        created_after: datetime | None,
        limit: int,
        cursor: str | None,
    ) -> Page:
        """The caller's jobs, newest first; another county's list is empty."""
        return self.store.page(
            self.plugin.slug,
            self._counties(principal, county_id),
            status=status,
            created_after=created_after,
            limit=limit,
            cursor=cursor,
        )

    def count(self, spec: MetricSpec, job: Job, **labels: str) -> None:
        """Add one to a counter of the plugin's."""
        self.metrics.record(spec, 1, {**base_labels(self.plugin, job), **labels})

    def _counties(self, principal: Principal, county_id: str | None) -> Iterable[str]:
        if county_id is not None:
            return [county_id] if principal.sees(county_id) else []
        return self.catalogue.county_ids() if principal.sees_every_county else sorted(principal.counties)

    def _dispatch_failed(self, job: Job) -> None:
        self.count(self.plugin.metrics.submitted, job, status_on_submit=JobStatus.FAILED)
        reason = FailureReason.DISPATCH_FAILED
        if self.store.close(job.job_id, JobStatus.FAILED, "The job could not be handed to a worker.", reason):
            self.count(self.plugin.metrics.failed, job, failure_reason=reason)


def base_labels(plugin: Plugin, job: Job) -> dict[str, str]:
    """The labels that all of a plugin's job metrics share."""
    labels = {"county_id": job.county_id}
    if plugin.metrics.label:
        labels[plugin.metrics.label] = job.type_label
    return labels
