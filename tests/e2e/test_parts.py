"""Exports in parts, over HTTP: asked for, followed, downloaded, opened as one; and what cannot be parted."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import geopandas
import httpx
import pyogrio
import pytest

from tests.conftest import ogrinfo
from tests.e2e.support import TERMINAL, Client, LocalCloud, terrafusion
from tests.e2e.test_bad_input import check_problem

EACH = 400


@pytest.fixture(scope="module")
def keys(sample_files: Path) -> list[str]:
    """The keys of the county's parcels."""
    return sorted(pyogrio.read_dataframe(sample_files / "sample_county.gpkg", layer="parcels")["property_id"])


def in_parts(**more: Any) -> dict[str, Any]:
    return {"parameters": {"features_per_part": EACH, **more}}


def fetched(result: dict[str, Any], folder: Path) -> list[Path]:
    """Download all that a result names, each checked by its size and checksum; gives the parts."""
    for file in result["files"]:
        content = httpx.get(file["download_url"], timeout=60).content
        assert len(content) == file["size_bytes"]
        assert hashlib.sha256(content).hexdigest() == file["sha256"]
        (folder / file["name"]).write_bytes(content)
    return sorted(path for path in folder.iterdir() if path.name != "manifest.json")


def read(path: Path) -> Any:
    return geopandas.read_parquet(path) if path.suffix == ".parquet" else geopandas.read_file(path)


@pytest.mark.parametrize("export_format", ["GPKG", "Shapefile", "FlatGeobuf", "GeoParquet"])
def test_parts_are_downloaded_and_hold_every_parcel_once(
    gis: Client, keys: list[str], tmp_path: Path, export_format: str
) -> None:
    result = gis.result(gis.submit(export_format, **in_parts()))

    parts = fetched(result, tmp_path)

    frames = [read(path) for path in parts]
    key = "property_i" if export_format == "Shapefile" else "property_id"
    assert len(parts) == 4
    assert sorted(value for frame in frames for value in frame[key]) == keys
    assert max(len(frame) for frame in frames) <= EACH
    if export_format == "GPKG":
        assert "Feature Count: 375" in ogrinfo("-so", "-al", str(parts[0]))
    if export_format == "GeoParquet":
        query = f"SELECT count(DISTINCT property_id) FROM '{tmp_path}/*.parquet'"
        assert duckdb.sql(query).fetchall() == [(1_500,)]


def test_the_manifest_stands_for_the_parts(gis: Client, tmp_path: Path) -> None:
    job = gis.submit("GPKG", ("parcels", "zoning"), **in_parts())
    result = gis.result(job)

    parts = fetched(result, tmp_path)

    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest == result["manifest"]
    assert [file["name"] for file in result["files"]] == ["manifest.json", *(path.name for path in parts)]
    assert [(part["layer"], part["number"], part["of"]) for part in manifest["parts"]] == [
        *(("parcels", number, 4) for number in range(1, 5)),
        ("zoning", 1, 1),
    ]
    for layer in manifest["layers"]:
        own = [part for part in manifest["parts"] if part["layer"] == layer["name"]]
        assert sum(part["record_count"] for part in own) == layer["record_count"]
        assert layer["extent"][0] == min(part["extent"][0] for part in own)
    assert result["download_url"] == result["files"][0]["download_url"]
    assert result["sha256"] == result["files"][0]["sha256"]
    assert result["result_file_location"].endswith("/manifest.json")
    total = sum(file["size_bytes"] for file in result["files"][1:])
    assert result["result_file_size_kb"] == pytest.approx(total / 1024, abs=0.1)
    whole = gis.get(f"/gis-export/download/{job['job_id']}")
    one = gis.get(f"/gis-export/download/{job['job_id']}", file=parts[2].name)
    assert (whole.status_code, one.status_code) == (302, 302)
    assert "manifest.json" in whole.headers["location"]
    assert httpx.get(one.headers["location"]).content == parts[2].read_bytes()
    assert job["parameters"]["parameters"]["features_per_part"] == EACH


def test_progress_only_grows_and_tells_the_parts(gis: Client) -> None:
    job = gis.submit("KML", **in_parts(features_per_part=100))
    seen: list[dict[str, Any]] = []
    while not seen or seen[-1]["status"] not in TERMINAL:
        seen.append(gis.http.get(job["links"]["status"]).json())

    progress = [document["progress"] for document in seen]
    assert progress == sorted(progress)
    assert progress[-1] == 100
    assert any("of 15 parts are done" in document["message"] for document in seen)
    assert seen[-1]["message"].endswith("in 15 parts")


def test_an_estimate_says_how_many_parts(gis: Client, sample_files: Path) -> None:
    body = {"county_id": gis.county, "export_format": "GPKG", "layers": ["parcels", "roads"]}

    def parts(**more: Any) -> int:
        response = gis.post("/gis-export/estimate", {**body, **more})
        assert response.status_code == 200, response.text
        return int(response.json()["parts"])

    assert parts() == 1
    assert parts(**in_parts()) == 5
    assert parts(**in_parts(features_per_part=5_000)) == 1


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"simplify_tolerance": 0.0001}, "simplify_tolerance of 0"),
        ({"features_per_part": 99}, ""),
        ({"features_per_part": 2.5}, ""),
        ({"features_per_part": "400"}, ""),
        ({"features_per_part": True}, ""),
    ],
)
def test_what_cannot_be_parted_is_said_before_there_is_a_job(
    gis: Client, parameters: dict[str, Any], words: str
) -> None:
    body = {"county_id": gis.county, "export_format": "GPKG", "layers": ["parcels"], **in_parts(**parameters)}

    check_problem(gis.post("/gis-export/run", body), 422 if words else 400, words or "features_per_part")


def test_changes_come_in_one_file(gis: Client) -> None:
    since = gis.wait(gis.submit("GPKG"))["job_id"]
    body = {"county_id": gis.county, "export_format": "GPKG", "layers": ["parcels"], **in_parts(since=since)}

    check_problem(gis.post("/gis-export/run", body), 422, "without since")


def test_lines_are_simplified_in_parts_as_well(gis: Client, tmp_path: Path) -> None:
    one = gis.export(tmp_path, "GPKG", ("roads",), parameters={"simplify_tolerance": 0.0001})
    many = gis.result(gis.submit("GPKG", ("roads",), **in_parts(features_per_part=100, simplify_tolerance=0.0001)))
    (tmp_path / "parts").mkdir()

    parts = fetched(many, tmp_path / "parts")

    single = sorted(geometry.wkb for geometry in geopandas.read_file(one).geometry)
    assert len(parts) == 4
    assert sorted(g.wkb for path in parts for g in geopandas.read_file(path).geometry) == single


def test_the_command_downloads_all_parts_and_says_so(cloud: LocalCloud, county: str, tmp_path: Path) -> None:
    words = ["export", county, "-f", "GeoParquet", "-l", "parcels", "-l", "zoning", "--features-per-part", str(EACH)]
    folder = tmp_path / "out"

    done = terrafusion(*words, "-o", str(folder), "--state", str(cloud.state))

    assert "5 parts and their manifest" in done.stdout
    assert "in 5 parts" in done.stdout
    assert len(geopandas.read_parquet(folder / "parcels")) == 1_500
    assert len(geopandas.read_parquet(folder / "zoning")) == 25
    manifest = json.loads((folder / "manifest.json").read_text())
    again = tmp_path / "again"
    terrafusion("download", manifest["job_id"], "-o", str(again), "--state", str(cloud.state))
    assert {path.relative_to(again) for path in again.rglob("*")} == {p.relative_to(folder) for p in folder.rglob("*")}


def test_the_same_request_is_the_same_job_with_parts_and_without(gis: Client) -> None:
    key = f"parts-{hashlib.sha256(gis.county.encode()).hexdigest()[:8]}"
    body = {"export_format": "GPKG", "layers": ["zoning"], **in_parts()}

    first = gis.run("gis-export", body, key=key)
    again = gis.run("gis-export", body, key=key)
    other = gis.post(
        "/gis-export/run",
        {"county_id": gis.county, **body, "parameters": {}},
        headers={"idempotency-key": key},
    )

    assert first["job_id"] == again["job_id"]
    assert other.status_code == 409


def test_other_counties_cannot_have_a_part(gis: Client, as_role: Callable[..., Client]) -> None:
    job = gis.submit("GPKG", **in_parts())
    name = gis.result(job)["files"][1]["name"]

    answer = as_role("GISStaff", "elsewhere").get(f"/gis-export/download/{job['job_id']}", file=name)

    assert answer.status_code == 404
