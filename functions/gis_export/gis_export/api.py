"""The export plugin's routes and its Lambda entry."""

from dataclasses import asdict
from functools import cache
from typing import Any
from uuid import UUID

from fastapi import Response
from mangum import Mangum

from gis_export import gdal
from gis_export.acceptance import accept, available_formats, understand
from gis_export.deployed import deployment
from gis_export.disclosure import hidden_by_role
from gis_export.estimate import estimated, parts_of, refusal, seconds_of
from gis_export.formats import FORMATS
from gis_export.models import Defaults, Estimate, ExportRequest, FormatInfo, Formats, LayerEstimate
from gis_export.plugin import PLUGIN
from terrafusion.auth import Principal
from terrafusion.counties import CountyConfiguration, CountySnapshot
from terrafusion.errors import FieldError, Impossible, NotFound
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


@app.post("/api/v1/gis-export/run", status_code=202, response_model=StatusDocument, tags=[PLUGIN.slug])
def run(request: ExportRequest, caller: Caller, response: Response, key: KeyHeader = None) -> dict[str, Any]:
    """Ask for an export of a county's layers."""

    def plan(snapshot: CountySnapshot, configuration: CountyConfiguration) -> Accepted:
        older = older_snapshot(request, caller)
        planned = accept(request, snapshot, configuration, caller.roles, older, loopback=is_local())
        decided = planned.decided | hidden_by_role(planned, snapshot, configuration.gis_export)
        return Accepted(planned.document, planned.export_format.value, decided)

    return jobs.run(caller, request, key, response, plan)


@app.post("/api/v1/gis-export/estimate", response_model=Estimate, tags=[PLUGIN.slug])
def estimate(request: ExportRequest, caller: Caller) -> Estimate:
    """What an export will come to; nothing is recorded."""
    here = deployment()
    service().access.run(caller, request.county_id)
    snapshot = here.catalogue.current(request.county_id)
    configuration = here.catalogue.configuration(request.county_id)
    plan = understand(request, snapshot, configuration, caller.roles, older_snapshot(request, caller))
    gdal.load().configure_s3(here.settings.aws_endpoint_url, here.settings.aws_region)
    layers = estimated(here.catalogue, here.data, plan, snapshot)
    settings = configuration.gis_export
    parts = parts_of(plan, snapshot, settings, layers)
    return Estimate(
        county_id=request.county_id,
        dataset_version=snapshot.version,
        export_format=plan.export_format.value,
        layers=[LayerEstimate(**asdict(layer)) for layer in layers],
        features=sum(layer.features for layer in layers),
        bytes=sum(layer.bytes for layer in layers),
        seconds=seconds_of(layers, parts),
        parts=parts,
        refusal=refusal(plan, snapshot, settings, layers),
    )


@app.get("/api/v1/gis-export/formats/{county_id}", response_model=Formats, tags=[PLUGIN.slug])
def formats(county_id: str, caller: Caller) -> Formats:
    """The formats that a county offers, and what each can hold."""
    caller.require(PLUGIN.execute)
    caller.require_county(county_id)
    deployment().catalogue.current(county_id)
    offered = available_formats(deployment().catalogue.configuration(county_id))
    return Formats(county_id=county_id, formats=[_format_info(name) for name in offered])


@app.get("/api/v1/gis-export/defaults/{county_id}", response_model=Defaults, tags=[PLUGIN.slug])
def defaults(county_id: str, caller: Caller) -> Defaults:
    """What holds when a request does not say, and a county's limits."""
    caller.require(PLUGIN.execute)
    caller.require_county(county_id)
    snapshot = deployment().catalogue.current(county_id)
    configuration = deployment().catalogue.configuration(county_id)
    return Defaults(
        county_id=county_id,
        dataset_version=snapshot.version,
        available_formats=[name.value for name in available_formats(configuration)],
        layers=list(snapshot.map_layers),
        default_coordinate_system=configuration.gis_export.default_coordinate_system,
        max_export_area_sq_km=configuration.gis_export.max_export_area_sq_km,
        default_simplify_tolerance=configuration.gis_export.default_simplify_tolerance,
        include_attributes_default=configuration.gis_export.include_attributes_default,
        max_features=configuration.gis_export.max_features,
        max_layers=configuration.gis_export.max_layers,
        max_result_bytes=configuration.gis_export.max_result_bytes,
        max_features_per_worker=configuration.gis_export.max_features_per_worker,
        licence=configuration.gis_export.licence,
        attribution=configuration.gis_export.attribution,
        redacted_fields=sorted(configuration.gis_export.redacted(caller.roles)),
    )


def older_snapshot(request: ExportRequest, caller: Principal) -> CountySnapshot | None:
    """The snapshot that `since` names, by its version or by a job that used it."""
    since = request.parameters.since
    if since is None:
        return None
    try:
        job = service().access.job(caller, PLUGIN.execute, str(UUID(since)))
        version = job.dataset_version if job.county_id == request.county_id else since
    except ValueError:
        version = since
    try:
        return deployment().catalogue.snapshot(request.county_id, version)
    except NotFound as error:
        raise Impossible(error.message, [FieldError("parameters.since", error.message)]) from error


def is_local() -> bool:
    """Whether this is a local run, in which callbacks may go to this machine."""
    return deployment().settings.stage == "local"


def _format_info(name: Any) -> FormatInfo:
    spec = FORMATS[name]
    return FormatInfo(
        name=name.value,
        driver=spec.driver,
        extension=spec.extension,
        media_type=spec.media_type,
        many_layers=spec.many_layers,
        forced_crs=spec.forced_crs,
        notes=list(spec.notes),
    )


logger = configure(PLUGIN.slug)
handler = logger.inject_lambda_context(clear_state=True)(Mangum(app, lifespan="off"))
