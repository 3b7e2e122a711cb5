"""The plugin's routes and its Lambda entry."""

from functools import cache
from typing import Any

from fastapi import Response
from mangum import Mangum

from layer_digest.deployed import deployment
from layer_digest.models import DigestRequest
from layer_digest.plugin import PLUGIN
from terrafusion.counties import CountyConfiguration, CountySnapshot
from terrafusion.errors import Impossible
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


@app.post("/api/v1/layer-digest/run", status_code=202, response_model=StatusDocument)
def run(request: DigestRequest, caller: Caller, response: Response, key: KeyHeader = None) -> dict[str, Any]:
    """Ask for a layer's digest."""

    def accept(snapshot: CountySnapshot, _configuration: CountyConfiguration) -> Accepted:
        if request.layer not in snapshot.layers:
            raise Impossible(f"County '{request.county_id}' has no layer '{request.layer}'.")
        return Accepted(request.model_dump(exclude={"county_id"}))

    return jobs.run(caller, request, key, response, accept)


logger = configure(PLUGIN.slug)
handler = logger.inject_lambda_context(clear_state=True)(Mangum(app, lifespan="off"))
