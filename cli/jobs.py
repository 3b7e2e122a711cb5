"""Commands that look at jobs: `jobs`, `status`, `results`, `cancel`, `download`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.connection import connect, state_directory
from cli.exports import PLUGIN
from cli.failures import CommandFailure
from cli.fetching import fetch
from cli.options import ApiOption, JobArgument, JsonOption, PluginOption, StateOption, TokenOption
from cli.output import colored, console, file_size, print_json, print_table
from cli.running import target_path


def jobs(
    county: Annotated[str | None, typer.Option("--county", help="Only this county's.")] = None,
    status: Annotated[str | None, typer.Option("--status", help="Only jobs in this state.")] = None,
    limit: Annotated[int, typer.Option("--limit", help="At most so many.")] = 20,
    plugin: PluginOption = PLUGIN,
    api: ApiOption = None,
    token: TokenOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """List jobs, newest first."""
    connection = connect(api, token, state_directory(state))
    pages = connection.pages(f"/api/v1/{plugin}/list", county_id=county, status=status, limit=min(limit, 100))
    items = [item for item, _ in zip(pages, range(limit), strict=False)]
    if as_json:
        print_json(items)
        return
    rows = [
        (i["job_id"], i["county_id"], colored(i["status"]), f"{i['progress']} %", i["created_at"][:19], i["message"])
        for i in items
    ]
    print_table(("job", "county", "status", "progress", "created (UTC)", "message"), rows, ["progress"])


def status(
    job: JobArgument,
    plugin: PluginOption = PLUGIN,
    api: ApiOption = None,
    token: TokenOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how a job stands."""
    document = connect(api, token, state_directory(state)).get(f"/api/v1/{plugin}/status/{job}")
    _show(document, as_json=as_json)


def results(
    job: JobArgument,
    plugin: PluginOption = PLUGIN,
    api: ApiOption = None,
    token: TokenOption = None,
    state: StateOption = None,
) -> None:
    """Print a job's result as JSON."""
    document = connect(api, token, state_directory(state)).get(f"/api/v1/{plugin}/results/{job}")
    print_json(document)
    if document["status"] in {"FAILED", "CANCELLED"}:
        raise CommandFailure(f"Job {job} is {document['status']}: {document['message']}")


def cancel(
    job: JobArgument,
    plugin: PluginOption = PLUGIN,
    api: ApiOption = None,
    token: TokenOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a job that has not ended."""
    document = connect(api, token, state_directory(state)).post(f"/api/v1/{plugin}/cancel/{job}")
    _show(document, as_json=as_json)


def download(
    job: JobArgument,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File or folder to write to.")] = None,
    name: Annotated[str | None, typer.Option("--file", help="One of the job's files, by its name.")] = None,
    plugin: PluginOption = PLUGIN,
    api: ApiOption = None,
    token: TokenOption = None,
    state: StateOption = None,
) -> None:
    """Download a job's file, or all parts of an export."""
    connection = connect(api, token, state_directory(state))
    document = connection.get(f"/api/v1/{plugin}/results/{job}")
    files = (document["result"] or {}).get("files", [])
    if not files:
        raise CommandFailure(f"Job {job} is {document['status']} and has no file.")
    names = [file["name"] for file in files]
    if name is not None and name not in names:
        raise CommandFailure(f"Job {job} has no file '{name}'. It has {', '.join(names)}.")
    if name is None:
        target, size = fetch(connection, document["result"], output)
    else:
        file = files[names.index(name)]
        target = target_path(output, file["name"])
        size = connection.download(file["download_url"], target, file["sha256"])
    console.print(f"[bold]{target}[/bold]  {file_size(size)}")


def _show(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(document)
        return
    console.print(f"{colored(document['status'])}  {document['progress']} %  {document['message']}")
    for name in ("job_id", "plugin", "county_id", "requested_by", "dataset_version", "created_at", "completed_at"):
        console.print(f"  {name:<16} {document[name] or '-'}")
    if document["failure_reason"]:
        console.print(f"  {'failure_reason':<16} [red]{document['failure_reason']}[/red]")
