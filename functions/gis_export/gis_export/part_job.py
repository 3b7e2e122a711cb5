"""The work on an export's parts: each a file of its own, side by side, and one manifest of all.

A part's file lies in the results bucket below the job's `work/`, under a name of the attempt's own; what became of it
is noted in one write, the first of which counts. A part may be made twice; its note names one whole file.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gis_export.dividing import box_of, opened, unreadable
from gis_export.gdal import TooLarge
from gis_export.job import task_of
from gis_export.limits import Limits
from gis_export.order import LayerResult
from gis_export.outcome import outcome_of_parts, record
from gis_export.part_results import PartResult, part_document, whole_layer, with_files
from gis_export.parts import PARTS, Division, Part
from gis_export.selection import LayerSource
from gis_export.sources import CountyFiles
from gis_export.task import ExportTask
from terrafusion.audit import AuditLog
from terrafusion.errors import FailureReason, JobFailure
from terrafusion.flatgeobuf import FlatGeobufError, extract
from terrafusion.jobs.model import Job
from terrafusion.jobs.shares import WorkFolder
from terrafusion.jobs.work import KeptFile, Outcome, Progress
from terrafusion.storage import ObjectChanged, ObjectMissing, Storage


@dataclass(frozen=True, slots=True)
class PartWork:
    """Makes one of a job's parts, by its number from 0, for an attempt at it, whose token names its file."""

    files: CountyFiles
    results: Storage
    number: int
    token: str

    def __call__(self, job: Job, directory: Path, progress: Progress) -> PartResult:
        """Make the part, or find that it is there; see `terrafusion.jobs.shares`."""
        key = note_key(self.results, job, self.number)
        try:
            return PartResult.from_document(self.results.read_json(key))
        except ObjectMissing:
            made = self._made(job, directory, progress)
        try:
            self.results.write_json(key, made.document, new=True)
        except ObjectChanged:
            if made.file:
                self.results.delete(made.file.key)
            return PartResult.from_document(self.results.read_json(key))
        return made

    def _made(self, job: Job, directory: Path, progress: Progress) -> PartResult:
        division = read_division(self.results, job)
        part, whole = division.parts[self.number], task_of(self.files, job)
        plan = replace(whole.plan, layers=(part.layer,))
        task = replace(whole, plan=plan, stem=f"{whole.stem}_{part.name}", part=part)
        (source,) = self.files.sources(plan, whole.snapshot)
        source = replace(self._extracted(task, part, source, directory, progress), settled=division.settled[part.layer])
        try:
            (source,) = self.files.with_values([source], plan, whole.snapshot, directory)
            result = task.export([source], directory, progress)
        except JobFailure as failure:
            if (
                failure.reason is not FailureReason.ENGINE_ERROR
                or whole.plan.all_or_nothing
                or len(whole.plan.layers) < 2
            ):
                raise
            missing = (f"the layer is missing: {failure.message}",)
            return PartResult(LayerResult(part.layer, 0, "Unknown", missing, {}, error=failure.message), None)
        key = WorkFolder(self.results, job).key(f"{self.number:05}/{self.token}/{result.file_name}")
        self.results.upload(result.path, key, result.media_type, lambda: progress.tell(1, "Keeping the part"))
        (layer,) = result.layers
        return PartResult(layer, KeptFile(key, result.file_name, result.media_type, result.size_bytes, result.sha256))

    def _extracted(
        self, task: ExportTask, part: Part, source: LayerSource, directory: Path, progress: Progress
    ) -> LayerSource:
        """The part's features as a file of this machine's.

        Where none of them is near the area, it holds one that is not, as GDAL reads no file without any.
        """
        layer, snapshot = task.snapshot.layers[part.layer], task.snapshot
        stored = layer.file("data.fgb")
        if not layer.located or stored is None:
            return source
        path = directory / f"{part.name}.fgb"
        span, box = (part.first, part.end), box_of(self.files, task.plan, snapshot, part.layer)
        try:
            file = opened(self.files, snapshot, part.layer)
            if not extract(file, stored.size_bytes, span, box, path, lambda: progress(0.0, "Reading")):
                extract(file, stored.size_bytes, (0, 1), None, path)
        except FlatGeobufError as error:
            raise unreadable(part.layer, error) from error
        return replace(source, path=str(path))


@dataclass(frozen=True, slots=True)
class JoinWork:
    """Makes one result of a job's parts."""

    files: CountyFiles
    results: Storage
    audit: AuditLog
    keep_days: int

    def __call__(self, job: Job, directory: Path, progress: Progress) -> Outcome:
        """Add up what became of the parts; see `terrafusion.jobs.work`."""
        task, parts = task_of(self.files, job), read_division(self.results, job).parts
        made: list[PartResult] = []
        for number in range(len(parts)):
            progress(0.9 + 0.09 * number / len(parts), "Joining the parts")
            made.append(PartResult.from_document(self.results.read_json(note_key(self.results, job, number))))
        layers = [
            whole_layer([result for part, result in zip(parts, made, strict=True) if part.layer == name])
            for name in task.plan.layers
        ]
        handed_out = with_files(parts, made)
        files = [result.file for _, result in handed_out if result.file]
        self._check(task, layers, files)
        told = [
            part_document(part, result, handed_out=(part, result) in handed_out)
            for part, result in zip(parts, made, strict=True)
        ]
        self.audit.add(record(task, layers))
        return outcome_of_parts(task, layers, files, told, directory, self.keep_days)

    def _check(self, task: ExportTask, layers: Sequence[LayerResult], files: Sequence[KeptFile]) -> None:
        """Refuse what is too much as a whole, and where nothing could be written."""
        if all(layer.error for layer in layers):
            texts = "; ".join(f"{layer.name}: {layer.error}" for layer in layers)
            raise JobFailure(FailureReason.ENGINE_ERROR, texts)
        settings = task.configuration.gis_export
        limits = Limits(settings.max_features, settings.max_result_bytes)
        try:
            limits.check_features(sum(layer.record_count for layer in layers))
            limits.check_bytes(sum(file.size_bytes for file in files))
        except TooLarge as error:
            raise JobFailure(FailureReason.EXPORT_TOO_LARGE, str(error)) from error


def read_division(results: Storage, job: Job) -> Division:
    """The job's parts, as its first step noted them."""
    return Division.from_document(results.read_json(WorkFolder(results, job).key(PARTS)))


def note_key(results: Storage, job: Job, number: int) -> str:
    """Where is noted what became of a part."""
    return WorkFolder(results, job).key(f"{number:05}.json")
