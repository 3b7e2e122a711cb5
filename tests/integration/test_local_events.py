"""Queues and schedules that call functions."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from local.aws.endpoint import AwsEndpoint
from local.events import QueuePoller, QueueSource, ScheduleRunner, schedule_payload, stop_all
from local.runtime import Functions
from local.schedule import parse_schedule
from local.stack import FunctionSpec, QueueEvent, ScheduleEvent, Scheduler

HANDLER = """
import json, os, time
from pathlib import Path

def handler(event, context):
    seen = Path(os.environ["SEEN"])
    with seen.open("a") as file: file.write(json.dumps(event) + "\\n")
    bodies = [record["body"] for record in event.get("Records", [])]
    if "explode" in bodies: raise RuntimeError("boom")
    if "silent" in bodies: return None
    if "nonsense" in bodies: return {"batchItemFailures": [{"itemIdentifier": "unknown"}]}
    if "slow" in bodies: time.sleep(0.4)
    return {"batchItemFailures": [
        {"itemIdentifier": r["messageId"]} for r in event.get("Records", []) if r["body"].startswith("bad")]}
"""


class Queue:
    """A queue with a dead-letter queue, and what its function saw."""

    def __init__(self, endpoint: AwsEndpoint, seen: Path) -> None:
        name = f"q{uuid.uuid4().hex[:8]}"
        arn = "arn:aws:sqs:us-west-2:123456789012:"
        self.arn = arn + name
        self._dead = endpoint.create_queue({"QueueName": f"{name}-dead"})
        policy = {"deadLetterTargetArn": f"{arn}{name}-dead", "maxReceiveCount": 2}
        properties = {"QueueName": name, "VisibilityTimeout": 1, "RedrivePolicy": policy}
        self.url = endpoint.create_queue(properties)
        self.client = endpoint.client("sqs")
        self._seen = seen

    def send(self, *bodies: str, **more: Any) -> None:
        for body in bodies:
            self.client.send_message(QueueUrl=self.url, MessageBody=body, **more)

    def dead(self) -> list[str]:
        found = self.client.receive_message(QueueUrl=self._dead, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return sorted(message["Body"] for message in found.get("Messages", []))

    def left(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._seen.read_text().splitlines()] if self._seen.exists() else []

    def batches(self) -> list[list[str]]:
        return [[record["body"] for record in event["Records"]] for event in self.events()]


Feed = Callable[..., Queue]


@pytest.fixture
def functions(tmp_path: Path) -> Iterator[Functions]:
    code = tmp_path / "code"
    code.mkdir()
    (code / "app.py").write_text(HANDLER)
    spec = FunctionSpec("F", "F", "arn:f", "app.handler", code, {"SEEN": str(tmp_path / "seen")}, timeout=20)
    running = Functions([spec], {}, lambda *_: None, scratch=tmp_path / "scratch")
    yield running
    running.stop()


@pytest.fixture
def feed(endpoint: AwsEndpoint, functions: Functions, tmp_path: Path) -> Iterator[Feed]:
    """Make a queue, send, then feed it to the function."""
    pollers: list[QueuePoller] = []

    def start(*bodies: str, pollers_at_once: int = 1, **options: Any) -> Queue:
        queue = Queue(endpoint, tmp_path / "seen")
        queue.send(*bodies)
        source = QueueSource("F", replace(QueueEvent(queue.arn), **options), queue.url, pollers_at_once)
        pollers.append(QueuePoller(source, queue.client, functions.invoke, lambda *_: None))
        pollers[-1].start()
        return queue

    yield start
    stop_all(pollers, 0.05)


def eventually(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "did not come true"
        time.sleep(0.05)


def test_a_message_arrives_as_lambda_hands_it_on_and_is_deleted(feed: Feed) -> None:
    queue = feed()
    attributes = {"colour": {"DataType": "String", "StringValue": "green"}}

    queue.send("hello", MessageAttributes=attributes)

    eventually(lambda: queue.events() and queue.left() == 0)
    ((record,),) = [event["Records"] for event in queue.events()]
    assert (record["body"], record["eventSource"], record["eventSourceARN"]) == ("hello", "aws:sqs", queue.arn)
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["messageAttributes"]["colour"]["stringValue"] == "green"
    assert record["awsRegion"] == "us-west-2"


def test_messages_come_in_batches_no_larger_than_asked(feed: Feed) -> None:
    queue = feed(*(f"m{i}" for i in range(7)), batch_size=3)

    eventually(lambda: queue.left() == 0)

    assert sorted(body for batch in queue.batches() for body in batch) == sorted(f"m{i}" for i in range(7))
    assert max(len(batch) for batch in queue.batches()) <= 3


def test_a_window_gathers_more_than_one_receive_gives(feed: Feed) -> None:
    queue = feed(*(f"m{i}" for i in range(14)), batch_size=14, window_seconds=10)

    eventually(lambda: queue.left() == 0)

    assert [len(batch) for batch in queue.batches()] == [14]


def test_only_the_items_that_failed_come_back_and_end_in_the_dead_letter_queue(feed: Feed) -> None:
    queue = feed("good 1", "bad 1", "good 2", partial=True)

    eventually(lambda: queue.dead() == ["bad 1"])

    seen = [body for batch in queue.batches() for body in batch]
    assert {body: seen.count(body) for body in seen} == {"good 1": 1, "good 2": 1, "bad 1": 2}


@pytest.mark.parametrize(("body", "partial"), [("explode", True), ("nonsense", True), ("explode", False)])
def test_after_an_error_the_whole_batch_comes_back(feed: Feed, body: str, partial: bool) -> None:
    queue = feed(body, "innocent", partial=partial)

    eventually(lambda: len(queue.dead()) == 2)

    assert queue.dead() == sorted([body, "innocent"])


@pytest.mark.parametrize(("body", "partial"), [("silent", True), ("bad", False)])
def test_without_a_report_a_batch_is_done(feed: Feed, body: str, partial: bool) -> None:
    queue = feed(body, partial=partial)

    eventually(lambda: queue.events() and queue.left() == 0)

    assert queue.dead() == []


def test_batches_run_at_once_as_many_as_there_are_pollers(feed: Feed) -> None:
    queue = feed(*["slow"] * 4, pollers_at_once=2, batch_size=1)

    eventually(lambda: queue.left() == 0)

    assert len(queue.batches()) == 4


def test_a_stopped_poller_leaves_later_messages_alone(feed: Feed, functions: Functions, tmp_path: Path) -> None:
    queue = feed("before")
    eventually(lambda: queue.left() == 0)
    source = QueueSource("F", QueueEvent(queue.arn), queue.url, 1)
    poller = QueuePoller(source, queue.client, functions.invoke, lambda *_: None)
    poller.stop()
    poller.start()
    poller.join(5)

    assert queue.batches() == [["before"]]


def test_a_schedule_calls_the_function_when_it_is_time(functions: Functions, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    ahead = now.replace(second=59, microsecond=700_000) - now
    event = ScheduleEvent("Sweep", parse_schedule("cron(* * * * ? *)"))
    runner = ScheduleRunner("F", event, functions.invoke, clock=lambda: datetime.now(UTC) + ahead)
    seen = tmp_path / "seen"

    runner.start()
    eventually(seen.exists)
    stop_all([runner], 5)

    (document,) = [json.loads(line) for line in seen.read_text().splitlines()]
    assert (document["source"], document["detail-type"]) == ("aws.events", "Scheduled Event")
    assert document["resources"] == ["arn:aws:events:us-west-2:123456789012:rule/Sweep"]
    assert datetime.fromisoformat(document["time"]).second == 0


def test_a_schedule_s_own_input_takes_the_place_of_the_event() -> None:
    due = datetime(2026, 11, 23, tzinfo=UTC)
    schedule = parse_schedule("rate(1 minute)")

    assert schedule_payload(ScheduleEvent("S", schedule, input='{"a": 1}'), due) == b'{"a": 1}'
    document = json.loads(schedule_payload(ScheduleEvent("S", schedule, Scheduler.EVENTBRIDGE_SCHEDULER), due))
    assert (document["source"], document["detail"]) == ("aws.scheduler", "{}")
