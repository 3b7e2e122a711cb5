"""`terrafusion analyze`: what a county's market does, in the terminal and as files."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.connection import connect, state_directory
from cli.failures import UsageFailure
from cli.options import ApiOption, CountyArgument, JsonOption, StateOption, TokenOption
from cli.output import console, file_size, print_json, print_table
from cli.running import run_to_end

PLUGIN = "market-analysis"
WIDTH = 36
MOST_PERIODS = 36
SHOWN_FIGURES = {"index": "{:,.1f}", "median_price_per_sqft": "${:,.2f}", "median_price": "${:,.0f}"}
"""What of a trend is drawn: the first of these that it has."""


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
    request = {"county_id": county, "analysis_type": analysis_type, "parameters": read_parameters(parameters or [])}
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
    draw_trend(result["trends"])
    for row in result["left_out"]:
        console.print(f"  left out: {row['sales']:,} {row['reason']}", highlight=False)
    for note in result["notes"]:
        console.print(f"  [yellow]{note}[/yellow]", highlight=False)
    names = [(file["name"], file_size(file["size_bytes"])) for file in result["files"]]
    console.print()
    print_table(("file" if output is None else f"file in {output}", "size"), names, ["size"])
    if output is None:
        console.print(f"\nterrafusion download {results['job_id']} --plugin {PLUGIN} --file NAME", soft_wrap=True)


def read_parameters(given: Sequence[str]) -> dict[str, Any]:
    """Parameters out of NAME=VALUE; a value that is JSON is read as such, save what looks like a zip code."""
    parameters: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageFailure(f"--set wants NAME=VALUE, not '{text}'.")
        parameters[name.strip()] = _value(name.strip(), value.strip())
    return parameters


def _value(name: str, value: str) -> Any:
    if name in TEXTS:
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


TEXTS = frozenset({"zip_code", "neighborhood", "property_class", "property_id"})
"""Parameters that are text even when they look like numbers."""


def draw_trend(trends: Sequence[dict[str, Any]]) -> None:
    """Draw a trend as a table with bars: the last periods, where there are many."""
    shown = trends[-MOST_PERIODS:]
    known = {name for row in shown for name in row}
    member = next(name for name in SHOWN_FIGURES if name in known)
    values = [row[member] for row in shown if row[member] is not None]
    if not values:
        return
    low, high = min(values), max(values)
    floor = low - (high - low or abs(high) or 1) * 0.25
    rows = []
    for row in shown:
        value = row[member]
        written = "-" if value is None else SHOWN_FIGURES[member].format(value)
        marks = ", ".join(name for name in ("thin", "partial") if row.get(name))
        rows.append((row["period"], f"{row['sales_volume']:,}", written, _bar(value, floor, high), marks))
    if len(trends) > len(shown):
        console.print(f"  (the last {len(shown)} of {len(trends)} periods)")
    print_table(("period", "sales", member.replace("_", " "), "", ""), rows, ["sales", member.replace("_", " ")])


def _bar(value: float | None, low: float, high: float) -> str:
    """A bar of eighths of a character; nothing for no value."""
    if value is None:
        return ""
    eighths = round(8 * WIDTH * (value - low) / (high - low)) if high > low else 8 * WIDTH
    return "█" * (eighths // 8) + ("" if eighths % 8 == 0 else "▏▎▍▌▋▊▉"[eighths % 8 - 1])
