"""`terrafusion cost`: what a month costs on AWS, by list prices."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cli.costs.deployed import DeployedTemplate
from cli.costs.prices import price_list
from cli.costs.usage import Deployment, Kind, Usage, of_jobs, of_platform, of_plugin
from cli.costs.usage import Path as Way
from cli.failures import UsageFailure
from cli.output import console, print_json, print_table
from local.cloud import TEMPLATE

ARCHITECTURES = ("arm64", "x86_64")
USUAL: Mapping[str, Kind] = {
    "exports": Kind("gis_export", 0, Way.WORKFLOW, seconds=10, memory_gb=2, result_mb=15),
    "valuations": Kind("valuation", 0, Way.QUEUE, seconds=1, memory_gb=2, result_mb=0.05, types=0),
    "reports": Kind("reporting", 0, Way.WORKFLOW, seconds=8, memory_gb=2, result_mb=1, types=6),
    "analyses": Kind("market_analysis", 0, Way.QUEUE, seconds=3, memory_gb=2, result_mb=0.3, types=10),
}
"""What a job takes where nobody has measured; memory, disk, the way they come and the metrics are the template's."""


def cost(
    counties: Annotated[int, typer.Option("--counties", min=0, help="Counties whose data are kept.")] = 1,
    exports: Annotated[int, typer.Option("--exports", min=0, help="GIS exports a month.")] = 0,
    valuations: Annotated[int, typer.Option("--valuations", min=0, help="Valuations a month.")] = 0,
    reports: Annotated[int, typer.Option("--reports", min=0, help="Reports a month.")] = 0,
    analyses: Annotated[int, typer.Option("--analyses", min=0, help="Market analyses a month.")] = 0,
    export_seconds: Annotated[float, typer.Option("--export-seconds", min=0, help="Of one export's worker.")] = 10,
    export_mb: Annotated[float, typer.Option("--export-mb", min=0, help="Size of one export.")] = 15,
    county_gb: Annotated[float, typer.Option("--county-gb", min=0, help="Data of one county.")] = 0.5,
    architecture: Annotated[str, typer.Option("--architecture", help="arm64 or x86_64.")] = "arm64",
    county_dimension: Annotated[
        bool, typer.Option("--county-dimension", help="With each county's jobs as metrics of their own.")
    ] = False,
    template: Annotated[
        Path, typer.Option("--template", help="Whose alarms, workers and metrics are counted.")
    ] = TEMPLATE,
    as_json: Annotated[bool, typer.Option("--json", help="Print a document instead of a table.")] = False,
) -> None:
    """Reckon a month's cost from list prices, without free tiers or discounts."""
    if architecture not in ARCHITECTURES:
        raise UsageFailure(f"There is no price for {architecture}; it is {' or '.join(ARCHITECTURES)}.")
    deployed = DeployedTemplate(template)
    kinds = {**USUAL, "exports": replace(USUAL["exports"], seconds=export_seconds, result_mb=export_mb)}
    numbers = {"exports": exports, "valuations": valuations, "reports": reports, "analyses": analyses}
    here = Deployment(
        counties,
        county_gb,
        architecture=architecture,
        county_dimension=county_dimension,
        alarm_metrics=deployed.alarm_metrics,
        shared_services=deployed.shared_services,
    )
    parts: dict[str, Usage] = {"platform": of_platform(here)}
    for name, kind in kinds.items():
        found = deployed.as_deployed(kind)
        if found is None and numbers[name]:
            raise UsageFailure(f"{template} deploys no {kind.name}, which would take {name}.")
        if found is None:
            continue
        parts[f"{name}: {numbers[name]:,}"] = of_jobs(replace(found, jobs=numbers[name]), here)
        parts[f"{name}: being there"] = of_plugin(found, here)
    prices = price_list()
    costs = {name: prices.cost(usage) for name, usage in parts.items()}
    total = sum(costs.values())
    if as_json:
        print_json({"region": prices.region, "as_of": prices.as_of, "usd": costs, "total_usd": total})
        return
    rows = [(name, f"{amount:,.2f}", _most(parts[name])) for name, amount in costs.items() if amount]
    print_table(
        ("a month", "USD", "most of it"), [*rows, ("[bold]total[/bold]", f"[bold]{total:,.2f}[/bold]", "")], ["USD"]
    )
    console.print(f"\nList prices of {prices.region}, {prices.as_of}, without free tiers; see cli/costs/prices.yaml.")


def _most(usage: Usage) -> str:
    """The dearest two things of a usage."""
    prices = price_list().prices
    dearest = sorted(usage, key=lambda name: -usage[name] * prices[name])[:2]
    return ", ".join(f"{name.replace('_', ' ')} {usage[name] * prices[name]:,.2f}" for name in dearest)
