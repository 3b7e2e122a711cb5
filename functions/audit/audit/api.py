"""The audit's route and Lambda entry; its role is the only one that may read the records."""

from functools import cache
from typing import Annotated

from fastapi import Query
from mangum import Mangum

from audit.models import AuditEntries, AuditEntry
from terrafusion.audit import Action, AuditQuery
from terrafusion.deployment import Deployment
from terrafusion.http import Caller, Moment, Term, create_app
from terrafusion.jobs.access import counties_of
from terrafusion.logs import configure

SERVICE = "audit"
PERMISSION = "read_audit"


@cache
def deployment() -> Deployment:
    """The resources of this deployment."""
    return Deployment.here(SERVICE)


app = create_app("Audit", SERVICE)


@app.get("/api/v1/audit", response_model=AuditEntries, tags=[SERVICE])
def list_records(
    caller: Caller,
    county_id: Term | None = None,
    job_id: Term | None = None,
    actor: Term | None = None,
    action: Action | None = None,
    plugin: Term | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: str | None = None,
) -> AuditEntries:
    """Who did what to which job, newest first; another county's list is empty."""
    caller.require(PERMISSION)
    here = deployment()
    counties = counties_of(caller, county_id, here.catalogue.county_ids)
    query = AuditQuery(job_id, actor, action, plugin, since, until)
    page = here.audit.page(counties, query, limit, cursor)
    items = [AuditEntry.model_validate(record) for record in page.records]
    return AuditEntries(items=items, next_cursor=page.next_cursor)


logger = configure(SERVICE)
handler = logger.inject_lambda_context(clear_state=True)(Mangum(app, lifespan="off"))
