"""`terrafusion report`: from a county's tables to a report on this machine."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.connection import connect, state_directory
from cli.options import ApiOption, CountyArgument, JsonOption, StateOption, TokenOption
from cli.output import console, file_size, print_json
from cli.running import run_to_end, target_path
from cli.settings import read_settings

PLUGIN = "reporting"
TEXTS = frozenset({"zip_code", "neighborhood", "property_class", "property_id", "property_ids"})
"""Parameters that are text even when they look like numbers."""
LISTS = frozenset({"zip_code", "neighborhood", "property_class", "property_ids", "stratify"})
"""Parameters that are lists: one value is a list of one."""


def report(
    county: CountyArgument,
    report_type: Annotated[
        str,
        typer.Argument(
            metavar="TYPE",
            help="sales_ratio_study, vertical_equity, assessment_roll_summary, value_change, sales_validation or "
            "property_record_card.",
            show_default=False,
        ),
    ],
    output_format: Annotated[str | None, typer.Option("--format", "-f", help="pdf, html, xlsx, csv or json.")] = None,
    year: Annotated[int | None, typer.Option("--year", help="Only sales of this year.")] = None,
    property_class: Annotated[
        list[str] | None, typer.Option("--class", help="Only this class; may be repeated.")
    ] = None,
    neighborhood: Annotated[list[str] | None, typer.Option("--neighborhood", help="Only this neighborhood.")] = None,
    standard: Annotated[
        str | None, typer.Option("--standard", help="iaao, wyoming, indiana or the county's own.")
    ] = None,
    properties: Annotated[
        list[str] | None, typer.Option("--property", help="For cards: a property; may be repeated.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Any other parameter: NAME=VALUE, as JSON or text.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File or folder to write to.")] = None,
    api: ApiOption = None,
    token: TokenOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a report of a county, wait for the file, and download it."""
    connection = connect(api, token, state_directory(state))
    given = {
        "output_format": output_format or _format_of(output),
        "year": year,
        "property_class": property_class,
        "neighborhood": neighborhood,
        "standard": standard,
        "property_ids": properties,
    }
    parameters = {name: value for name, value in given.items() if value} | read_settings(set_ or [], value_of)
    request = {"county_id": county, "report_type": report_type, "parameters": parameters}
    results = run_to_end(connection, PLUGIN, request, report_type.replace("_", " "), quiet=as_json)
    result = results["result"]
    file = result["files"][0]
    target = target_path(output, file["name"])
    size = connection.download(result["download_url"], target, result["sha256"])
    if as_json:
        print_json({**results, "downloaded_to": str(target)})
        return
    pages = result["result_metadata"]["pages"]
    shown = f", {pages} page{'' if pages == 1 else 's'}" if pages else ""
    console.print(f"[bold]{target}[/bold]  {file_size(size)}{shown}")
    console.print(f"  {results['message']}")
    console.print(f"  sha256 {result['sha256']}", soft_wrap=True)


def value_of(name: str, text: str) -> Any:
    """JSON is that, save numbers where text belongs; any other is text."""
    number = str if name in TEXTS else None
    try:
        value = json.loads(text, parse_int=number, parse_float=number, parse_constant=number)
    except ValueError:
        value = text
    return value if name not in LISTS or isinstance(value, list | None) else [value]


def _format_of(output: Path | None) -> str | None:
    """The format that a file's name asks for."""
    suffix = output.suffix.lstrip(".").lower() if output is not None else ""
    return suffix if suffix in {"pdf", "html", "xlsx", "csv", "json"} else None
