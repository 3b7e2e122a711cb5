"""Jobs that come as messages of a queue, and those that its dead-letter queue collects.

A message is taken off its queue only when its job is over: what is left of a killed worker's batch is delivered again,
and in the end to the dead-letter queue, whose consumer ends the job.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from terrafusion.errors import FailureReason, NotFound, TerraFusionError
from terrafusion.jobs.counting import JobCounter
from terrafusion.jobs.model import JobEvent, JobStatus, now
from terrafusion.jobs.store import JobStore
from terrafusion.jobs.work import Attempt
from terrafusion.logs import about

log = logging.getLogger(__name__)


class MessageNotDone(TerraFusionError):
    """The message stays in its queue: its job is not over, or it names none."""


Run = Callable[[str, Attempt], JobStatus]


def work_on(event: dict[str, Any], run: Run) -> dict[str, Any]:
    """Work on a batch of messages `{"job_id"}`; gives those that are to be delivered again."""

    def handle(record: SQSRecord) -> None:
        job_id = _job_id(record)
        attempt = Attempt.of_message(record.message_id, int(record.attributes.approximate_receive_count))
        try:
            status = run(job_id, attempt)
        except NotFound:
            return  # the job's own time is over, and with it the message's
        if not status.is_terminal:
            raise MessageNotDone(f"Job {job_id} is being worked on by another delivery.")

    return _partially(event, handle)


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Ends the jobs of messages that were delivered too often."""

    store: JobStore
    counter: JobCounter

    def close(self, event: dict[str, Any]) -> dict[str, Any]:
        """End the jobs of a batch; a message that names none stays for a person to look at."""
        return _partially(event, self._close)

    def _close(self, record: SQSRecord) -> None:
        job_id = _job_id(record)
        try:
            job = self.store.get(job_id)
        except NotFound:
            return
        if job.status.is_terminal:
            return
        if job.lease_until is not None and job.lease_until > now():
            raise MessageNotDone(f"Job {job_id} is still being worked on.")
        message = "The worker died each time it was given the job."
        closed = self.store.close(job_id, FailureReason.WORKER_CRASHED, message, job.version)
        if closed is None:
            raise MessageNotDone(f"Job {job_id} changed meanwhile.")
        with about(job.log_keys):
            log.warning("job failed, %s: %s", FailureReason.WORKER_CRASHED, message)
            self.counter.count(closed, JobEvent.ENDED)


def _partially(event: dict[str, Any], handle: Callable[[SQSRecord], None]) -> dict[str, Any]:
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    return dict(process_partial_response(event=event, record_handler=handle, processor=processor))


def _job_id(record: SQSRecord) -> str:
    try:
        return str(json.loads(record.body)["job_id"])
    except (ValueError, KeyError, TypeError):
        raise MessageNotDone(f"Message {record.message_id} names no job.") from None
