"""What a request is answered that was understood and cannot be fulfilled."""

from collections.abc import Collection
from difflib import get_close_matches

from terrafusion.errors import FieldError, Impossible


def refuse(field: str, message: str) -> Impossible:
    """The answer, about a field of the request."""
    return Impossible(message, [FieldError(field, message)])


def nearest(name: str, known: Collection[str]) -> str:
    """Names that may have been meant, or all there are."""
    near = get_close_matches(name, known, n=3)
    return f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(known) or 'none'}."
