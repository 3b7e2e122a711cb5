"""The work of a batch: which properties, chunk by chunk, and one file of all chunks.

Chunks are files in the results bucket below the job's `work/`. The same chunk of the same job has the same bytes,
whoever makes it and however often.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from terrafusion.errors import FailureReason, JobFailure
from terrafusion.filters import check
from terrafusion.filters.duckdb import condition
from terrafusion.geopackage import FeatureTable, GeometryKind, write
from terrafusion.jobs.model import Job
from terrafusion.jobs.shares import WorkFolder
from terrafusion.jobs.work import Outcome, Progress, ResultFile, Work
from terrafusion.storage import Storage
from valuation.batch import FLAGS, Review, table
from valuation.models import RollFormat
from valuation.office import Office
from valuation.plan import ValuationPlan
from valuation.records import Ints
from valuation.tables import CountyTables
from valuation.work_folder import SELECTION

CHUNK = 25_000
SELECTED_PERCENT = 30
"""A batch's progress when its properties are selected and the model is there."""
NAMED = 20
"""So many unknown properties are named; more are counted."""
MEDIA_TYPES = {
    RollFormat.PARQUET: ("parquet", "application/vnd.apache.parquet"),
    RollFormat.CSV: ("csv", "text/csv; charset=utf-8"),
    RollFormat.GEOPACKAGE: ("gpkg", "application/geopackage+sqlite3"),
}


def select(office: Office, results: Storage, job: Job, progress: Progress) -> int:
    """Decide which properties, have the model at hand, and note both; gives the number of chunks.

    Raises
    ------
    JobFailure
        `property_not_found` when none is selected; what keeps a model from being trained.
    """
    plan = ValuationPlan.from_document(job.parameters)
    tables = office.tables(job.county_id, job.dataset_version)
    rows, unknown = _rows(tables, plan)
    if not len(rows):
        raise JobFailure(FailureReason.PROPERTY_NOT_FOUND, _nothing(job, plan, unknown))
    day = office.day(tables, plan.day)
    market = office.market(tables, day, lambda fraction, text: progress(SELECTED_PERCENT / 100 * fraction, text))
    document = {
        "rows": rows.tolist(),
        "unknown": unknown,
        "day": day.isoformat(),
        "model_version": market.model.version,
    }
    results.write_json(WorkFolder(results, job).key(SELECTION), document)
    return -(-len(rows) // CHUNK)


def value_chunk(office: Office, results: Storage, job: Job, number: int, directory: Path) -> int:
    """Value one chunk's properties and keep its file; gives how many there are."""
    folder, plan = WorkFolder(results, job), ValuationPlan.from_document(job.parameters)
    selection = results.read_json(folder.key(SELECTION))
    rows = np.array(selection["rows"][number * CHUNK : (number + 1) * CHUNK], np.int64)
    tables = office.tables(job.county_id, job.dataset_version)
    day = office.day(tables, plan.day)
    market = office.market(tables, day, lambda _fraction, _text: None)
    settings = office.catalogue.configuration(job.county_id).valuation
    records = tables.properties(rows)
    days = np.full(len(records), np.datetime64(day, "D").astype(np.int64))
    columns = table(market, records, days, Review(settings.confidence_threshold_for_review, plan.method), workers=2)
    path = directory / _chunk_name(number)
    with duckdb.connect(":memory:", config={"threads": 1}) as database:
        database.register("chunk", columns)
        database.view("chunk").write_parquet(str(path), compression="zstd")
    results.upload(path, folder.key(path.name), MEDIA_TYPES[RollFormat.PARQUET][1])
    return len(records)


def joining(results: Storage) -> Work:
    """Make the function that joins a job's chunks into its result."""

    def work(job: Job, directory: Path, progress: Progress) -> Outcome:
        plan, folder = ValuationPlan.from_document(job.parameters), WorkFolder(results, job)
        selection = results.read_json(folder.key(SELECTION))
        chunks = [directory / _chunk_name(at) for at in range(-(-len(selection["rows"]) // CHUNK))]
        for path in chunks:
            progress(0.9, "Joining the chunks")
            results.download(folder.key(path.name), path)
        extension, media_type = MEDIA_TYPES[plan.output_format]
        path = directory / f"{job.county_id}_values_{job.job_id[:8]}.{extension}"
        with duckdb.connect(":memory:", config={"memory_limit": "1024MB", "threads": 2}) as database:
            database.read_parquet([str(chunk) for chunk in chunks]).create_view("valued")
            _write(database, plan.output_format, path)
            found = summary(database)
        unknown = selection["unknown"]
        return Outcome(
            message=f"{found['properties']:,} properties, {found['needs_review']:,} to be reviewed",
            document={
                "valuation_date": selection["day"],
                "valuation_method_used": plan.method.value,
                "model_version": selection["model_version"],
                "dataset_version": job.dataset_version,
                "summary": {**found, "unknown_properties": len(unknown), "unknown_examples": unknown[:NAMED]},
            },
            file=ResultFile(path, path.name, media_type, "result_location"),
        )

    return work


def summary(database: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """What the values come to, in all and by class."""
    every = _totals(database, "'all'")[0]
    classes = _totals(database, "coalesce(nullif(property_class, ''), 'not recorded')")
    flagged = ", ".join(f"count(*) FILTER ({name})" for name in FLAGS)
    counts = database.execute(f"SELECT {flagged} FROM valued").fetchall()[0]  # noqa: S608  names of ours
    return {
        **{name: value for name, value in every.items() if name != "group"},
        "flags": dict(zip(FLAGS, counts, strict=True)),
        "by_property_class": {part.pop("group"): part for part in classes},
    }


def _totals(database: duckdb.DuckDBPyConnection, group: str) -> list[dict[str, Any]]:
    query = f"""
        SELECT {group} AS "group", count(*) AS properties, count(*) FILTER (isfinite(estimated_value)) AS valued,
            count(*) FILTER (needs_review) AS needs_review,
            sum(estimated_value) FILTER (isfinite(estimated_value)) AS total_value,
            median(estimated_value) FILTER (isfinite(estimated_value)) AS median_value,
            median(change_percent) FILTER (isfinite(change_percent)) AS median_change_percent,
            round(avg(confidence_score) FILTER (isfinite(confidence_score)), 4) AS mean_confidence
        FROM valued GROUP BY 1 ORDER BY 1"""  # noqa: S608  an expression of ours
    result = database.execute(query)
    names = [str(column[0]) for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _write(database: duckdb.DuckDBPyConnection, output_format: RollFormat, path: Path) -> None:
    if output_format is RollFormat.GEOPACKAGE:
        _write_geopackage(database, path)
        return
    values = database.view("valued")
    if output_format is RollFormat.PARQUET:
        values.write_parquet(str(path), compression="zstd")
    else:
        values.write_csv(str(path), header=True)


def _write_geopackage(database: duckdb.DuckDBPyConnection, path: Path) -> None:
    result = database.execute("SELECT * FROM valued")
    names = [str(column[0]) for column in result.description or ()]
    rows: Sequence[tuple[Any, ...]] = result.fetchall()
    columns: Mapping[str, Sequence[Any]] = dict(zip(names, zip(*rows, strict=True), strict=True))
    shapes = [(lon, lat) if lon is not None and lat is not None else None for lon, lat in _pairs(columns)]
    write(path, [FeatureTable("values", GeometryKind.POINT, columns, shapes, "Estimated values of properties")])


def _pairs(columns: Mapping[str, Sequence[Any]]) -> list[tuple[Any, Any]]:
    return list(zip(columns["lon"], columns["lat"], strict=True))


def _rows(tables: CountyTables, plan: ValuationPlan) -> tuple[Ints, list[str]]:
    """Rows of the properties that are wanted, and ids that no property has."""
    if plan.property_ids is not None:
        return tables.rows_of(plan.property_ids)
    if plan.filter is not None:
        text, values = condition(check(plan.filter, tables.snapshot.layers["properties"].fields))
        return tables.select(text, list(values)), []
    return tables.select(), []


def _nothing(job: Job, plan: ValuationPlan, unknown: list[str]) -> str:
    if plan.filter is not None:
        return f"The filter selects none of the properties of county '{job.county_id}'."
    if unknown:
        named = ", ".join(unknown[:NAMED])
        return f"County '{job.county_id}' has none of the {len(unknown):,} properties asked for: {named}."
    return f"County '{job.county_id}' has no properties."


def _chunk_name(number: int) -> str:
    return f"chunk-{number:05}.parquet"
