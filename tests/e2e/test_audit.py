"""What people do with jobs is on record, for those who may read it."""

from collections.abc import Callable
from typing import Any

from tests.e2e.support import Client

As = Callable[..., Client]


def records(client: Client, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = client.get("/audit", **query, **({"cursor": cursor} if cursor else {})).json()
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def test_a_job_s_life_is_on_record(as_role: As, gis: Client) -> None:
    auditor = as_role("Auditor")
    job = gis.submit("GeoJSON", ("zoning",))
    gis.result(job)
    assert gis.get(f"/gis-export/download/{job['job_id']}").status_code == 302

    found = records(auditor, job_id=job["job_id"])

    assert [r["action"] for r in reversed(found)] == ["submitted", "exported", "result_viewed", "downloaded"]
    for record in found:
        assert (record["actor"], record["county_id"], record["plugin"]) == (
            job["requested_by"],
            gis.county,
            "gis-export",
        )
        is_the_worker_s = record["action"] == "exported"
        assert bool(record["request_id"]) is not is_the_worker_s
        assert bool(record["address"]) is not is_the_worker_s
    assert [r["at"] for r in found] == sorted((r["at"] for r in found), reverse=True)


def test_a_cancel_is_on_record_and_one_that_came_too_late_is_not(as_role: As, gis: Client) -> None:
    job = gis.submit("KML", ("parcels", "zoning", "roads"))
    answers = [gis.post(f"/gis-export/cancel/{job['job_id']}").status_code for _ in range(2)]
    gis.wait(job)

    actions = [r["action"] for r in records(as_role("Auditor"), job_id=job["job_id"])]

    assert actions.count("cancelled") == answers.count(200) <= 1
    assert actions.count("submitted") == 1


def test_an_attempt_at_another_county_s_job_is_on_record(as_role: As, gis: Client) -> None:
    job = gis.submit("GeoJSON", ("zoning",))
    gis.wait(job)
    stranger = as_role("Assessor", "elsewhere")

    assert stranger.get(f"/gis-export/results/{job['job_id']}").status_code == 404
    body = {"county_id": gis.county, "export_format": "GPKG", "layers": ["zoning"]}
    assert stranger.post("/gis-export/run", body).status_code == 403

    denied = records(as_role("Auditor"), action="denied")
    assert ("view_gis_export_results", job["job_id"]) in {(r["detail"], r["job_id"]) for r in denied}
    assert ("execute_gis_export", None) in {(r["detail"], r["job_id"]) for r in denied}


def test_results_that_are_not_there_yet_are_no_view(as_role: As, gis: Client) -> None:
    job = gis.submit("KML", ("parcels", "zoning", "roads"))
    early = gis.get(f"/gis-export/results/{job['job_id']}").json()

    actions = [r["action"] for r in records(as_role("Auditor"), job_id=job["job_id"])]

    assert ("result_viewed" in actions) == (early["result"] is not None)
    gis.wait(job)


def test_records_are_filtered_and_paged(as_role: As, gis: Client) -> None:
    jobs = [gis.submit("GeoJSON", ("zoning",)) for _ in range(5)]
    auditor = as_role("Auditor")

    paged = records(auditor, action="submitted", since=jobs[1]["created_at"], limit=2)
    until = records(auditor, action="submitted", since=jobs[1]["created_at"], until=jobs[2]["created_at"])

    assert [r["job_id"] for r in paged][:4] == [job["job_id"] for job in reversed(jobs[1:])]
    assert jobs[0]["job_id"] not in {r["job_id"] for r in paged}
    assert {r["job_id"] for r in until} <= {jobs[1]["job_id"], jobs[2]["job_id"]}
    assert records(auditor, actor="nobody") == []
    for job in jobs:
        gis.wait(job)


def test_only_auditors_and_administrators_read_and_only_their_counties(as_role: As, gis: Client) -> None:
    gis.wait(gis.submit("GeoJSON", ("zoning",)))

    for role in ("Assessor", "GISStaff", "ValuationStaff", "ReportingStaff", "MarketAnalyst"):
        assert as_role(role).get("/audit").status_code == 403
    elsewhere = as_role("Auditor", "elsewhere")
    assert records(elsewhere, county_id=gis.county) == []
    assert {r["county_id"] for r in records(elsewhere)} <= {"elsewhere"}
    assert gis.county in {r["county_id"] for r in records(as_role("ITAdmin", "none_of_them"))}


def test_bad_questions_are_refused(as_role: As, gis: Client) -> None:
    auditor = as_role("Auditor")

    for query in ({"limit": 0}, {"limit": 1000}, {"cursor": "x"}, {"since": "yesterday"}, {"action": "stolen"}):
        assert auditor.get("/audit", **query).status_code == 400
