"""What calls functions besides HTTP: queues and schedules."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.invocation import InvokeResult
from local.resources import ACCOUNT, REGION
from local.stack import QueueEvent, ScheduleEvent, Scheduler

Invoke = Callable[[str, bytes], InvokeResult]

RECEIVE_LIMIT = 10
"""Messages that one call to SQS gives or takes."""

POLL_SECONDS = 2
"""How long a call waits for messages; also how long a poller may take to stop."""

RETRY_SECONDS = 1


@dataclass(frozen=True, slots=True)
class QueueSource:
    """A queue and the function it feeds; `pollers` batches at once."""

    function: str
    event: QueueEvent
    queue_url: str
    pollers: int


class QueuePoller:
    """Feeds a queue's messages to a function, as Lambda's event source mapping does.

    A batch that the function took is deleted; after an error its messages stay, are seen again after the queue's
    visibility timeout, and go to its dead-letter queue in the end.

    Parameters
    ----------
    client
        An SQS client of boto3.
    report
        Takes a line about what went wrong, with the function's name.
    """

    def __init__(self, source: QueueSource, client: Any, invoke: Invoke, report: Callable[[str, str], None]) -> None:
        self._source = source
        self._client = client
        self._invoke = invoke
        self._report = report
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"{source.function} poller {i}", daemon=True)
            for i in range(source.pollers)
        ]

    def start(self) -> None:
        """Poll in the background."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Take no more messages."""
        self._stopping.set()

    def join(self, seconds: float) -> None:
        """Wait for batches under way."""
        end = time.monotonic() + seconds
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, end - time.monotonic()))

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                messages = self._gather()
                if messages:
                    self._handle(messages)
            except (BotoCoreError, ClientError) as error:
                if not self._stopping.is_set():
                    self._report(self._source.function, f"queue {self._source.queue_url}: {error}")
                self._stopping.wait(RETRY_SECONDS)

    def _gather(self) -> list[dict[str, Any]]:
        """One batch: what is there, or what comes within the batching window."""
        event = self._source.event
        messages = self._receive(event.batch_size, POLL_SECONDS)
        end = time.monotonic() + event.window_seconds
        while messages and len(messages) < event.batch_size and (left := end - time.monotonic()) > 0:
            more = self._receive(event.batch_size - len(messages), min(POLL_SECONDS, int(left)))
            messages += more
            if not more and self._stopping.wait(min(left, 0.1)):
                break
        return messages

    def _receive(self, count: int, seconds: int) -> list[dict[str, Any]]:
        answer = self._client.receive_message(
            QueueUrl=self._source.queue_url,
            MaxNumberOfMessages=min(count, RECEIVE_LIMIT),
            WaitTimeSeconds=seconds,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return list(answer.get("Messages", []))

    def _handle(self, messages: Sequence[dict[str, Any]]) -> None:
        records = [message_record(message, self._source.event.queue_arn) for message in messages]
        result = self._invoke(self._source.function, json.dumps({"Records": records}).encode())
        if result.error:
            return
        failed = _failed_items(result.payload, messages) if self._source.event.partial else frozenset()
        done = [message["ReceiptHandle"] for message in messages if message["MessageId"] not in failed]
        for start in range(0, len(done), RECEIVE_LIMIT):
            entries = [{"Id": str(i), "ReceiptHandle": h} for i, h in enumerate(done[start : start + RECEIVE_LIMIT])]
            self._client.delete_message_batch(QueueUrl=self._source.queue_url, Entries=entries)


class ScheduleRunner:
    """Calls a function when its schedule says so.

    Parameters
    ----------
    clock
        The time, in UTC.
    """

    def __init__(
        self,
        function: str,
        event: ScheduleEvent,
        invoke: Invoke,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._function = function
        self._event = event
        self._invoke = invoke
        self._clock = clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{function} schedule", daemon=True)

    def start(self) -> None:
        """Run in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Call no more."""
        self._stopping.set()

    def join(self, seconds: float) -> None:
        """Wait for a call under way."""
        self._thread.join(seconds)

    def _run(self) -> None:
        due = self._event.schedule.next_after(self._clock())
        while due is not None:
            # a machine that slept is late at once: wait in short steps, and skip what was missed
            while (left := (due - self._clock()).total_seconds()) > 0:
                if self._stopping.wait(min(left, 30)):
                    return
            self._invoke(self._function, schedule_payload(self._event, due))
            due = self._event.schedule.next_after(max(due, self._clock()))
            if self._stopping.is_set():
                return


def schedule_payload(event: ScheduleEvent, due: datetime) -> bytes:
    """What the function gets: the template's `Input`, or the service's own event."""
    if event.input is not None:
        return event.input.encode()
    resource = {
        Scheduler.EVENTBRIDGE_RULE: f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{event.name}",
        Scheduler.EVENTBRIDGE_SCHEDULER: f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/{event.name}",
    }[event.source]
    document = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": event.source.value,
        "account": ACCOUNT,
        "time": due.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [resource],
        "detail": {} if event.source is Scheduler.EVENTBRIDGE_RULE else "{}",
    }
    return json.dumps(document).encode()


def stop_all(sources: Iterable[QueuePoller | ScheduleRunner], seconds: float) -> None:
    """Stop sources together; what is under way has so many seconds to end."""
    sources = list(sources)
    for source in sources:
        source.stop()
    end = time.monotonic() + seconds
    for source in sources:
        source.join(max(0.0, end - time.monotonic()))


def message_record(message: Mapping[str, Any], queue_arn: str) -> dict[str, Any]:
    """A message as Lambda hands it on."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {
            name: {
                "dataType": value["DataType"],
                "stringValue": value.get("StringValue"),
                "stringListValues": [],
                "binaryListValues": [],
            }
            for name, value in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": REGION,
    }


def _failed_items(payload: bytes, messages: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Ids of the messages that the function could not handle: all of them when its report makes no sense."""
    everything = frozenset(str(message["MessageId"]) for message in messages)
    value = json.loads(payload)
    report = value.get("batchItemFailures") if isinstance(value, dict) else value
    if not report:
        return frozenset() if report is None or report == [] else everything
    try:
        failed = frozenset(str(item["itemIdentifier"]) for item in report)
    except (KeyError, TypeError):
        return everything
    if not failed <= everything:
        return everything
    return failed
