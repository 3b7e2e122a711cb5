"""Nobody gets in without a token, and no county sees another's."""

from collections.abc import Callable

import httpx
import pytest

from tests.e2e.support import Client

ROUTES = (
    ("POST", "/gis-export/run"),
    ("GET", "/gis-export/status/{job}"),
    ("GET", "/gis-export/results/{job}"),
    ("POST", "/gis-export/cancel/{job}"),
    ("GET", "/gis-export/list"),
    ("GET", "/gis-export/download/{job}"),
    ("GET", "/gis-export/formats/{county}"),
    ("GET", "/gis-export/defaults/{county}"),
    ("GET", "/counties"),
    ("GET", "/counties/{county}"),
)
SOME_JOB = "3e0f9d0c-4a54-4dd6-9b02-9b8f6a2a1111"


@pytest.mark.parametrize(("method", "route"), ROUTES)
@pytest.mark.parametrize(("header", "status"), [(None, 401), ("Bearer nonsense", 403), ("Basic eDp5", 403)])
def test_without_a_valid_token_no_route_answers(
    gis: Client, method: str, route: str, header: str | None, status: int
) -> None:
    url = f"{gis.address}/api/v1{route.format(job=SOME_JOB, county=gis.county)}"

    response = httpx.request(method, url, headers={"authorization": header} if header else {})

    assert response.status_code == status


@pytest.mark.parametrize("route", ["health", "openapi.json", "docs"])
def test_what_is_open_is_open(gis: Client, route: str) -> None:
    assert httpx.get(f"{gis.address}/api/v1/{route}").status_code == 200


@pytest.mark.parametrize(
    ("role", "runs"),
    [("Assessor", True), ("GISStaff", True), ("ITAdmin", True), ("Auditor", False), ("ValuationStaff", False)],
)
def test_a_role_runs_what_it_may_and_views_all(
    as_role: Callable[..., Client], gis: Client, role: str, runs: bool
) -> None:
    job = gis.submit()
    gis.wait(job)
    client = as_role(role)

    body = {"county_id": client.county, "export_format": "GPKG", "layers": ["zoning"]}
    response = client.post("/gis-export/run", body)

    assert response.status_code == (202 if runs else 403), response.text
    if not runs:
        assert (response.json()["error"], response.json()["message"]) == ("Forbidden", "Insufficient permissions")
    assert client.get(f"/gis-export/status/{job['job_id']}").status_code == 200
    assert client.get(f"/gis-export/results/{job['job_id']}").status_code == 200


def test_another_county_s_job_is_as_unknown_as_none(as_role: Callable[..., Client], gis: Client) -> None:
    job = gis.submit()
    gis.wait(job)
    stranger = as_role("Assessor", "elsewhere")

    def answer(job_id: str, method: str, route: str) -> tuple[int, str]:
        response = stranger.http.request(method, f"/api/v1/gis-export/{route}/{job_id}")
        return response.status_code, response.json()["message"].replace(job_id, "…")

    for method, route in (("GET", "status"), ("GET", "results"), ("GET", "download"), ("POST", "cancel")):
        assert answer(job["job_id"], method, route) == answer(SOME_JOB, method, route)
        assert answer(job["job_id"], method, route)[0] == 404
    assert stranger.get("/gis-export/list", county_id=gis.county).json() == {"items": [], "next_cursor": None}
    listed = stranger.get("/gis-export/list").json()["items"]
    assert job["job_id"] not in {item["job_id"] for item in listed}


def test_another_county_is_not_to_be_seen(as_role: Callable[..., Client], gis: Client) -> None:
    stranger = as_role("Assessor", "elsewhere")

    assert [c["county_id"] for c in stranger.get("/counties").json()["items"]] == ["elsewhere"]
    assert stranger.get(f"/counties/{gis.county}").status_code == 404
    body = {"county_id": gis.county, "export_format": "GPKG", "layers": ["parcels"]}
    assert stranger.post("/gis-export/run", body).status_code == 403
    assert stranger.get(f"/gis-export/defaults/{gis.county}").status_code == 403


def test_an_it_admin_sees_all(as_role: Callable[..., Client], gis: Client) -> None:
    job = gis.submit()
    gis.wait(job)
    admin = as_role("ITAdmin", "none_of_them")

    assert {"sample", "elsewhere"} <= {c["county_id"] for c in admin.get("/counties").json()["items"]}
    assert admin.get(f"/gis-export/status/{job['job_id']}").status_code == 200
    assert job["job_id"] in {i["job_id"] for i in admin.get("/gis-export/list", limit=100).json()["items"]}
