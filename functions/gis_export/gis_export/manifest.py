"""The manifest of an export: what was asked, of which data, and what came of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from gis_export import gdal
from gis_export.engine import DataFile
from gis_export.order import LayerResult
from gis_export.plan import ExportPlan
from terrafusion import __version__
from terrafusion.counties import CountyConfiguration, CountySnapshot
from terrafusion.jobs.model import Job, timestamp

MANIFEST_VERSION = 2


def layer_documents(layers: Sequence[LayerResult], told: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """The layers as results and manifests show them; `told` are further warnings by layer."""
    return [
        {
            "name": layer.name,
            "status": "FAILED" if layer.error else "COMPLETED",
            "error": layer.error,
            "record_count": layer.record_count,
            "geometry_type": layer.geometry_type,
            "changes": dict(layer.changes) if layer.changes is not None else None,
            "extent": list(layer.extent) if layer.extent else None,
            "warnings": [*layer.warnings, *told.get(layer.name, ())],
            "field_crosswalk": dict(layer.field_crosswalk),
            "style": layer.style,
            "losses": [loss.document for loss in layer.losses],
        }
        for layer in layers
    ]


def manifest(
    job: Job,
    plan: ExportPlan,
    snapshot: CountySnapshot,
    configuration: CountyConfiguration,
    files: Sequence[DataFile],
    layers: list[dict[str, Any]],
) -> dict[str, Any]:
    """The manifest of a job's files; in a zip, `files` are those of the data by their names there."""
    settings = configuration.gis_export
    return {
        "manifest_version": MANIFEST_VERSION,
        "job_id": job.job_id,
        "requested_by": job.requested_by,
        "requested_at": timestamp(job.created_at),
        "county_id": job.county_id,
        "county": configuration.name,
        "request": plan.document,
        "dataset_version": snapshot.version,
        "sources": {name: _source(snapshot, name) for name in plan.layers},
        "coordinate_system": plan.crs,
        "layers": layers,
        "redacted": {name: list(fields) for name, fields in plan.redacted.items()},
        "files": [{"name": f.name, "bytes": f.size_bytes, "sha256": f.sha256} for f in files],
        "licence": settings.licence,
        "attribution": settings.attribution,
        "software": {"terrafusion": __version__, "gdal": gdal.load().version},
    }


def _source(snapshot: CountySnapshot, name: str) -> dict[str, Any]:
    layer = snapshot.layers[name]
    return {
        "version": layer.version,
        "file": layer.source.name,
        "sha256": layer.source.sha256,
        "rows": layer.count,
        "without_location": layer.quality.without_location,
    }
