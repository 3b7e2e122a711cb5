"""What must hold when processes die: no job stuck, none lost, nothing half-written served, nothing left running."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import geopandas
import httpx
import pytest

from tests.conftest import is_alive
from tests.e2e.support import TERMINAL, Client, LocalCloud, load_sample, terrafusion, wait_until

WORKER = "GisExportWorkerFunction"


Connect = Callable[[LocalCloud], Client]


@pytest.fixture(scope="module")
def loaded_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of a cloud with a county whose export takes some seconds."""
    folder = tmp_path_factory.mktemp("large")
    terrafusion("sample", "--parcels", "20000", "--output", str(folder / "files"))
    here = LocalCloud(folder / "state")
    here.start()
    load_sample(here, "sample", folder / "files", ("parcels", "zoning", "roads", "sales"))
    here.stop()
    return here.state


@pytest.fixture
def own_cloud(tmp_path: Path, loaded_state: Path) -> Iterator[LocalCloud]:
    """A cloud that a test may mistreat."""
    here = LocalCloud(Path(shutil.copytree(loaded_state, tmp_path / "state")))
    here.start()
    yield here
    if here.is_running:
        here.stop()


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes clients of a cloud, as a GIS analyst."""
    with ExitStack() as clients:

        def make(cloud: LocalCloud) -> Client:
            headers = {"authorization": f"Bearer {cloud.token('GISStaff', 'sample')}"}
            return Client(
                clients.enter_context(httpx.Client(base_url=cloud.url, headers=headers, timeout=60)), "sample"
            )

        yield make


def running(client: Client, cloud: LocalCloud) -> tuple[dict[str, str], int]:
    """A job in the middle of its export, and the process that works on it, which is held there."""
    job = client.submit("KML", ("parcels", "zoning", "roads"))
    wait_until(lambda: client.get(f"/gis-export/status/{job['job_id']}").json()["status"] == "RUNNING")
    (worker,) = wait_until(lambda: cloud.workers(WORKER))
    os.kill(worker, signal.SIGSTOP)
    return job, worker


def test_a_worker_killed_in_the_middle_is_followed_by_another(
    own_cloud: LocalCloud, connect: Connect, tmp_path: Path
) -> None:
    client = connect(own_cloud)
    job, worker = running(client, own_cloud)
    held = client.get(f"/gis-export/status/{job['job_id']}").json()
    assert held["status"] == "RUNNING"
    assert client.get(f"/gis-export/download/{job['job_id']}").status_code == 409

    os.kill(worker, signal.SIGKILL)

    path = client.fetch(job, tmp_path)
    assert path.read_bytes().rstrip().endswith(b"</kml>")
    done = client.wait(job)
    assert (done["status"], done["failure_reason"]) == ("COMPLETED", None)


def crash_every_worker(client: Client, cloud: LocalCloud, job: dict[str, Any]) -> None:
    """Kill each worker until the job is over: it has failed, says why, and hands out nothing."""
    deadline = time.monotonic() + 60
    while (last := client.get(f"/gis-export/status/{job['job_id']}").json())["status"] not in TERMINAL:
        assert time.monotonic() < deadline
        for pid in cloud.workers(WORKER):
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)

    assert (last["status"], last["failure_reason"]) == ("FAILED", "worker_crashed")
    assert client.get(f"/gis-export/results/{job['job_id']}").json()["result"] is None
    assert client.get(f"/gis-export/download/{job['job_id']}").status_code == 409


def test_a_worker_that_dies_every_time_fails_the_job_with_a_reason(own_cloud: LocalCloud, connect: Connect) -> None:
    client = connect(own_cloud)
    job, worker = running(client, own_cloud)

    crash_every_worker(client, own_cloud, job)

    text = httpx.get(f"{own_cloud.url}/metrics").text
    assert (
        'gis_export_jobs_failed_total{county_id="sample",export_format="KML",failure_reason="worker_crashed"} 1.0'
        in text
    )
    assert worker not in own_cloud.processes()


def test_after_a_restart_all_is_as_it_was_and_unfinished_jobs_run_on(
    own_cloud: LocalCloud, connect: Connect, tmp_path: Path
) -> None:
    client = connect(own_cloud)
    finished = client.submit("FlatGeobuf", ("roads",))
    result = client.result(finished)
    layers = client.get("/counties/sample").json()["layers"]
    unfinished, worker = running(client, own_cloud)
    waiting = [client.submit("GeoJSON", ("zoning",)) for _ in range(4)]
    processes = own_cloud.processes()
    assert worker in processes

    os.kill(worker, signal.SIGCONT)
    assert own_cloud.stop(signal.SIGINT) == 0
    assert not [pid for pid in processes if is_alive(pid)]
    own_cloud.start()

    again = connect(own_cloud)
    assert again.get("/counties/sample").json()["layers"] == layers
    assert again.result(finished)["sha256"] == result["sha256"]
    if httpx.URL(result["download_url"]).port == httpx.URL(str(own_cloud.run["aws_url"])).port:
        assert httpx.get(result["download_url"]).status_code == 200
    for job in (unfinished, *waiting):
        assert again.wait(job)["status"] == "COMPLETED"
    assert again.fetch(unfinished, tmp_path).stat().st_size > 1_000_000


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_the_cloud_ends_no_process_stays_and_it_starts_again(
    own_cloud: LocalCloud, connect: Connect, how: signal.Signals
) -> None:
    client = connect(own_cloud)
    jobs = [client.submit("GeoJSON", ("parcels",)) for _ in range(3)]
    wait_until(lambda: own_cloud.workers(WORKER))
    processes = own_cloud.processes()

    own_cloud.stop(how)

    wait_until(lambda: not [pid for pid in processes if is_alive(pid)])
    own_cloud.start()
    again = connect(own_cloud)
    assert {again.wait(job)["status"] for job in jobs} == {"COMPLETED"}
    listed = {item["job_id"] for item in again.get("/gis-export/list").json()["items"]}
    assert listed == {job["job_id"] for job in jobs}


def test_a_job_of_a_queue_is_taken_up_again_when_the_cloud_was_killed(own_cloud: LocalCloud, connect: Connect) -> None:
    """Its message is given again at once, and the lease of the dead worker must not keep it from the next."""
    token = own_cloud.token("MarketAnalyst", "sample")
    with httpx.Client(base_url=own_cloud.url, headers={"authorization": f"Bearer {token}"}, timeout=60) as http:
        client = Client(http, "sample")
        job = client.run("market-analysis", {"analysis_type": "hotspots", "parameters": {"permutations": 99_999}})
        (worker,) = wait_until(lambda: own_cloud.workers("MarketAnalysisWorkerFunction"))
        wait_until(lambda: http.get(job["links"]["status"]).json()["status"] == "RUNNING")
        os.kill(worker, signal.SIGSTOP)
        assert http.get(job["links"]["status"]).json()["status"] == "RUNNING"
    own_cloud.stop(signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.kill(worker, signal.SIGKILL)

    own_cloud.start()

    with httpx.Client(base_url=own_cloud.url, headers={"authorization": f"Bearer {token}"}, timeout=60) as http:
        assert Client(http, "sample").wait(job)["status"] == "COMPLETED"


@pytest.mark.parametrize("command", [("up", "--port", "0"), ("load", "sample", "zoning", "nowhere.gpkg")])
def test_a_state_that_is_no_folder_is_said_in_a_line(command: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    done = terrafusion(*command, "--state", str(tmp_path / "file"), check=False)

    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert str(tmp_path / "file") in done.stderr.replace("\n", "")


def test_a_second_cloud_on_the_same_folder_or_port_says_so(
    own_cloud: LocalCloud, connect: Connect, tmp_path: Path
) -> None:
    port = str(httpx.URL(own_cloud.url).port)

    same_state = terrafusion("up", "--port", "0", "--state", str(own_cloud.state), check=False)
    same_port = terrafusion("up", "--port", port, "--state", str(tmp_path / "other"), check=False)

    assert (same_state.returncode, same_port.returncode) == (1, 1)
    assert str(own_cloud.run["pid"]) in same_state.stderr
    assert port in same_port.stderr
    assert "--port" in same_port.stderr
    assert connect(own_cloud).get("/counties").status_code == 200


PARTS = {"parameters": {"features_per_part": 2_500}}


def parted(client: Client, cloud: LocalCloud) -> tuple[dict[str, str], list[int]]:
    """A job whose parts are being made, and the processes that may be at it, which are held there."""
    job = client.submit("KML", ("parcels",), **PARTS)

    def has_begun() -> bool:
        document = client.get(f"/gis-export/status/{job['job_id']}").json()
        assert document["status"] not in TERMINAL, document
        return "parts are done" in document["message"]

    wait_until(has_begun)
    workers = cloud.workers(WORKER)
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    return job, workers


def test_workers_killed_in_their_parts_are_followed_by_others(
    own_cloud: LocalCloud, connect: Connect, tmp_path: Path
) -> None:
    client = connect(own_cloud)
    job, workers = parted(client, own_cloud)
    assert client.get(f"/gis-export/download/{job['job_id']}").status_code == 409

    for pid in workers:
        os.kill(pid, signal.SIGKILL)

    result = client.result(job)
    keys: list[str] = []
    for file in result["files"][1:]:
        path = tmp_path / file["name"]
        path.write_bytes(httpx.get(file["download_url"]).content)
        keys += list(geopandas.read_file(path)["property_id"])
    assert len(result["files"]) == 9
    assert len(keys) == len(set(keys)) == 20_000 == result["result_record_count"]


def test_a_part_whose_worker_dies_every_time_fails_the_job(own_cloud: LocalCloud, connect: Connect) -> None:
    client = connect(own_cloud)
    job, _ = parted(client, own_cloud)

    crash_every_worker(client, own_cloud, job)


def test_cancelling_stops_the_parts_and_leaves_nothing_to_download(own_cloud: LocalCloud, connect: Connect) -> None:
    client = connect(own_cloud)
    job, workers = parted(client, own_cloud)

    cancelled = client.post(f"/gis-export/cancel/{job['job_id']}").json()
    for pid in workers:
        os.kill(pid, signal.SIGCONT)

    assert cancelled["status"] == "CANCELLED"
    after = client.result(client.submit("GeoJSON", ("zoning",)))  # the workers are free again
    assert after["result_record_count"] > 0
    last = client.get(f"/gis-export/status/{job['job_id']}").json()
    assert (last["status"], last["progress"]) == ("CANCELLED", cancelled["progress"])
    assert client.get(f"/gis-export/results/{job['job_id']}").json()["result"] is None
    assert client.get(f"/gis-export/download/{job['job_id']}").status_code == 409
    bucket = own_cloud.run["buckets"]["ResultsBucket"]
    prefix = f"results/gis-export/sample/{job['job_id']}/"
    listed = own_cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]
    assert all("/work/" in entry["Key"] for entry in listed), "no result was written"
