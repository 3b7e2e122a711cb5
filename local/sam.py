"""The functions as `sam build` made them, in SAM's containers: `sam local start-lambda` and `start-api`."""

import json
import os
import platform
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import boto3
import docker
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from docker.errors import DockerException

from local.engine import OnLine, RunningFunctions
from local.failures import LOOPBACK, CloudFailure
from local.invocation import InvokeError, InvokeResult
from local.private_files import write_private
from local.stack import FunctionSpec
from local.template import Template, load_yaml

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / ".aws-sam" / "build"
READY_SECONDS = 180
"""SAM makes an image of each combination of layers before it listens."""
STOP_SECONDS = 30
ENDPOINT = "AWS_ENDPOINT_URL"
SAM = str(Path(sys.executable).with_name("sam"))
NO_TELEMETRY = {"SAM_CLI_TELEMETRY": "0"}
NO_ENGINE = (
    "No container engine answers: SAM runs functions in containers. Install Docker (Debian and Ubuntu: apt-get install "
    "docker.io; macOS and Windows: Docker Desktop) or point DOCKER_HOST at one. `terrafusion up` needs none."
)
NOT_BUILT = "Nothing has been built: run `make build` first, with ARCHITECTURE=x86_64 or arm64 as this machine is."


class SamContainers:
    """An engine that calls functions by `sam local start-lambda`, and serves the API by `sam local start-api`.

    Parameters
    ----------
    port
        Of `start-api`.
    architecture
        What the functions were built for: `x86_64` or `arm64`.
    image
        A base image for all functions; None for AWS's own, which SAM then fetches unless it is there.
    """

    def __init__(self, port: int, architecture: str, image: str | None = None) -> None:
        if not (BUILD / "template.yaml").exists():
            raise CloudFailure(NOT_BUILT)
        self.host = _bridge_address()
        self.api_url: str | None = f"http://{LOOPBACK}:{port}"
        self._port = port
        self._architecture = architecture
        self._image = image

    def start(
        self, template: Template, environment: Mapping[str, str], on_line: OnLine, scratch: Path
    ) -> RunningFunctions:
        """See `Engine`; both of SAM's servers listen when this returns."""
        scratch.mkdir(parents=True, exist_ok=True)
        own = {key: value for key, value in environment.items() if key == ENDPOINT}
        variables = {f.logical_id: {**f.environment, **own} for f in template.functions.values()}
        (scratch / "variables.json").write_text(json.dumps(variables), encoding="utf-8")
        options = [
            *("--template", str(_with_endpoint(scratch))),
            *("--env-vars", str(scratch / "variables.json")),
            *("--parameter-overrides", f"Stage=local Architecture={self._architecture}"),
            *("--region", environment["AWS_REGION"]),
            "--skip-pull-image",
            *(["--invoke-image", self._image] if self._image else []),
        ]
        settings = {key: value for key, value in environment.items() if key != ENDPOINT}  # that is for the functions
        write_private(scratch / "sam.json", json.dumps({"options": options, "environment": settings}).encode())
        running = _Containers(template, on_line)
        try:
            running.serve("start-lambda", _free_port(), options, settings)
            running.serve("start-api", self._port, options, settings)
        except BaseException:
            running.stop()
            raise
        return running


def invoke(event: Path, state: Path) -> int:
    """Hand an event to its function, with what `terrafusion up --sam` set up around it; gives the exit status.

    Raises
    ------
    CloudFailure
        When that is not running.
    """
    prepared = state / "tmp" / "sam.json"
    if not prepared.exists():
        raise CloudFailure(f"Nothing is prepared in {state}: start `make sam-local` in another terminal first.")
    settings = json.loads(prepared.read_text(encoding="utf-8"))
    arguments = [SAM, "local", "invoke", event.name.partition(".")[0], "--event", str(event), *settings["options"]]
    environment = {**os.environ, **settings["environment"], **NO_TELEMETRY}
    return subprocess.run(arguments, env=environment, check=False).returncode


class _Containers:
    """SAM's two servers, and calls by the first."""

    def __init__(self, template: Template, on_line: OnLine) -> None:
        self._specs: dict[str, FunctionSpec] = {spec.name: spec for spec in template.functions.values()}
        self._locks = {name: threading.Lock() for name in self._specs}
        self._on_line = on_line
        self._undo = ExitStack()
        self._client: Any = None

    def serve(self, command: str, port: int, options: list[str], settings: Mapping[str, str]) -> None:
        """Start one of the servers and wait until it listens."""
        arguments = [
            SAM,
            "local",
            command,
            "--host",
            LOOPBACK,
            "--port",
            str(port),
            "--warm-containers",
            "LAZY",
            *options,
        ]
        process = subprocess.Popen(
            arguments,
            env={**os.environ, **settings, **NO_TELEMETRY},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=BUILD,
        )
        self._undo.callback(_end, process)
        reader = threading.Thread(target=self._read, args=(process, command), daemon=True, name=command)
        reader.start()
        deadline = time.monotonic() + READY_SECONDS
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise CloudFailure(f"`sam local {command}` does not listen; its own lines above say why.")
            time.sleep(0.2)
        if command == "start-lambda":
            self._client = _lambda_client(port, settings["AWS_REGION"])

    def invoke(self, name: str, payload: bytes) -> InvokeResult:
        """See `RunningFunctions`; a warm container takes one call after the other."""
        parts = name.split(":")
        spec = self._specs.get(parts[6] if len(parts) > 6 else parts[0])
        if spec is None:
            text = f"Function not found: {name}"
            return InvokeResult.failure(InvokeError.UNKNOWN_FUNCTION, InvokeError.UNKNOWN_FUNCTION, text)
        with self._locks[spec.name]:
            try:
                answer = self._client.invoke(FunctionName=spec.logical_id, Payload=payload)
            except (ClientError, BotoCoreError) as error:
                return InvokeResult.failure(InvokeError.UNHANDLED, "Runtime.ExitError", str(error))
            return _result(spec, answer["Payload"].read(), answer.get("FunctionError"))

    def concurrency(self, name: str) -> int:
        """See `RunningFunctions`."""
        return 1 if name in self._specs else 0

    def drain(self) -> None:
        """Lines come as SAM hands them on; there is nothing to hurry."""

    def stop(self) -> None:
        """End SAM's servers, and with them their containers."""
        self._undo.close()

    def _read(self, process: subprocess.Popen[str], command: str) -> None:
        for line in process.stdout or ():
            self._on_line(command, line.rstrip("\n"))


def _result(spec: FunctionSpec, payload: bytes, error: str | None) -> InvokeResult:
    """What SAM answered: it sends nothing for a function that timed out, and forgets the header of Python's errors."""
    if not payload:
        text = f"Task timed out after {spec.timeout:.2f} seconds"
        return InvokeResult.failure(InvokeError.UNHANDLED, "Sandbox.Timedout", text)
    with suppress(ValueError):
        document = json.loads(payload)
        if isinstance(document, dict) and {"errorMessage", "errorType"} <= document.keys():
            error = error or InvokeError.UNHANDLED
    return InvokeResult(payload, error)


def _with_endpoint(scratch: Path) -> Path:
    """The built template with one variable more, which SAM then lets be set: where the functions find AWS."""
    document = load_yaml(BUILD / "template.yaml")
    document["Globals"]["Function"]["Environment"]["Variables"][ENDPOINT] = ""
    for resource in document["Resources"].values():
        properties = resource.get("Properties", {})
        for key in ("CodeUri", "ContentUri", "DefinitionUri"):
            if isinstance(properties.get(key), str):
                properties[key] = str((BUILD / properties[key]).resolve())
    path = scratch / "template.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def host_architecture() -> str:
    """The processor of this machine, as the template's parameter names it."""
    return "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"


def _bridge_address() -> str:
    """Where containers reach this machine."""
    try:
        network = docker.from_env().networks.get("bridge").attrs["IPAM"]["Config"][0]
    except DockerException as error:
        raise CloudFailure(NO_ENGINE) from error
    return str(network.get("Gateway") or next(ip_network(network["Subnet"]).hosts()))


def _lambda_client(port: int, region: str) -> Any:
    return boto3.client(
        "lambda",
        endpoint_url=f"http://{LOOPBACK}:{port}",
        region_name=region,
        aws_access_key_id="sam",
        aws_secret_access_key="local",  # noqa: S106  # nosec B106  # pragma: allowlist secret
        config=Config(retries={"max_attempts": 0}, read_timeout=930),
    )


def _free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as server:
        return int(server.getsockname()[1])


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
        return True
    return False


def _end(process: "subprocess.Popen[str]", seconds: float = STOP_SECONDS) -> None:
    """Interrupt SAM, so that it removes its containers; kill it when it does not end."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    try:
        sys.exit(invoke(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()))
    except CloudFailure as failure:
        sys.exit(str(failure))
