"""Reports for readers: PDF and HTML, from the same pieces."""

from collections.abc import Sequence
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

from reporting.content import Block, Column, Facts, Figure, Report, Table, Text, Unit, Verdict, with_interval, written
from terrafusion.documents import html, pdf

TEMPLATES = Path(__file__).with_name("templates")
MOST_PRINTED_ROWS = 400
"""Of a table in a PDF; the rest is in the formats for machines, and the note says so."""
MOST_TEXT, MOST_WRAPPED = 30, 40
NO_BREAK = "\N{NO-BREAK SPACE}"
SIGNS = {"pass": "pass", "fail": "fail"}


def write_pdf(report: Report, inputs: str, path: Path) -> int:
    """Set a report as PDF/UA; gives the number of pages."""
    pictures: dict[str, str] = {}
    data = {**_head(report, inputs), "sections": _sections(report, pictures, MOST_PRINTED_ROWS)}
    made_at = datetime.combine(report.made, time(12), UTC)
    made = pdf(TEMPLATES / "report.typ", data, made_at=made_at, pictures=pictures)
    path.write_bytes(made.content)
    return made.pages


def write_html(report: Report, inputs: str, path: Path) -> None:
    """Write a report as one page, with its pictures and styles inside."""
    sections = _sections(report, None, None)
    path.write_text(html(TEMPLATES / "report.html", {**_head(report, inputs), "sections": sections}), encoding="utf-8")


def _head(report: Report, inputs: str) -> dict[str, Any]:
    return {
        "title": report.title,
        "office": report.county,
        "subtitle": report.subtitle,
        "inputs": inputs,
        "date": report.made.isoformat(),
    }


def _sections(report: Report, pictures: dict[str, str] | None, most: int | None) -> list[dict[str, Any]]:
    return [
        {
            "id": f"s{number}",
            "title": section.title,
            "own_page": section.own_page and number > 1,
            "blocks": [_block(block, pictures, most) for block in section.blocks],
        }
        for number, section in enumerate(report.sections, 1)
    ]


def _block(block: Block, pictures: dict[str, str] | None, most: int | None) -> dict[str, Any]:
    if isinstance(block, Text):
        return {"kind": "text", "text": block.text}
    if isinstance(block, Verdict):
        return {"kind": "verdict", "sign": SIGNS.get(block.outcome, "note"), "title": block.title, "text": block.text}
    if isinstance(block, Figure):
        if pictures is None:
            return {"kind": "figure", "svg": block.svg, "alt": block.alt}
        name = f"picture-{len(pictures) + 1}.svg"
        pictures[name] = block.svg
        return {"kind": "figure", "file": name, "alt": block.alt}
    if isinstance(block, Facts):
        columns = [
            {"title": "Item", "number": False, "share": 30},
            {"title": "Value", "number": False, "share": 70},
        ]
        rows: Sequence[Sequence[str]] = [list(item) for item in block.items]
        return {"kind": "facts", "title": block.title, "columns": columns, "rows": rows, "note": "", "total": False}
    return _table(block, most)


def _table(table: Table, most: int | None) -> dict[str, Any]:
    shown = table.rows if most is None or len(table.rows) <= most else table.rows[:most]
    cut = (
        f"The first {len(shown):,} of {len(table.rows):,} rows; the other formats have all."
        if len(shown) < len(table.rows)
        else ""
    )
    rows = [
        [
            _kept(with_interval(cell, column.unit) if column.interval else written(cell, column.unit))
            for cell, column in zip(row, table.columns, strict=True)
        ]
        for row in shown
    ]
    return {
        "kind": "table",
        "title": table.title,
        "columns": [
            {"title": _kept(c.title), "number": c.is_number, "share": _share(c, [row[i] for row in rows])}
            for i, c in enumerate(table.columns)
        ],
        "rows": rows,
        "note": " ".join(part for part in (table.note, cut) if part),
        "total": table.total and len(shown) == len(table.rows),
    }


def _kept(text: str) -> str:
    """A text whose reasons and units are not torn apart at a line's end."""
    for apart in (" = ", " < ", ", %"):
        text = text.replace(apart, apart.replace(" ", NO_BREAK))
    return text


def _share(column: Column, texts: Sequence[str]) -> int:
    """A column's part of a page's width, in characters: what its longest text that cannot be broken needs."""
    header = max(len(word) for word in _kept(column.title).split(" "))
    if column.wraps:
        return max(header, min(MOST_WRAPPED, max(map(len, texts), default=0)))
    whole = [len(text) for text in texts if not text.startswith("not computed")]
    broken = [max(map(len, text.split(" "))) for text in texts if text.startswith("not computed")]
    longest = max([*whole, *broken, header])
    return min(longest, MOST_TEXT) + 2 if column.unit is Unit.TEXT else longest + 1
