"""From what a caller wrote to CQL2-JSON: text through cql2-rs, JSON as it is.

The parser keeps numbers as floating point, so that text cannot say an integer beyond 2^53; JSON can. It also recurses
on the machine's stack, and a text that nests deeply enough would end the process: so depth is measured before, text is
short, and the parser runs on a stack of its own with room for the rest.
"""

import json
import re
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from terrafusion.filters.tree import FilterError

MAX_TEXT = 4_000
MAX_JSON = 200_000
"""Characters; a list of some thousand keys fits."""
MAX_DEPTH = 50
EXACT = 2**53
STACK_BYTES = 256 << 20
"""Of address space; what is not reached takes no memory. The longest text needs a tenth of it."""

_QUOTED = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*\"""")
_CHAIN = re.compile(rf"(?:(?:-|\bNOT\b)\s*){{{MAX_DEPTH},}}", re.IGNORECASE)
_one_at_a_time = threading.Lock()


def read(value: Any) -> dict[str, Any]:
    """Make CQL2-JSON of a filter in either form; nothing of it is checked against any data.

    Raises
    ------
    FilterError
        When it does not parse, or is too long or too deep.
    """
    if isinstance(value, str):
        try:
            tree: dict[str, Any] = _exact(_parsed(value))
        except RecursionError:
            raise FilterError(f"The filter nests deeper than {MAX_DEPTH} operators.") from None
        return tree
    if not isinstance(value, Mapping):
        raise FilterError("A filter is CQL2 text, or an object of CQL2-JSON.")
    try:
        size = len(json.dumps(value, allow_nan=False))
    except (ValueError, RecursionError):
        raise FilterError("The filter holds a number that is not finite, or nests too deeply.") from None
    if size > MAX_JSON:
        raise FilterError(f"The filter has {size:,} characters as JSON; the limit is {MAX_JSON:,}.")
    return dict(value)


def _parsed(text: str) -> Any:
    from cql2 import ParseError, parse_text

    if len(text) > MAX_TEXT:
        raise FilterError(
            f"The filter has {len(text):,} characters; the limit is {MAX_TEXT:,}, and {MAX_JSON:,} as CQL2-JSON."
        )
    if _depth(text) > MAX_DEPTH or _CHAIN.search(text):
        raise FilterError(f"The filter nests deeper than {MAX_DEPTH} parentheses or signs.")
    try:
        return _on_a_large_stack(lambda: parse_text(text).to_json())
    except ParseError as error:
        raise FilterError(f"The filter does not parse as CQL2 text: {_place(str(error))}.") from None


def _on_a_large_stack(work: Callable[[], Any]) -> Any:
    with _one_at_a_time:
        before = threading.stack_size(STACK_BYTES)
        try:
            with ThreadPoolExecutor(1) as pool:
                return pool.submit(work).result()
        finally:
            threading.stack_size(before)


def _depth(text: str) -> int:
    """The deepest nesting of parentheses outside of quotes."""
    deepest = depth = 0
    for character in _QUOTED.sub("", text):
        depth += (character == "(") - (character == ")")
        deepest = max(deepest, depth)
    return deepest


def _place(text: str) -> str:
    """Where the parser stopped and what it expected, out of its drawing."""
    lines = [line.strip(" |") for line in text.splitlines()]
    where = re.search(r"(\d+):(\d+)", lines[0]) if lines else None
    expected = next((line.removeprefix("= ") for line in lines if line.startswith("= ")), "")
    place = f"at line {where[1]}, character {where[2]}" if where else "somewhere"
    return f"{place}, {expected}" if expected else place


def _exact(part: Any) -> Any:
    """Whole numbers as integers, where the parser surely kept them."""
    if isinstance(part, dict):
        return {name: _exact(inner) for name, inner in part.items()}
    if isinstance(part, list):
        return [_exact(inner) for inner in part]
    if isinstance(part, float):
        if abs(part) >= EXACT:
            raise FilterError(
                f"The number {part:.17g} is beyond 2^53, where CQL2 text loses digits; write the filter as CQL2-JSON, "
                'as {"op": "=", "args": [{"property": "…"}, 9007199254740993]}.'
            )
        return int(part) if part.is_integer() else part
    return part
