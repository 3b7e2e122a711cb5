"""How long an export goes on after it was cancelled, in the local cloud."""

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.support import TERMINAL, Client, LocalCloud, terrafusion

COUNTY, WORKER = "bench", "GisExportWorkerFunction"
LONGEST, LOADING = 120.0, 3_600.0


@dataclass(frozen=True, slots=True)
class Stop:
    """Seconds from the cancel until the worker has let go of the job's files."""

    point: str
    export_format: str
    seconds: float


POINTS: Sequence[tuple[str, str, Callable[[dict[str, Any]], bool]]] = (
    ("writing", "GPKG", lambda status: 20 <= status["progress"] < 80),
    ("writing its index", "FlatGeobuf", lambda status: status["progress"] >= 90),
    ("packing", "Shapefile", lambda status: "Packing" in status["message"]),
    ("packing", "FileGDB", lambda status: "Packing" in status["message"]),
)


def seconds_to_stop(folder: Path, geopackage: Path, runs: int) -> list[Stop]:
    """Cancel exports at several points; a point that a job runs past within a second is left out."""
    cloud = LocalCloud(folder / "state")
    cloud.start()
    try:
        load = ("load", COUNTY, "parcels", str(geopackage), "--key", "property_id", "--state", str(cloud.state))
        terrafusion(*load, timeout=LOADING)
        headers = {"authorization": f"Bearer {cloud.token('GISStaff', COUNTY)}"}
        with httpx.Client(base_url=cloud.url, headers=headers, timeout=60) as http:
            client = Client(http, COUNTY)
            client.result(client.submit("GPKG", parameters={"filter": "year_built > 2100"}))  # a worker is there
            (worker,) = cloud.workers(WORKER)
            found = []
            for point, export_format, there in POINTS:
                times = [_stopped(client, worker, export_format, there) for _ in range(runs)]
                seen = [seconds for seconds in times if seconds is not None]
                found += [Stop(point, export_format, statistics.median(seen))] if seen else []
            return found
    finally:
        cloud.stop()


def _stopped(client: Client, worker: int, export_format: str, there: Callable[[dict[str, Any]], bool]) -> float | None:
    job = client.submit(export_format)
    while True:
        status = client.http.get(job["links"]["status"]).json()
        if status["status"] in TERMINAL:
            return None
        if status["status"] == "RUNNING" and there(status):
            break
        time.sleep(0.02)
    started = time.perf_counter()
    if client.post(f"/gis-export/cancel/{job['job_id']}").status_code != 200:
        return None
    while _works(worker, job["job_id"]) and time.perf_counter() - started < LONGEST:
        time.sleep(0.01)
    return time.perf_counter() - started


def _works(pid: int, job_id: str) -> bool:
    """Whether the process has a file of the job open, which has the beginning of its id in its name."""
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            if job_id[:8] in str(entry.readlink()):
                return True
    return False
