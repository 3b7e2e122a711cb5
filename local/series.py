"""The metrics' series, kept on disk: what was counted stays counted, and an event that comes again counts once."""

import json
import logging
import math
import sqlite3
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from local.aws.database import connect, transaction
from local.emf import Labels, Sample
from local.following import Position
from terrafusion.metrics import MetricKind, MetricSpec

EVENT_SECONDS = 8 * 86_400
"""How long an event is known: longer than anything comes again, which no message or execution does after a week."""
PRUNE_SECONDS = 3600
MOST_SERIES = 10_000
"""Label sets that a metric may have; a label that takes any value would fill the memory."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS series (
    metric TEXT NOT NULL, labels TEXT NOT NULL, shape TEXT NOT NULL, numbers TEXT NOT NULL, UNIQUE (metric, labels));
CREATE TABLE IF NOT EXISTS events (
    id TEXT NOT NULL, metric TEXT NOT NULL, seen REAL NOT NULL, PRIMARY KEY (id, metric)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS events_by_age ON events (seen);
CREATE TABLE IF NOT EXISTS positions (source TEXT PRIMARY KEY, read INTEGER NOT NULL, head TEXT NOT NULL);
"""
_PUT_SERIES = """
INSERT INTO series VALUES (?, ?, ?, ?)
ON CONFLICT (metric, labels) DO UPDATE SET shape = excluded.shape, numbers = excluded.numbers
"""

log = logging.getLogger(__name__)


class TooManySeries(Exception):
    """A metric has as many label sets as it may have."""


class SeriesStore:
    """Series in memory, and in a database that follows; while that has no room, counting goes on in memory.

    Parameters
    ----------
    path
        None keeps nothing.
    clock
        Seconds since the epoch.
    """

    def __init__(self, specs: Iterable[MetricSpec], path: Path | None, clock: Callable[[], float] = time.time) -> None:
        self._specs = {spec.name: spec for spec in specs}
        self._clock = clock
        self._series: dict[str, dict[Labels, list[float]]] = {name: {} for name in self._specs}
        self._changed: set[tuple[str, Labels]] = set()
        self._events: dict[tuple[str, str], float] = {}
        self._pruned = -math.inf
        self._failing = False
        self._db = connect(path, _SCHEMA, synchronous="NORMAL")
        self._load()
        self._write()

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def count(self, samples: Sequence[Sample], event: str | None = None) -> None:
        """Count samples in memory, but for those of metrics for which the event was counted before.

        Raises
        ------
        TooManySeries
            Nothing was counted.
        """
        fresh = [sample for sample in samples if not (event and self._seen(event, sample.spec.name))]
        for sample in fresh:
            known = self._series[sample.spec.name]
            if sample.labels not in known and len(known) >= MOST_SERIES:
                raise TooManySeries(sample.spec.name)
        for sample in fresh:
            name = sample.spec.name
            numbers = self._series[name].setdefault(sample.labels, _nothing(sample.spec))
            for value in sample.values:
                _add(sample.spec, numbers, value)
            self._changed.add((name, sample.labels))
            if event:
                self._events[event, name] = self._clock()

    def write(self, positions: Mapping[str, Position] = MappingProxyType({})) -> None:
        """Keep what was counted and, in the same transaction, how far its sources were read."""
        if self._changed or positions:
            self._write(positions)

    def position(self, source: str) -> Position | None:
        """How far a source was read."""
        row = self._db.execute("SELECT read, head FROM positions WHERE source = ?", (source,)).fetchone()
        return Position(*row) if row else None

    def of(self, name: str) -> Mapping[Labels, Sequence[float]]:
        """A metric's series: a counter's value, or a histogram's sum and the count of each bucket, +Inf the last."""
        return self._series[name]

    def _seen(self, event: str, metric: str) -> bool:
        if (event, metric) in self._events:
            return True
        try:
            query = "SELECT 1 FROM events WHERE id = ? AND metric = ?"
            return self._db.execute(query, (event, metric)).fetchone() is not None
        except sqlite3.Error:
            return False

    def _load(self) -> None:
        """Take over what was kept, but for series that a metric's other labels or buckets make meaningless."""
        for metric, labels, shape, numbers in self._db.execute("SELECT * FROM series ORDER BY rowid"):
            spec = self._specs.get(metric)
            if spec is not None and shape == _shape(spec):
                self._series[metric][tuple(json.loads(labels))] = json.loads(numbers)

    def _write(self, positions: Mapping[str, Position] = MappingProxyType({})) -> None:
        """Bring what has changed to the database; what does not fit is tried again with the next."""
        now = self._clock()
        rows = [
            (name, json.dumps(labels), _shape(self._specs[name]), json.dumps(self._series[name][labels]))
            for name, labels in self._changed
        ]
        try:
            with transaction(self._db):
                self._db.executemany(_PUT_SERIES, rows)
                events = [(event, metric, seen) for (event, metric), seen in self._events.items()]
                self._db.executemany("INSERT OR IGNORE INTO events VALUES (?, ?, ?)", events)
                reached = [(source, place.offset, place.head) for source, place in positions.items()]
                self._db.executemany("INSERT OR REPLACE INTO positions VALUES (?, ?, ?)", reached)
                if now - self._pruned > PRUNE_SECONDS:
                    self._db.execute("DELETE FROM events WHERE seen < ?", (now - EVENT_SECONDS,))
        except sqlite3.Error as error:
            if not self._failing:
                log.warning("metrics cannot be kept, and are counted in memory: %s", error)
            self._failing = True
            return
        self._failing = False
        self._changed.clear()
        self._events.clear()
        if now - self._pruned > PRUNE_SECONDS:
            self._pruned = now


def _nothing(spec: MetricSpec) -> list[float]:
    return [0.0] * (len(spec.buckets) + 2) if spec.kind is MetricKind.HISTOGRAM else [0.0]


def _add(spec: MetricSpec, numbers: list[float], value: float) -> None:
    numbers[0] = value if spec.kind is MetricKind.GAUGE else numbers[0] + value
    if spec.kind is MetricKind.HISTOGRAM:
        numbers[1 + bisect_left(spec.buckets, value)] += 1


def _shape(spec: MetricSpec) -> str:
    """What two specs of a name share when their series can be added up."""
    return json.dumps([spec.kind.value, spec.labels, [float(bound) for bound in spec.buckets]])
