"""Clients that do not give up: they send again what was not answered, under the same key."""

import random
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx

from tests.chaos.requests import KINDS, Kind
from tests.e2e.support import TERMINAL, LocalCloud

CLIENTS = 8
COUNTY = "sample"
GIVE_UP_SECONDS = 240
CANCELLED_SHARE = 0.06


@dataclass(frozen=True)
class Submitted:
    """A job as its client knows it; `answers` are the ids that its key was answered with."""

    kind: Kind
    job_id: str
    answers: frozenset[str]


class Clients:
    """Some clients of a cloud that may be gone at any moment."""

    def __init__(self, cloud: LocalCloud, seed: int) -> None:
        self._cloud = cloud
        self._chance = random.Random(seed)
        self._token = cloud.token("Assessor", COUNTY)
        self._lock = threading.Lock()
        self.submitted: list[Submitted] = []
        self.refusals: dict[str, int] = {}

    def known(self, plugin: str) -> list[str]:
        """Jobs of a plugin that were submitted so far."""
        with self._lock:
            return [s.job_id for s in self.submitted if s.kind.plugin == plugin]

    def submit_all(self, count: int, on_progress: Callable[[int], None]) -> None:
        """Submit jobs of all kinds; some are cancelled at once."""
        kinds = [KINDS[i % len(KINDS)] for i in range(count)]
        self._chance.shuffle(kinds)
        cancels = [self._chance.random() < CANCELLED_SHARE for _ in kinds]
        with ThreadPoolExecutor(CLIENTS) as pool:
            for _ in pool.map(self._submit, kinds, cancels):
                on_progress(len(self.submitted))

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A request that is sent until it is answered by the API itself."""
        deadline = time.monotonic() + GIVE_UP_SECONDS
        why = ""
        while time.monotonic() < deadline:
            try:
                headers = {"authorization": f"Bearer {self._token}", **options.get("headers", {})}
                response = httpx.request(method, self._cloud.url + path, timeout=30, **{**options, "headers": headers})
                if response.status_code < 500 and response.status_code != 429:
                    return response
                why = f"{response.status_code} {response.text[:200]}"
            except (httpx.TransportError, OSError, ValueError) as error:  # the cloud, or its run.json, is not there
                why = type(error).__name__
            with self._lock:
                self.refusals[why.split()[0]] = self.refusals.get(why.split()[0], 0) + 1
            time.sleep(0.2)
        raise AssertionError(f"{method} {path} was never answered; last: {why}")

    def wait(self, submitted: Submitted, deadline: float) -> dict[str, Any]:
        """The last status document of a job."""
        while True:
            response = self.ask("GET", f"/api/v1/{submitted.kind.plugin}/status/{submitted.job_id}")
            assert response.status_code == 200, response.text
            document = dict(response.json())
            if document["status"] in TERMINAL or time.monotonic() > deadline:
                return document
            time.sleep(0.3)

    def _submit(self, kind: Kind, cancel: bool) -> None:
        identity = uuid.uuid4()
        key = {"idempotency-key": str(identity)}
        path = f"/api/v1/{kind.plugin}/run"
        sends = 2 if identity.int % 3 == 0 else 1
        answers = [self.ask("POST", path, json={"county_id": COUNTY, **kind.body}, headers=key) for _ in range(sends)]
        assert {a.status_code for a in answers} == {202}, answers[0].text
        ids = frozenset(str(a.json()["job_id"]) for a in answers)
        made = Submitted(kind, str(answers[-1].json()["job_id"]), ids)
        with self._lock:
            self.submitted.append(made)
        if cancel:
            assert self.ask("POST", f"/api/v1/{kind.plugin}/cancel/{made.job_id}").status_code in {200, 409}
