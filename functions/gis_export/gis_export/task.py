"""One run of the engine for a job: of all layers, or of a part of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gis_export import gdal
from gis_export.bundle import write_companions
from gis_export.engine import Cancelled, DataFile, ExportResult, export
from gis_export.limits import Limits
from gis_export.manifest import layer_documents, manifest
from gis_export.notices import notices
from gis_export.order import LayerResult
from gis_export.parts import Part
from gis_export.plan import ExportPlan
from gis_export.selection import LayerSource
from gis_export.target import Watch
from terrafusion.counties import CountyConfiguration, CountySnapshot
from terrafusion.errors import FailureReason, JobFailure, TerraFusionError
from terrafusion.jobs.model import Job
from terrafusion.jobs.work import Progress


@dataclass(frozen=True, slots=True)
class ExportTask:
    """One export, or one part of one, under the stem of its files' names."""

    job: Job
    plan: ExportPlan
    snapshot: CountySnapshot
    configuration: CountyConfiguration
    stem: str
    part: Part | None = None

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
                self.stem,
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

    def _write_companions(self, folder: Path, files: Sequence[DataFile], layers: Sequence[LayerResult]) -> None:
        write_companions(folder, self._manifest(files, layers), self.plan, self.snapshot)

    def _manifest(self, files: Sequence[DataFile], layers: Sequence[LayerResult]) -> dict[str, Any]:
        document = self.manifest(files, layers)
        if self.part is None:
            return document
        told = {"layer": self.part.layer, "number": self.part.number, "of": self.part.count}
        return {**document, "request": self.job.parameters, "part": told}

    def manifest(self, files: Sequence[DataFile], layers: Sequence[LayerResult]) -> dict[str, Any]:
        """The manifest of files that hold layers."""
        documents = self.documents(layers)
        return manifest(self.job, self.plan, self.snapshot, self.configuration, files, documents)

    def documents(self, layers: Sequence[LayerResult]) -> list[dict[str, Any]]:
        """The layers as results and manifests show them, with what is known of them beside the file."""
        return layer_documents(layers, notices(self.plan, self.snapshot))
