"""DynamoDB, SQS and Step Functions: moto's engines, made durable and atomic by what stands around them."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from local.aws.executions import Executions
from local.aws.items import FORGETFUL, Items
from local.aws.journal import Journal
from local.aws.messages import Messages
from local.aws.moto_engine import EngineAnswer, MotoEngine
from local.aws.signatures import Credentials, Refused, SignedRequest


class Engines:
    """The engines of one local cloud."""

    def __init__(self, journal: Journal, credentials: Credentials, clients: Callable[[str], Any]) -> None:
        engine = MotoEngine(credentials, clients)
        self._stopping = threading.Event()
        self.items = Items(engine, journal)
        self.messages = Messages(engine, journal, self._stopping)
        self.executions = Executions(engine, journal, self._stopping)
        self._services: Mapping[str, Items | Messages | Executions] = {
            "DynamoDB_20120810": self.items,
            "AmazonSQS": self.messages,
            "AWSStepFunctions": self.executions,
        }

    def start(self) -> None:
        """Begin to watch for executions that end."""
        self.executions.start()

    def stop(self) -> None:
        """Stop watching, after a last look."""
        self._stopping.set()
        self.executions.join()

    def call(self, request: SignedRequest, body: bytes) -> EngineAnswer:
        """Answer a request; what it changed is on disk before the answer is given."""
        target, _, operation = request.headers.get("x-amz-target", "").partition(".")
        service = self._services.get(target)
        if service is None or not operation or operation in FORGETFUL:
            raise Refused("UnknownOperationException", "The local cloud does not offer this operation.", 501)
        return service.call(operation, request, body)
