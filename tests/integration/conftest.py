"""The local cloud's real engines, for tests of what talks to them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.aws.endpoint import AwsEndpoint, Credentials
from local.template import Template
from terrafusion.jobs import JobStore
from terrafusion.storage import Storage
from tests.conftest import ROOT

CREDENTIALS = Credentials("tests", "tests-secret")
PARAMETERS = {"Stage": "local", "JwtIssuer": "i", "JwksUrl": "http://127.0.0.1/"}


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsEndpoint]:
    """An AWS endpoint with the buckets and tables of the template."""
    here = AwsEndpoint(tmp_path_factory.mktemp("aws"), CREDENTIALS)
    here.start()
    template = Template.load(ROOT / "template.yaml", PARAMETERS)
    for table in template.tables.values():
        here.create_table(table.properties)
    for bucket in template.buckets.values():
        here.create_bucket(bucket.name)
    yield here
    here.stop()


@pytest.fixture(scope="session")
def bucket_names() -> dict[str, str]:
    """Physical names of the template's buckets by logical id."""
    template = Template.load(ROOT / "template.yaml", PARAMETERS)
    return {name: bucket.name for name, bucket in template.buckets.items()}


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
