"""What an export came to: the result's document, the manifest beside the data, and the audit's record."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gis_export.bundle import MANIFEST
from gis_export.engine import DataFile
from gis_export.order import LayerResult
from gis_export.task import ExportTask
from terrafusion.audit import Action, AuditRecord
from terrafusion.jobs.model import now, timestamp
from terrafusion.jobs.work import KeptFile, Outcome, ResultFile
from terrafusion.metrics import FILE_SIZE_KB, RECORD_COUNT

JSON_TYPE = "application/json"


def outcome_of_one(
    task: ExportTask, layers: Sequence[LayerResult], file: DataFile, made: ResultFile, directory: Path, keep_days: int
) -> Outcome:
    """The outcome of an export that is one file: that, and its manifest."""
    document = task.manifest([file], layers)
    path = _written(directory, document)
    return Outcome(
        message=_message(task, layers),
        document=_document(task, layers, document, file.size_bytes, file.sha256, keep_days),
        file=made,
        attachments=(ResultFile(path, MANIFEST, JSON_TYPE),),
        samples=_samples(layers, file.size_bytes),
    )


def outcome_of_parts(
    task: ExportTask,
    layers: Sequence[LayerResult],
    files: Sequence[KeptFile],
    parts: Sequence[Mapping[str, Any]],
    directory: Path,
    keep_days: int,
) -> Outcome:
    """The outcome of an export in parts: the manifest stands for all of them, and the parts are beside it."""
    data = [DataFile(file.name, file.size_bytes, file.sha256) for file in files]
    document = {**task.manifest(data, layers), "parts": list(parts)}
    path = _written(directory, document)
    size = sum(file.size_bytes for file in files)
    return Outcome(
        message=f"{_message(task, layers)}, in {len(files):,} parts",
        document=_document(task, layers, document, size, DataFile.of(path, MANIFEST, lambda: None).sha256, keep_days),
        file=ResultFile(path, MANIFEST, JSON_TYPE, "result_file_location"),
        kept=tuple(files),
        samples=_samples(layers, size),
    )


def record(task: ExportTask, layers: Sequence[LayerResult]) -> AuditRecord:
    """Who exported what, of which version, and how many rows."""
    job = task.job
    rows = ", ".join(f"{layer.name} {layer.record_count:,}" for layer in layers if not layer.error)
    return AuditRecord(
        county_id=job.county_id,
        at=now(),
        actor=job.requested_by,
        action=Action.EXPORTED,
        plugin=job.plugin,
        job_id=job.job_id,
        detail=f"{task.plan.export_format} of version {job.dataset_version}: {rows} rows",
    )


def _written(directory: Path, document: Mapping[str, Any]) -> Path:
    path = directory / MANIFEST
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False), encoding="utf-8")
    return path


def _message(task: ExportTask, layers: Sequence[LayerResult]) -> str:
    missing = sum(layer.error is not None for layer in layers)
    text = f"{_records(layers):,} features in {len(layers) - missing} layer(s) as {task.plan.export_format}"
    return f"{text}; {missing} layer(s) could not be written" if missing else text


def _document(
    task: ExportTask,
    layers: Sequence[LayerResult],
    document: Mapping[str, Any],
    size_bytes: int,
    sha256: str,
    keep_days: int,
) -> dict[str, Any]:
    """The result as clients see it: the size is that of all data, the checksum that of the file that is downloaded."""
    return {
        "result_file_size_kb": round(size_bytes / 1024, 1),
        "result_record_count": _records(layers),
        "file_expires_at": timestamp(datetime.now(UTC) + timedelta(days=keep_days)),
        "sha256": sha256,
        "dataset_version": task.snapshot.version,
        "layers": task.documents(layers),
        "manifest": document,
    }


def _records(layers: Sequence[LayerResult]) -> int:
    return sum(layer.record_count for layer in layers)


def _samples(layers: Sequence[LayerResult], size_bytes: int) -> dict[Any, float]:
    return {FILE_SIZE_KB: size_bytes / 1024, RECORD_COUNT: _records(layers)}
