"""One catalogue of metrics, and the sink that writes them as CloudWatch's Embedded Metric Format.

Names, labels and buckets are a contract with existing dashboards. CloudWatch keeps only min, max, sum and count of a
metric, so durations are written raw: whoever reads the lines can rebuild the buckets.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TextIO

NAMESPACE = "TerraFusion"
"""Of the metrics in CloudWatch, where a deployment does not say another: stages of one account must not mix."""


class MetricKind(StrEnum):
    """What a series does: only grow, go up and down, or collect a distribution."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One metric: its name, its labels in order, and (for a histogram) upper bounds without +Inf.

    `type_label` is the label that CloudWatch may tell its values apart by; `overall` metrics are there also without
    any dimension, as the sum of all services.
    """

    name: str
    help: str
    labels: tuple[str, ...]
    kind: MetricKind = MetricKind.COUNTER
    buckets: tuple[float, ...] = ()
    unit: str = "Count"
    type_label: str | None = None
    overall: bool = False


@dataclass(frozen=True, slots=True)
class JobMetrics:
    """The metrics every plugin has, under one prefix and with one optional second label.

    Nineteen of twenty jobs should end within `budget_seconds`, which is the bound of a bucket.
    """

    prefix: str
    label: str | None
    submitted: MetricSpec
    completed: MetricSpec
    failed: MetricSpec
    cancelled: MetricSpec
    duration: MetricSpec
    budget_seconds: float

    @classmethod
    def of(
        cls, prefix: str, title: str, label: str | None, buckets: tuple[float, ...], budget: float | None = None
    ) -> "JobMetrics":
        """Declare the family; `title` is how help texts call the jobs, `buckets` and `budget` are seconds.

        Raises
        ------
        ValueError
            When the budget is no bucket's bound: nobody could tell from the buckets whether it was kept.
        """
        budget_seconds = buckets[len(buckets) // 2] if budget is None else budget
        if budget_seconds not in buckets:
            raise ValueError(f"a budget of {budget_seconds} s is none of the bounds {buckets}")
        base = ("county_id",) if label is None else ("county_id", label)

        def counter(event: str, text: str, *more: str) -> MetricSpec:
            return MetricSpec(
                f"{prefix}_jobs_{event}_total",
                f"Total number of {title} jobs {text}.",
                (*base, *more),
                type_label=label,
            )

        return cls(
            prefix=prefix,
            label=label,
            submitted=counter("submitted", "submitted", "status_on_submit"),
            completed=counter("completed", "completed"),
            failed=counter("failed", "failed", "failure_reason"),
            cancelled=counter("cancelled", "cancelled"),
            duration=MetricSpec(
                f"{prefix}_processing_duration_seconds",
                f"Histogram of {title} job processing time in seconds.",
                base,
                MetricKind.HISTOGRAM,
                buckets,
                "Seconds",
                label,
            ),
            budget_seconds=budget_seconds,
        )

    @property
    def specs(self) -> tuple[MetricSpec, ...]:
        """All of the family."""
        return (self.submitted, self.completed, self.failed, self.cancelled, self.duration)


VALUATION = JobMetrics.of("valuation", "valuation", None, (0.1, 0.5, 1, 2.5, 5, 10, 30, 60))
REPORT = JobMetrics.of("report", "report", "report_type", (0.5, 1, 5, 10, 30, 60, 120, 300))
MARKET_ANALYSIS = JobMetrics.of(
    "market_analysis", "market analysis", "analysis_type", (1, 5, 10, 30, 60, 120, 300, 600)
)
GIS_EXPORT = JobMetrics.of("gis_export", "GIS export", "export_format", (5, 10, 30, 60, 120, 300, 600, 1800, 3600))

FILE_SIZE_KB = MetricSpec(
    "gis_export_file_size_kb",
    "Histogram of GIS export file sizes in kilobytes.",
    ("county_id", "export_format"),
    MetricKind.HISTOGRAM,
    (10, 100, 1_000, 10_000, 100_000, 1_000_000),
    "Kilobytes",
    "export_format",
)
RECORD_COUNT = MetricSpec(
    "gis_export_record_count",
    "Histogram of features in GIS exports.",
    ("county_id", "export_format"),
    MetricKind.HISTOGRAM,
    (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000),
    "Count",
    "export_format",
)
HTTP_REQUESTS = MetricSpec(
    "gateway_http_requests_total", "Total number of HTTP requests.", ("method", "endpoint", "http_status")
)
HTTP_DURATION = MetricSpec(
    "gateway_http_request_duration_seconds",
    "Histogram of HTTP request durations in seconds.",
    ("method", "endpoint"),
    MetricKind.HISTOGRAM,
    (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    "Seconds",
)
FAULTS = MetricSpec(
    "terrafusion_faults_total",
    "Total number of requests and jobs that failed for a reason of the platform's own.",
    ("kind",),
    overall=True,
)
"""What a deployment is judged by: `http` for answers from 500 on, else the reason a job failed for."""
AUTHORIZATIONS = MetricSpec(
    "terrafusion_authorizations_total",
    "Total number of tokens that were judged.",
    ("outcome",),
    type_label="outcome",
)
SWEPT = MetricSpec(
    "terrafusion_swept_jobs_total",
    "Total number of silent jobs that a sweep did something about.",
    ("plugin", "finding"),
    type_label="finding",
)
SWEEPS = MetricSpec("terrafusion_sweeps_total", "Total number of runs of the sweeps.", ("plugin",))
SILENT_JOBS = MetricSpec(
    "terrafusion_silent_jobs",
    "Open jobs that nobody had written to for a minute when the sweep looked.",
    ("plugin",),
    MetricKind.GAUGE,
)
LONGEST_SILENCE = MetricSpec(
    "terrafusion_longest_silence_seconds",
    "For how long the most silent of the open jobs had been so when the sweep looked.",
    ("plugin",),
    MetricKind.GAUGE,
    unit="Seconds",
)


def catalogue(specs: Iterable[MetricSpec]) -> Mapping[str, MetricSpec]:
    """Index specs by name."""
    return MappingProxyType({spec.name: spec for spec in specs})


CATALOGUE: Mapping[str, MetricSpec] = catalogue(
    (
        *(spec for family in (VALUATION, REPORT, MARKET_ANALYSIS, GIS_EXPORT) for spec in family.specs),
        FILE_SIZE_KB,
        RECORD_COUNT,
        HTTP_REQUESTS,
        HTTP_DURATION,
        FAULTS,
        AUTHORIZATIONS,
        SWEPT,
        SWEEPS,
        SILENT_JOBS,
        LONGEST_SILENCE,
    )
)


def dimension_sets(spec: MetricSpec, *, county_dimension: bool = False) -> list[list[str]]:
    """The sets of labels that CloudWatch tells a metric's values apart by, each of which is a metric to it."""
    sets = [["service"]]
    if spec.type_label:
        sets.append(["service", spec.type_label])
    if county_dimension and "county_id" in spec.labels:
        sets.append(["service", "county_id"])
    if spec.overall:
        sets.append([])
    return sets


class EmfSink:
    """Writes one EMF line per metric and label set, at once.

    Every label is a root property, where queries find it; only `service` and the type label are dimensions, as each
    combination of dimensions is billed as a metric of its own. `county_id` becomes one when `county_dimension` is set.
    """

    def __init__(
        self,
        service: str,
        *,
        namespace: str = NAMESPACE,
        county_dimension: bool = False,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._service = service
        self._namespace = namespace
        self._county_dimension = county_dimension
        self._stream = stream
        self._clock = clock

    def record(self, spec: MetricSpec, value: float, labels: Mapping[str, str], event_id: str | None = None) -> None:
        """Write one sample; samples that may be written twice carry the `event_id` by which readers know them.

        Raises
        ------
        ValueError
            When the labels are not those of the catalogue: a metric with other labels is another metric.
        """
        if tuple(sorted(labels)) != tuple(sorted(spec.labels)):
            raise ValueError(f"{spec.name} takes labels {spec.labels}, not {tuple(labels)}")
        document = {
            "_aws": {
                "Timestamp": int(self._clock() * 1000),
                "CloudWatchMetrics": [
                    {
                        "Namespace": self._namespace,
                        "Dimensions": dimension_sets(spec, county_dimension=self._county_dimension),
                        "Metrics": [{"Name": spec.name, "Unit": spec.unit}],
                    }
                ],
            },
            "service": self._service,
            **({"event_id": event_id} if event_id else {}),
            **labels,
            spec.name: value,
        }
        stream = self._stream or sys.stdout
        stream.write(json.dumps(document, separators=(",", ":")) + "\n")
        stream.flush()


def count_request(metrics: EmfSink, method: str, endpoint: str, status: int, seconds: float) -> None:
    """Count an HTTP request by whoever answered it; from 500 on it is a fault."""
    where = {"method": method, "endpoint": endpoint}
    metrics.record(HTTP_REQUESTS, 1, {**where, "http_status": str(status)})
    metrics.record(HTTP_DURATION, seconds, where)
    if status >= 500:
        metrics.record(FAULTS, 1, {"kind": "http"})
