"""Rebuilds Prometheus series from the functions' EMF lines."""

import json
import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from terrafusion.metrics import MetricKind, MetricSpec

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
MARK = '"_aws"'


class Rejection(StrEnum):
    """Why a line is not counted."""

    NOT_JSON = "not_json"
    NOT_EMF = "not_emf"
    UNKNOWN_METRIC = "unknown_metric"
    MISSING_LABEL = "missing_label"
    BAD_VALUE = "bad_value"


class _Rejected(Exception):
    def __init__(self, reason: Rejection) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Sample:
    spec: MetricSpec
    labels: tuple[str, ...]
    values: tuple[float, ...]


class Adapter:
    """The metrics of a catalogue, fed line by line.

    Parameters
    ----------
    catalogue
        Metrics by name; all of them are described even before they have a sample.
    """

    def __init__(self, catalogue: Mapping[str, MetricSpec]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._catalogue = catalogue
        self._registry = CollectorRegistry()
        self._series = {name: self._make(spec) for name, spec in catalogue.items()}
        self._rejected = Counter(
            "terrafusion_emf_rejected_lines_total",
            "Total number of EMF lines that could not be counted.",
            ["reason"],
            registry=self._registry,
        )
        self._lock = threading.Lock()

    def feed(self, line: str) -> bool:
        """Count a line; gives whether it was EMF that could be counted, wholly."""
        if MARK not in line:
            return False
        try:
            samples = self._read(line)
        except _Rejected as rejected:
            self._rejected.labels(rejected.reason.value).inc()
            return False
        with self._lock:
            for sample in samples:
                self._count(sample)
        return True

    def text(self) -> bytes:
        """All series in Prometheus' text format 0.0.4."""
        with self._lock:
            return generate_latest(self._registry)

    def _make(self, spec: MetricSpec) -> Counter | Histogram:
        if spec.kind is MetricKind.COUNTER:
            return Counter(spec.name, spec.help, spec.labels, registry=self._registry)
        return Histogram(spec.name, spec.help, spec.labels, buckets=(*spec.buckets, math.inf), registry=self._registry)

    def _count(self, sample: _Sample) -> None:
        series = self._series[sample.spec.name].labels(*sample.labels)
        for value in sample.values:
            if isinstance(series, Counter):
                series.inc(value)
            else:
                series.observe(value)

    def _read(self, line: str) -> list[_Sample]:
        try:
            document = json.loads(line)
        except ValueError:
            raise _Rejected(Rejection.NOT_JSON) from None
        try:
            names = [m["Name"] for d in document["_aws"]["CloudWatchMetrics"] for m in d["Metrics"]]
        except (KeyError, TypeError):
            raise _Rejected(Rejection.NOT_EMF) from None
        return [self._sample(document, name) for name in names]

    def _sample(self, document: Mapping[str, Any], name: str) -> _Sample:
        spec = self._catalogue.get(name)
        if spec is None:
            raise _Rejected(Rejection.UNKNOWN_METRIC)
        if any(label not in document for label in spec.labels):
            raise _Rejected(Rejection.MISSING_LABEL)
        found = document.get(name)
        values = tuple(found) if isinstance(found, list) else (found,)
        if not all(_is_number(value) for value in values) or (
            spec.kind is MetricKind.COUNTER and any(value < 0 for value in values)
        ):
            raise _Rejected(Rejection.BAD_VALUE)
        return _Sample(spec, tuple(str(document[label]) for label in spec.labels), values)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
