"""A checked filter: typed nodes, in which nothing is left that a compiler would have to doubt."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class FilterError(ValueError):
    """A filter that cannot be: the text names the place and what would do."""


class Kind(StrEnum):
    """What values are, as far as operators care."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"


class Comparator(StrEnum):
    """Comparisons, spelt as CQL2 and SQL do."""

    EQUAL = "="
    DIFFERENT = "<>"
    LESS = "<"
    AT_MOST = "<="
    GREATER = ">"
    AT_LEAST = ">="


Value = str | int | float | bool | date | datetime


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the layer; `whole` when it holds integers."""

    name: str
    kind: Kind
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Literal:
    """A value: text, a finite number, a boolean, a date, or a moment in UTC, in milliseconds."""

    value: Value
    kind: Kind


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`+ - * / %` of numbers, in double precision; a divisor is a literal that is not 0, `%` is of whole numbers."""

    operator: str
    left: "Operand"
    right: "Operand"
    kind: Kind = Kind.NUMBER


Operand = Column | Literal | Arithmetic


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two operands of one kind; `any_case` when letters count the same in either case, which text alone may ask."""

    operator: Comparator
    left: Operand
    right: Operand
    any_case: bool = False


@dataclass(frozen=True, slots=True)
class Like:
    """Text like a pattern: `parts` are literal pieces, with anything between them (`%`)."""

    column: Column
    parts: tuple[str, ...]
    any_case: bool = False


@dataclass(frozen=True, slots=True)
class Among:
    """An operand that equals one of some literals of its kind."""

    operand: Operand
    values: tuple[Literal, ...]
    any_case: bool = False


@dataclass(frozen=True, slots=True)
class IsNull:
    """A column without a value."""

    name: str


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite; of what is unknown, unknown."""

    part: "Node"


@dataclass(frozen=True, slots=True)
class All:
    """Everything holds."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Some:
    """Something holds."""

    parts: tuple["Node", ...]


Node = Comparison | Like | Among | IsNull | Not | All | Some
