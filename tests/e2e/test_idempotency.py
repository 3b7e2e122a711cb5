"""A request that is sent again under its key finds its job."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.e2e.support import Client


def run(client: Client, key: str, **changes: Any) -> httpx.Response:
    body = {"county_id": client.county, "export_format": "GeoJSON", "layers": ["zoning"], **changes}
    return client.post("/gis-export/run", body, headers={"idempotency-key": key})


def test_the_same_key_and_body_are_answered_with_the_same_job(gis: Client) -> None:
    key = str(uuid.uuid4())

    first, second = run(gis, key), run(gis, key)
    gis.wait(first.json())
    third = run(gis, key)

    assert {r.status_code for r in (first, second, third)} == {202}
    assert len({r.json()["job_id"] for r in (first, second, third)}) == 1
    assert third.json()["status"] == "COMPLETED"
    assert third.headers["location"] == first.headers["location"]
    assert [r.headers["idempotency-replayed"] for r in (first, second, third)] == ["false", "true", "true"]


def test_a_default_may_be_said_or_left_out(gis: Client) -> None:
    """A member that a later version of the platform adds, with a default, leaves old requests what they were."""
    key = str(uuid.uuid4())

    first, second = run(gis, key), run(gis, key, parameters={"clip": False, "spatial_predicate": "intersects"})

    assert first.json()["job_id"] == second.json()["job_id"]


def test_the_same_key_with_another_body_is_a_conflict(gis: Client) -> None:
    key = str(uuid.uuid4())
    run(gis, key)

    response = run(gis, key, export_format="KML")

    assert response.status_code == 409
    assert "Idempotency-Key" in response.json()["message"]


def test_somebody_else_s_key_is_another(as_role: Callable[..., Client], gis: Client) -> None:
    key = str(uuid.uuid4())

    assert run(gis, key).json()["job_id"] != run(as_role("Assessor", "sample"), f"{key}-").json()["job_id"]


def test_twelve_at_once_make_one_job(gis: Client) -> None:
    key = str(uuid.uuid4())

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: run(gis, key), range(12)))

    assert {a.status_code for a in answers} == {202}
    assert len({a.json()["job_id"] for a in answers}) == 1


def test_a_request_that_was_refused_does_not_take_its_key(gis: Client) -> None:
    key = str(uuid.uuid4())

    assert run(gis, key, layers=["no_such_layer"]).status_code == 422
    assert run(gis, key).status_code == 202


@pytest.mark.parametrize("key", ["x" * 256, "with blank", "\x7f"])
def test_a_key_that_is_none_is_refused(gis: Client, key: str) -> None:
    response = run(gis, key)

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == "Idempotency-Key"
