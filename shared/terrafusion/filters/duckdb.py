"""A checked filter as a condition of DuckDB's SQL: identifiers quoted, values bound as parameters."""

from terrafusion.filters.tree import (
    All,
    Among,
    Arithmetic,
    Column,
    Comparison,
    IsNull,
    Like,
    Literal,
    Node,
    Not,
    Operand,
    Some,
    Value,
)


def condition(node: Node) -> tuple[str, list[Value]]:
    """The condition, with `?` for each of the values beside it, in order.

    Letters in any case count the same by `lower`, as `casei` asks.
    """
    values: list[Value] = []
    return _condition(node, values), values


def _condition(node: Node, values: list[Value]) -> str:
    match node:
        case All(parts) | Some(parts):
            word = " AND " if isinstance(node, All) else " OR "
            return "(" + word.join(_condition(part, values) for part in parts) + ")"
        case Not(part):
            return f"(NOT {_condition(part, values)})"
        case IsNull(name):
            return f"({_quoted(name)} IS NULL)"
        case Like(column, parts, any_case):
            word = "ILIKE" if any_case else "LIKE"
            values.append("%".join(_escaped(part) for part in parts))
            return f"({_quoted(column.name)} {word} ? ESCAPE '!')"
        case Among(operand, listed, any_case):
            left = _operand(operand, values, any_case)
            return f"({left} IN ({', '.join(_operand(value, values, any_case) for value in listed)}))"
        case Comparison(operator, left, right, any_case):
            return f"({_operand(left, values, any_case)} {operator} {_operand(right, values, any_case)})"


def _operand(operand: Operand, values: list[Value], any_case: bool = False) -> str:
    match operand:
        case Column(name):
            text = _quoted(name)
        case Literal(value):
            values.append(value)
            text = "?"
        case Arithmetic("%", left, right):
            text = f"({_operand(left, values)} % {_operand(right, values)})"
        case Arithmetic(operator, left, right):
            first, second = _operand(left, values), _operand(right, values)
            text = f"(CAST({first} AS DOUBLE) {operator} CAST({second} AS DOUBLE))"
    return f"lower({text})" if any_case else text


def _escaped(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
