"""`terrafusion value`: a property's value with its reasons, in the terminal or as the appeal packet."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from cli.connection import connect, state_directory
from cli.options import ApiOption, CountyArgument, JsonOption, StateOption, TokenOption
from cli.output import console, file_size, print_json, print_table
from cli.running import run_to_end, target_path

PLUGIN = "valuation"
ACROSS = 4
METHODS = {
    "comparable_sales": "comparable sales",
    "avm": "model",
    "cost": "cost",
    "reconciled": "reconciled",
}


def value(
    county: CountyArgument,
    property_id: Annotated[str, typer.Argument(metavar="property", help="The property's id.")],
    method: Annotated[str | None, typer.Option("--method", help=f"One of {', '.join(METHODS)}.")] = None,
    day: Annotated[str | None, typer.Option("--date", help="Valuation date; default: that of the last sale.")] = None,
    packet: Annotated[Path | None, typer.Option("--packet", help="Write the appeal packet (PDF) here.")] = None,
    api: ApiOption = None,
    token: TokenOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Value a property: its comparables with adjustments, the approaches, and how sure the value is."""
    connection = connect(api, token, state_directory(state))
    request: dict[str, Any] = {"county_id": county, "property_id": property_id}
    request |= {"valuation_method_hint": method} if method else {}
    request |= {"valuation_date": day} if day else {}
    request |= {"parameters": {"report": True}} if packet else {}
    results = run_to_end(connection, PLUGIN, request, f"value of {property_id}", quiet=as_json)
    result = results["result"]
    size = 0
    if packet:
        target = target_path(packet, "appeal_packet.pdf")
        size = connection.download(result["download_url"], target, result["files"][0]["sha256"])
    if as_json:
        print_json(results)
        return
    _print_value(result)
    if packet:
        console.print(f"\n[bold]{target}[/bold]  {file_size(size)}, {result['pages']} pages")


def _print_value(result: dict[str, Any]) -> None:
    ends = result["value_range"]
    span = f"{ends['level']:.0%} between ${ends['low']:,.0f} and ${ends['high']:,.0f}; " if ends else ""
    console.print(
        f"[bold]${result['estimated_value']:,.0f}[/bold] on {result['valuation_date']}, "
        f"{METHODS[result['valuation_method_used']]}; {span}confidence {result['confidence_score']:.2f}",
        highlight=False,
    )
    if result["needs_review"]:
        console.print(f"[yellow]To be reviewed: {result['review_reason']}[/yellow]", highlight=False)
    for note in result["notes"]:
        console.print(f"  {note}", highlight=False)
    console.print()
    _print_grid(result["comparables"])
    _print_approaches(result["approaches"])
    console.print(f"\nmodel {result['model_version']}", style="dim", highlight=False)


def _print_grid(comparables: list[dict[str, Any]]) -> None:
    """A row for each line of the grid, a column for each comparable; a few beside one another."""
    for start in range(0, len(comparables), ACROSS):
        some = comparables[start : start + ACROSS]
        rows: list[tuple[Any, ...]] = [
            ("sold", "", *(one["sale_date"] for one in some)),
            ("price", "", *(f"${one['sale_price']:,.0f}" for one in some)),
        ]
        for at, line in enumerate(some[0]["adjustments"]):
            rows.append((line["feature"], _shown(line["subject"]), *(_cell(one["adjustments"][at]) for one in some)))
        rows += [
            ("net, gross", "", *(_percents(one) for one in some)),
            ("adjusted", "", *(Text(f"${one['adjusted_price']:,.0f}", "bold") for one in some)),
            ("weight", "", *(f"{one['weight']:.1%}" for one in some)),
        ]
        names = [one["property_id"] for one in some]
        print_table(("", "subject", *names), rows, names)
        console.print()


def _print_approaches(approaches: dict[str, Any]) -> None:
    weights = {row["approach"]: row["weight"] for row in approaches["reconciled"]["weights"]}
    rows = []
    for name, part in approaches.items():
        ends = part["value_range"]
        rows.append(
            (
                METHODS[name],
                f"${part['value']:,.0f}" if part["value"] is not None else "-",
                f"${ends['low']:,.0f} to ${ends['high']:,.0f}" if ends else "-",
                f"{weights[name]:.0%}" if name in weights else "",
                part.get("unavailable") or "",
            )
        )
    print_table(("approach", "value", "range", "weight", ""), rows, ["value", "weight"])


def _percents(comparable: dict[str, Any]) -> str:
    return f"{comparable['net_adjustment_percent']:+.1f}%, {comparable['gross_adjustment_percent']:.1f}%"


def _cell(line: dict[str, Any]) -> str:
    has = _shown(line["comparable"])
    amount = "0" if abs(line["amount"]) < 0.5 else f"{line['amount']:+,.0f}"
    return f"{has}  {amount}" if has else amount


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)
