"""`terrafusion analyze`: what a county's market does, in the terminal and as files."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.connection import connect, state_directory
from cli.options import ApiOption, CountyArgument, JsonOption, StateOption, TokenOption
from cli.output import console, file_size, print_json, print_table
from cli.running import run_to_end
from cli.settings import read_settings

PLUGIN = "market-analysis"
WIDTH = 36
MOST_PERIODS = 36
SHOWN_FIGURES = {"index": "{:,.1f}", "median_price_per_sqft": "${:,.2f}", "median_price": "${:,.0f}"}
"""What of a trend is drawn: the first of these that it has."""
TEXTS = frozenset({"zip_code", "neighborhood", "property_class", "property_id"})
"""Parameters that are text even when they look like numbers."""
VOLUMES = frozenset({"sales_velocity"})
"""Analyses whose trend is the number of sales."""


def analyze(
    county: CountyArgument,
    analysis_type: Annotated[
        str, typer.Argument(metavar="TYPE", help="price_trend_by_zip, hedonic_index, …", show_default=False)
    ],
    parameters: Annotated[
        list[str] | None, typer.Option("--set", "-s", metavar="NAME=VALUE", help="A parameter; once for each.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder to download all files to.")] = None,
    api: ApiOption = None,
    token: TokenOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Analyze a county's market: the finding, its trend, and the files behind it."""
    request = {
        "county_id": county,
        "analysis_type": analysis_type,
        "parameters": read_settings(parameters or [], value_of),
    }
    connection = connect(api, token, state_directory(state))
    results = run_to_end(connection, PLUGIN, request, analysis_type, quiet=as_json)
    result = results["result"]
    if output:
        output.mkdir(parents=True, exist_ok=True)
        for file in result["files"]:
            connection.download(file["download_url"], output / file["name"], file["sha256"])
    if as_json:
        print_json(results)
        return
    console.print(f"[bold]{result['result_summary']['key_finding']}[/bold]", highlight=False, soft_wrap=True)
    draw_trend(analysis_type, result["trends"])
    for row in result["left_out"]:
        console.print(f"  left out: {row['sales']:,} {row['reason']}", highlight=False)
    for reason, pairs in result.get("pairs_excluded", {}).items():
        console.print(f"  left out: {pairs:,} pairs {reason}", highlight=False)
    for note in result["notes"]:
        console.print(f"  [yellow]{note}[/yellow]", highlight=False)
    names = [(file["name"], file_size(file["size_bytes"])) for file in result["files"]]
    console.print()
    print_table(("file" if output is None else f"file in {output}", "size"), names, ["size"])
    if output is None:
        console.print(f"\nterrafusion download {results['job_id']} --plugin {PLUGIN} --file NAME", soft_wrap=True)


def value_of(name: str, value: str) -> Any:
    """JSON is read as such, save what looks like a zip code; any other is text."""
    if name in TEXTS:
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def draw_trend(analysis_type: str, trends: Sequence[dict[str, Any]]) -> None:
    """Draw a trend as a table: volumes as bars from zero, levels as places between the lowest and the highest."""
    shown = trends[-MOST_PERIODS:]
    if len(trends) > len(shown):
        console.print(f"  (the last {len(shown)} of {len(trends)} periods)")
    if analysis_type in VOLUMES:
        most = max((row["sales_volume"] for row in shown), default=0)
        volumes = [(*_period(row), _bar(row["sales_volume"], most), _marks(row)) for row in shown]
        print_table(("period", "sales", "", ""), volumes, ["sales"])
        return
    known = {name for row in shown for name in row}
    member = next(name for name in SHOWN_FIGURES if name in known)
    values = [row[member] for row in shown if row[member] is not None]
    if not values:
        return
    low, high, title = min(values), max(values), member.replace("_", " ")
    ends = f"{_written(member, low)}{_written(member, high).rjust(WIDTH - len(_written(member, low)))}"
    levels = [
        (*_period(row), _written(member, row[member]), _place(row[member], low, high), _marks(row)) for row in shown
    ]
    print_table(("period", "sales", title, ends, ""), levels, ["sales", title])


def _written(member: str, value: float | None) -> str:
    return "-" if value is None else SHOWN_FIGURES[member].format(value)


def _period(row: dict[str, Any]) -> tuple[str, str]:
    return row["period"], f"{row['sales_volume']:,}"


def _marks(row: dict[str, Any]) -> str:
    return ", ".join(name for name in ("thin", "partial") if row.get(name))


def _place(value: float | None, low: float, high: float) -> str:
    """A dot between the lowest on the left and the highest on the right; nothing for no value."""
    if value is None:
        return ""
    return " " * round((WIDTH - 1) * ((value - low) / (high - low) if high > low else 0.5)) + "●"


def _bar(value: int, most: int) -> str:
    """A bar of eighths of a character, from zero."""
    eighths = round(8 * WIDTH * value / most) if most else 0
    return "█" * (eighths // 8) + ("" if eighths % 8 == 0 else "▏▎▍▌▋▊▉"[eighths % 8 - 1])
