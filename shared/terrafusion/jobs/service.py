"""What the API does with jobs: submit, cancel, list."""

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from terrafusion.audit import Action
from terrafusion.auth import Principal
from terrafusion.counties import Catalogue
from terrafusion.errors import Conflict, FailureReason, Unavailable
from terrafusion.jobs.access import JobAccess
from terrafusion.jobs.counting import JobCounter
from terrafusion.jobs.dispatch import Dispatcher
from terrafusion.jobs.idempotency import IdempotencyKey, IdempotencyKeys
from terrafusion.jobs.model import Job, JobEvent, JobStatus, now
from terrafusion.jobs.store import Page
from terrafusion.logs import about
from terrafusion.transactions import ConditionFailed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A request that can be fulfilled: what a job records of it as `parameters`, `type_label` and `decided`."""

    parameters: Mapping[str, Any]
    type_label: str = ""
    decided: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JobService:
    """The jobs of one plugin."""

    access: JobAccess
    catalogue: Catalogue
    dispatcher: Dispatcher
    counter: JobCounter
    keys: IdempotencyKeys

    def submitted_before(self, key: IdempotencyKey | None) -> Job | None:
        """The job that the same request was given under the same key.

        Raises
        ------
        Conflict
            When the key was used for another request.
        """
        job_id = self.keys.job_id(key) if key else None
        return self.access.store.get(job_id) if job_id else None

    def submit(
        self,
        principal: Principal,
        county_id: str,
        dataset_version: str,
        accepted: Accepted,
        key: IdempotencyKey | None = None,
    ) -> Job:
        """Record a job and have it worked on.

        Raises
        ------
        Unavailable
            When it could not be handed over; the job is then recorded as FAILED, and its key may serve again.
        """
        moment = now()
        job = Job(
            job_id=str(uuid.uuid4()),
            plugin=self.access.plugin.slug,
            county_id=county_id,
            status=JobStatus.PENDING,
            message="Waiting for a worker",
            parameters=dict(accepted.parameters),
            requested_by=principal.subject,
            dataset_version=dataset_version,
            created_at=moment,
            updated_at=moment,
            type_label=accepted.type_label,
            decided=dict(accepted.decided),
            request_id=principal.request_id,
        )
        record = self.access.record(principal, Action.SUBMITTED, county_id, job.job_id)
        also = [self.access.audit.writing(record), *([self.keys.taking(key, job.job_id)] if key else [])]
        try:
            self.access.store.create(job, also)
        except ConditionFailed:
            before = self.submitted_before(key)
            if before is None:
                raise
            return before
        with about(job.log_keys):
            self._dispatch(job, key)
            log.info("job accepted")
        return job

    def cancel(self, principal: Principal, job_id: str) -> Job:
        """End a job that has not ended.

        Raises
        ------
        Conflict
            When it has.
        """
        job = self.access.job(principal, self.access.plugin.execute, job_id)
        record = self.access.record(principal, Action.CANCELLED, job.county_id, job_id)
        also = [self.access.audit.writing(record)]
        cancelled = self.access.store.cancel(job_id, f"Cancelled by {principal.subject}", also)
        if cancelled is None:
            raise Conflict(f"Job {job_id} is {self.access.store.get(job_id).status} already; it cannot be cancelled.")
        with about(job.log_keys):
            log.info("job cancelled")
            self.counter.count(cancelled, JobEvent.ENDED)
            try:
                self.dispatcher.stop(job, "cancelled")
            except Exception:  # the job has ended; its worker finds out by itself
                log.warning("the work on cancelled job %s could not be stopped", job_id, exc_info=True)
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
        counties = self.access.counties(principal, county_id, self.catalogue.county_ids)
        return self.access.store.page(
            self.access.plugin.slug, counties, status=status, created_after=created_after, limit=limit, cursor=cursor
        )

    def _dispatch(self, job: Job, key: IdempotencyKey | None) -> None:
        try:
            self.dispatcher.start(job)
        except Exception as error:
            log.exception("job %s could not be dispatched", job.job_id)
            failed = self.access.store.close(
                job.job_id, FailureReason.DISPATCH_FAILED, "The job could not be handed to a worker."
            )
            if failed is None:  # it had reached the worker after all
                self.counter.count(self.access.store.get(job.job_id), JobEvent.SUBMITTED)
                return
            if key:
                self.keys.release(key, job.job_id)
            self.counter.count(failed, JobEvent.SUBMITTED)
            self.counter.count(self.access.store.get(job.job_id), JobEvent.ENDED)
            raise Unavailable(f"Job {job.job_id} could not be handed to a worker; submit it again.") from error
        self.counter.count(job, JobEvent.SUBMITTED)
