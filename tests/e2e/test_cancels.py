"""A cancelled export stops wherever it is, and leaves nothing that could be downloaded."""

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.support import TERMINAL, Client, LocalCloud, load_sample, terrafusion, wait_until
from tests.e2e.test_crashes import WORKER

COUNTY = "cancelled"
POINTS = {
    "writing": re.compile(r"\.parts/.*\.dbf$"),
    "packing": re.compile(r"\.stages/.*\.zip$"),
    "keeping": re.compile(r"/terrafusion-[^/]*/[^/]*\.zip$"),
}
"""The file that a worker has open there."""
TRIES = 20
"""A point may be passed between being seen and being held at; then another job is taken."""


@pytest.fixture(scope="module")
def loaded(cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> LocalCloud:
    """A county whose export takes long enough to be caught in the middle."""
    folder = tmp_path_factory.mktemp("large")
    terrafusion("sample", "--parcels", "20000", "--output", str(folder))
    load_sample(cloud, COUNTY, folder, ("parcels",))
    return cloud


@pytest.fixture
def analyst(loaded: LocalCloud, as_role: Callable[..., Client]) -> Client:
    return as_role("GISStaff", COUNTY)


def opened(pid: int) -> list[str]:
    """The files that a process has open."""
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(str(entry.readlink()))
        except FileNotFoundError:  # closed meanwhile
            continue
    return found


def held(client: Client, workers: list[int], point: re.Pattern[str]) -> tuple[dict[str, Any], int, str] | None:
    """A job whose worker is stopped with such a file open; None where the job was over too soon."""
    job = client.submit("Shapefile")
    while client.get(f"/gis-export/status/{job['job_id']}").json()["status"] not in TERMINAL:
        for pid in workers:
            file = next((name for name in opened(pid) if point.search(name)), None)
            if file:
                os.kill(pid, signal.SIGSTOP)
                return job, pid, file
    return None


@pytest.mark.parametrize("point", POINTS.values(), ids=POINTS.keys())
def test_wherever_it_is_nothing_is_left(loaded: LocalCloud, analyst: Client, point: re.Pattern[str]) -> None:
    analyst.result(analyst.submit("Shapefile"))  # there is a worker
    workers = loaded.workers(WORKER)
    for _ in range(TRIES):
        caught = held(analyst, workers, point)
        if caught is None:
            continue
        job, worker, file = caught
        try:
            answer = analyst.post(f"/gis-export/cancel/{job['job_id']}")
        finally:
            os.kill(worker, signal.SIGCONT)
        if answer.status_code == 200:
            break
        assert analyst.wait(job)["status"] == "COMPLETED"
    else:
        pytest.fail(f"no job was caught at {point.pattern}")

    wait_until(lambda: file not in opened(worker))
    wait_until(lambda: not Path(file).exists())
    assert analyst.result(analyst.submit("CSV"))["result_record_count"] == 20_000  # whoever worked on it is free again
    assert analyst.wait(job)["status"] == "CANCELLED"
    assert analyst.get(f"/gis-export/download/{job['job_id']}").status_code == 409
    assert analyst.get(f"/gis-export/results/{job['job_id']}").json()["result"] is None
    assert kept(loaded, job) == []


def kept(cloud: LocalCloud, job: dict[str, Any]) -> list[str]:
    """The keys below a job's folder of results."""
    client = cloud.client("s3")
    bucket = next(b["Name"] for b in client.list_buckets()["Buckets"] if "-results-" in b["Name"])
    prefix = f"results/gis-export/{COUNTY}/{job['job_id']}/"
    listed = client.list_objects_v2(Bucket=bucket, Prefix=prefix)
    return [entry["Key"] for entry in listed.get("Contents", ())]
