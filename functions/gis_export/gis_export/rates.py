"""What formats take in time and room, as measured (`python -m tests.bench.rates` measures again)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gis_export.formats import ExportFormat

RATES = Path(__file__).with_name("rates.json")
PASS_SECONDS_PER_MILLION = 20.0
"""A pass before the one that writes: within, clip, simplification, precision."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A format's measured rates."""

    seconds_per_million: float
    bytes_per_source_byte: float


@cache
def rates() -> Mapping[ExportFormat, Rate]:
    """The table of rates."""
    return {ExportFormat(name): Rate(**rate) for name, rate in json.loads(RATES.read_bytes()).items()}
