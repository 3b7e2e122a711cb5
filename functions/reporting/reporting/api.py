"""The report plugin's routes and its Lambda entry."""

from functools import cache
from typing import Any

from fastapi import Response
from mangum import Mangum

from reporting.deployed import deployment
from reporting.models import ReportRequest
from reporting.plan import plan
from reporting.plugin import PLUGIN
from terrafusion.counties import CountyConfiguration, CountySnapshot
from terrafusion.http import Caller, JobRoutes, KeyHeader, StatusDocument, create_app
from terrafusion.jobs.service import Accepted, JobService
from terrafusion.logs import configure


@cache
def service() -> JobService:
    """The plugin's jobs."""
    return deployment().service(PLUGIN, deployment().workflow)


app = create_app(PLUGIN.title, PLUGIN.slug)
jobs = JobRoutes(PLUGIN, service)
app.include_router(jobs.router)


@app.post("/api/v1/reporting/run", status_code=202, response_model=StatusDocument, tags=[PLUGIN.slug])
def run(request: ReportRequest, caller: Caller, response: Response, key: KeyHeader = None) -> dict[str, Any]:
    """Ask for a report of a county."""

    def accept(snapshot: CountySnapshot, configuration: CountyConfiguration) -> Accepted:
        planned = plan(request, snapshot, configuration)
        return Accepted(planned.document, planned.report_type.value)

    return jobs.run(caller, request, key, response, accept)


logger = configure(PLUGIN.slug)
handler = logger.inject_lambda_context(clear_state=True)(Mangum(app, lifespan="off"))
