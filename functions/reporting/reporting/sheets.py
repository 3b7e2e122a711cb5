"""Reports for machines and for people who compute on: workbook, CSV, JSON."""

import csv
import json
import math
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from reporting.content import Block, Cell, Column, Facts, Report, Table, Text, Unit, Verdict
from terrafusion.ratios import Statistic

FORMATS = {
    Unit.COUNT: "#,##0",
    Unit.MONEY: "#,##0",
    Unit.CENTS: "#,##0.00",
    Unit.RATIO: "0.0000",
    Unit.PERCENT: "0.00",
    Unit.NUMBER: "General",
    Unit.YEAR: "0",
    Unit.DATE: "yyyy-mm-dd",
}
MOST_ROWS = 1_000_000
RISKY = ("=", "+", "-", "@", "\t", "\r")
"""Texts that begin so would be run as formulas by a spreadsheet that opens a CSV."""


def write_csv(report: Report, path: Path) -> None:
    """Write the report's main table; a statistic becomes its value, and the ends of its interval where asked for."""
    table = report.main
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([name for column in table.columns for name in _keys(column)])
        for row in table.rows:
            cells = zip(row, table.columns, strict=True)
            writer.writerow([_quoted(value) for cell, column in cells for value in _values(cell, column)])


def write_json(report: Report, path: Path) -> None:
    """Write all that the report says; numbers are finite, and what was not computed says why."""
    document = {
        "title": report.title,
        "subtitle": report.subtitle,
        "county": report.county,
        "made": report.made.isoformat(),
        **report.document,
        "tables": {table.key: _json_table(table) for table in report.tables},
        "main_table": report.main.key,
    }
    if report.main.key not in document["tables"]:
        document["tables"][report.main.key] = _json_table(report.main)
    path.write_text(json.dumps(document, allow_nan=False, ensure_ascii=False, indent=1), encoding="utf-8")


def write_xlsx(report: Report, inputs: str, path: Path) -> None:
    """Write a workbook: a sheet that says what it is, and a sheet for each table, with frozen headers."""
    import xlsxwriter

    book = xlsxwriter.Workbook(
        str(path), {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    made = datetime.combine(report.made, time(12), UTC).replace(tzinfo=None)
    book.set_properties({"title": report.title, "subject": report.subtitle, "company": report.county, "created": made})
    styles = _Styles(book)
    tables = list({table.key: table for table in (report.main, *report.tables, *report.sheets)}.values())
    names = _sheet_names([table.title for table in tables])
    _write_about(book, styles, report, inputs)
    for table, name in zip(tables, names, strict=True):
        _write_table(book.add_worksheet(name), styles, table)
    book.close()


class _Styles:
    """Formats of a workbook, made once."""

    def __init__(self, book: Any) -> None:
        self.title = book.add_format({"bold": True, "font_size": 16})
        self.heading = book.add_format({"bold": True, "font_size": 12})
        self.header = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        self.wrap = book.add_format({"text_wrap": True, "valign": "top"})
        self.bold = book.add_format({"bold": True})
        self.units = {unit: book.add_format({"num_format": code, "valign": "top"}) for unit, code in FORMATS.items()}
        self.totals = {
            unit: book.add_format({"num_format": code, "bold": True, "top": 1}) for unit, code in FORMATS.items()
        }
        self.top = book.add_format({"valign": "top"})
        self.total_text = book.add_format({"bold": True, "top": 1})

    def of(self, column: Column, *, total: bool) -> Any:
        """The format of a column's cells."""
        if column.unit is Unit.TEXT:
            return self.total_text if total else self.wrap if column.wraps else self.top
        return (self.totals if total else self.units)[column.unit]


def _write_about(book: Any, styles: _Styles, report: Report, inputs: str) -> None:
    sheet = book.add_worksheet("About")
    sheet.set_column(0, 0, 40)
    sheet.set_column(1, 1, 90)
    sheet.write_string(0, 0, report.title, styles.title)
    lines: list[tuple[str, str]] = [("Office", report.county), ("Subject", report.subtitle)]
    lines += [("Made", report.made.isoformat()), ("From", inputs)]
    row = 1
    for name, text in lines:
        row = _line(sheet, styles, row, name, text)
    for section in report.sections:
        blocks = [block for block in section.blocks if isinstance(block, Text | Facts | Verdict)]
        if not blocks:
            continue
        row += 1
        sheet.write_string(row, 0, section.title, styles.heading)
        row += 1
        for block in blocks:
            for name, text in _lines(block):
                row = _line(sheet, styles, row, name, text)


def _lines(block: Block) -> Iterator[tuple[str, str]]:
    if isinstance(block, Facts):
        yield from block.items
    elif isinstance(block, Verdict):
        yield block.title, block.text
    elif isinstance(block, Text):
        yield "", block.text


def _line(sheet: Any, styles: _Styles, row: int, name: str, text: str) -> int:
    sheet.write_string(row, 0, name, styles.top)
    sheet.write_string(row, 1, text, styles.wrap)
    return row + 1


def _write_table(sheet: Any, styles: _Styles, table: Table) -> None:
    """A table from the row below its totals' lines down; headers stay in sight."""
    columns = [(column, key) for column in table.columns for key in _keys(column)]
    titles = [title for column in table.columns for title in _titles(column)]
    header = len(table.totals) + (1 if table.totals else 0)
    letters = {key: _letter(index) for index, (_, key) in enumerate(columns)}
    rows = table.rows[:MOST_ROWS]
    places = {**letters, "first": header + 2, "last": header + 1 + len(rows)}
    for index, (column, _) in enumerate(columns):
        sheet.set_column(index, index, column.width or max(10, min(24, len(titles[index]) + 2)))
    for index, (name, formula, value) in enumerate(table.totals):
        sheet.write_string(index, 0, name, styles.bold)
        sheet.write_formula(
            index, 1, formula.format(**places), styles.units[Unit.RATIO], value if value is not None else ""
        )
    for index, title in enumerate(titles):
        sheet.write_string(header, index, title, styles.header)
    sheet.freeze_panes(header + 1, 1)
    if rows:
        sheet.autofilter(header, 0, header + len(rows) - (1 if table.total else 0), len(columns) - 1)
    for number, row in enumerate(rows, header + 1):
        _write_row(
            sheet,
            styles,
            table,
            row,
            number,
            {**places, "row": number + 1},
            total=table.total and number == header + len(rows),
        )
    cut = f"The first {len(rows):,} of {len(table.rows):,} rows." if len(rows) < len(table.rows) else ""
    if note := f"{table.note} {cut}".strip():
        sheet.write_string(header + len(rows) + 2, 0, note)


def _write_row(
    sheet: Any, styles: _Styles, table: Table, row: Sequence[Cell], number: int, places: dict[str, Any], *, total: bool
) -> None:
    index = 0
    for cell, column in zip(row, table.columns, strict=True):
        style = styles.of(column, total=total)
        formula = table.formulas.get(column.key)
        for value in _values(cell, column):
            if formula is not None and isinstance(value, int | float | Decimal):
                sheet.write_formula(number, index, formula.format(**places), style, float(value))
            elif total and table.sums and isinstance(value, int | float | Decimal) and column.unit in _SUMMED:
                letter = places[column.key]
                text = f"=SUM({letter}{places['first']}:{letter}{places['last'] - 1})"
                sheet.write_formula(number, index, text, style, float(value))
            else:
                _write_cell(sheet, number, index, value, style)
            index += 1


_SUMMED = frozenset({Unit.COUNT, Unit.CENTS})


def _write_cell(sheet: Any, row: int, column: int, value: Any, style: Any) -> None:
    if value is None or value == "":
        sheet.write_blank(row, column, None, style)
    elif isinstance(value, date):
        sheet.write_datetime(row, column, datetime.combine(value, time()), style)
    elif isinstance(value, int | float | Decimal):
        sheet.write_number(row, column, float(value), style)
    else:
        sheet.write_string(row, column, str(value)[:32_000], style)


def _keys(column: Column) -> tuple[str, ...]:
    return (column.key, f"{column.key}_low", f"{column.key}_high") if column.interval else (column.key,)


def _titles(column: Column) -> tuple[str, ...]:
    return (column.title, f"{column.title}, low", f"{column.title}, high") if column.interval else (column.title,)


def _values(cell: Cell, column: Column) -> tuple[Any, ...]:
    """A cell's values, one for each key of its column; a statistic that was not computed says why."""
    value: Any = cell
    ends: tuple[Any, Any] = (None, None)
    if isinstance(cell, Statistic):
        value = cell.text if cell.value is None else cell.value
        ends = (cell.interval.low, cell.interval.high) if cell.interval else ends
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{column.key}: {value} is no value to write")
    return (value, *ends) if column.interval else (value,)


def _quoted(value: Any) -> Any:
    """A value as a CSV may have it; a workbook's cells have types, and need no sign that would be seen."""
    return f"'{value}" if isinstance(value, str) and value.startswith(RISKY) else value


def _json_table(table: Table) -> dict[str, Any]:
    described = [{"key": c.key, "title": c.title, "unit": c.unit.value} for c in table.columns]
    return {"title": table.title, "columns": described, "rows": list(table.records()), "note": table.note}


def _letter(index: int) -> str:
    text = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        text = chr(65 + rest) + text
    return text


def _sheet_names(titles: Sequence[str]) -> list[str]:
    """Names that a workbook allows: 31 characters, none of them with a sign that it forbids, each once."""
    names: list[str] = []
    for title in titles:
        name = base = re.sub(r"[\[\]:*?/\\]", " ", title).strip("'")[:31] or "Table"
        number = 2
        while name.casefold() in {"about", *(n.casefold() for n in names)}:
            name = f"{base[:28]} {number}"
            number += 1
        names.append(name)
    return names
