"""Bundles, manifests, limits, redaction and partial success through the API."""

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import geopandas
import httpx
import pytest

from tests.e2e.support import Client, LocalCloud, load_sample
from tests.e2e.test_bad_input import check_problem

COUNTY = "strict"
CONFIGURATION = {
    "name": "Strict County",
    "gis_export": {
        "max_layers": 2,
        "max_features": 1_400,
        "licence": "CC BY 4.0",
        "attribution": "Strict County Assessor",
        "redacted_fields": {"*": ["situs_address_full", "is_exempt"], "Assessor": []},
    },
}


def configure(cloud: LocalCloud, configuration: dict[str, Any]) -> None:
    cloud.client("s3").put_object(
        Bucket=data_bucket(cloud), Key=f"counties/{COUNTY}/config.json", Body=json.dumps(configuration).encode()
    )


def data_bucket(cloud: LocalCloud) -> str:
    names = [bucket["Name"] for bucket in cloud.client("s3").list_buckets()["Buckets"]]
    return next(name for name in names if "-data-" in name)


@pytest.fixture(scope="module")
def strict(cloud: LocalCloud, sample_files: Path) -> Iterator[LocalCloud]:
    load_sample(cloud, COUNTY, sample_files, ("parcels", "zoning", "neighborhoods"))
    configure(cloud, CONFIGURATION)
    yield cloud
    configure(cloud, {})


@pytest.fixture
def staff(strict: LocalCloud, as_role: Callable[..., Client]) -> Client:
    return as_role("GISStaff", COUNTY)


@pytest.fixture
def assessor(strict: LocalCloud, as_role: Callable[..., Client]) -> Client:
    return as_role("Assessor", COUNTY)


@pytest.fixture(scope="module")
def corner(sample_files: Path) -> dict[str, Any]:
    """A part of the county, small enough for its limits."""
    frame = geopandas.read_file(sample_files / "sample_county.gpkg", layer="parcels").to_crs(4326)
    west, south, east, north = frame.total_bounds
    return {"type": "bbox", "coordinates": [west, south, west + (east - west) * 0.6, south + (north - south) * 0.6]}


def test_a_bundle_has_the_request_the_area_and_what_columns_are(
    staff: Client, corner: dict[str, Any], tmp_path: Path
) -> None:
    job = staff.submit("GPKG", area_of_interest=corner, parameters={"bundle": True, "filter": "year_built > 1950"})

    path = staff.fetch(job, tmp_path)
    archive = zipfile.ZipFile(path)
    names = archive.namelist()
    data = next(name for name in names if name.endswith(".gpkg"))
    assert set(names) == {data, "manifest.json", "README.txt", "area_of_interest.geojson", "fields.csv"}
    manifest = json.loads(archive.read("manifest.json"))
    assert manifest["files"] == [
        {"name": data, "bytes": len(archive.read(data)), "sha256": hashlib.sha256(archive.read(data)).hexdigest()}
    ]
    assert manifest["request"] == job["parameters"]
    assert manifest["dataset_version"] == job["dataset_version"]
    assert (manifest["licence"], manifest["attribution"]) == ("CC BY 4.0", "Strict County Assessor")
    made = geopandas.read_file(f"/vsizip/{path}/{data}")
    assert manifest["layers"][0]["record_count"] == len(made)
    assert manifest["layers"][0]["extent"] == pytest.approx(list(made.total_bounds))
    area = geopandas.read_file(io.BytesIO(archive.read("area_of_interest.geojson")))
    assert list(area.total_bounds) == pytest.approx(corner["coordinates"])
    fields = list(csv.DictReader(io.StringIO(archive.read("fields.csv").decode())))
    assert {row["name_in_file"] for row in fields} == set(made.columns) - {"geometry"}
    readme = archive.read("README.txt").decode()
    for words in ("Strict County", "CC BY 4.0", f"{len(made):,} features", "situs_address_full", "year_built"):
        assert words in readme


@pytest.mark.parametrize("export_format", ["Shapefile", "FileGDB", "GML", "MapInfo"])
def test_formats_of_many_files_always_come_as_a_bundle(
    staff: Client, corner: dict[str, Any], tmp_path: Path, export_format: str
) -> None:
    path = staff.export(tmp_path, export_format, area_of_interest=corner)

    assert {"manifest.json", "README.txt", "fields.csv"} <= set(zipfile.ZipFile(path).namelist())


def test_the_manifest_is_a_file_beside_the_data(staff: Client, corner: dict[str, Any], tmp_path: Path) -> None:
    job = staff.submit("GPKG", area_of_interest=corner)
    result = staff.result(job)

    names = [file["name"] for file in result["files"]]
    assert names[0].endswith(".gpkg")
    assert names[1] == "manifest.json"
    manifest = httpx.get(result["files"][1]["download_url"]).json()
    assert manifest == result["manifest"]
    assert manifest["files"][0]["sha256"] == result["sha256"]


def test_a_role_s_fields_are_left_out_and_named(
    staff: Client, assessor: Client, corner: dict[str, Any], tmp_path: Path
) -> None:
    job = staff.submit("GPKG", area_of_interest=corner)
    seen = geopandas.read_file(staff.fetch(job, tmp_path))
    everything = geopandas.read_file(assessor.export(tmp_path, "GPKG", area_of_interest=corner))

    hidden = {"situs_address_full", "is_exempt"}
    assert hidden & set(seen.columns) == set()
    assert hidden <= set(everything.columns)
    assert set(staff.result(job)["manifest"]["redacted"]["parcels"]) == hidden
    assert len(seen) == len(everything)


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({}, "is_exempt, situs_address_full"),
        ({"attributes": ["property_id", "is_exempt"]}, "is_exempt"),
        ({"attributes": ["property_id"], "filter": "situs_address_full LIKE '1%'"}, "situs_address_full"),
        ({"attributes": ["property_id"]}, None),
    ],
)
def test_what_may_not_be_seen_is_not_to_be_had_from_others_jobs(
    staff: Client, assessor: Client, corner: dict[str, Any], parameters: dict[str, Any], told: str | None
) -> None:
    job = assessor.submit("CSV", area_of_interest=corner, parameters=parameters)
    assessor.result(job)

    for route in ("results", "download"):
        answer = staff.get(f"/gis-export/{route}/{job['job_id']}")
        if told is None:
            assert answer.status_code in {200, 302}
        else:
            check_problem(answer, 403, told)
            assert "download_url" not in answer.text
        assert assessor.get(f"/gis-export/{route}/{job['job_id']}").status_code in {200, 302}


@pytest.mark.parametrize("condition", ["is_exempt", "situs_address_full LIKE 'A%'"])
def test_what_may_not_be_seen_cannot_be_asked_for(staff: Client, corner: dict[str, Any], condition: str) -> None:
    body = {"county_id": COUNTY, "export_format": "GPKG", "layers": ["parcels"], "area_of_interest": corner}

    check_problem(
        staff.post("/gis-export/run", {**body, "parameters": {"filter": condition}}), 422, condition.partition(" ")[0]
    )
    left = staff.submit("GPKG", area_of_interest=corner, parameters={"attributes": ["property_id", "is_exempt"]})
    assert left["parameters"]["parameters"]["attributes"] == {"parcels": ["property_id"]}


def test_limits_are_named_before_there_is_a_job(staff: Client, corner: dict[str, Any]) -> None:
    body = {"county_id": COUNTY, "export_format": "GPKG", "layers": ["parcels"]}

    check_problem(staff.post("/gis-export/run", body), 422, "1,500 features", "1,400")
    too_many = {**body, "layers": ["parcels", "zoning", "neighborhoods"], "area_of_interest": corner}
    check_problem(staff.post("/gis-export/run", too_many), 422, "3 layers", "limit is 2")


def test_a_limit_that_only_the_data_tell_ends_the_job(staff: Client) -> None:
    job = staff.submit("GPKG", parameters={"filter": "tax_year > 1900"})

    last = staff.wait(job)
    assert (last["status"], last["failure_reason"]) == ("FAILED", "export_too_large")
    assert "1,500 features" in last["message"]
    assert "1,400" in last["message"]


def test_the_audit_tells_who_exported_what(
    staff: Client, as_role: Callable[..., Client], corner: dict[str, Any]
) -> None:
    job = staff.submit("GPKG", area_of_interest=corner)
    rows = staff.result(job)["result_record_count"]

    records = as_role("Auditor", COUNTY).get("/audit", job_id=job["job_id"], action="exported").json()["items"]

    assert len(records) == 1
    assert records[0]["actor"] == job["requested_by"]
    for words in (job["dataset_version"], f"parcels {rows:,}", "GPKG"):
        assert words in records[0]["detail"]


def test_a_layer_that_is_gone_leaves_the_others(
    strict: LocalCloud, staff: Client, corner: dict[str, Any], tmp_path: Path
) -> None:
    client, bucket = strict.client("s3"), data_bucket(strict)
    keys = [
        entry["Key"]
        for entry in client.list_objects_v2(Bucket=bucket, Prefix=f"counties/{COUNTY}/layers/zoning/")["Contents"]
    ]
    key = next(key for key in keys if key.endswith("data.fgb"))
    body = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    client.put_object(Bucket=bucket, Key=key, Body=body[: len(body) // 3])
    try:
        job = staff.submit("GPKG", ("zoning", "parcels"), area_of_interest=corner)
        result = staff.result(job)
        strictly = staff.submit(
            "GPKG", ("zoning", "parcels"), area_of_interest=corner, parameters={"all_or_nothing": True}
        )
        refused = staff.wait(strictly)
    finally:
        client.put_object(Bucket=bucket, Key=key, Body=body)

    assert [layer["status"] for layer in result["layers"]] == ["FAILED", "COMPLETED"]
    assert result["layers"][0]["error"]
    assert result["result_record_count"] == result["layers"][1]["record_count"] > 0
    assert (refused["status"], refused["failure_reason"]) == ("FAILED", "engine_error")
