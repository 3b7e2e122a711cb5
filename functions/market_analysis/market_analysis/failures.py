"""How an analysis fails for want of data."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from terrafusion.errors import FailureReason, JobFailure

SHOWN_VALUES = 8


def nothing_left(message: str) -> JobFailure:
    """No sale can be looked at."""
    return JobFailure(FailureReason.INSUFFICIENT_SALES, message)


def too_few(message: str, excluded: Mapping[str, int]) -> JobFailure:
    """Too few sales are left; says what was left out."""
    left_out = "; ".join(f"{count:,} {reason}" for reason, count in excluded.items())
    return JobFailure(FailureReason.INSUFFICIENT_SALES, f"{message} Left out: {left_out or 'none'}.")


def no_data(message: str) -> JobFailure:
    """The county's data cannot answer."""
    return JobFailure(FailureReason.INSUFFICIENT_DATA, message)


def unknown_value(name: str, value: str, known: Iterable[str]) -> JobFailure:
    """The county does not have a value; says which are near."""
    values = sorted(known)
    folded = {one.casefold(): one for one in reversed(values)}
    near = [folded[one] for one in get_close_matches(value.casefold(), folded, n=3, cutoff=0.5)]
    shown = f"{', '.join(values[:SHOWN_VALUES])}{', …' if len(values) > SHOWN_VALUES else ''}"
    hint = f"Did you mean {' or '.join(near)}?" if near else f"There are: {shown or 'none'}."
    return no_data(f"No property has the {name} '{value}'. {hint}")
