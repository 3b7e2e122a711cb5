"""What a statistic comes to: its value and interval, or the reason why there is none. Never NaN, never a stand-in 0."""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any


class NotComputed(ValueError):
    """A statistic that the sample does not define was asked for as a number."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval at `level` (0.95 for 95 %), in the statistic's own unit; `method` says whose."""

    low: float
    high: float
    level: float
    method: str

    def __post_init__(self) -> None:
        if not (isfinite(self.low) and isfinite(self.high)):
            raise ValueError("an interval's ends must be finite")

    def misses(self, low: float | None, high: float | None) -> bool:
        """Whether the interval lies wholly outside of a range; None is no limit."""
        return (low is not None and self.high < low) or (high is not None and self.low > high)


@dataclass(frozen=True, slots=True)
class Statistic:
    """A statistic of a sample of `n` sales.

    `value` is None when the sample does not define it, and then `reason` says why. `interval` may be missing on its
    own; `interval_reason` says why then.
    """

    name: str
    n: int
    value: float | None
    interval: Interval | None = None
    reason: str | None = None
    interval_reason: str | None = None

    def __post_init__(self) -> None:
        if self.value is not None and not isfinite(self.value):
            raise ValueError(f"{self.name} must be finite or absent")

    def __float__(self) -> float:
        if self.value is None:
            raise NotComputed(f"{self.name}: {self.text}")
        return self.value

    @property
    def text(self) -> str:
        """The value to six digits, or `not computed (n = 12 < 20)`."""
        return f"not computed ({self.reason})" if self.value is None else f"{self.value:.6g}"

    @property
    def document(self) -> dict[str, Any]:
        """The statistic as JSON."""
        if self.value is None:
            return {"value": None, "n": self.n, "not_computed": self.text}
        interval = self.interval
        if interval is None:
            return {"value": self.value, "n": self.n, "interval": None, "no_interval": self.interval_reason}
        ends = {"low": interval.low, "high": interval.high, "level": interval.level, "method": interval.method}
        return {"value": self.value, "n": self.n, "interval": ends}


def too_few(n: int, minimum: int) -> str | None:
    """The reason why `n` sales do not do, None when they do."""
    return f"n = {n} < {minimum}" if n < minimum else None


def undefined(name: str, n: int, reason: str) -> Statistic:
    """A statistic that the sample does not define."""
    return Statistic(name, n, None, reason=reason)


def with_interval(name: str, n: int, value: float, minimum: int, make: Callable[[], Interval | str]) -> Statistic:
    """A statistic with the interval that `make` gives, from `minimum` sales up; or with its reason for none."""
    reason = too_few(n, minimum)
    made = reason or make()
    if isinstance(made, Interval):
        return Statistic(name, n, value, made)
    return Statistic(name, n, value, interval_reason=f"not computed ({made})")
