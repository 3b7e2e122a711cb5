"""The local cloud's engines with the template's tables and buckets, without its functions."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.aws.endpoint import AwsEndpoint, Credentials
from local.template import Template
from tests.conftest import ROOT

CREDENTIALS = Credentials("tests", "tests-secret")
PARAMETERS = {"Stage": "local", "JwtIssuer": "i", "JwksUrl": "http://127.0.0.1/"}


def project_template() -> Template:
    """The project's template, as a local run sees it."""
    return Template.load(ROOT / "template.yaml", PARAMETERS)


@contextmanager
def running(folder: Path) -> Iterator[AwsEndpoint]:
    """An AWS endpoint that keeps its state in a folder."""
    here = AwsEndpoint(folder, CREDENTIALS)
    here.start()
    try:
        template = project_template()
        for table in template.tables.values():
            here.create_table(table.properties)
        for bucket in template.buckets.values():
            here.create_bucket(bucket.name)
        yield here
    finally:
        here.stop()
