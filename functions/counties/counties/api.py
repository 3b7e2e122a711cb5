"""Counties, health and the API's own description: routes and Lambda entry."""

from functools import cache
from pathlib import Path

from fastapi import HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from mangum import Mangum

from counties.description import Description
from counties.models import Counties, CountyInfo
from counties.pages import docs_page
from terrafusion import __version__
from terrafusion.deployment import Deployment
from terrafusion.errors import NotFound
from terrafusion.http import Caller, create_app
from terrafusion.logs import configure

SERVICE = "counties"
OPENAPI = Path(__file__).with_name("openapi.json")
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


@cache
def deployment() -> Deployment:
    """The resources of this deployment."""
    return Deployment.here(SERVICE)


@cache
def described() -> Description:
    """The routes of the whole API."""
    return Description(OPENAPI.read_bytes())


app = create_app("Counties", SERVICE)


@app.get("/api/v1/counties", response_model=Counties, tags=[SERVICE])
def list_counties(caller: Caller) -> Counties:
    """The caller's counties that have published data."""
    published = deployment().catalogue.county_ids()
    return Counties(items=[_county(county_id) for county_id in published if caller.sees(county_id)])


@app.get("/api/v1/counties/{county_id}", response_model=CountyInfo, tags=[SERVICE])
def get_county(county_id: str, caller: Caller) -> CountyInfo:
    """A county's layers: versions, counts, boxes, CRS, fields."""
    if not caller.sees(county_id):
        raise NotFound(f"County '{county_id}' is not known.")
    return _county(county_id)


@app.get("/api/v1/health", tags=["platform"], openapi_extra={"security": []})
def health() -> dict[str, str]:
    """Whether the API answers."""
    return {"status": "ok", "version": __version__}


@app.get("/api/v1/openapi.json", include_in_schema=False)
def openapi() -> Response:
    """The description of the whole API, every plugin's routes included."""
    return Response(OPENAPI.read_bytes(), media_type="application/json")


@app.get("/api/v1/docs", include_in_schema=False)
def docs() -> HTMLResponse:
    """The description as a page that needs nothing from elsewhere."""
    return HTMLResponse(docs_page(OPENAPI.read_bytes()))


@app.api_route("/{path:path}", methods=METHODS, include_in_schema=False)
def elsewhere(request: Request) -> Response:
    """What no route of any plugin takes: the gateway sends it here."""
    allowed = described().methods_of(request.url.path)
    if not allowed:
        raise HTTPException(404)
    raise HTTPException(405, headers={"Allow": ", ".join(allowed)})


def _county(county_id: str) -> CountyInfo:
    catalogue = deployment().catalogue
    return CountyInfo.of(catalogue.current(county_id), catalogue.configuration(county_id).name)


logger = configure(SERVICE)
handler = logger.inject_lambda_context(clear_state=True)(Mangum(app, lifespan="off"))
