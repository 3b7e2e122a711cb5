"""What an analysis comes to, before it is written down."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from market_analysis.shapes import MapLayer

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Analysis:
    """A finding and what it rests on.

    `points` is the number of sales (or areas) that were analyzed, `trends` the county's or the selection's development
    by period, `details` further members of the result, `tables` names of DuckDB's tables with the data behind it by
    file name, the main one first, `layer` what can be shown on a map.
    """

    key_finding: str
    points: int
    trends: Sequence[Row]
    details: Mapping[str, Any]
    tables: Mapping[str, str]
    layer: MapLayer | None = None
    notes: Sequence[str] = field(default_factory=tuple)


def figure(value: float | None, digits: int = 2) -> float | None:
    """A number as results carry it: rounded; None where there is none."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), digits) + 0.0


def percent_change(before: float | None, after: float | None) -> float | None:
    """By how many percent a positive number changed."""
    if before is None or after is None or not before > 0:
        return None
    return figure(100 * (after / before - 1))


def rise(percent: float) -> str:
    """A change in words: `rose 3.1 %`."""
    return f"{'rose' if percent >= 0 else 'fell'} {abs(percent):.1f} %"


def plural(count: int, noun: str) -> str:
    """A count with its noun."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
