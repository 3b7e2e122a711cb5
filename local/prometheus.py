"""Rebuilds Prometheus series from the functions' EMF lines."""

import json
import math
import threading
from collections.abc import Iterable, Mapping
from enum import StrEnum
from itertools import accumulate
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from local.series import Sample, SeriesStore, TooManySeries
from terrafusion.metrics import MetricKind, MetricSpec

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
MARK = '"_aws"'
REJECTED = MetricSpec(
    "terrafusion_emf_rejected_lines_total", "Total number of EMF lines that could not be counted.", ("reason",)
)


class Rejection(StrEnum):
    """Why a line is not counted."""

    NOT_JSON = "not_json"
    NOT_EMF = "not_emf"
    UNKNOWN_METRIC = "unknown_metric"
    MISSING_LABEL = "missing_label"
    BAD_VALUE = "bad_value"
    TOO_MANY_SERIES = "too_many_series"


class _Rejected(Exception):
    def __init__(self, reason: Rejection) -> None:
        super().__init__(reason)
        self.reason = reason


class Adapter:
    """The metrics of a catalogue, fed line by line.

    Parameters
    ----------
    catalogue
        Metrics by name; all of them are described even before they have a sample.
    path
        Where they are kept; None forgets them with the process.
    """

    def __init__(self, catalogue: Mapping[str, MetricSpec], path: Path | None = None) -> None:
        self._catalogue = catalogue
        self._store = SeriesStore((*catalogue.values(), REJECTED), path)
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_StoreCollector(self._store, (*catalogue.values(), REJECTED)))
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close what they are kept in; lines that come later are forgotten with the process."""
        with self._lock:
            self._store.close()

    def feed(self, line: str) -> bool:
        """Count a line; gives whether it was EMF that could be counted, wholly, now or before.

        Samples of one `event_id` are the same event's: of each metric the first counts.
        """
        if MARK not in line:
            return False
        with self._lock:
            try:
                samples, event = self._read(line)
                self._store.count(samples, event)
            except _Rejected as rejected:
                self._reject(rejected.reason)
                return False
            except TooManySeries:
                self._reject(Rejection.TOO_MANY_SERIES)
                return False
        return True

    def text(self) -> bytes:
        """All series in Prometheus' text format 0.0.4."""
        with self._lock:
            return generate_latest(self._registry)

    def _reject(self, reason: Rejection) -> None:
        self._store.count([Sample(REJECTED, (reason.value,), (1,))])

    def _read(self, line: str) -> tuple[list[Sample], str | None]:
        try:
            document = json.loads(line)
        except (ValueError, RecursionError):
            raise _Rejected(Rejection.NOT_JSON) from None
        try:
            metrics = [m["Name"] for d in document["_aws"]["CloudWatchMetrics"] for m in d["Metrics"]]
            names = list(dict.fromkeys(metrics))  # one that is in several directives is one sample all the same
        except (KeyError, TypeError):
            raise _Rejected(Rejection.NOT_EMF) from None
        event = document.get("event_id")
        return [self._sample(document, name) for name in names], _text(event) if event else None

    def _sample(self, document: Mapping[str, Any], name: str) -> Sample:
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
        return Sample(spec, tuple(_text(document[label]) for label in spec.labels), tuple(map(float, values)))


class _StoreCollector(Collector):
    """The store's series as Prometheus' client writes them."""

    def __init__(self, store: SeriesStore, specs: Iterable[MetricSpec]) -> None:
        self._store = store
        self._specs = tuple(specs)

    def collect(self) -> Iterable[CounterMetricFamily | HistogramMetricFamily]:
        for spec in self._specs:
            yield self._counter(spec) if spec.kind is MetricKind.COUNTER else self._histogram(spec)

    def _counter(self, spec: MetricSpec) -> CounterMetricFamily:
        family = CounterMetricFamily(spec.name, spec.help, labels=spec.labels)
        for labels, (value,) in self._store.of(spec.name).items():
            family.add_metric(labels, value)
        return family

    def _histogram(self, spec: MetricSpec) -> HistogramMetricFamily:
        family = HistogramMetricFamily(spec.name, spec.help, labels=spec.labels)
        bounds = [floatToGoString(b) for b in (*spec.buckets, math.inf)]  # type: ignore[no-untyped-call]
        for labels, (total, *counts) in self._store.of(spec.name).items():
            family.add_metric(labels, list(zip(bounds, accumulate(counts), strict=True)), total)
        return family


def _text(value: Any) -> str:
    text = str(value)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a character, as JSON may hold it, can be neither kept nor shown
        raise _Rejected(Rejection.BAD_VALUE) from None
    return text


def _is_number(value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
