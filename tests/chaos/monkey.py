"""What breaks things: processes, messages, executions, and the cloud itself."""

import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tests.e2e.support import LocalCloud

WORKERS = ("GisExportWorkerFunction", "LayerDigestWorkerFunction")
OTHERS = (
    *("GisExportApiFunction", "GisExportResultsFunction", "GisExportCloserFunction", "GisExportSweepFunction"),
    *("LayerDigestApiFunction", "LayerDigestResultsFunction", "LayerDigestCloserFunction", "AuthorizerFunction"),
)
PAUSE_SECONDS = (0.2, 0.8)
OLD_ATTEMPT = "2020-01-01T00:00:00Z#0"


class Monkey:
    """Breaks something every half second, and restarts the cloud at given shares of the work."""

    def __init__(self, cloud: LocalCloud, seed: int, known: Callable[[str], list[str]]) -> None:
        self.done: Counter[str] = Counter()
        self._cloud = cloud
        self._chance = random.Random(seed)
        self._known = known
        self._stopping = threading.Event()
        self._whole = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._deeds = (
            *(self._kill_worker,) * 4,
            *(self._kill_other,) * 2,
            self._send_again,
            self._start_again,
            self._invoke_again,
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=60)

    def restart(self, how: signal.Signals) -> None:
        """Stop the cloud, or kill it, and start it again."""
        with self._whole:
            self._cloud.stop(how)
            self._cloud.start()
            self.done[f"cloud {how.name}"] += 1

    def _run(self) -> None:
        while not self._stopping.wait(self._chance.uniform(*PAUSE_SECONDS)):
            with self._whole, suppress(Exception):  # what it reaches for may just have died
                self._chance.choice(self._deeds)()

    def _kill_worker(self) -> None:
        self._kill(self._chance.choice(WORKERS), "worker killed")

    def _kill_other(self) -> None:
        self._kill(self._chance.choice(OTHERS), "api, closer or authorizer killed")

    def _kill(self, function: str, deed: str) -> None:
        pids = self._cloud.workers(function)
        if pids:
            os.kill(self._chance.choice(pids), signal.SIGKILL)
            self.done[deed] += 1

    def _send_again(self) -> None:
        job_id = self._chance.choice(self._known("layer-digest"))
        queue = self._cloud.run["queues"]["LayerDigestQueue"]
        self._cloud.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps({"job_id": job_id}))
        self.done["message sent again"] += 1

    def _start_again(self) -> None:
        job_id = self._chance.choice(self._known("gis-export"))
        client = self._cloud.client("stepfunctions")
        with suppress(client.exceptions.ExecutionAlreadyExists):
            client.start_execution(
                stateMachineArn=self._cloud.run["state_machines"]["GisExportWorkflow"],
                name=job_id,
                input=json.dumps({"job_id": job_id}),
            )
        self.done["execution started again"] += 1

    def _invoke_again(self) -> None:
        event: dict[str, Any] = {"job_id": self._chance.choice(self._known("gis-export")), "attempt": OLD_ATTEMPT}
        self._cloud.client("lambda").invoke(
            FunctionName="GisExportWorkerFunction", InvocationType="Event", Payload=json.dumps(event)
        )
        self.done["task repeated"] += 1
        time.sleep(0.1)
