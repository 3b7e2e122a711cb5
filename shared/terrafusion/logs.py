"""Logs as JSON lines, through Powertools' Logger; library modules use `logging` and come out the same way."""

import logging

from aws_lambda_powertools import Logger

QUIET = ("boto3", "botocore", "s3transfer", "urllib3", "mangum")


def configure(service: str) -> Logger:
    """Send the process's logs through one JSON handler and give the logger whose keys they all carry."""
    logger = Logger(service=service)
    root = logging.getLogger()
    root.handlers = [logger.registered_handler]
    root.setLevel(logging.INFO)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    return logger
