"""From CQL2-JSON to a typed tree, against a layer's fields: what does not fit is refused by name."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from difflib import get_close_matches
from typing import Any

from terrafusion.counties.manifest import Field, FieldType
from terrafusion.filters.reading import MAX_DEPTH
from terrafusion.filters.tree import (
    All,
    Among,
    Arithmetic,
    Column,
    Comparator,
    Comparison,
    FilterError,
    IsNull,
    Kind,
    Like,
    Literal,
    Node,
    Not,
    Operand,
    Some,
)

MAX_NODES = 5_000
MAX_AMONG = 2_000

KINDS: Mapping[FieldType, Kind] = {
    FieldType.STRING: Kind.TEXT,
    FieldType.INTEGER: Kind.NUMBER,
    FieldType.INTEGER64: Kind.NUMBER,
    FieldType.REAL: Kind.NUMBER,
    FieldType.BOOLEAN: Kind.BOOLEAN,
    FieldType.DATE: Kind.DATE,
    FieldType.DATETIME: Kind.TIMESTAMP,
}
WHOLE = frozenset({FieldType.INTEGER, FieldType.INTEGER64})
TEMPORAL = {"t_after": Comparator.GREATER, "t_before": Comparator.LESS, "t_equals": Comparator.EQUAL}
HINTS = {
    "s_": "a filter is about attributes; places go into area_of_interest",
    "a_": "no attribute is an array",
    "t_": "of the temporal operators there are t_after, t_before and t_equals",
    "accenti": "accents always count",
    "^": "there is no power",
    "div": "write / or %",
}
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?(?:Z|[+-]\d\d:\d\d)")
_LONGEST_INTEGER = 2**63


def check(document: Any, fields: Sequence[Field]) -> Node:
    """Make a typed tree of CQL2-JSON.

    Unknown columns, operators that do not fit, and values of another type are refused; comparison with null is by
    `isNull` alone.

    Raises
    ------
    FilterError
    """
    return _Checker(fields).condition(document, 0)


class _Checker:
    def __init__(self, fields: Sequence[Field]) -> None:
        self._fields = {field.name: field for field in fields}
        self._left = MAX_NODES
        self._conditions: dict[str, Callable[[str, list[Any], int], Node]] = {
            "and": self._junction,
            "or": self._junction,
            "not": self._not,
            "between": self._between,
            "in": self._in,
            "like": self._like,
            "isNull": self._is_null,
            **dict.fromkeys(Comparator, self._comparison),
            **dict.fromkeys(TEMPORAL, self._comparison),
        }

    def condition(self, part: Any, depth: int) -> Node:
        """What is true or false."""
        self._count(depth)
        if isinstance(part, Mapping) and set(part) == {"property"}:
            column = self._column(part["property"])
            if column.kind is not Kind.BOOLEAN:
                raise FilterError(f"'{column.name}' is {column.kind}, and no condition by itself; compare it.")
            return Comparison(Comparator.EQUAL, column, Literal(value=True, kind=Kind.BOOLEAN))
        name, arguments = _operation(part)
        handler = self._conditions.get(name)
        if handler is None:
            raise _unsupported(name)
        return handler(name, arguments, depth + 1)

    def _junction(self, name: str, arguments: list[Any], depth: int) -> Node:
        waiting, parts = list(reversed(arguments)), []
        while waiting:  # a chain nests to the left, as deep as it is long
            part = waiting.pop()
            if isinstance(part, Mapping) and part.get("op") == name and isinstance(part.get("args"), list):
                self._count(depth)
                waiting += reversed(part["args"])
            else:
                parts.append(self.condition(part, depth))
        if len(parts) < 2:
            raise FilterError(f"'{name}' takes at least two conditions.")
        return All(tuple(parts)) if name == "and" else Some(tuple(parts))

    def _not(self, name: str, arguments: list[Any], depth: int) -> Node:
        (part,) = _exactly(name, arguments, 1)
        return Not(self.condition(part, depth))

    def _comparison(self, name: str, arguments: list[Any], depth: int) -> Node:
        left, right = _exactly(name, arguments, 2)
        any_case, (first, second) = self._same_case(name, [left, right], depth)
        _alike(name, [first, second])
        operator = TEMPORAL.get(name) or Comparator(name)
        if first.kind is Kind.BOOLEAN and operator not in {Comparator.EQUAL, Comparator.DIFFERENT}:
            raise FilterError(f"Booleans have no order; '{name}' does not fit {_said(first)}.")
        return Comparison(operator, first, second, any_case)

    def _between(self, name: str, arguments: list[Any], depth: int) -> Node:
        operands = [self._operand(argument, depth) for argument in _exactly(name, arguments, 3)]
        _alike(name, operands)
        if operands[0].kind is Kind.BOOLEAN:
            raise FilterError("Booleans have no order; 'between' does not fit them.")
        value, low, high = operands
        return All((Comparison(Comparator.AT_LEAST, value, low), Comparison(Comparator.AT_MOST, value, high)))

    def _in(self, name: str, arguments: list[Any], depth: int) -> Node:
        value, listed = _exactly(name, arguments, 2)
        if not isinstance(listed, list) or not listed:
            raise FilterError("'in' takes a value and a list that is not empty.")
        if len(listed) > MAX_AMONG:
            raise FilterError(f"'in' lists {len(listed):,} values; the limit is {MAX_AMONG:,}.")
        any_case, operands = self._same_case(name, [value, *listed], depth)
        _alike(name, operands)
        values = [operand for operand in operands[1:] if isinstance(operand, Literal)]
        if len(values) < len(listed):
            raise FilterError("The list of 'in' holds values alone, and no columns.")
        return Among(operands[0], tuple(values), any_case)

    def _like(self, name: str, arguments: list[Any], depth: int) -> Node:
        any_case, (column, pattern) = self._same_case(name, _exactly(name, arguments, 2), depth)
        if not isinstance(column, Column) or column.kind is not Kind.TEXT:
            raise FilterError(f"'like' takes a column of text, not {_said(column)}.")
        if not isinstance(pattern, Literal) or not isinstance(pattern.value, str):
            raise FilterError("The pattern of 'like' is text in single quotes.")
        return Like(column, _pattern(pattern.value), any_case)

    def _is_null(self, name: str, arguments: list[Any], depth: int) -> Node:  # noqa: ARG002  one signature for all
        (part,) = _exactly(name, arguments, 1)
        if not isinstance(part, Mapping) or set(part) != {"property"}:
            raise FilterError("'isNull' takes a column.")
        return IsNull(self._field(part["property"]).name)

    def _same_case(self, name: str, arguments: list[Any], depth: int) -> tuple[bool, list[Operand]]:
        """The operands; without `casei`, which is around all of them or none."""
        wrapped = [isinstance(a, Mapping) and a.get("op") == "casei" for a in arguments]
        inner = [_exactly("casei", _operation(a)[1], 1)[0] if w else a for a, w in zip(arguments, wrapped, strict=True)]
        operands = [self._operand(argument, depth) for argument in inner]
        if not any(wrapped):
            return False, operands
        if any(operand.kind is not Kind.TEXT for operand in operands):
            raise FilterError(f"'casei' is for text; '{name}' has {', '.join(map(_said, operands))}.")
        if not all(wrapped):
            raise FilterError(f"'{name}' has 'casei' around one side alone: put it around both.")
        return True, operands

    def _operand(self, part: Any, depth: int) -> Operand:
        self._count(depth)
        if isinstance(part, Mapping) and "op" in part:
            return self._arithmetic(part, depth + 1)
        if isinstance(part, Mapping) and set(part) == {"property"}:
            return self._column(part["property"])
        return _literal(part)

    def _arithmetic(self, part: Mapping[str, Any], depth: int) -> Operand:
        name, arguments = _operation(part)
        if name not in {"+", "-", "*", "/", "%"}:
            raise _unsupported(name)
        left, right = (self._operand(argument, depth) for argument in _exactly(name, arguments, 2))
        for operand in (left, right):
            if operand.kind is not Kind.NUMBER:
                raise FilterError(f"'{name}' is for numbers, not {_said(operand)}.")
        if name in {"/", "%"} and not (isinstance(right, Literal) and right.value):
            raise FilterError(f"The right side of '{name}' must be a number that is not 0.")
        if name == "%" and not (_whole(left) and _whole(right)):
            raise FilterError("'%' is for a column of whole numbers and a whole number.")
        return Arithmetic(name, left, right)

    def _column(self, name: Any) -> Column:
        field = self._field(name)
        kind = KINDS.get(field.type)
        if kind is None:
            raise FilterError(f"'{field.name}' is of type {field.type}; a filter can ask only whether it is null.")
        return Column(field.name, kind, field.type in WHOLE)

    def _field(self, name: Any) -> Field:
        if isinstance(name, str) and name in self._fields:
            return self._fields[name]
        near = get_close_matches(str(name)[:100], self._fields, n=3)
        there = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(self._fields) or 'none'}."
        raise FilterError(f"There is no attribute '{str(name)[:100]}'. {there}")

    def _count(self, depth: int) -> None:
        self._left -= 1
        if self._left < 0:
            raise FilterError(f"The filter has more than {MAX_NODES:,} parts.")
        if depth > MAX_DEPTH:
            raise FilterError(f"The filter nests deeper than {MAX_DEPTH} operators.")


def _operation(part: Any) -> tuple[str, list[Any]]:
    if not isinstance(part, Mapping) or set(part) != {"op", "args"}:
        raise FilterError(f'Here must be a condition, {{"op": …, "args": […]}}, not {part!r:.60}.')
    name, arguments = part["op"], part["args"]
    if not isinstance(name, str) or not isinstance(arguments, list):
        raise FilterError("An operation's 'op' is text, and its 'args' are a list.")
    return name, arguments


def _exactly(name: str, arguments: list[Any], count: int) -> list[Any]:
    if len(arguments) != count:
        raise FilterError(f"'{name}' takes {count} argument{'s' * (count > 1)}, not {len(arguments)}.")
    return arguments


def _unsupported(name: str) -> FilterError:
    hint = next((text for start, text in HINTS.items() if name.startswith(start)), "")
    return FilterError(f"The operator or function '{name[:60]}' is not supported{': ' + hint if hint else ''}.")


def _alike(name: str, operands: Sequence[Operand]) -> None:
    """All of one kind, and at least one of them no literal."""
    first = operands[0].kind
    other = next((operand for operand in operands if operand.kind is not first), None)
    if other is not None:
        kinds = {operands[0].kind, other.kind}
        hint = ""
        if Kind.TEXT in kinds and kinds & {Kind.DATE, Kind.TIMESTAMP}:
            hint = " Write dates as DATE('2024-03-01') and moments as TIMESTAMP('2024-03-01T08:00:00Z')."
        raise FilterError(f"'{name}' does not fit {_said(operands[0])} and {_said(other)}.{hint}")
    if all(isinstance(operand, Literal) for operand in operands):
        raise FilterError(f"'{name}' compares values with each other, and no attribute.")


def _literal(part: Any) -> Literal:
    if isinstance(part, bool):
        return Literal(part, Kind.BOOLEAN)
    if isinstance(part, (int, float)):
        if not math.isfinite(part) or (isinstance(part, int) and not -_LONGEST_INTEGER <= part < _LONGEST_INTEGER):
            raise FilterError(f"The number {part!r:.40} is beyond 64 bits.")
        return Literal(part, Kind.NUMBER)
    if isinstance(part, str):
        if any(ord(character) < 32 for character in part) or "\x7f" in part:
            raise FilterError("Text in a filter holds no control characters.")
        if any(0xD800 <= ord(character) < 0xE000 for character in part):
            raise FilterError("Text in a filter is Unicode; half a surrogate pair is none.")
        return Literal(part, Kind.TEXT)
    if isinstance(part, Mapping) and set(part) == {"date"}:
        return Literal(_date(part["date"]), Kind.DATE)
    if isinstance(part, Mapping) and set(part) == {"timestamp"}:
        return Literal(_moment(part["timestamp"]), Kind.TIMESTAMP)
    if part is None:
        raise FilterError("Nothing equals null; write IS NULL.")
    raise FilterError(f"Here must be a value or an attribute, not {part!r:.60}.")


def _date(text: Any) -> date:
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            return date.fromisoformat(text)
    except (TypeError, ValueError):
        pass
    raise FilterError(f"{text!r:.40} is no date; write DATE('2024-03-01').")


def _moment(text: Any) -> datetime:
    try:
        if _MOMENT.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        pass
    raise FilterError(f"{text!r:.40} is no moment; write TIMESTAMP('2024-03-01T08:00:00Z').")


def _pattern(text: str) -> tuple[str, ...]:
    r"""The literal pieces between the `%`; `\%`, `\_` and `\\` stand for the characters."""
    parts, piece, escaped = [], "", False
    for character in text:
        if escaped:
            piece, escaped = piece + character, False
        elif character == "\\":
            escaped = True
        elif character == "%":
            parts.append(piece)
            piece = ""
        elif character == "_":
            raise FilterError(r"The wildcard _ is not supported, as % is; \_ stands for the character itself.")
        else:
            piece += character
    if escaped:
        raise FilterError("The pattern of 'like' ends within an escape.")
    return (*parts[:1], *(part for part in parts[1:] if part), piece)


def _whole(operand: Operand) -> bool:
    if isinstance(operand, Literal):
        return isinstance(operand.value, int)
    return isinstance(operand, Column) and operand.whole


def _said(operand: Operand) -> str:
    if isinstance(operand, Column):
        return f"'{operand.name}' ({operand.kind})"
    return f"{operand.value!r:.40} ({operand.kind})" if isinstance(operand, Literal) else "a number"
