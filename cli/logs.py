"""`terrafusion logs`: what happened to a job, line by line."""

from typing import Annotated

import typer
from rich.markup import escape

from cli.connection import state_directory
from cli.failures import UsageFailure
from cli.options import JobArgument, StateOption
from cli.output import console, print_json, print_table
from local.job_log import lines_about

LEVEL_COLORS = {"ERROR": "red", "WARNING": "yellow", "CRITICAL": "red"}
INSIGHTS = """fields @timestamp, service, function_name, level, message, seconds.work, seconds.keep
| filter job_id = "{job}"
| sort @timestamp asc"""


def logs(
    job: JobArgument,
    query: Annotated[
        bool, typer.Option("--query", help="Print the Logs Insights query for a deployed stack instead.")
    ] = False,
    state: StateOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the lines' documents.")] = False,
) -> None:
    """Show a job's lines, from the API to the worker, in order; of the local cloud."""
    if query:
        console.print(INSIGHTS.format(job=job), markup=False, highlight=False)
        return
    folder = state_directory(state) / "logs"
    found = lines_about(folder, job)
    if not found:
        raise UsageFailure(
            f"No line in {folder} is about job {job}. Of a deployed stack, see `terrafusion logs --query`."
        )
    if as_json:
        print_json([{"at": e.at, "function": e.function, **(e.document or {"text": e.text})} for e in found])
        return
    rows = [(e.at[11:], e.function.removesuffix("Function"), _colored(e.level), escape(e.message)) for e in found]
    print_table(("when", "function", "level", "message"), rows)


def _colored(level: str) -> str:
    color = LEVEL_COLORS.get(level)
    return f"[{color}]{level}[/{color}]" if color else level
