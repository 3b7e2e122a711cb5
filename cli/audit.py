"""`terrafusion audit`: who did what to which job."""

from datetime import datetime
from typing import Annotated

import typer

from cli.connection import connect, state_directory
from cli.options import ApiOption, JsonOption, StateOption, TokenOption
from cli.output import print_json, print_table


def audit(
    county: Annotated[str | None, typer.Option("--county", help="Only this county's.")] = None,
    job: Annotated[str | None, typer.Option("--job", help="Only what was done to this job.")] = None,
    actor: Annotated[str | None, typer.Option("--actor", help="Only what this person did.")] = None,
    action: Annotated[
        str | None, typer.Option("--action", help="submitted, cancelled, result_viewed, downloaded or denied.")
    ] = None,
    since: Annotated[datetime | None, typer.Option("--since", help="Not before this time (UTC).")] = None,
    limit: Annotated[int, typer.Option("--limit", help="At most so many.")] = 50,
    api: ApiOption = None,
    token: TokenOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who did what to which job, newest first; for auditors and administrators."""
    connection = connect(api, token, state_directory(state))
    moment = f"{since:%Y-%m-%dT%H:%M:%SZ}" if since else None
    query = {"county_id": county, "job_id": job, "actor": actor, "action": action, "since": moment}
    pages = connection.pages("/api/v1/audit", **query, limit=min(limit, 100))
    records = [record for record, _ in zip(pages, range(limit), strict=False)]
    if as_json:
        print_json(records)
        return
    rows = [
        (r["at"][:19], r["actor"], r["action"], r["county_id"], r["plugin"], r["job_id"] or "-", r["detail"] or "")
        for r in records
    ]
    print_table(("when (UTC)", "who", "what", "county", "plugin", "job", "detail"), rows)
