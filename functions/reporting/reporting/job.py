"""The work of a report's job: from its plan and the county's snapshot to a file and its document."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import Any

from reporting.cards import property_record_card
from reporting.change import value_change
from reporting.content import Report
from reporting.context import Context
from reporting.equity import vertical_equity
from reporting.kinds import KINDS, MEDIA_TYPES, OutputFormat, ReportType
from reporting.pages import write_html, write_pdf
from reporting.plan import ReportPlan
from reporting.ratio_study import sales_ratio_study
from reporting.roll import assessment_roll_summary
from reporting.sheets import write_csv, write_json, write_xlsx
from reporting.validation import sales_validation
from terrafusion import tables
from terrafusion.counties import Catalogue, CountySnapshot
from terrafusion.errors import FailureReason, JobFailure, NotFound
from terrafusion.flatgeobuf import FlatGeobuf
from terrafusion.jobs.model import Job, now, timestamp
from terrafusion.jobs.work import Outcome, Progress, ResultFile, Work
from terrafusion.storage import Storage

MAKERS: Mapping[ReportType, Callable[[Context], Report]] = {
    ReportType.SALES_RATIO_STUDY: sales_ratio_study,
    ReportType.VERTICAL_EQUITY: vertical_equity,
    ReportType.ASSESSMENT_ROLL_SUMMARY: assessment_roll_summary,
    ReportType.VALUE_CHANGE: value_change,
    ReportType.SALES_VALIDATION: sales_validation,
    ReportType.PROPERTY_RECORD_CARD: property_record_card,
}
TABLES = ("properties", "sales")
MEMORY_LIMIT_MB = 512


def report_job(catalogue: Catalogue, data: Storage) -> Work:
    """Make the function that does a job's work."""

    def work(job: Job, directory: Path, progress: Progress) -> Outcome:
        started = time.perf_counter()
        plan = ReportPlan.from_document(job.parameters)
        try:
            snapshot = catalogue.snapshot(job.county_id, job.dataset_version)
        except NotFound as error:
            raise JobFailure(FailureReason.DATASET_CHANGED, error.message) from error
        progress(0.01, "Fetching tables")
        files = tables.fetch(catalogue, data, snapshot, directory)
        needed = {name: path for name, path in files.items() if name in TABLES}
        with tables.connect(needed, memory_limit_mb=MEMORY_LIMIT_MB) as database:
            context = Context(
                plan=plan,
                snapshot=snapshot,
                configuration=catalogue.configuration(job.county_id),
                database=database,
                maps=_maps(catalogue, data, snapshot, KINDS[plan.report_type].maps),
                made=job.created_at.astimezone(UTC).date(),
                progress=progress,
            )
            report = MAKERS[plan.report_type](context)
            progress(0.85, f"Writing {plan.output_format}")
            path = directory / f"report.{plan.output_format}"
            pages = write(report, context.line(), plan.output_format, path)
        return _outcome(job, plan, report, path, pages, time.perf_counter() - started)

    return work


def write(report: Report, inputs: str, output_format: OutputFormat, path: Path) -> int | None:
    """Write a report as a file; gives the number of pages where a file has such."""
    if output_format is OutputFormat.PDF:
        return write_pdf(report, inputs, path)
    writers: Mapping[OutputFormat, Callable[[], None]] = {
        OutputFormat.HTML: lambda: write_html(report, inputs, path),
        OutputFormat.XLSX: lambda: write_xlsx(report, inputs, path),
        OutputFormat.CSV: lambda: write_csv(report, path),
        OutputFormat.JSON: lambda: write_json(report, path),
    }
    writers[output_format]()
    return None


def _maps(catalogue: Catalogue, data: Storage, snapshot: CountySnapshot, names: Sequence[str]) -> dict[str, FlatGeobuf]:
    """The layers that pictures need; of each no more is read than is shown."""
    found = {}
    for name in names:
        layer = snapshot.layers.get(name)
        if layer is not None and layer.has_geometry:
            key = catalogue.file_key(snapshot.county_id, layer, "data.fgb")
            found[name] = FlatGeobuf(partial(data.read_range, key))
    return found


def _outcome(job: Job, plan: ReportPlan, report: Report, path: Path, pages: int | None, seconds: float) -> Outcome:
    size = path.stat().st_size
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    name = f"{job.county_id}_{plan.report_type}_{job.job_id[:8]}.{plan.output_format}"
    document: dict[str, Any] = {
        "result_metadata": {
            "file_size_kb": round(size / 1024, 1),
            "pages": pages,
            "generation_time_seconds": round(seconds, 3),
            "generated_at": timestamp(now()),
        },
        "sha256": digest,
        "summary": dict(report.summary),
    }
    return Outcome(
        message=report.message,
        document=document,
        file=ResultFile(path, name, MEDIA_TYPES[plan.output_format], "result_location"),
    )
