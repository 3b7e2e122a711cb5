"""The resources of one deployment, made when first needed from a function's settings."""

from functools import cached_property
from typing import Any

from terrafusion.counties import Catalogue
from terrafusion.jobs.store import JobStore, dynamodb_client
from terrafusion.metrics import EmfSink
from terrafusion.settings import PlatformSettings
from terrafusion.storage import Storage, s3_client


class Deployment:
    """What a function works with; nothing connects before it is used, so an image of a started function can be kept."""

    def __init__(self, settings: PlatformSettings, service: str) -> None:
        self.settings = settings
        self.metrics = EmfSink(service, county_dimension=settings.county_dimension)

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
        client = dynamodb_client(self.settings.aws_region)
        return JobStore(client, self.settings.jobs_table, self.results, self.settings.result_days)

    @cached_property
    def workflows(self) -> Any:
        """A Step Functions client."""
        import boto3

        return boto3.client("stepfunctions", region_name=self.settings.aws_region)

    @cached_property
    def _s3(self) -> Any:
        return s3_client(self.settings.aws_region)
