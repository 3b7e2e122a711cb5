"""The plugin's routes and its Lambda entry."""

from functools import cache
from typing import Any

from fastapi import Response
from mangum import Mangum

from market_analysis.deployed import deployment
from market_analysis.models import AnalysisRequest
from market_analysis.plan import plan
from market_analysis.plugin import PLUGIN
from terrafusion.counties import CountyConfiguration, CountySnapshot
from terrafusion.http import Caller, JobRoutes, KeyHeader, StatusDocument, create_app
from terrafusion.jobs.service import Accepted, JobService
from terrafusion.logs import configure


@cache
def service() -> JobService:
    """The plugin's jobs."""
    return deployment().service(PLUGIN, deployment().queue)


app = create_app(PLUGIN.title, PLUGIN.slug)
jobs = JobRoutes(PLUGIN, service)
app.include_router(jobs.router)


@app.post("/api/v1/market-analysis/run", status_code=202, response_model=StatusDocument, tags=[PLUGIN.slug])
def run(request: AnalysisRequest, caller: Caller, response: Response, key: KeyHeader = None) -> dict[str, Any]:
    """Ask what a county's market does."""

    def accept(snapshot: CountySnapshot, configuration: CountyConfiguration) -> Accepted:
        planned = plan(request, snapshot, configuration)
        return Accepted(planned.document, request.analysis_type.value, planned.decided)

    return jobs.run(caller, request, key, response, accept)


logger = configure(PLUGIN.slug)
handler = logger.inject_lambda_context(clear_state=True)(Mangum(app, lifespan="off"))
