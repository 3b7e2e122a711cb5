"""The work of an export job: from its plan and the county's snapshot to a file and its document."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gis_export import gdal
from gis_export.assessment import value_table
from gis_export.bundle import MANIFEST, write_companions
from gis_export.crs import shift_warning
from gis_export.engine import Cancelled, DataFile, ExportResult, export
from gis_export.joins import Join
from gis_export.limits import Limits
from gis_export.manifest import layer_documents, manifest
from gis_export.order import LayerResult
from gis_export.plan import ExportPlan
from gis_export.selection import LayerSource
from gis_export.sources import layer_source
from gis_export.target import Watch
from terrafusion.audit import Action, AuditLog, AuditRecord
from terrafusion.counties import Catalogue, CountyConfiguration, CountySnapshot
from terrafusion.errors import FailureReason, JobFailure, NotFound, TerraFusionError
from terrafusion.jobs.model import Job, now, timestamp
from terrafusion.jobs.work import Outcome, Progress, ResultFile
from terrafusion.metrics import FILE_SIZE_KB, RECORD_COUNT
from terrafusion.storage import Storage


@dataclass(frozen=True, slots=True)
class ExportWork:
    """Does a job's work, reading layers straight from the data bucket; an audit's record tells what was exported."""

    catalogue: Catalogue
    data: Storage
    audit: AuditLog
    keep_days: int

    def __call__(self, job: Job, directory: Path, progress: Progress) -> Outcome:
        """Export, and say what came of it; see `terrafusion.jobs.work`."""
        plan = ExportPlan.from_document(job.parameters)
        try:
            snapshot = self.catalogue.snapshot(job.county_id, job.dataset_version)
        except NotFound as error:
            raise JobFailure(FailureReason.DATASET_CHANGED, error.message) from error
        task = _Task(job, plan, snapshot, self.catalogue.configuration(job.county_id), _shifts(plan, snapshot))
        sources = [layer_source(self.catalogue, self.data, plan, snapshot, name) for name in plan.layers]
        if plan.joined:
            sources = self._with_values(sources, plan, snapshot, directory)
        result = task.export(sources, directory, progress)
        self.audit.add(_record(job, plan, result))
        return task.outcome(result, directory, self.keep_days)

    def _with_values(
        self, sources: list[LayerSource], plan: ExportPlan, snapshot: CountySnapshot, directory: Path
    ) -> list[LayerSource]:
        """The layers with the table that brings their values."""
        properties = snapshot.layers["properties"]
        parquet = directory / "properties.parquet"
        self.data.download(self.catalogue.file_key(snapshot.county_id, properties, "data.parquet"), parquet)
        columns = list(dict.fromkeys(column for names in plan.joined.values() for column in names))
        table = value_table(parquet, directory / "properties.sqlite", properties, columns)
        parquet.unlink()

        def join(name: str) -> Join | None:
            wanted = plan.joined.get(name)
            return replace(table, columns=wanted, dates=tuple(set(wanted) & set(table.dates))) if wanted else None

        return [replace(source, join=join(source.name)) for source in sources]


@dataclass(frozen=True, slots=True)
class _Task:
    """One export; `told` are warnings by layer that are known before."""

    job: Job
    plan: ExportPlan
    snapshot: CountySnapshot
    configuration: CountyConfiguration
    told: Mapping[str, Sequence[str]]

    def export(self, sources: list[LayerSource], directory: Path, progress: Progress) -> ExportResult:
        """Run the engine; an error raised by `progress` travels around GDAL, which knows only 'stop'."""
        plan, settings = self.plan, self.configuration.gis_export
        interruption: list[TerraFusionError] = []

        def tick(fraction: float) -> bool:
            try:
                progress(fraction, watch.step or f"Writing {plan.export_format}")
            except TerraFusionError as error:
                interruption.append(error)
                return False
            return True

        watch = Watch(tick)
        try:
            return export(
                sources,
                directory,
                f"{self.job.county_id}_{self.job.job_id[:8]}",
                plan.export_format,
                crs=plan.crs,
                area=plan.area,
                predicate=plan.predicate,
                attributes=plan.attributes,
                shape=plan.shape,
                limits=Limits(settings.max_features, settings.max_result_bytes),
                all_or_nothing=plan.all_or_nothing,
                companions=self._write_companions,
                bundle=plan.bundle,
                progress=watch,
            )
        except Cancelled:
            raise interruption[0] from None
        except gdal.TooLarge as error:
            raise JobFailure(FailureReason.EXPORT_TOO_LARGE, str(error)) from error
        except gdal.EngineError as error:
            raise JobFailure(FailureReason.ENGINE_ERROR, str(error)) from error

    def outcome(self, result: ExportResult, directory: Path, keep_days: int) -> Outcome:
        """The result's document and files: the data, and the manifest beside them."""
        records = sum(layer.record_count for layer in result.layers)
        packed = DataFile(result.file_name, result.size_bytes, result.sha256)
        document = self._manifest([packed], result.layers)
        path = directory / MANIFEST
        path.write_text(json.dumps(document, indent=2, ensure_ascii=False), encoding="utf-8")
        missing = sum(layer.error is not None for layer in result.layers)
        made = len(result.layers) - missing
        return Outcome(
            message=f"{records:,} features in {made} layer(s) as {self.plan.export_format}"
            + (f"; {missing} layer(s) could not be written" if missing else ""),
            document={
                "result_file_size_kb": round(result.size_bytes / 1024, 1),
                "result_record_count": records,
                "file_expires_at": timestamp(datetime.now(UTC) + timedelta(days=keep_days)),
                "sha256": result.sha256,
                "dataset_version": self.snapshot.version,
                "layers": layer_documents(result.layers, self.told),
                "manifest": document,
            },
            file=ResultFile(result.path, result.file_name, result.media_type, "result_file_location", result.sha256),
            attachments=(ResultFile(path, MANIFEST, "application/json"),),
            samples={FILE_SIZE_KB: result.size_bytes / 1024, RECORD_COUNT: records},
        )

    def _write_companions(self, folder: Path, files: Sequence[DataFile], layers: Sequence[LayerResult]) -> None:
        write_companions(folder, self._manifest(files, layers), self.plan, self.snapshot)

    def _manifest(self, files: Sequence[DataFile], layers: Sequence[LayerResult]) -> dict[str, Any]:
        documents = layer_documents(layers, self.told)
        return manifest(self.job, self.plan, self.snapshot, self.configuration, files, documents)


def _shifts(plan: ExportPlan, snapshot: CountySnapshot) -> dict[str, list[str]]:
    """What is to be said of the way from the layers' datums to the export's."""
    systems = {name: snapshot.layers[name].crs or snapshot.layers[name].crs_wkt for name in plan.layers}
    told = {crs: shift_warning(crs, plan.crs) for crs in systems.values() if crs}
    return {name: [text] for name, crs in systems.items() if crs and (text := told[crs])}


def _record(job: Job, plan: ExportPlan, result: ExportResult) -> AuditRecord:
    """Who exported what, of which version, and how many rows."""
    rows = ", ".join(f"{layer.name} {layer.record_count:,}" for layer in result.layers if not layer.error)
    detail = f"{plan.export_format} of version {job.dataset_version}: {rows} rows"
    return AuditRecord(
        county_id=job.county_id,
        at=now(),
        actor=job.requested_by,
        action=Action.EXPORTED,
        plugin=job.plugin,
        job_id=job.job_id,
        detail=detail,
    )
