"""The local cloud's real engines, for tests of what talks to them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.aws.endpoint import AwsEndpoint
from terrafusion.jobs import JobStore
from terrafusion.storage import Storage
from tests.integration.engines import project_template, running


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsEndpoint]:
    """An AWS endpoint with the buckets and tables of the template."""
    with running(tmp_path_factory.mktemp("aws")) as here:
        yield here


@pytest.fixture(scope="session")
def bucket_names() -> dict[str, str]:
    """Physical names of the template's buckets by logical id."""
    return {name: bucket.name for name, bucket in project_template().buckets.items()}


@pytest.fixture(scope="session")
def results(endpoint: AwsEndpoint, bucket_names: dict[str, str]) -> Storage:
    """The results bucket."""
    return Storage(endpoint.client("s3"), bucket_names["ResultsBucket"])


@pytest.fixture(scope="session")
def data(endpoint: AwsEndpoint, bucket_names: dict[str, str]) -> Storage:
    """The data bucket."""
    return Storage(endpoint.client("s3"), bucket_names["DataBucket"])


@pytest.fixture(scope="session")
def store(endpoint: AwsEndpoint, results: Storage) -> JobStore:
    """The job table."""
    client: Any = endpoint.client("dynamodb")
    return JobStore(client, "terrafusion-local-jobs", results, keep_days=7)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for a test's files."""
    return tmp_path
