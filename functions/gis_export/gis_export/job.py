"""The work of an export job: from its plan and the county's snapshot to a file and its document."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gis_export import gdal
from gis_export.coverage import TooLarge
from gis_export.crs import shift_warning
from gis_export.engine import Cancelled, ExportResult, export
from gis_export.plan import ExportPlan
from gis_export.selection import LayerSource
from gis_export.where import where
from terrafusion import __version__
from terrafusion.counties import Catalogue, CountySnapshot, FieldType, LayerManifest
from terrafusion.errors import FailureReason, JobFailure, NotFound, TerraFusionError
from terrafusion.filters import check
from terrafusion.jobs.model import Job, timestamp
from terrafusion.jobs.work import Outcome, Progress, ResultFile, Work
from terrafusion.metrics import FILE_SIZE_KB, RECORD_COUNT
from terrafusion.storage import Storage

MANIFEST_VERSION = 1
OGR_TYPES = {FieldType.DATE: "Date", FieldType.TIME: "Time"}
"""Types that FlatGeobuf cannot say, by OGR's names."""


def export_job(catalogue: Catalogue, data: Storage, keep_days: int) -> Work:
    """Make the function that does a job's work, reading layers straight from the data bucket."""

    def work(job: Job, directory: Path, progress: Progress) -> Outcome:
        plan = ExportPlan.from_document(job.parameters)
        try:
            snapshot = catalogue.snapshot(job.county_id, job.dataset_version)
        except NotFound as error:
            raise JobFailure(FailureReason.DATASET_CHANGED, error.message) from error
        sources = [
            _source(layer, data, catalogue.file_key(job.county_id, layer, "data.fgb"), plan.filters.get(layer.layer))
            for layer in (snapshot.layers[name] for name in plan.layers)
        ]
        result = _export(plan, sources, directory, f"{job.county_id}_{job.job_id[:8]}", progress)
        records = sum(layer.record_count for layer in result.layers)
        return Outcome(
            message=f"{records:,} features in {len(result.layers)} layer(s) as {plan.export_format}",
            document=_document(job, plan, snapshot, result, keep_days),
            file=ResultFile(result.path, result.file_name, result.media_type, "result_file_location"),
            samples={FILE_SIZE_KB: result.size_bytes / 1024, RECORD_COUNT: records},
        )

    return work


def _source(layer: LayerManifest, data: Storage, key: str, wanted: Mapping[str, Any] | None) -> LayerSource:
    condition = where(check(wanted, layer.fields)) if wanted else None
    types = {field.name: OGR_TYPES[field.type] for field in layer.fields if field.type in OGR_TYPES}
    return LayerSource(layer.layer, f"/vsis3/{data.bucket}/{key}", types, condition)


def _export(
    plan: ExportPlan, sources: list[LayerSource], directory: Path, stem: str, progress: Progress
) -> ExportResult:
    """Run the engine; an error raised by `progress` travels around GDAL, which knows only 'stop'."""
    interruption: list[TerraFusionError] = []

    def tick(fraction: float) -> bool:
        try:
            progress(fraction, f"Writing {plan.export_format}")
        except TerraFusionError as error:
            interruption.append(error)
            return False
        return True

    try:
        return export(
            sources,
            directory,
            stem,
            plan.export_format,
            crs=plan.crs,
            area=plan.area,
            predicate=plan.predicate,
            attributes=plan.attributes,
            shape=plan.shape,
            progress=tick,
        )
    except Cancelled:
        raise interruption[0] from None
    except TooLarge as error:
        raise JobFailure(FailureReason.EXPORT_TOO_LARGE, str(error)) from error
    except gdal.EngineError as error:
        raise JobFailure(FailureReason.ENGINE_ERROR, str(error)) from error


def _shift(layer: LayerManifest, target: str) -> list[str]:
    """What is to be said of the way from the layer's datum to the export's."""
    source = layer.crs or layer.crs_wkt
    told = shift_warning(source, target) if source else None
    return [told] if told else []


def _document(
    job: Job, plan: ExportPlan, snapshot: CountySnapshot, result: ExportResult, keep_days: int
) -> dict[str, Any]:
    shifts = {name: _shift(snapshot.layers[name], plan.crs) for name in plan.layers}
    layers = [
        {
            "name": layer.name,
            "record_count": layer.record_count,
            "geometry_type": layer.geometry_type,
            "warnings": [*layer.warnings, *shifts[layer.name]],
            "field_crosswalk": dict(layer.field_crosswalk),
            "losses": [loss.document for loss in layer.losses],
        }
        for layer in result.layers
    ]
    return {
        "result_file_size_kb": round(result.size_bytes / 1024, 1),
        "result_record_count": sum(layer.record_count for layer in result.layers),
        "file_expires_at": timestamp(datetime.now(UTC) + timedelta(days=keep_days)),
        "sha256": result.sha256,
        "dataset_version": snapshot.version,
        "layers": layers,
        "manifest": {
            "manifest_version": MANIFEST_VERSION,
            "job_id": job.job_id,
            "county_id": job.county_id,
            "request": plan.document,
            "dataset_version": snapshot.version,
            "sources": {
                name: {
                    "version": snapshot.layers[name].version,
                    "file": snapshot.layers[name].source.name,
                    "sha256": snapshot.layers[name].source.sha256,
                }
                for name in plan.layers
            },
            "coordinate_system": plan.crs,
            "file": {"name": result.file_name, "bytes": result.size_bytes, "sha256": result.sha256},
            "software": {"terrafusion": __version__, "gdal": gdal.load().version},
        },
    }
