"""What the end-to-end tests stand on: a local cloud in a process of its own, and clients with tokens."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
from botocore.config import Config

PARCELS = 1_500
READY_SECONDS = 60
SAM_READY_SECONDS = 300
"""SAM makes an image for each combination of layers first."""
JOB_SECONDS = 120
TERMINAL = {"COMPLETED", "FAILED", "CANCELLED"}
COMMAND = [str(Path(sys.executable).with_name("terrafusion"))]


def terrafusion(
    *arguments: str, check: bool = True, timeout: float = 300, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command as a person would."""
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=timeout, cwd=cwd)
    if check and done.returncode != 0:
        raise AssertionError(f"terrafusion {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
    return done


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class LocalCloud:
    """A local cloud in a process of its own; `sam` runs its functions in SAM's containers."""

    def __init__(self, state: Path, template: Path | None = None, *, sam: bool = False) -> None:
        self.state = state
        self._options = [*(["--template", str(template)] if template else []), *(["--sam"] if sam else [])]
        self._port = free_port() if sam else 0
        self._ready_seconds = SAM_READY_SECONDS if sam else READY_SECONDS
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.state.parent / f"{self.state.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*COMMAND, "up", "--port", str(self._port), "--quiet", "--state", str(self.state), *self._options],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + self._ready_seconds
        while not (self.state / "run.json").exists() or self.run["pid"] != self._process.pid:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the cloud did not start:\n{self.log}")
            time.sleep(0.05)

    @property
    def run(self) -> dict[str, Any]:
        return dict(json.loads((self.state / "run.json").read_text()))

    @property
    def url(self) -> str:
        return str(self.run["url"])

    @property
    def log(self) -> str:
        return (self.state.parent / f"{self.state.name}.log").read_text()

    def client(self, service: str) -> Any:
        """A boto3 client of the cloud's AWS services, as an operator has."""
        keys = self.run["credentials"]
        config = Config(signature_version="s3v4" if service == "s3" else "v4", read_timeout=120)
        return boto3.client(
            service,
            endpoint_url=self.run["aws_url"],
            region_name=keys["region"],
            aws_access_key_id=keys["access_key"],
            aws_secret_access_key=keys["secret_key"],
            config=config,
        )

    def token(self, role: str, county: str) -> str:
        return terrafusion("token", "--role", role, "--county", county, "--state", str(self.state)).stdout.strip()

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        assert self._process is not None
        self._process.send_signal(how)
        return self._process.wait(timeout=30)

    def workers(self, function: str) -> list[int]:
        """Process ids of a function's slots, of this cloud alone."""
        return [pid for pid in self.processes() if _environment(pid).get("AWS_LAMBDA_FUNCTION_NAME") == function]

    def processes(self) -> list[int]:
        """Every process that works for this cloud."""
        return [pid for pid in _processes() if str(self.state) in " ".join(_environment(pid).values())]


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _environment(pid: int) -> dict[str, str]:
    try:
        text = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    except OSError:
        return {}
    return dict(pair.partition("=")[::2] for pair in text.split("\0") if "=" in pair)


@dataclass(frozen=True)
class Client:
    """Somebody with a token."""

    http: httpx.Client
    county: str

    @property
    def address(self) -> str:
        """The base URL, for requests that go without the token."""
        return str(self.http.base_url).rstrip("/")

    def get(self, path: str, **query: Any) -> httpx.Response:
        return self.http.get(f"/api/v1{path}", params=query)

    def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        return (
            self.http.post(f"/api/v1{path}", json=body, **options)
            if body is not None
            else self.http.post(f"/api/v1{path}", **options)
        )

    def run(self, plugin: str, body: dict[str, Any], key: str | None = None) -> dict[str, Any]:
        """Submit a job of any plugin."""
        headers = {"idempotency-key": key} if key else {}
        response = self.post(f"/{plugin}/run", {"county_id": self.county, **body}, headers=headers)
        assert response.status_code == 202, response.text
        return dict(response.json())

    def submit(
        self, export_format: str = "GPKG", layers: tuple[str, ...] = ("parcels",), **more: Any
    ) -> dict[str, Any]:
        body = {"county_id": self.county, "export_format": export_format, "layers": list(layers), **more}
        response = self.post("/gis-export/run", body)
        assert response.status_code == 202, response.text
        return dict(response.json())

    def wait(self, job: dict[str, Any]) -> dict[str, Any]:
        deadline = time.monotonic() + JOB_SECONDS
        while time.monotonic() < deadline:
            response = self.http.get(job["links"]["status"])
            assert response.status_code == 200, response.text
            if response.json()["status"] in TERMINAL:
                return dict(response.json())
            time.sleep(0.1)
        raise AssertionError(f"job {job['job_id']} did not end: {response.text}")

    def result(self, job: dict[str, Any]) -> dict[str, Any]:
        last = self.wait(job)
        assert last["status"] == "COMPLETED", last
        return dict(self.http.get(job["links"]["results"]).json()["result"])

    def fetch(self, job: dict[str, Any], folder: Path) -> Path:
        """Wait for a job and download its file."""
        result = self.result(job)
        response = httpx.get(result["download_url"], timeout=60)
        assert response.status_code == 200, response.text
        path = folder / result["result_file_location"].rsplit("/", 1)[1]
        path.write_bytes(response.content)
        return path

    def export(self, folder: Path, export_format: str, layers: tuple[str, ...] = ("parcels",), **more: Any) -> Path:
        return self.fetch(self.submit(export_format, layers, **more), folder)


SAMPLE_LAYERS = ("parcels", "zoning", "neighborhoods", "roads", "properties", "sales", "listings")
KEYS = {"parcels": "property_id", "properties": "property_id", "sales": "sale_id", "listings": "listing_id"}


def load_sample(cloud: LocalCloud, county: str, files: Path, layers: tuple[str, ...] = SAMPLE_LAYERS) -> None:
    """Load the sample county's files."""
    for layer in layers:
        file = files / (f"{layer}.csv" if layer in {"properties", "sales", "listings"} else "sample_county.gpkg")
        key = ["--key", KEYS[layer]] if layer in KEYS else []
        terrafusion("load", county, layer, str(file), *key, "--state", str(cloud.state))


def wait_until(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """Poll until the condition holds; gives what it gave."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"did not come true within {seconds} s")
