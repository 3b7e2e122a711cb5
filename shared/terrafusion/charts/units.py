"""Numbers as people in an assessor's office read them."""

import math
from collections.abc import Callable, Sequence
from enum import StrEnum

MINUS = "\u2212"  # the real minus sign


class Unit(StrEnum):
    """What a number on an axis or a label is."""

    NUMBER = "number"
    MONEY = "money"  # dollars
    PERCENT = "percent"  # of a fraction: 0.12 is 12%
    RATIO = "ratio"  # two decimals at least


def plain(value: float, decimals: int) -> str:
    """A number with thousands separators and a real minus sign."""
    text = f"{abs(value):,.{decimals}f}"
    return MINUS + text if value < 0 and any(c in text for c in "123456789") else text


def decimals_of(step: float, most: int = 9) -> int:
    """Decimals that tell multiples of a step apart."""
    for decimals in range(most):
        if math.isclose(round(step, decimals), step, rel_tol=1e-6):
            return decimals
    return most


def formatter(unit: Unit, values: Sequence[float], step: float = 0.0) -> Callable[[float], str]:
    """How to write the values of one axis, all to the same precision.

    Parameters
    ----------
    values
        What stands on the axis; its largest decides about K, M and B.
    step
        Distance between ticks; 0 when there is none (a logarithmic axis): each value then has what it needs.
    """
    largest = max((abs(value) for value in values), default=0.0)
    if unit is Unit.PERCENT:
        return lambda value: f"{plain(value * 100, decimals_of(step * 100 or value * 100))}%"
    if unit is Unit.RATIO:
        return lambda value: plain(value, max(2, decimals_of(step or value)))
    sign = "$" if unit is Unit.MONEY else ""

    def write(value: float) -> str:
        size, letter = _magnitude(largest if step else abs(value))
        decimals = decimals_of((step or value) / size, 9 if step else 3)
        text = plain(value / size, decimals)
        if text.strip("0.") == "":
            return f"{sign}0"
        return f"{MINUS}{sign}{text[1:]}{letter}" if text.startswith(MINUS) else f"{sign}{text}{letter}"

    return write


def _magnitude(value: float) -> tuple[float, str]:
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if value >= size * (10 if letter == "K" else 1):
            return size, letter
    return 1.0, ""


def amount(value: float, unit: Unit) -> str:
    """A single value in full: $412,500, 12.5%, 0.97."""
    if unit is Unit.MONEY:
        text = plain(value, 0)
        return f"{MINUS}${text[1:]}" if text.startswith(MINUS) else f"${text}"
    if unit is Unit.PERCENT:
        return f"{plain(value * 100, 1)}%"
    if unit is Unit.RATIO:
        return plain(value, 2)
    return plain(value, 0 if value == int(value) else 2)
