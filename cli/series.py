"""A look at /metrics: samples by name, as `terrafusion top` reckons with them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import httpx
from prometheus_client.parser import text_string_to_metric_families

from cli.failures import CommandFailure

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Look:
    """All samples at a moment (seconds)."""

    at: float
    samples: Mapping[str, list[tuple[Labels, float]]] = field(default_factory=dict)

    @classmethod
    def at_url(cls, url: str, moment: float) -> "Look":
        """Fetch a page of metrics."""
        try:
            response = httpx.get(url, timeout=30)
            response.raise_for_status()
        except httpx.HTTPError as error:
            raise CommandFailure(f"{url} gives no metrics: {error}") from error
        return cls.of(response.text, moment)

    @classmethod
    def of(cls, text: str, moment: float) -> "Look":
        """Read Prometheus' text format."""
        found: dict[str, list[tuple[Labels, float]]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, []).append((sample.labels, sample.value))
        return cls(moment, found)

    def total(self, name: str, **labels: str) -> float:
        """Sum of a name's samples that have these labels."""
        wanted = labels.items()
        return sum(value for found, value in self.samples.get(name, []) if wanted <= found.items())

    def by(self, name: str, label: str) -> dict[str, float]:
        """Sums of a name's samples by one label's value."""
        sums: dict[str, float] = {}
        for labels, value in self.samples.get(name, []):
            sums[labels.get(label, "")] = sums.get(labels.get(label, ""), 0) + value
        return sums


def quantile(buckets: Mapping[float, float], share: float) -> float | None:
    """A quantile out of cumulative counts by upper bound, as Prometheus reckons it; None without samples.

    Within a bucket values count as spread evenly; beyond the last bound nothing is known but that bound.
    """
    bounds = sorted(buckets)
    total = buckets[bounds[-1]] if bounds else 0
    if total <= 0:
        return None
    rank = share * total
    lower, below = 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= rank:
            if bound == float("inf"):
                return lower
            return lower + (bound - lower) * (rank - below) / (buckets[bound] - below)
        lower, below = bound, buckets[bound]
    return lower


def difference(now: Mapping[float, float], before: Mapping[float, float]) -> dict[float, float]:
    """What was added to each bucket."""
    return {bound: count - before.get(bound, 0) for bound, count in now.items()}


def buckets_of(look: Look, name: str) -> dict[float, float]:
    """A histogram's cumulative counts over all labels, by upper bound."""
    return {float(bound): count for bound, count in look.by(f"{name}_bucket", "le").items()}


def newest_before(looks: Iterable[Look], moment: float) -> Look:
    """The last look at or before a moment, else the first of all."""
    ordered = list(looks)
    return next((look for look in reversed(ordered) if look.at <= moment), ordered[0])
