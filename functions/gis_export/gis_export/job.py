"""The work of an export job: from its plan and the county's snapshot to a file and its document, or to its parts."""

from dataclasses import dataclass
from pathlib import Path

from gis_export.dividing import division
from gis_export.engine import DataFile
from gis_export.outcome import outcome_of_one, record
from gis_export.parts import PARTS, Division
from gis_export.plan import ExportPlan
from gis_export.sources import CountyFiles
from gis_export.task import ExportTask
from terrafusion.audit import AuditLog
from terrafusion.jobs.model import Job
from terrafusion.jobs.shares import WorkFolder
from terrafusion.jobs.work import Outcome, Progress, ResultFile
from terrafusion.storage import ObjectChanged, Storage


@dataclass(frozen=True, slots=True)
class ExportWork:
    """Does a job's work, reading layers straight from the data bucket; an audit's record tells what was exported."""

    files: CountyFiles
    results: Storage
    audit: AuditLog
    keep_days: int

    def __call__(self, job: Job, directory: Path, progress: Progress) -> Outcome | Division:
        """Export, and say what came of it, or into which parts it is divided; see `terrafusion.jobs.work`."""
        task = task_of(self.files, job)
        parts = division(self.files, task)
        if parts is not None:
            return self._kept(parts, job)
        sources = self.files.sources(task.plan, task.snapshot)
        sources = self.files.with_values(sources, task.plan, task.snapshot, directory)
        result = task.export(sources, directory, progress)
        self.audit.add(record(task, result.layers))
        packed = DataFile(result.file_name, result.size_bytes, result.sha256)
        file = ResultFile(result.path, result.file_name, result.media_type, "result_file_location", result.sha256)
        return outcome_of_one(task, result.layers, packed, file, directory, self.keep_days)

    def _kept(self, parts: Division, job: Job) -> Division:
        """The division as the job's first attempt noted it: parts that are there must go on to fit together."""
        key = WorkFolder(self.results, job).key(PARTS)
        try:
            self.results.write_json(key, parts.document, new=True)
        except ObjectChanged:
            return Division.from_document(self.results.read_json(key))
        return parts


def task_of(files: CountyFiles, job: Job) -> ExportTask:
    """The run of the engine that a job asks for."""
    plan, snapshot = ExportPlan.of(job), files.snapshot(job)
    stem = f"{job.county_id}_{job.job_id[:8]}"
    return ExportTask(job, plan, snapshot, files.catalogue.configuration(job.county_id), stem)
