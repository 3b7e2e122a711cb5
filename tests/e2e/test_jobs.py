"""A job from its acceptance to its end: documents, lists, cancels, links."""

import re
import time
from collections.abc import Callable
from datetime import datetime

import httpx
import pytest

from tests.e2e.support import TERMINAL, Client, LocalCloud

DOCUMENT = {
    "job_id", "plugin", "county_id", "status", "message", "failure_reason", "progress", "parameters", "requested_by",
    "dataset_version", "created_at", "updated_at", "started_at", "completed_at", "links", "export_format",
}  # fmt: skip
PROSPECTS = {"queue_position", "estimated_completion_at"}
"""What a job's status tells besides."""


def test_an_accepted_job_is_described_and_located(gis: Client) -> None:
    body = {"county_id": gis.county, "export_format": "shp", "layers": ["zoning"]}

    response = gis.post("/gis-export/run", body)

    document = response.json()
    assert response.status_code == 202
    assert (
        response.headers["location"] == document["links"]["status"] == f"/api/v1/gis-export/status/{document['job_id']}"
    )
    assert set(document) == DOCUMENT
    assert (document["status"], document["progress"], document["export_format"]) == ("PENDING", 0, "Shapefile")
    assert document["parameters"] == {
        "export_format": "Shapefile",
        "layers": ["zoning"],
        "area_of_interest": None,
        "parameters": {
            "spatial_predicate": "intersects", "clip": False, "filter": None, "coordinate_system": "EPSG:4326",
            "simplify_tolerance": 0, "precision": None, "make_valid": False, "attributes": None, "bundle": False,
            "all_or_nothing": False, "since": None, "callback_url": None, "features_per_part": None,
            "include_assessment_data": False, "include_attributes": True,
        },
    }  # fmt: skip


def test_a_finished_job_tells_its_times_in_order(gis: Client) -> None:
    done = gis.wait(gis.submit())

    assert set(done) == DOCUMENT | PROSPECTS
    assert (done["status"], done["progress"], done["failure_reason"]) == ("COMPLETED", 100, None)
    times = [datetime.fromisoformat(done[name]) for name in ("created_at", "started_at", "completed_at")]
    assert times == sorted(times)
    assert done["updated_at"] == done["completed_at"]


def test_the_result_is_null_until_the_job_is_completed(gis: Client) -> None:
    job = gis.submit("KML")

    first = gis.get(f"/gis-export/results/{job['job_id']}").json()
    assert (first["result"] is None) == (first["status"] != "COMPLETED")
    assert gis.result(job) is not None


def test_a_finished_job_cannot_be_cancelled(gis: Client) -> None:
    job = gis.submit()
    gis.wait(job)

    assert gis.post(f"/gis-export/cancel/{job['job_id']}").status_code == 409
    assert gis.wait(job)["status"] == "COMPLETED"


def test_a_cancelled_job_stays_cancelled_and_has_no_file(gis: Client) -> None:
    jobs, answers = [], {}
    for _ in range(6):
        jobs.append(gis.submit("KML", ("parcels", "zoning", "roads")))
        answers[jobs[-1]["job_id"]] = gis.post(f"/gis-export/cancel/{jobs[-1]['job_id']}")

    cancelled = [job for job in jobs if answers[job["job_id"]].status_code == 200]
    assert cancelled, "each was cancelled as soon as it was submitted"
    for job in jobs:
        gis.wait(job)
    time.sleep(1.5)
    for job in cancelled:
        assert gis.wait(job)["status"] == "CANCELLED"
        assert gis.get(f"/gis-export/download/{job['job_id']}").status_code == 409
        assert gis.get(f"/gis-export/results/{job['job_id']}").json()["result"] is None


def test_the_list_is_newest_first_and_pages_join_without_gap_or_overlap(gis: Client) -> None:
    jobs = [gis.submit("GeoJSON", ("neighborhoods",)) for _ in range(5)]
    newest = [job["job_id"] for job in reversed(jobs)]

    first = gis.get("/gis-export/list", limit=2).json()
    second = gis.get("/gis-export/list", limit=2, cursor=first["next_cursor"]).json()

    assert [item["job_id"] for item in first["items"] + second["items"]] == newest[:4]
    after = gis.get("/gis-export/list", created_after=jobs[2]["created_at"], limit=100).json()["items"]
    assert [item["job_id"] for item in after] == newest[:2]
    for job in jobs:
        gis.wait(job)
    states = {i["status"] for i in gis.get("/gis-export/list", status="COMPLETED", limit=100).json()["items"]}
    assert states == {"COMPLETED"}


def test_formats_and_defaults(gis: Client) -> None:
    formats = gis.get(f"/gis-export/formats/{gis.county}").json()["formats"]
    defaults = gis.get(f"/gis-export/defaults/{gis.county}").json()

    assert [f["name"] for f in formats] == [
        "GPKG", "Shapefile", "GeoJSON", "GeoJSONSeq", "FlatGeobuf", "GeoParquet", "KML", "CSV", "FileGDB", "XLSX",
        "DXF", "GML", "MapInfo", "SpatiaLite",
    ]  # fmt: skip
    assert defaults["default_coordinate_system"] == "EPSG:4326"
    assert defaults["max_export_area_sq_km"] == 500
    assert defaults["layers"][0] == "parcels"


def test_a_download_redirects_to_the_file_under_its_name(gis: Client) -> None:
    job = gis.submit()
    result = gis.result(job)

    response = gis.get(f"/gis-export/download/{job['job_id']}")

    assert response.status_code == 302
    file = httpx.get(response.headers["location"])
    assert file.status_code == 200
    assert file.headers["content-disposition"].startswith('attachment; filename="sample_')
    assert len(file.content) == pytest.approx(result["result_file_size_kb"] * 1024, abs=100)


def test_a_link_that_is_changed_in_any_way_is_refused(gis: Client) -> None:
    link = gis.result(gis.submit())["download_url"]
    other = gis.result(gis.submit("GeoJSON"))["download_url"]

    assert httpx.get(link).status_code == 200
    for bad in (
        re.sub(r"X-Amz-Signature=(.)", lambda m: f"X-Amz-Signature={'1' if m[1] == '0' else '0'}", link),
        re.sub(r"X-Amz-Expires=\d+", "X-Amz-Expires=604800", link),
        link.replace("/results/gis-export/", "/results/gis-export//", 1),
        other.split("?")[0] + "?" + link.split("?")[1],
        link.split("?")[0],
        link + "&extra=1",
    ):
        assert bad != link
        assert httpx.get(bad).status_code == 403, bad
    for method in ("PUT", "DELETE", "POST"):
        assert httpx.request(method, link).status_code == 403


def test_the_api_describes_itself(gis: Client) -> None:
    document = httpx.get(f"{gis.address}/api/v1/openapi.json").json()
    page = httpx.get(f"{gis.address}/api/v1/docs").text

    for path in ("/api/v1/gis-export/run", "/api/v1/counties", "/api/v1/gis-export/download/{job_id}"):
        assert path in document["paths"]
        assert path in page
    assert "<script" not in page


def test_fifty_jobs_of_eight_clients_give_fifty_results(
    gis: Client, as_role: Callable[..., Client], cloud: LocalCloud
) -> None:
    """Fifty at once: each ends with the right rows, and the metrics count each once."""
    from concurrent.futures import ThreadPoolExecutor

    work = [("GPKG", "parcels"), ("GeoJSON", "zoning"), ("FlatGeobuf", "roads"), ("CSV", "neighborhoods")]
    counts = {layer["name"]: layer["count"] for layer in gis.get(f"/counties/{gis.county}").json()["layers"]}
    before = totals(gis)

    def one(number: int) -> int:
        export_format, layer = work[number % len(work)]
        result = gis.result(gis.submit(export_format, (layer,)))
        return int(result["result_record_count"]) - counts[layer]

    with ThreadPoolExecutor(8) as clients:
        differences = list(clients.map(one, range(50)))

    assert differences == [0] * 50
    after = totals(gis)
    assert {name: after[name] - before[name] for name in after} == {"submitted": 50, "completed": 50, "failed": 0}


def totals(gis: Client) -> dict[str, int]:
    """The export counters of /metrics, over all labels."""
    text = httpx.get(f"{gis.address}/metrics").text
    return {
        event: int(
            sum(float(v) for v in re.findall(rf"^gis_export_jobs_{event}_total{{[^}}]*}} (\S+)", text, re.MULTILINE))
        )
        for event in ("submitted", "completed", "failed")
    }


assert {"COMPLETED"} < TERMINAL


def test_an_early_year_hides_nothing(gis: Client) -> None:
    gis.wait(gis.submit("CSV", ("zoning",)))
    long_ago = gis.get("/gis-export/list", county_id=gis.county, created_after="0500-01-01T00:00:00Z").json()
    assert long_ago["items"] == gis.get("/gis-export/list", county_id=gis.county).json()["items"] != []
