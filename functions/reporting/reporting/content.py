"""What a report says, before it is a file: sections of text, facts, tables and pictures.

Every format is written from this, so that none says more than another.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from terrafusion.ratios import Statistic


class Unit(StrEnum):
    """What the cells of a column are, and so how they are written."""

    TEXT = "text"
    COUNT = "count"
    MONEY = "money"
    CENTS = "cents"
    RATIO = "ratio"
    PERCENT = "percent"
    NUMBER = "number"
    DATE = "date"
    YEAR = "year"


Cell = str | int | float | Decimal | date | Statistic | None

DIGITS: Mapping[Unit, str] = {
    Unit.COUNT: ",.0f",
    Unit.MONEY: ",.0f",
    Unit.CENTS: ",.2f",
    Unit.RATIO: ".4f",
    Unit.PERCENT: ",.2f",
    Unit.NUMBER: ",.4g",
    Unit.YEAR: ".0f",
}
NOTHING = "\N{EN DASH}"
"""What stands for a value that a county does not have."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its key (in CSV and JSON), title, and unit. PERCENT cells are in percent, not shares.

    `interval` says that its cells are statistics whose intervals are shown too. `width` in characters is for sheets.
    """

    key: str
    title: str
    unit: Unit = Unit.TEXT
    interval: bool = False
    width: int | None = None
    wraps: bool = False

    @property
    def is_number(self) -> bool:
        """Whether cells are set to the right."""
        return self.unit not in (Unit.TEXT, Unit.DATE)


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a title; `sheet` is its name in a workbook, `total` says that the last row sums up,
    `sums` that a workbook is to add up its counts and dollars itself.

    `formulas` gives, by column key, what a workbook writes in the rows instead of the values; `totals` names, formulas
    and values of lines above the table. In them `{row}`, `{first}` and `{last}` stand for rows, a column's key in
    braces for its letter.
    """

    key: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    total: bool = False
    sums: bool = False
    formulas: Mapping[str, str] = field(default_factory=dict)
    totals: Sequence[tuple[str, str, float | None]] = ()

    def records(self) -> Iterator[dict[str, Any]]:
        """The rows as JSON objects."""
        for row in self.rows:
            yield {column.key: as_json(cell) for column, cell in zip(self.columns, row, strict=True)}


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a standard says, to be noticed: `outcome` is pass, fail or another."""

    outcome: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and what they are, in two columns."""

    key: str
    title: str
    items: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture as SVG, with words for those who do not see it."""

    title: str
    svg: str
    alt: str


Block = Text | Verdict | Facts | Table | Figure


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it; `own_page` begins a page in print."""

    title: str
    blocks: Sequence[Block]
    own_page: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """A whole report.

    `main` is the table that a CSV file is; `sheets` are tables that only workbooks carry, for their size. `summary` is
    what the job's result says, `document` what else the JSON file says.
    """

    title: str
    subtitle: str
    county: str
    made: date
    sections: Sequence[Section]
    main: Table
    sheets: Sequence[Table]
    summary: Mapping[str, Any]
    document: Mapping[str, Any]
    message: str

    @property
    def tables(self) -> tuple[Table, ...]:
        """All tables of the sections, in their order."""
        return tuple(block for section in self.sections for block in section.blocks if isinstance(block, Table))


def written(cell: Cell, unit: Unit) -> str:
    """A cell as people read it."""
    if isinstance(cell, Statistic):
        return cell.text if cell.value is None else written(cell.value, unit)
    if cell is None:
        return NOTHING
    if isinstance(cell, str):
        return cell
    if isinstance(cell, date):
        return cell.isoformat()
    text = f"{cell:{DIGITS.get(unit, ',.4g')}}"
    return text.replace("-", "\N{MINUS SIGN}") if any(c in text for c in "123456789") else text.replace("-", "")


def with_interval(cell: Cell, unit: Unit) -> str:
    """A statistic and its interval as people read them: 0.9123 (0.9011 to 0.9240)."""
    text = written(cell, unit)
    if isinstance(cell, Statistic) and cell.interval is not None:
        return f"{text} ({written(cell.interval.low, unit)} to {written(cell.interval.high, unit)})"
    return text


def as_json(cell: Cell) -> Any:
    """A cell in JSON: statistics as objects, money to the cent as text, days as ISO dates."""
    if isinstance(cell, Statistic):
        return cell.document
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    return cell.isoformat() if isinstance(cell, date) else cell
