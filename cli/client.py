"""A client of the API, as the commands use it."""

import hashlib
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from cli.failures import CommandFailure, UsageFailure

TERMINAL = frozenset({"COMPLETED", "FAILED", "CANCELLED"})
FIRST_POLL_SECONDS = 0.2
LAST_POLL_SECONDS = 2.0
TRIES = 4
CHUNK_BYTES = 1 << 20


class Api:
    """One API at an address, for the holder of a token."""

    def __init__(self, address: str, token: str) -> None:
        self.address = address.rstrip("/")
        self._http = httpx.Client(
            base_url=self.address, headers={"authorization": f"Bearer {token}"}, timeout=httpx.Timeout(60, connect=10)
        )

    def get(self, path: str, **query: Any) -> Any:
        """Ask, and give the answer's document."""
        return self._call("GET", path, again=True, params={k: v for k, v in query.items() if v is not None})

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send a document, and give the answer's."""
        return self._call("POST", path, json=body)

    def submit(self, plugin: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Submit a job; gives its status document. Sent again under its key when no answer came: it is one job."""
        key = {"idempotency-key": str(uuid.uuid4())}
        return dict(self._call("POST", f"/api/v1/{plugin}/run", again=True, json=request, headers=key))

    def wait(self, job: Mapping[str, Any], on_change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """Follow a job to its end; gives the last status document."""
        pause = FIRST_POLL_SECONDS
        while True:
            document = dict(self.get(job["links"]["status"]))
            on_change(document)
            if document["status"] in TERMINAL:
                return document
            time.sleep(pause)
            pause = min(LAST_POLL_SECONDS, pause * 1.3)

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """All items of a list, page by page."""
        cursor = None
        while True:
            page = self.get(path, cursor=cursor, **query)
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def download(self, url: str, target: Path, sha256: str | None) -> int:
        """Fetch a link into a file, which appears whole and checked or not at all; gives its bytes."""
        partial = target.with_name(target.name + ".part")
        digest = hashlib.sha256()
        size = 0
        try:
            with httpx.stream("GET", url, timeout=60) as response, partial.open("wb") as file:
                if response.status_code != 200:
                    raise CommandFailure(f"The download was refused with status {response.status_code}.")
                for chunk in response.iter_bytes(CHUNK_BYTES):
                    digest.update(chunk)
                    size += file.write(chunk)
            if sha256 and digest.hexdigest() != sha256:
                raise CommandFailure("The download does not have the checksum that the job reported; nothing was kept.")
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        return size

    def _call(self, method: str, path: str, *, again: bool = False, **options: Any) -> Any:
        """Send a request; again when the API asks for it or, where that does no harm, when no answer came."""
        for attempt in range(TRIES):
            last = attempt == TRIES - 1
            pause = float(2**attempt)
            try:
                response = self._http.request(method, path, **options)
            except httpx.TransportError as error:
                if last or not again or isinstance(error, httpx.ConnectError):
                    raise CommandFailure(f"{self.address} does not answer: {error}") from error
            else:
                if last or response.status_code not in {429, 503}:
                    break
                pause = float(response.headers.get("retry-after", pause))
            time.sleep(pause)
        if response.is_success:
            return response.json()
        raise _failure(response)


def _failure(response: httpx.Response) -> CommandFailure:
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    text = problem.get("message") or response.reason_phrase
    if response.status_code == 401:
        text = "The API wants a token; give --token or set TERRAFUSION_TOKEN."
    kind = UsageFailure if response.status_code in {400, 404, 409, 413, 422} else CommandFailure
    return kind(f"{text} (status {response.status_code})")
