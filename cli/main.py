"""The `terrafusion` command."""

import sys

import typer

from cli import analyses, cloud, counties, exports, jobs, metrics, reports
from cli.audit import audit
from cli.cost import cost
from cli.demo import demo
from cli.failures import CommandFailure
from cli.logs import logs
from cli.output import errors
from cli.top import top
from cli.values import value
from local.failures import CloudFailure

app = typer.Typer(
    help="Jobs of county assessor's offices, on this machine or against a deployed API.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

for command in (
    cloud.up,
    demo,
    cloud.sample,
    counties.load,
    counties.counties,
    counties.token,
    exports.export,
    reports.report,
    analyses.analyze,
    value,
    jobs.jobs,
    jobs.status,
    jobs.results,
    jobs.cancel,
    jobs.download,
    audit,
    logs,
    top,
    cost,
):
    app.command()(command)

app.add_typer(metrics.app, name="metrics")


def main() -> None:
    """Run the command line; exit status 0 done, 1 it failed, 2 bad usage."""
    try:
        app()
    except (CommandFailure, CloudFailure) as failure:
        errors.print(f"[red]terrafusion:[/red] {failure}", soft_wrap=True, highlight=False)
        sys.exit(failure.status if isinstance(failure, CommandFailure) else CommandFailure.status)
