"""Models and batches on the real engines: a step again changes nothing, and what has expired comes back the same."""

import csv
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from cli.publishing import publish_file
from terrafusion.counties import Catalogue
from terrafusion.jobs.model import Job, JobStatus
from terrafusion.jobs.shares import WorkFolder
from terrafusion.storage import Storage
from tests.unit.valuation_cases.counties import columns
from valuation import batch_job
from valuation.batch_job import joining, select, value_chunk
from valuation.library import MODEL, TREES
from valuation.office import Office

COUNTY = "chunks"


def told(_fraction: float, _message: str) -> None:
    """Nobody listens."""


def write_csv(path: Path, table: dict[str, Any]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table)
        writer.writerows(zip(*(np.asarray(values).astype(str) for values in table.values()), strict=True))
    return path


@pytest.fixture(scope="module")
def version(data: Storage, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The dataset version of a county of 1,200 properties."""
    folder = tmp_path_factory.mktemp("county")
    sales, properties = columns(400)
    sales["is_valid"] = sales["is_valid"].astype(bool)
    for name, table in (("properties", properties), ("sales", sales)):
        file = write_csv(folder / f"{name}.csv", table)
        key = "property_id" if name == "properties" else "sale_id"
        _, found = publish_file(Catalogue(data), COUNTY, name, file, key=key)
    return found


@pytest.fixture
def office(data: Storage, tmp_path: Path) -> Office:
    return Office(Catalogue(data), data, tmp_path / "tables")


def batch(version: str, **parameters: Any) -> Job:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    document = {
        "mode": "batch",
        "property_id": None,
        "property_ids": None,
        "filter": None,
        "valuation_method_hint": "reconciled",
        "valuation_date": None,
        "parameters": {"report": False, "output_format": "csv"},
    }
    return Job(
        job_id=str(uuid.uuid4()),
        plugin="valuation",
        county_id=COUNTY,
        status=JobStatus.RUNNING,
        message="",
        parameters={**document, **parameters},
        requested_by="ada",
        dataset_version=version,
        created_at=moment,
        updated_at=moment,
    )


def test_a_chunk_made_twice_has_the_same_bytes_and_all_chunks_make_the_roll(
    office: Office, results: Storage, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_job, "CHUNK", 500)
    job = batch(version)
    folder = WorkFolder(results, job)

    assert select(office, results, job, told) == 3  # type: ignore[arg-type]
    made: list[list[bytes]] = []
    for _ in range(2):
        counts = [value_chunk(office, results, job, number, tmp_path) for number in (2, 0, 1)]
        made.append([results.read(folder.key(f"chunk-{number:05}.parquet")) for number in range(3)])

    assert counts == [200, 500, 500]
    assert made[0] == made[1]
    outcome = joining(results)(job, tmp_path, told)  # type: ignore[arg-type]
    assert outcome.file is not None
    rows = duckdb.read_csv(str(outcome.file.path)).fetchall()
    assert [row[0] for row in rows] == [f"P-{at:06}" for at in range(1200)]
    assert outcome.document["summary"]["properties"] == 1200


def test_a_model_that_has_expired_is_trained_again_to_the_same_bytes(
    office: Office, data: Storage, version: str, tmp_path: Path
) -> None:
    tables = office.tables(COUNTY, version)
    day = office.day(tables, None)
    kept = office.model_version(tables, day)
    office.market(tables, day, told)
    keys = [f"models/{COUNTY}/{kept}/{name}" for name in (TREES, MODEL)]
    first = [data.read(key) for key in keys]

    for key in keys:
        data.delete(key)
    Office(Catalogue(data), data, tmp_path / "again").market(tables, day, told)

    assert [data.read(key) for key in keys] == first


def test_a_kept_model_is_not_written_over(office: Office, data: Storage, version: str) -> None:
    tables = office.tables(COUNTY, version)
    day = office.day(tables, None)
    office.market(tables, day, told)
    key = f"models/{COUNTY}/{office.model_version(tables, day)}/{MODEL}"
    tag = data.read_with_tag(key)[1]

    office.trained(tables, day, told)

    assert data.read_with_tag(key)[1] == tag


@pytest.mark.parametrize(
    ("properties", "selected"),
    [({"property_ids": ["P-000007", "nowhere", "P-000003"]}, [3, 7]), ({"property_ids": None}, list(range(1200)))],
)
def test_a_selection_notes_the_rows_that_are_wanted(
    office: Office, results: Storage, version: str, properties: dict[str, Any], selected: list[int]
) -> None:
    job = batch(version, **properties)
    select(office, results, job, told)  # type: ignore[arg-type]
    document = results.read_json(WorkFolder(results, job).key("selection.json"))
    assert document["rows"] == selected
    assert document["unknown"] == (["nowhere"] if properties["property_ids"] else [])
