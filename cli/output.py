"""How commands print: tables and progress for people, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

WIDE = 140
"""Columns of output that goes to a file or another program: no line of a table is folded there."""

console = Console(width=None if sys.stdout.isatty() else WIDE)
errors = Console(stderr=True)

STATUS_COLORS = {"COMPLETED": "green", "FAILED": "red", "CANCELLED": "yellow", "RUNNING": "cyan", "PENDING": "dim"}


def print_json(document: Any) -> None:
    """Print a document for programs: plain, whatever the terminal."""
    json.dump(document, sys.stdout, indent=2)
    sys.stdout.write("\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[str] = ()) -> None:
    """Print rows; `numbers` names the columns that are set to the right."""
    right = set(numbers)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def colored(status: str) -> str:
    """A job's state in its colour."""
    color = STATUS_COLORS.get(status, "white")
    return f"[{color}]{status}[/{color}]"


def progress_bar(*, hidden: bool) -> Progress:
    """A progress bar on standard error that leaves nothing behind."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        console=errors,
        transient=True,
        disable=hidden,
    )


def file_size(size: float) -> str:
    """A size as people read it: bytes, then powers of 1000."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:,.0f} {unit}" if unit == "B" else f"{size:,.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"
