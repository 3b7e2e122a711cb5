"""What stops a load."""

from collections.abc import Iterable
from difflib import get_close_matches


class LoadError(Exception):
    """A file cannot become a layer; the message names the cause, the place and what to do."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that offers the names most like the one given, or all of them when none is like it."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    near = get_close_matches(name.casefold(), by_folded, n=3, cutoff=0.5)
    if near:
        return f"Did you mean {' or '.join(repr(by_folded[folded]) for folded in near)}?"
    return f"There are: {', '.join(by_folded.values()) or 'none'}."
