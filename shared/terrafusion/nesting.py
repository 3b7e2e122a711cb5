"""JSON that a client sends as it likes: taken as far as everything behind can follow."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator

MAX_NESTING = 128
"""Objects and arrays within one another. Writing a document out again ends at some 250."""


def _bounded(value: Any) -> Any:
    level = _containers([value])
    for _ in range(MAX_NESTING):
        if not level:
            return value
        level = [part for whole in level for part in _containers(whole)]
    raise ValueError(f"nests deeper than {MAX_NESTING} objects and arrays")


def _containers(whole: Any) -> list[Any]:
    parts = whole.values() if isinstance(whole, Mapping) else whole
    return [part for part in parts if isinstance(part, Mapping | list)]


JsonObject = Annotated[dict[str, Any], AfterValidator(_bounded)]
"""An object of a request whose members are judged later."""
TextOrJson = Annotated[str | dict[str, Any], AfterValidator(_bounded)]
"""The same, or text: a condition in CQL2."""
