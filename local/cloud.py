"""The local cloud: everything that template.yaml describes, on one machine, with its state in one folder."""

import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Any

from local.aws.endpoint import AddressInUse, AwsEndpoint, Credentials, StateInUse
from local.engine import Engine, Processes, RunningFunctions
from local.events import QueuePoller, QueueSource, ScheduleRunner, stop_all
from local.failures import CloudFailure, DiskFull, PortInUse, room_in
from local.gateway import Gateway, GatewayServer
from local.gauges import LocalGauges
from local.invocation import InvokeError, InvokeResult
from local.issuer import Issuer
from local.leases import end_leases
from local.logfiles import LogFiles
from local.plugins import metrics_of
from local.private_files import write_private
from local.prometheus import CONTENT_TYPE, Adapter
from local.provisioning import JWKS_PATH, create_resources, local_credentials, local_parameters
from local.template import Template
from local.unanswered import Unanswered
from terrafusion.jobs.items import OPEN_PLUGIN

__all__ = ["TEMPLATE", "Cloud", "CloudFailure", "DiskFull", "PortInUse", "data_bucket_offline"]

TEMPLATE = Path(__file__).resolve().parent.parent / "template.yaml"
DEFAULT_PORT = 3000
ACCESS_LOG = "access"
JOBS_TABLE = "JobsTable"
SIGNAL_SECONDS = 0.2
"""How often to look for a signal: one that the kernel hands to another thread does not wake the one that waits."""
SOURCES_SECONDS = 0.5
"""How long queue batches under way have at the end; what is cut off comes again."""


class Cloud:
    """The local cloud.

    Parameters
    ----------
    template
        The SAM template; paths in it are relative to its folder.
    state
        Where everything is kept between runs.
    port, aws_port
        Of the HTTP API and of the AWS endpoint. 0 is any free one; for the latter, the one of the last run if it is
        free, so that links stay good.
    quiet
        Whether the functions' lines go to the log files alone, and not to standard error too.
    on_log
        Takes the functions' lines, with the function's name, instead of standard error.
    engine
        What runs the functions; processes of this machine unless said.
    """

    def __init__(
        self,
        template: Path,
        state: Path,
        port: int = DEFAULT_PORT,
        aws_port: int = 0,
        quiet: bool = False,
        on_log: Callable[[str, str], None] | None = None,
        engine: Engine | None = None,
    ) -> None:
        self._path = template
        self._state = state.resolve()
        self._port = port
        self._aws_port = aws_port
        self._show = on_log or ((lambda _name, _line: None) if quiet else _print_line)
        self._engine = engine or Processes()
        self._adapter: Adapter | None = None
        self._undo = ExitStack()
        self._functions: RunningFunctions | None = None
        self._server: GatewayServer | None = None
        self._endpoint: AwsEndpoint | None = None

    @property
    def url(self) -> str:
        """Base URL of the HTTP API; known once started."""
        if self._server is None:
            raise RuntimeError("the cloud has not been started")
        return self._engine.api_url or self._server.url

    @property
    def metrics_url(self) -> str:
        """Where Prometheus finds the functions' metrics; known once started."""
        if self._server is None:
            raise RuntimeError("the cloud has not been started")
        return f"{self._server.url}/metrics"

    @property
    def aws_url(self) -> str:
        """Base URL of the AWS endpoint; known once started."""
        return self.endpoint.url

    @property
    def endpoint(self) -> AwsEndpoint:
        """The AWS endpoint; there once started."""
        if self._endpoint is None:
            raise RuntimeError("the cloud has not been started")
        return self._endpoint

    def start(self) -> None:
        """Start everything; requests are answered when this returns.

        Raises
        ------
        CloudFailure
            When a port or the folder is in use, the folder's disk is full, or the template cannot run here.
            Nothing is left running.
        """
        try:
            with room_in(self._state):
                self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything; no process stays. Work that was cut off runs on at the next start."""
        self._undo.close()

    def serve_forever(self) -> None:
        """Wait for SIGINT or SIGTERM, then stop; a second signal ends the process at once."""
        asked = threading.Event()

        def on_signal(number: int, _frame: FrameType | None) -> None:
            if asked.is_set():
                os._exit(128 + number)  # the watchdog kills the functions
            asked.set()

        before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            while not asked.wait(SIGNAL_SECONDS):
                continue
            self.stop()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _start(self) -> None:
        self._server = GatewayServer(self._port, self._engine.host)
        self._undo.callback(self._server.stop)
        issuer = Issuer(self._state)
        logs = LogFiles(self._state / "logs")
        self._undo.callback(logs.close)
        self._undo.callback(self._close_metrics)
        # functions outlive the endpoint: a workflow must not take their end for a failure, and keep it
        self._undo.callback(self._stop_functions)
        self._endpoint = self._start_endpoint()
        template = Template.load(
            self._path, local_parameters(self._path, issuer, self._server.url), endpoint=self._endpoint.url
        )
        queue_urls = create_resources(self._endpoint, template)
        specs = metrics_of(function.code for function in template.functions.values())
        self._adapter = Adapter(specs, self._state / "metrics.sqlite", self._gauges(template))
        self._functions = self._make_functions(template, logs)
        if table := template.tables.get(JOBS_TABLE):
            end_leases(self._endpoint.client("dynamodb"), table.name)
        self._endpoint.resume()
        self._undo.callback(self._server.stop)  # first of all, too: requests under way need the rest
        self._server.start(self._make_gateway(template, issuer, logs))
        self._start_sources(template, queue_urls, logs)
        self._announce(template, queue_urls)

    @cached_property
    def _credentials(self) -> Credentials:
        return local_credentials(self._state)

    def _start_endpoint(self) -> AwsEndpoint:
        remembered = self._state / "aws_port"
        text = remembered.read_text(encoding="utf-8") if remembered.exists() else ""
        last = int(text) if text.isdecimal() else 0
        ports = [self._aws_port] if self._aws_port else [last, 0] if last else [0]
        for port in ports:
            endpoint = AwsEndpoint(
                self._state / "aws", self._credentials, port, self._invoke, self._read_lines, self._engine.host
            )
            try:
                endpoint.start()
            except AddressInUse as error:
                if port == ports[-1]:
                    raise PortInUse(port) from error
            except StateInUse as error:
                raise CloudFailure(str(error)) from error
            else:
                self._undo.callback(endpoint.stop)
                port_now = endpoint.url.rsplit(":", 1)[1]
                if port_now != text:
                    write_private(remembered, port_now.encode())
                return endpoint
        raise AssertionError("the last port either works or raises")

    def _make_functions(self, template: Template, logs: LogFiles) -> RunningFunctions:
        environment = {
            "AWS_ACCESS_KEY_ID": self._credentials.access_key,
            "AWS_DEFAULT_REGION": self._credentials.region,
            "AWS_ENDPOINT_URL": self.aws_url,
            "AWS_REGION": self._credentials.region,
            "AWS_SECRET_ACCESS_KEY": self._credentials.secret_key,
        }

        def on_line(name: str, line: str) -> None:
            if not self._count(line):
                logs.write(name, line)
                self._show(name, line)

        scratch = self._state / "tmp"
        shutil.rmtree(scratch, ignore_errors=True)  # of a run that was killed
        return self._engine.start(template, environment, on_line, scratch)

    def _make_gateway(self, template: Template, issuer: Issuer, logs: LogFiles) -> Gateway:
        return Gateway(
            template.http_api,
            self._invoke,
            on_access=lambda line: logs.write(ACCESS_LOG, line),
            on_unanswered=Unanswered(self._count).count,
            extra={
                "/metrics": lambda: (CONTENT_TYPE, self._adapter.text() if self._adapter else b""),
                JWKS_PATH: lambda: ("application/json", json.dumps(issuer.jwks()).encode()),
            },
        )

    def _count(self, line: str) -> bool:
        """Whether a line was one of metrics, and is counted now."""
        return bool(self._adapter and self._adapter.feed(line))

    def _gauges(self, template: Template) -> LocalGauges:
        table = template.tables.get(JOBS_TABLE)

        def open_jobs() -> Mapping[tuple[str, str], int]:
            found = self.endpoint.tally(table.name, OPEN_PLUGIN, ("plugin", "status")) if table else {}
            return {(plugin, status): count for (plugin, status), count in found.items()}

        return LocalGauges(self.endpoint.depths, open_jobs)

    def _start_sources(self, template: Template, queue_urls: Mapping[str, str], logs: LogFiles) -> None:
        sources: list[QueuePoller | ScheduleRunner] = []
        for function in template.functions.values():
            most = self._functions.concurrency(function.name) if self._functions else 0
            for event in function.queues:
                pollers = min(most, most if event.max_concurrency is None else event.max_concurrency)
                source = QueueSource(function.name, event, queue_urls[event.queue_arn], pollers)
                sources.append(QueuePoller(source, self.endpoint.client("sqs"), self._invoke, logs.write))
            sources += [ScheduleRunner(function.name, event, self._invoke) for event in function.schedules]
        self._undo.callback(stop_all, sources, SOURCES_SECONDS)
        for started in sources:
            started.start()

    def _announce(self, template: Template, queue_urls: Mapping[str, str]) -> None:
        """Write run.json, by which other processes find this one."""
        document = {
            "url": self.url,
            "aws_url": self.aws_url,
            "metrics_url": self.metrics_url,
            "pid": os.getpid(),
            "credentials": asdict(self._credentials),
            "buckets": {key: bucket.name for key, bucket in template.buckets.items()},
            "tables": {key: table.name for key, table in template.tables.items()},
            "queues": {key: queue_urls[queue.arn] for key, queue in template.queues.items()},
            "state_machines": {key: machine.arn for key, machine in template.state_machines.items()},
        }
        path = self._state / "run.json"
        self._undo.callback(path.unlink, missing_ok=True)
        write_private(path, json.dumps(document, indent=2).encode())

    def _invoke(self, name: str, payload: bytes) -> InvokeResult:
        if self._functions is None:
            return InvokeResult.failure(InvokeError.THROTTLED, InvokeError.THROTTLED, "The local cloud is starting.")
        return self._functions.invoke(name, payload)

    def _read_lines(self) -> None:
        """Count what functions wrote before what they ask for next, which may be to note that it was counted."""
        if self._functions is not None:
            self._functions.drain()

    def _close_metrics(self) -> None:
        if self._adapter is not None:
            self._adapter.close()

    def _stop_functions(self) -> None:
        if self._functions is not None:
            self._functions.stop()


@contextmanager
def data_bucket_offline(
    state: Path, template: Path = TEMPLATE, bucket: str = "DataBucket"
) -> Iterator[tuple[Any, str]]:
    """An S3 client and the name of a bucket of the local cloud, while the cloud itself does not run.

    Parameters
    ----------
    bucket
        Its logical id.

    Raises
    ------
    CloudFailure
        When another process has the folder.
    """
    state = state.resolve()
    try:
        with room_in(state):
            endpoint = AwsEndpoint(state / "aws", local_credentials(state))
            endpoint.start()
    except StateInUse as error:
        raise CloudFailure(str(error)) from error
    try:
        parameters = local_parameters(template, Issuer(state), endpoint.url)
        name = Template.load(template, parameters, endpoint=endpoint.url).buckets[bucket].name
        endpoint.create_bucket(name)
        yield endpoint.client("s3"), name
    finally:
        endpoint.stop()


def _print_line(name: str, line: str) -> None:
    with suppress(OSError):  # standard error may be a file on a full disk
        sys.stderr.write(f"[{name}] {line}\n")
