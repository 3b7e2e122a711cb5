"""Periods of the calendar between two days."""

from dataclasses import dataclass
from datetime import date, timedelta

from market_analysis.analysis_types import Period

MONTHS = {Period.MONTH: 1, Period.QUARTER: 3, Period.YEAR: 12}
DAYS_PER_MONTH = 30.4375
"""A twelfth of 365.25."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """The periods that the days `first` to `last`, both included, fall in."""

    period: Period
    first: date
    last: date

    def __len__(self) -> int:
        return self._number(self.last) - self._number(self.first) + 1

    def index_of(self, column: str) -> str:
        """SQL for the period of a date column, counted from 0."""
        return f"date_diff('{self.period}', DATE '{self.first}', {column})"

    def start(self, at: int) -> date:
        """The first day of a period, which may lie before `first`."""
        months = (self._number(self.first) + at) * MONTHS[self.period]
        return date(months // 12, months % 12 + 1, 1)

    def end(self, at: int) -> date:
        """The last day of a period."""
        return self.start(at + 1) - timedelta(days=1)

    def is_whole(self, at: int) -> bool:
        """Whether all of the period's days are looked at."""
        return self.start(at) >= self.first and self.end(at) <= self.last

    def label(self, at: int) -> str:
        """2025-03, 2025-Q1 or 2025."""
        start = self.start(at)
        labels = {
            Period.MONTH: f"{start:%Y-%m}",
            Period.QUARTER: f"{start.year}-Q{(start.month + 2) // 3}",
            Period.YEAR: f"{start.year}",
        }
        return labels[self.period]

    @property
    def labels(self) -> list[str]:
        """All periods in order."""
        return [self.label(at) for at in range(len(self))]

    @property
    def per_year(self) -> int:
        """Periods of a year."""
        return 12 // MONTHS[self.period]

    def _number(self, day: date) -> int:
        return (day.year * 12 + day.month - 1) // MONTHS[self.period]


def years_before(day: date, years: int) -> date:
    """The day after the same day so many years ago: that and `day` bound whole years."""
    return months_before(day, 12 * years)


def months_before(day: date, months: int) -> date:
    """The day after the same day so many months ago: that and `day` bound whole months.

    What goes before the last day of a month is the last day of a month.
    """
    after = day + timedelta(days=1)
    if after.day == 1:
        return _month(after, -months)
    start = _month(day, -months)
    return min(start + timedelta(days=day.day), _month(start, 1))


def _month(day: date, months: int) -> date:
    """The first day of the month so many months after a day's."""
    number = day.year * 12 + day.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)
