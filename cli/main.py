"""The `terrafusion` command."""

import sys

import click
import typer

from cli import cloud, counties, exports, jobs
from cli.demo import demo
from cli.failures import CommandFailure
from cli.output import errors

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
    jobs.jobs,
    jobs.status,
    jobs.results,
    jobs.cancel,
    jobs.download,
):
    app.command()(command)


def main() -> None:
    """Run the command line; exit status 0 done, 1 it failed, 2 bad usage."""
    try:
        status = app(standalone_mode=False)
    except CommandFailure as failure:
        errors.print(f"[red]terrafusion:[/red] {failure}", soft_wrap=True, highlight=False)
        sys.exit(failure.status)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
    sys.exit(status if isinstance(status, int) else 0)
