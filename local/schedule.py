"""EventBridge's schedule expressions: `rate(…)` and `cron(…)`, in UTC."""

import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import Protocol

RATE = re.compile(r"rate\((\d+) (minute|minutes|hour|hours|day|days)\)")
CRON = re.compile(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)")
UNITS: Mapping[str, timedelta] = MappingProxyType(
    {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
)
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
ANY = ("*", "?")
FIRST_YEAR, LAST_YEAR = 1970, 2199


class Schedule(Protocol):
    """When something happens."""

    def next_after(self, moment: datetime) -> datetime | None:
        """The next time after a moment (UTC), or None when there is none."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Every so often, counted from the start."""

    interval: timedelta

    def next_after(self, moment: datetime) -> datetime:
        """One interval later."""
        return moment + self.interval


@dataclass(frozen=True, slots=True)
class Cron:
    """At the minutes that all fields allow; days of the week count from Sunday, 1."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days_of_month: frozenset[int]
    months: frozenset[int]
    days_of_week: frozenset[int]
    years: frozenset[int]

    def next_after(self, moment: datetime) -> datetime | None:
        """The first such minute after the moment."""
        start = (moment + timedelta(minutes=1)).replace(second=0, microsecond=0)
        clock = sorted(time(hour, minute, tzinfo=UTC) for hour in self.hours for minute in self.minutes)
        for year in sorted(self.years):
            if year < start.year:
                continue
            for day in self._days(year):
                if day < start.date():
                    continue
                for at in clock:
                    found = datetime.combine(day, at)
                    if found >= start:
                        return found
        return None

    def _days(self, year: int) -> list[date]:
        return [
            date(year, month, day)
            for month in sorted(self.months)
            for day in range(1, monthrange(year, month)[1] + 1)
            if day in self.days_of_month and date(year, month, day).isoweekday() % 7 + 1 in self.days_of_week
        ]


def parse_schedule(expression: str) -> Schedule:
    """Read an expression.

    Raises
    ------
    ValueError
        For one that is malformed, never comes true, or uses `L`, `W` or `#`, which are not supported here.
    """
    rate = RATE.fullmatch(expression)
    if rate and int(rate[1]) > 0:
        return Rate(int(rate[1]) * UNITS[rate[2].removesuffix("s")])
    cron = CRON.fullmatch(expression)
    if not cron:
        raise ValueError("neither rate(…) nor cron(…) with six fields")
    if (cron[3] == "?") == (cron[5] == "?"):
        raise ValueError("either the day of the month or that of the week is '?'")
    result = Cron(
        _field(cron[1], 0, 59),
        _field(cron[2], 0, 23),
        _field(cron[3], 1, 31),
        _field(cron[4], 1, 12, MONTHS),
        _field(cron[5], 1, 7, DAYS),
        _field(cron[6], FIRST_YEAR, LAST_YEAR),
    )
    if result.next_after(datetime.now(UTC)) is None:
        raise ValueError("never comes true")
    return result


def _field(text: str, low: int, high: int, names: tuple[str, ...] = ()) -> frozenset[int]:
    """The values that a field allows."""
    values: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span in ANY:
            start, end = low, high
        else:
            start = _value(first, names)
            end = _value(last, names) if dash else high if slash else start
        if not low <= start <= high or not low <= end <= high:
            raise ValueError(f"'{part}' is not within {low} to {high}")
        every = int(step) if slash else 1
        if every < 1:
            raise ValueError(f"'{part}' has no step")
        # a range of days may run over the week's end: FRI-MON
        span_values = range(start, end + 1) if start <= end else [*range(start, high + 1), *range(low, end + 1)]
        values.update(span_values[::every])
    return frozenset(values)


def _value(text: str, names: tuple[str, ...]) -> int:
    if text.upper() in names:
        return names.index(text.upper()) + 1
    if not text.isdigit():
        raise ValueError(f"'{text}' is not supported here")
    return int(text)
