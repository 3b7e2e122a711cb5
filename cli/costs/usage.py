"""How much of what a month uses: by jobs, and by being there."""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from cli.costs.metrics import OF_AUTHORIZER, OF_SERVICE, OF_SWEEP, VALUES, of_all_services, of_one_service
from terrafusion.metrics import MetricSpec

Usage = Counter[str]

DAYS = 30
MINUTES = DAYS * 24 * 60
GB = 1e9
API_GB, API_SECONDS = 0.5, 0.05
AUTHORIZER_GB, AUTHORIZER_SECONDS = 0.25, 0.03
SWEEP_GB, SWEEP_SECONDS = 0.5, 0.1
FREE_DISK_GB = 0.5

CREATE_WRITE_UNITS = 11
"""A job's item of up to 2 KB in a transaction (4), its two indexes (3), audit (2) and idempotency key (2)."""
CHANGE_WRITE_UNITS = 6
"""The item (2), the index of counties (2), the index of open jobs: one entry out, one in (2)."""
CHANGES = 4
"""Claim, end, and twice the note that an event was counted; besides them one a second while it works."""
VIEW_WRITE_UNITS = 1
QUEUE_REQUESTS_PER_JOB = 3
QUEUE_POLLS_PER_MINUTE = 15
"""Of a queue that feeds a function: five pollers, each of which waits for 20 seconds."""
S3_WRITES_PER_JOB, S3_READS_PER_JOB = 4, 60
KEY_REQUESTS_PER_JOB = 5
LOG_BYTES_PER_REQUEST, LOG_BYTES_PER_JOB, LOG_BYTES_PER_SWEEP = 1800, 4000, 1500
LOG_MONTHS = 3


class Path(StrEnum):
    """How a plugin's jobs reach their workers."""

    WORKFLOW = "workflow"
    QUEUE = "queue"


@dataclass(frozen=True, slots=True)
class Kind:
    """Jobs of one plugin: how many a month, how they come, what each takes.

    Attributes
    ----------
    seconds, memory_gb, disk_gb
        Of the worker.
    result_mb
        Size of the result, which is downloaded once.
    types
        Values of the plugin's own label that occur, each a metric of its own.
    specs
        The metrics that its jobs are counted by.
    transitions
        Of its workflow, when a job goes well.
    """

    name: str
    jobs: int
    path: Path
    seconds: float
    memory_gb: float
    result_mb: float
    disk_gb: float = FREE_DISK_GB
    types: int = 8
    specs: tuple[MetricSpec, ...] = ()
    transitions: int = 0


@dataclass(frozen=True, slots=True)
class Deployment:
    """What is there whether jobs come or not."""

    counties: int
    county_gb: float = 0.5
    polls: int = 6
    result_days: int = 7
    architecture: str = "arm64"
    county_dimension: bool = False
    alarm_metrics: int = 0
    shared_services: int = 0
    """Those that answer HTTP and are no plugin's."""

    @property
    def gb_second(self) -> str:
        """The price of the processor."""
        return f"lambda_gb_second_{self.architecture}"


def of_jobs(kind: Kind, here: Deployment) -> Usage:
    """A month's jobs of one kind."""
    requests = here.polls + 3  # submit, results, download
    changes = CHANGES + kind.seconds
    result_gb = kind.result_mb / 1000
    one = Usage(
        {
            "http_api_request": requests,
            "lambda_request": requests + 2,  # authorizer, worker
            here.gb_second: requests * API_GB * API_SECONDS
            + AUTHORIZER_GB * AUTHORIZER_SECONDS
            + kind.memory_gb * kind.seconds,
            "lambda_disk_gb_second": max(0.0, kind.disk_gb - FREE_DISK_GB) * kind.seconds,
            "dynamodb_write_unit": CREATE_WRITE_UNITS + CHANGE_WRITE_UNITS * changes + 2 * VIEW_WRITE_UNITS,
            "dynamodb_read_unit": requests + CHANGES,
            "s3_write": S3_WRITES_PER_JOB,
            "s3_read": S3_READS_PER_JOB,
            "s3_gb_month": result_gb * here.result_days / DAYS,
            "transfer_out_gb": result_gb,
            "logs_gb": (requests * LOG_BYTES_PER_REQUEST + LOG_BYTES_PER_JOB) / GB,
            "logs_gb_month": LOG_MONTHS * (requests * LOG_BYTES_PER_REQUEST + LOG_BYTES_PER_JOB) / GB,
            "key_request": KEY_REQUESTS_PER_JOB,
            **({"workflow_transition": kind.transitions} if kind.path is Path.WORKFLOW else {}),
            **({"queue_request": QUEUE_REQUESTS_PER_JOB} if kind.path is Path.QUEUE else {}),
        }
    )
    return Usage({name: quantity * kind.jobs for name, quantity in one.items()})


def of_plugin(kind: Kind, here: Deployment) -> Usage:
    """A plugin that is there: its sweep, its queues' pollers, its metrics."""
    values = {**VALUES, "county_id": here.counties, **{s.type_label: kind.types for s in kind.specs if s.type_label}}
    specs = (*kind.specs, *OF_SERVICE, *OF_SWEEP)
    return Usage(
        {
            "lambda_request": MINUTES,
            here.gb_second: MINUTES * SWEEP_GB * SWEEP_SECONDS,
            "dynamodb_read_unit": MINUTES,
            "logs_gb": MINUTES * LOG_BYTES_PER_SWEEP / GB,
            "logs_gb_month": LOG_MONTHS * MINUTES * LOG_BYTES_PER_SWEEP / GB,
            "metric_month": of_one_service(specs, values, by_county=here.county_dimension),
            **({"queue_request": 2 * QUEUE_POLLS_PER_MINUTE * MINUTES} if kind.path is Path.QUEUE else {}),
        }
    )


def of_platform(here: Deployment) -> Usage:
    """What all plugins share."""
    return Usage(
        {
            "key_month": 1,
            "s3_gb_month": here.counties * here.county_gb,
            "dynamodb_gb_month": 1,
            "dynamodb_pitr_gb_month": 1,
            "metric_month": here.shared_services * of_one_service(OF_SERVICE)
            + of_one_service(OF_AUTHORIZER)
            + of_all_services(OF_SERVICE),
            "alarm_metric_month": here.alarm_metrics,
            "composite_alarm_month": 1,
            "dashboard_month": 1,
        }
    )
