"""Rebuilds Prometheus series from the functions' EMF lines."""

import math
import threading
from collections.abc import Iterable, Mapping
from itertools import accumulate
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from local.emf import Rejected, Rejection, Sample, concerns, lines_in, may_concern, read
from local.following import MAX_LINE_BYTES, Position
from local.series import SeriesStore, TooManySeries
from terrafusion.metrics import MetricKind, MetricSpec

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
REJECTED = MetricSpec(
    "terrafusion_emf_rejected_lines_total", "Total number of EMF lines that could not be counted.", ("reason",)
)
Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


class Adapter:
    """The metrics of a catalogue, fed line by line.

    Parameters
    ----------
    catalogue
        Metrics by name; all of them are described even before they have a sample.
    path
        Where they are kept; None forgets them with the process.
    more
        Gives further families at each look, such as the depth of queues.
    """

    def __init__(
        self,
        catalogue: Mapping[str, MetricSpec],
        path: Path | None = None,
        more: Collector | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._store = SeriesStore((*catalogue.values(), REJECTED), path)
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_StoreCollector(self._store, (*catalogue.values(), REJECTED)))
        if more is not None:
            self._registry.register(more)
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close what they are kept in; lines that come later are forgotten with the process."""
        with self._lock:
            self._store.close()

    def feed(self, line: str) -> bool:
        """Count a line; gives whether it was EMF that could be counted, wholly, now or before.

        Samples of one `event_id` are the same event's: of each metric the first counts.
        """
        if not concerns(line):
            return False
        with self._lock:
            taken = self._count(line)
            self._store.write()
        return taken

    def feed_all(self, lines: Iterable[bytes], source: str = "", position: Position | None = None) -> None:
        """Count lines, and those that documents tell of; keep in the same transaction how far a source was read."""
        with self._lock:
            for line in lines:
                if not may_concern(line):
                    continue
                if len(line) > MAX_LINE_BYTES:
                    self._reject(Rejection.TOO_LONG)
                    continue
                for text in lines_in(line.decode("utf-8", "replace")):
                    self._count(text)
            self._store.write({source: position} if position else {})

    def position(self, source: str) -> Position | None:
        """How far a source was counted."""
        return self._store.position(source)

    def text(self) -> bytes:
        """All series in Prometheus' text format 0.0.4."""
        with self._lock:
            return generate_latest(self._registry)

    def _count(self, line: str) -> bool:
        try:
            samples, event = read(line, self._catalogue)
            self._store.count(samples, event)
        except Rejected as rejected:
            self._reject(rejected.reason)
            return False
        except TooManySeries:
            self._reject(Rejection.TOO_MANY_SERIES)
            return False
        return True

    def _reject(self, reason: Rejection) -> None:
        self._store.count([Sample(REJECTED, (reason.value,), (1,))])


class _StoreCollector(Collector):
    """The store's series as Prometheus' client writes them."""

    def __init__(self, store: SeriesStore, specs: Iterable[MetricSpec]) -> None:
        self._store = store
        self._specs = tuple(specs)

    def collect(self) -> Iterable[Family]:
        make = {
            MetricKind.COUNTER: self._counter,
            MetricKind.GAUGE: self._gauge,
            MetricKind.HISTOGRAM: self._histogram,
        }
        for spec in self._specs:
            yield make[spec.kind](spec)

    def _counter(self, spec: MetricSpec) -> Family:
        family = CounterMetricFamily(spec.name, spec.help, labels=spec.labels)
        for labels, (value,) in self._store.of(spec.name).items():
            family.add_metric(labels, value)
        return family

    def _gauge(self, spec: MetricSpec) -> Family:
        family = GaugeMetricFamily(spec.name, spec.help, labels=spec.labels)
        for labels, (value,) in self._store.of(spec.name).items():
            family.add_metric(labels, value)
        return family

    def _histogram(self, spec: MetricSpec) -> Family:
        family = HistogramMetricFamily(spec.name, spec.help, labels=spec.labels)
        bounds = [floatToGoString(b) for b in (*spec.buckets, math.inf)]  # type: ignore[no-untyped-call]
        for labels, (total, *counts) in self._store.of(spec.name).items():
            family.add_metric(labels, list(zip(bounds, accumulate(counts), strict=True)), total)
        return family
