"""Axes: from values to positions between 0 and 1, and the ticks along the way."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from terrafusion.charts.units import Unit, formatter

Value = float | int | str | date | datetime
"""A number; on a time axis a date; on a category axis a category's name."""


class Scale(StrEnum):
    """How values are laid out along an axis."""

    LINEAR = "linear"
    LOG = "log"
    TIME = "time"
    CATEGORY = "category"


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis and what is written there; a line break separates month and year."""

    value: float
    label: str


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a chart.

    Attributes
    ----------
    low, high
        Ends that are kept even when data lies outside (it is clipped); None takes them from the data.
    include
        Values that must be on the axis, such as 0 for bars.
    categories
        Names in order, for a category axis; () takes them from the marks in the order of their appearance.
    """

    title: str = ""
    scale: Scale = Scale.LINEAR
    unit: Unit = Unit.NUMBER
    low: Value | None = None
    high: Value | None = None
    include: tuple[Value, ...] = ()
    categories: tuple[str, ...] = ()
    ticks: int = 6

    def position(self, value: Value, mark: str) -> float:
        """A value as the number that the axis is laid out by: days since 0001-01-01 for dates, log10, index + 0.5.

        Raises
        ------
        ValueError
            Names the mark whose value can't stand on this axis.
        """
        if self.scale is Scale.CATEGORY:
            return self._place(value, mark)
        if self.scale is Scale.TIME:
            return _days(value, mark)
        if isinstance(value, str | date):
            raise ValueError(f"{mark}: {value!r} is not a number, the axis {self.title!r} is {self.scale}")  # noqa: TRY004
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(f"{mark}: {number} can't be drawn")
        if self.scale is Scale.LOG:
            if number <= 0:
                raise ValueError(f"{mark}: {number} can't stand on a logarithmic axis")
            return math.log10(number)
        return number

    def _place(self, value: Value, mark: str) -> float:
        try:
            return self.categories.index(str(value)) + 0.5
        except ValueError:
            raise ValueError(f"{mark}: {value!r} is no category of the axis {self.title!r}") from None

    def with_categories(self, names: Iterable[Value]) -> "Axis":
        """The axis with its categories known."""
        if self.scale is not Scale.CATEGORY or self.categories:
            return self
        return replace(self, categories=tuple(dict.fromkeys(str(name) for name in names)))

    def fitted(self, positions: Sequence[float], *, tight: bool = False) -> "Fitted":
        """The axis with ends that hold the positions and what must be included; rounded to ticks unless `tight`."""
        if self.scale is Scale.CATEGORY:
            return Fitted(self, 0.0, max(1.0, float(len(self.categories))), self._category_ticks())
        name = f"axis {self.title!r}"
        all_positions = [*positions, *(self.position(value, name) for value in self.include)]
        low = None if self.low is None else self.position(self.low, name)
        high = None if self.high is None else self.position(self.high, name)
        if not all_positions and low is None and high is None:
            return Fitted(self, 0.0, 1.0, ())
        start, end = _span(all_positions, low, high, self.scale)
        if self.scale is Scale.TIME:
            return Fitted(self, start, end, _time_ticks(start, end, self.ticks))
        if self.scale is Scale.LOG:
            start, end = start - (0.03 if low is None else 0), end + (0.03 if high is None else 0)
            return Fitted(self, start, end, _log_ticks(start, end, self.unit, self.ticks))
        step = nice_step((end - start) / max(1, self.ticks - 1))
        margin = (end - start) * 0.02 if tight else step
        start = start if low is not None else max(start - margin, math.floor(start / step + 1e-9) * step)
        end = end if high is not None else min(end + margin, math.ceil(end / step - 1e-9) * step)
        return Fitted(self, start, end, _linear_ticks(start, end, step, self.unit))

    def _category_ticks(self) -> tuple[Tick, ...]:
        return tuple(Tick(index + 0.5, name) for index, name in enumerate(self.categories))


@dataclass(frozen=True, slots=True)
class Fitted:
    """An axis with its ends and ticks, in positions."""

    axis: Axis
    start: float
    end: float
    ticks: tuple[Tick, ...]

    def share(self, position: float) -> float:
        """Where a position lies from the axis' start (0) to its end (1)."""
        return (position - self.start) / (self.end - self.start)

    def clamped(self, position: float) -> float:
        """A position, or the axis' end beyond which it lies."""
        return max(self.start, min(self.end, position))


def nice_step(step: float) -> float:
    """The next 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= step * (1 - 1e-9))


def _days(value: Value, mark: str) -> float:
    if isinstance(value, datetime):
        moment = value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
        return moment.toordinal() + (moment - datetime.combine(moment.date(), datetime.min.time())) / timedelta(days=1)
    if isinstance(value, date):
        return float(value.toordinal())
    raise ValueError(f"{mark}: {value!r} is not a date")


def _span(positions: Sequence[float], low: float | None, high: float | None, scale: Scale) -> tuple[float, float]:
    """Ends that differ, even for one value."""
    known = [*positions, *(end for end in (low, high) if end is not None)]
    start = min(known) if low is None else low
    end = max(known) if high is None else high
    if start > end:
        raise ValueError(f"an axis can't run from {start} to {end}")
    if end - start > max(abs(start), abs(end)) * 1e-9:
        return start, end
    margin = {Scale.TIME: 15.0, Scale.LOG: 0.15}.get(scale, max(abs(start) * 0.05, 1e-6 if start else 0.5))
    return start - (margin if low is None else 0.0), end + margin


def _linear_ticks(start: float, end: float, step: float, unit: Unit) -> tuple[Tick, ...]:
    first, last = math.ceil(start / step - 1e-9), math.floor(end / step + 1e-9)
    values = [float(f"{index * step:.15g}") for index in range(first, last + 1)]
    write = formatter(unit, values, step)
    return tuple(Tick(value, write(value)) for value in values)


def _log_ticks(start: float, end: float, unit: Unit, wanted: int) -> tuple[Tick, ...]:
    powers = range(math.floor(start), math.ceil(end) + 1)
    write = formatter(unit, [10.0**end])
    values: list[float] = []
    for factors in ((1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 5), (1, 3), (1,)):
        values = [
            float(f"{factor * 10.0**power:.6g}")
            for power in powers
            for factor in factors
            if start - 1e-9 <= math.log10(factor * 10.0**power) <= end + 1e-9
        ]
        if len(values) <= wanted + 2:
            break
    every = math.ceil(len(values) / (wanted + 2)) or 1
    return tuple(Tick(math.log10(value), write(value)) for value in values[::every])


def _time_ticks(start: float, end: float, wanted: int) -> tuple[Tick, ...]:
    """Ticks at the starts of days, weeks, months, quarters or years, whichever gives about as many as wanted."""
    days = end - start
    for months in (1, 2, 3, 6, 12, 24, 60, 120, 240, 600):
        if days < 45:
            break
        if days / 30.44 / months <= wanted + 2:
            return _month_ticks(start, end, months)
    step = next((step for step in (1, 2, 7, 14) if days / step <= wanted + 1), 14)
    first = math.ceil(start)
    marks = [date.fromordinal(day) for day in range(first, math.floor(end) + 1, step)]
    return tuple(
        Tick(float(day.toordinal()), f"{day:%b} {day.day}" + _year(day, marks, i)) for i, day in enumerate(marks)
    )


def _month_ticks(start: float, end: float, months: int) -> tuple[Tick, ...]:
    first, last = date.fromordinal(max(1, math.floor(start))), date.fromordinal(math.ceil(end))
    count = range(first.year * 12, last.year * 12 + 12, months) if months < 24 else _years(first, last, months // 12)
    marks = [date(index // 12, index % 12 + 1, 1) for index in count if 12 <= index < 119_988]
    marks = [day for day in marks if start - 0.01 <= day.toordinal() <= end + 0.01]
    return tuple(Tick(float(day.toordinal()), _month_label(day, months, marks, i)) for i, day in enumerate(marks))


def _years(first: date, last: date, years: int) -> range:
    return range(first.year // years * years * 12, last.year * 12 + 12, years * 12)


def _month_label(day: date, months: int, marks: Sequence[date], index: int) -> str:
    if months >= 12:
        return str(day.year)
    name = f"Q{(day.month + 2) // 3}" if months == 3 else f"{day:%b}"
    return name + _year(day, marks, index)


def _year(day: date, marks: Sequence[date], index: int) -> str:
    return f"\n{day.year}" if index == 0 or marks[index - 1].year != day.year else ""
