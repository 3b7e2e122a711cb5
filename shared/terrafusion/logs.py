"""Logs as JSON lines, through Powertools' Logger; library modules use `logging` and come out the same way.

What a line is about (job, county, plugin, request) is said once for all lines within: `with about(…):`.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from aws_lambda_powertools import Logger

QUIET = ("boto3", "botocore", "s3transfer", "urllib3", "mangum")
_configured: list[Logger] = []


def configure(service: str) -> Logger:
    """Send the process's logs through one JSON handler and give the logger whose keys they all carry."""
    logger = Logger(service=service)
    root = logging.getLogger()
    root.handlers = [logger.registered_handler]
    root.setLevel(logging.INFO)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    _configured[:] = [logger]
    return logger


@contextmanager
def about(keys: Mapping[str, str]) -> Iterator[None]:
    """Have every line of this process carry keys, until the end of the block; nothing where no logs are configured."""
    if not _configured:
        yield
        return
    with _configured[0].append_context_keys(**keys):
        yield
