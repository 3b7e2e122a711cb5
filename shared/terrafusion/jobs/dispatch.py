"""How an accepted job reaches its worker: a workflow of its own, or a message."""

import json
import logging
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Protocol

from terrafusion.jobs.model import Job

log = logging.getLogger(__name__)


class Handover(StrEnum):
    """What is known of a job that was handed over."""

    NONE = "none"
    """It was not, or nothing is left of it."""
    UNDER_WAY = "under_way"
    """It will end the job."""
    ENDED = "ended"
    """It is over, whatever became of the job."""
    UNKNOWN = "unknown"
    """Nobody can say: it may be under way."""


class Dispatcher(Protocol):
    """Hands an accepted job to its worker, and takes it back."""

    @property
    def patience(self) -> timedelta:
        """For so long a job may be silent before somebody looks after it."""

    def start(self, job: Job) -> None:
        """Have the job worked on; starting the same job twice is the same as once."""

    def stop(self, job: Job, cause: str) -> None:
        """Stop the work on a job that has ended already; none running is no error."""

    def state(self, job: Job) -> Handover:
        """What became of a job that was handed over."""


@dataclass(frozen=True, slots=True)
class WorkflowDispatcher:
    """A Step Functions execution per job, named after it: a repeated start finds the first."""

    client: Any
    state_machine_arn: str
    patience: timedelta = timedelta(seconds=60)

    def start(self, job: Job) -> None:
        """Start the job's execution."""
        try:
            self.client.start_execution(
                stateMachineArn=self.state_machine_arn, name=job.job_id, input=json.dumps({"job_id": job.job_id})
            )
        except self.client.exceptions.ExecutionAlreadyExists:
            log.info("job %s had its execution already", job.job_id)

    def stop(self, job: Job, cause: str) -> None:
        """Stop the job's execution."""
        try:
            self.client.stop_execution(executionArn=self._execution(job), cause=cause)
        except self.client.exceptions.ExecutionDoesNotExist:
            log.info("job %s had no execution to stop", job.job_id)

    def state(self, job: Job) -> Handover:
        """Whether the job's execution runs."""
        try:
            status = self.client.describe_execution(executionArn=self._execution(job))["status"]
        except self.client.exceptions.ExecutionDoesNotExist:
            return Handover.NONE
        return Handover.UNDER_WAY if status in {"RUNNING", "PENDING_REDRIVE"} else Handover.ENDED

    def _execution(self, job: Job) -> str:
        arn = self.state_machine_arn.replace(":stateMachine:", ":execution:", 1)
        return f"{arn}:{job.job_id}"


@dataclass(frozen=True, slots=True)
class QueueDispatcher:
    """A message per job. A second copy does no second work: the claim sees to that.

    `patience` is the time in which a queue has either delivered a message again or given it up: its visibility
    timeout times the number of deliveries.
    """

    client: Any
    queue_url: str
    patience: timedelta

    def start(self, job: Job) -> None:
        """Send the job's message."""
        self.client.send_message(QueueUrl=self.queue_url, MessageBody=json.dumps({"job_id": job.job_id}))

    def stop(self, job: Job, cause: str) -> None:
        """Nothing to stop: whoever gets the message finds that the job is over."""

    def state(self, job: Job) -> Handover:  # noqa: ARG002  a queue does not tell of one message
        """A queue does not tell."""
        return Handover.UNKNOWN
