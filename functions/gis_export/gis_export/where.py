r"""A checked filter as a `where` of OGR's SQL.

GDAL's evaluator has habits that this knows, each found by trial on GDAL 3.12 and held by tests: text is compared
without regard to case, except by LIKE; unknown AND false is unknown, so that NOT must not stand around it; ORs and ANDs
nest, to 128 levels; `\'` in a literal is a quote, and a literal cannot end in a backslash; a time zone in a literal is
not looked at.
"""

from collections.abc import Sequence
from datetime import date, datetime

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

FOLDED = frozenset("[\\]^_`")
"""Between the upper and the lower letters: their order changes when case is folded."""


def where(node: Node) -> str:
    """The condition.

    Raises
    ------
    FilterError
        For what GDAL would get wrong: order of text with letters, columns of text compared, backslashes.
    """
    return _where(node, holds=True)


def _where(node: Node, *, holds: bool) -> str:
    """When the node is true, or when it is false; unknown is neither."""
    match node:
        case All(parts) | Some(parts):
            word = "AND" if isinstance(node, All) is holds else "OR"
            return _balanced(word, [_where(part, holds=holds) for part in parts])
        case Not(part):
            return _where(part, holds=not holds)
        case IsNull(name):
            return f"({_column(name)} IS {'' if holds else 'NOT '}NULL)"
        case Among(operand, values, any_case) if operand.kind not in {Kind.NUMBER, Kind.BOOLEAN}:
            each = [Comparison(Comparator.EQUAL, operand, value, any_case) for value in values]
            return _balanced("OR" if holds else "AND", [_where(one, holds=holds) for one in each])
        case Like(column, parts, any_case):
            text = _like(column, parts, any_case)
        case Among(operand, values):
            text = f"({_operand(operand)} IN ({', '.join(_literal(value) for value in values)}))"
        case Comparison():
            text = _comparison(node)
    return text if holds else f"(NOT {text})"


def _balanced(word: str, parts: Sequence[str]) -> str:
    """A chain as a tree that is no deeper than need be."""
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    return f"({_balanced(word, parts[:half])} {word} {_balanced(word, parts[half:])})"


def _like(column: Column, parts: Sequence[str], any_case: bool) -> str:
    word = "ILIKE" if any_case else "LIKE"
    escaped = [part.replace("!", "!!").replace("%", "!%").replace("_", "!_") for part in parts]
    return f"({_column(column.name)} {word} {_text('%'.join(escaped))} ESCAPE '!')"


def _comparison(node: Comparison) -> str:
    if node.left.kind is Kind.TEXT:
        return _of_text(node)
    return f"({_operand(node.left)} {node.operator} {_operand(node.right)})"


def _of_text(node: Comparison) -> str:
    column, literal, operator = node.left, node.right, node.operator
    if isinstance(column, Literal):
        column, literal, operator = literal, column, _mirrored(operator)
    if not isinstance(column, Column) or not isinstance(literal, Literal):
        raise FilterError("Two columns of text cannot be compared: case would not count.")
    value = str(literal.value)
    if operator is Comparator.EQUAL:
        return _like(column, (value,), node.any_case)
    if operator is Comparator.DIFFERENT:
        return f"(NOT {_like(column, (value,), node.any_case)})"
    if node.any_case or any((c.isascii() and c.isalpha()) or c in FOLDED for c in value):
        raise FilterError(
            f"Text with letters has no order here: '{column.name} {operator} {value!r:.40}' cannot be decided; "
            "write = , IN or LIKE."
        )
    return f"({_column(column.name)} {operator} {_text(value)})"


def _mirrored(operator: Comparator) -> Comparator:
    sides = {
        Comparator.LESS: Comparator.GREATER,
        Comparator.AT_MOST: Comparator.AT_LEAST,
        Comparator.GREATER: Comparator.LESS,
        Comparator.AT_LEAST: Comparator.AT_MOST,
    }
    return sides.get(operator, operator)


def _operand(operand: Operand) -> str:
    match operand:
        case Column(name):
            return _column(name)
        case Literal():
            return _literal(operand)
        case Arithmetic("%", left, right):
            return f"({_operand(left)} % {_operand(right)})"
        case Arithmetic(operator, left, right):
            return f"(CAST({_operand(left)} AS float) {operator} CAST({_operand(right)} AS float))"


def _literal(literal: Literal) -> str:
    value = literal.value
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, datetime):
        milliseconds = f".{value.microsecond // 1000:03}" if value.microsecond else ""
        return f"'{value:%Y/%m/%d %H:%M:%S}{milliseconds}+00'"
    if isinstance(value, date):
        return f"'{value:%Y/%m/%d} 00:00:00'"
    return _text(value)


def _text(value: str) -> str:
    if "\\" in value:
        raise FilterError("A backslash in a text cannot be looked for.")
    return "'" + value.replace("'", "''") + "'"


def _column(name: str) -> str:
    if '"' in name or "\\" in name:
        raise FilterError(f"The column {name!r} cannot be filtered: its name holds a quote or a backslash.")
    return f'"{name}"'
