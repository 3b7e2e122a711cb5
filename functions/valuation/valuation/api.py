"""The valuation plugin's routes and its Lambda entry."""

from functools import cache
from typing import Any

from fastapi import Response
from mangum import Mangum

from terrafusion.counties import CountyConfiguration, CountySnapshot
from terrafusion.http import Caller, JobRoutes, KeyHeader, StatusDocument, create_app
from terrafusion.jobs.model import now
from terrafusion.jobs.service import Accepted, JobService
from terrafusion.logs import configure
from valuation.deployed import deployment, dispatcher
from valuation.models import ValuationRequest
from valuation.plan import plan
from valuation.plugin import PLUGIN


@cache
def service() -> JobService:
    """The plugin's jobs."""
    return deployment().service(PLUGIN, dispatcher())


app = create_app(PLUGIN.title, PLUGIN.slug)
jobs = JobRoutes(PLUGIN, service)
app.include_router(jobs.router)


@app.post("/api/v1/valuation/run", status_code=202, response_model=StatusDocument, tags=[PLUGIN.slug])
def run(request: ValuationRequest, caller: Caller, response: Response, key: KeyHeader = None) -> dict[str, Any]:
    """Ask for the value of a property, of many, or for a model."""

    def accept(snapshot: CountySnapshot, configuration: CountyConfiguration) -> Accepted:
        return Accepted(plan(request, snapshot, configuration, now().date()).document)

    return jobs.run(caller, request, key, response, accept)


logger = configure(PLUGIN.slug)
handler = logger.inject_lambda_context(clear_state=True)(Mangum(app, lifespan="off"))
