"""After all else: no log holds a token or a signed link. The file's name makes it the last of the end-to-end tests."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.e2e.support import Client, LocalCloud, terrafusion

TOKEN = re.compile(
    rb"eyJ[A-Za-z0-9_-]{8,}(?:\.|%2E|\\u002e)[A-Za-z0-9_-]{8,}(?:\.|%2E|\\u002e)[A-Za-z0-9_-]*", re.IGNORECASE
)
LINK = re.compile(rb"X-Amz-(?:Signature|Credential|Security-Token)", re.IGNORECASE)
SECRETS = {"a token": TOKEN, "a signed link": LINK}


@pytest.fixture
def busy(cloud: LocalCloud, as_role: Callable[..., Client], tmp_path: Path) -> dict[str, str]:
    """Every way in which tokens and links travel, once more; gives a token and a link that were used."""
    gis = as_role("GISStaff")
    job = gis.submit()
    link = gis.result(job)["download_url"]
    redirect = gis.get(f"/gis-export/download/{job['job_id']}").headers["location"]
    for url in (link, redirect, link[:-1], link.replace("X-Amz-Expires=", "X-Amz-Expires=9")):
        httpx.get(url, timeout=60)
    httpx.put(link, content=b"x", timeout=60)
    token = gis.http.headers["authorization"].removeprefix("Bearer ")
    payload = base64.urlsafe_b64encode(json.dumps({"sub": "eve"}).encode()).decode().rstrip("=")
    for refused in (
        f"Bearer {token}x",
        f"Bearer {token}, {token}",
        f"Basic {token}",
        f"Bearer {token[:40]}.{payload}.x",
    ):
        httpx.get(f"{gis.address}/api/v1/counties", headers={"authorization": refused})
    httpx.get(f"{gis.address}/api/v1/counties", params={"token": token, "next": link})
    httpx.get(f"{gis.address}/api/v1/gis-export/status/{token}", headers=dict(gis.http.headers))
    state = ["--state", str(cloud.state)]
    terrafusion("export", gis.county, "-f", "GPKG", "-l", "zoning", "-o", str(tmp_path / "a.gpkg"), *state)
    terrafusion("results", job["job_id"], *state)
    terrafusion("download", job["job_id"], "-o", str(tmp_path / "b.gpkg"), *state)
    return {"token": token, "link": link}


@pytest.fixture
def logs(busy: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Everything that this run's clouds and their functions wrote, by file, and that moved aside as well."""
    run = tmp_path_factory.getbasetemp()
    return {str(path.relative_to(run)): path.read_bytes() for path in run.rglob("*.log*") if path.is_file()}


def test_the_search_finds_what_it_looks_for(busy: dict[str, str]) -> None:
    assert TOKEN.search(f"refused {busy['token']} of somebody".encode())
    assert LINK.search(json.dumps({"url": busy["link"]}).encode())


def test_no_log_holds_a_token_or_a_signed_link(logs: dict[str, bytes]) -> None:
    found = [
        f"{what} in {name}: {content[max(0, hit.start() - 120) : hit.start() + 20]!r}"
        for name, content in logs.items()
        for what, secret in SECRETS.items()
        for hit in [secret.search(content)]
        if hit
    ]
    assert found == []


def test_the_logs_that_were_searched_are_those_of_the_calls(cloud: LocalCloud, logs: dict[str, bytes]) -> None:
    folder = cloud.state.relative_to(cloud.state.parents[1])

    assert b"/api/v1/gis-export/download/{job_id}" in logs[f"{folder}/logs/access.log"]
    assert b"token refused" in logs[f"{folder}/logs/AuthorizerFunction.log"]
    assert f"{folder}.log" in logs, "what the cloud itself prints"
