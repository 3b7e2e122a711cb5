"""The resources of one deployment, made when first needed from a function's settings."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3

from terrafusion.audit import AuditLog
from terrafusion.counties import Catalogue
from terrafusion.jobs.access import JobAccess
from terrafusion.jobs.closing import Closer
from terrafusion.jobs.counting import JobCounter
from terrafusion.jobs.dispatch import Dispatcher
from terrafusion.jobs.idempotency import IdempotencyKeys
from terrafusion.jobs.service import JobService
from terrafusion.jobs.store import JobStore, dynamodb_client
from terrafusion.jobs.sweep import Sweep
from terrafusion.jobs.work import Worker
from terrafusion.metrics import EmfSink
from terrafusion.plugins import Plugin
from terrafusion.settings import PlatformSettings
from terrafusion.storage import Storage, s3_client

if TYPE_CHECKING:
    from terrafusion.jobs.messages import DeadLetters


class Deployment:
    """What a function works with; nothing connects before it is used, so an image of a started function can be kept."""

    def __init__(self, settings: PlatformSettings, service: str) -> None:
        self.settings = settings
        self.metrics = EmfSink(
            service, namespace=settings.metrics_namespace, county_dimension=settings.county_dimension
        )

    @cached_property
    def data(self) -> Storage:
        """The counties' data."""
        return Storage(self._s3, self.settings.data_bucket)

    @cached_property
    def results(self) -> Storage:
        """The jobs' results."""
        return Storage(self._s3, self.settings.results_bucket)

    @cached_property
    def catalogue(self) -> Catalogue:
        """The counties."""
        return Catalogue(self.data)

    @cached_property
    def jobs(self) -> JobStore:
        """The job table."""
        return JobStore(self._dynamodb, self.settings.jobs_table, self.results, self.settings.result_days)

    @cached_property
    def audit(self) -> AuditLog:
        """Who did what."""
        return AuditLog(self._dynamodb, self.settings.audit_table, self.settings.audit_days)

    @cached_property
    def workflows(self) -> Any:
        """A Step Functions client."""
        return boto3.client("stepfunctions", region_name=self.settings.aws_region)

    @cached_property
    def queues(self) -> Any:
        """An SQS client."""
        return boto3.client("sqs", region_name=self.settings.aws_region)

    def access(self, plugin: Plugin) -> JobAccess:
        """A plugin's jobs, as far as a caller may reach them."""
        return JobAccess(plugin, self.jobs, self.audit)

    def service(self, plugin: Plugin, dispatcher: Dispatcher) -> JobService:
        """What the API does with a plugin's jobs."""
        keys = IdempotencyKeys(self._dynamodb, self.settings.jobs_table)
        return JobService(self.access(plugin), self.catalogue, dispatcher, self._counter(plugin), keys)

    def worker(self, plugin: Plugin) -> Worker:
        """What works on a plugin's jobs."""
        return Worker(self.jobs, self.results, self._counter(plugin))

    def closer(self, plugin: Plugin) -> Closer:
        """What ends the jobs of dead workers."""
        return Closer(self.jobs, self._counter(plugin))

    def dead_letters(self, plugin: Plugin) -> "DeadLetters":
        """What ends the jobs of messages that were delivered too often."""
        from terrafusion.jobs.messages import DeadLetters  # 50 ms of a start, which those without a queue save

        return DeadLetters(self.jobs, self._counter(plugin))

    def sweep(self, plugin: Plugin, dispatcher: Dispatcher) -> Sweep:
        """What looks after a plugin's silent jobs."""
        return Sweep(self.jobs, dispatcher, self._counter(plugin))

    def _counter(self, plugin: Plugin) -> JobCounter:
        return JobCounter(plugin, self.jobs, self.metrics)

    @cached_property
    def _dynamodb(self) -> Any:
        return dynamodb_client(self.settings.aws_region)

    @cached_property
    def _s3(self) -> Any:
        return s3_client(self.settings.aws_region)
