"""SQS's messages: nobody receives one that is not on disk, and a deleted one does not come again."""

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from local.aws.journal import Journal
from local.aws.moto_engine import EngineAnswer, MotoEngine, Queue
from local.aws.signatures import SignedRequest
from local.gauges import Depth

KEPT = ("MessageBody", "MessageAttributes", "MessageGroupId", "MessageDeduplicationId")
"""What a message is sent with again."""
SEND = "AmazonSQS.SendMessage"
LONGEST_WAIT = 20
LOOK_SECONDS = 1
"""How often a call that waits looks for messages whose visibility timeout ended."""

log = logging.getLogger(__name__)


class Messages:
    """The queues' messages. Requests are answered one after the other, but for the time that they wait."""

    def __init__(self, engine: MotoEngine, journal: Journal, stopping: threading.Event) -> None:
        self._engine = engine
        self._journal = journal
        self._stopping = stopping
        self._lock = threading.Lock()
        self._calls: Mapping[str, Callable[[SignedRequest, dict[str, Any]], EngineAnswer]] = {
            "SendMessage": self._send,
            "SendMessageBatch": self._send,
            "ReceiveMessage": self._receive,
            "DeleteMessage": self._delete,
            "DeleteMessageBatch": self._delete,
            "PurgeQueue": self._empty,
            "DeleteQueue": self._empty,
        }

    def call(self, operation: str, request: SignedRequest, body: bytes) -> EngineAnswer:
        """Answer a request; what could not be kept has not happened."""
        document = json.loads(body or b"{}")
        queue = self._engine.queue(_queue_name(document))
        if queue is not None and operation == "ReceiveMessage":
            return self._wait(request, document, queue)
        with self._lock:
            answer = self._calls.get(operation) if queue is not None else None
            return answer(request, document) if answer else self._engine.call(request, body)

    def depth(self, name: str) -> Depth:
        """How many messages a queue holds, and since when."""
        queue = self._engine.queue(name)
        sent = queue.sent_at() if queue else []
        return Depth(len(sent), max(0.0, time.time() - min(sent)) if sent else 0.0)

    def restore(self, queue_url: str) -> None:
        """Put the messages back, under their ids, that a queue held."""
        name = _queue_name({"QueueUrl": queue_url})
        queue = self._engine.queue(name)
        if queue is None:
            return
        with self._lock:
            for identifier, message in self._journal.messages(name):
                sent = self._engine.ask("sqs", SEND, {**message, "QueueUrl": queue_url})
                queue.rename(sent.document["MessageId"], identifier)

    def _send(self, request: SignedRequest, document: dict[str, Any]) -> EngineAnswer:
        answer = self._engine.call(request, json.dumps(document).encode())
        if answer.status != 200:
            return answer
        sent = answer.document
        entries = {entry["Id"]: entry for entry in document.get("Entries", ())}
        found = [(part["MessageId"], entries[part["Id"]]) for part in sent.get("Successful", ())]
        messages = found if entries else [(sent["MessageId"], document)]
        name = _queue_name(document)
        try:
            self._journal.put_messages(name, [(i, {n: m[n] for n in KEPT if n in m}) for i, m in messages])
        except BaseException:
            queue = self._engine.queue(name)
            if queue is not None:
                queue.take_out(identifier for identifier, _ in messages)
            raise
        return answer

    def _wait(self, request: SignedRequest, document: dict[str, Any], queue: Queue) -> EngineAnswer:
        """Receive at once what is there, else what comes within the time; others are not kept from sending."""
        seconds = document.get("WaitTimeSeconds", queue.wait_seconds)
        if not isinstance(seconds, int) or not 0 <= seconds <= LONGEST_WAIT:
            return self._engine.call(request, json.dumps(document).encode())
        end = time.monotonic() + seconds
        while True:
            with self._lock:
                answer = self._receive(request, {**document, "WaitTimeSeconds": 0})
            left = end - time.monotonic()
            if answer.status != 200 or answer.document.get("Messages") or left <= 0 or self._stopping.is_set():
                return answer
            queue.wait(min(left, LOOK_SECONDS))

    def _receive(self, request: SignedRequest, document: dict[str, Any]) -> EngineAnswer:
        answer = self._engine.call(request, json.dumps(document).encode())
        if answer.status == 200:
            identifiers = [message["MessageId"] for message in answer.document.get("Messages", ())]
            try:
                self._journal.move_messages(identifiers, _queue_name(document))
            except sqlite3.Error as error:  # it would come again in its first queue, and then in this one
                log.warning("a message's new queue could not be kept: %s", error)
        return answer

    def _delete(self, request: SignedRequest, document: dict[str, Any]) -> EngineAnswer:
        """From the disk first: a message that stays there must stay in the queue."""
        queue = self._engine.queue(_queue_name(document))
        receipts = [entry["ReceiptHandle"] for entry in document.get("Entries", [document])]
        identifiers = [queue.identifier(receipt) for receipt in receipts] if queue else []
        self._journal.delete_messages(identifier for identifier in identifiers if identifier)
        return self._engine.call(request, json.dumps(document).encode())

    def _empty(self, request: SignedRequest, document: dict[str, Any]) -> EngineAnswer:
        self._journal.empty_queue(_queue_name(document))
        return self._engine.call(request, json.dumps(document).encode())


def _queue_name(document: Mapping[str, Any]) -> str:
    return str(document.get("QueueUrl", "")).rsplit("/", 1)[-1]
