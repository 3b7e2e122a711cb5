"""The command, as an analyst and an operator type it."""

import json
from pathlib import Path

import geopandas
import pytest

from tests.e2e.support import Client, LocalCloud, terrafusion


@pytest.fixture
def state(cloud: LocalCloud) -> list[str]:
    return ["--state", str(cloud.state)]


def test_an_export_is_downloaded_and_described(state: list[str], tmp_path: Path) -> None:
    target = tmp_path / "parcels.gpkg"

    done = terrafusion("export", "sample", "--format", "GPKG", "--layer", "parcels", "-o", str(target), *state)

    made = geopandas.read_file(target)
    assert f"{len(made):,} features" in done.stdout
    assert list(tmp_path.iterdir()) == [target]


def test_an_export_of_an_area_for_programs(state: list[str], tmp_path: Path, gis: Client) -> None:
    west, south, east, north = gis.get("/counties/sample").json()["bbox"]
    half = {"type": "bbox", "coordinates": [west, south, (west + east) / 2, north]}
    area = tmp_path / "area.json"
    area.write_text(json.dumps(half))

    done = terrafusion(
        "export", "sample", "-f", "shp", "-l", "parcels", "--aoi", str(area), "--crs", "EPSG:2927",
        "--attributes", "property_id,zip_code", "-o", str(tmp_path), "--json", *state,
    )  # fmt: skip

    document = json.loads(done.stdout)
    made = geopandas.read_file(document["downloaded_to"])
    assert made.crs.to_epsg() == 2927
    assert len(made) == document["result"]["result_record_count"]
    assert sorted(made.columns) == ["geometry", "property_i", "zip_code"]


def test_jobs_are_listed_shown_and_fetched(state: list[str], tmp_path: Path, gis: Client) -> None:
    job = gis.submit("CSV", ("zoning",))
    gis.wait(job)

    listed = json.loads(terrafusion("jobs", "--json", *state).stdout)
    shown = terrafusion("status", job["job_id"], *state).stdout
    result = json.loads(terrafusion("results", job["job_id"], *state).stdout)
    terrafusion("download", job["job_id"], "-o", str(tmp_path / "zoning.csv"), *state)
    refused = terrafusion("cancel", job["job_id"], *state, check=False)

    assert job["job_id"] in {item["job_id"] for item in listed}
    assert "COMPLETED" in shown
    assert result["result"]["layers"][0]["name"] == "zoning"
    assert (tmp_path / "zoning.csv").read_text().startswith("WKT,")
    assert refused.returncode == 2
    assert "COMPLETED already" in refused.stderr


def test_counties_are_listed(state: list[str]) -> None:
    out = terrafusion("counties", *state).stdout

    assert "sample" in out
    assert "parcels" in out
    assert "EPSG:2927" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["export", "sample", "-f", "DWG", "-l", "parcels"], "DWG"),
        (["export", "sample", "-f", "GPKG", "-l", "parcel"], "Did you mean parcels"),
        (["export", "sample", "-f", "GPKG", "-l", "parcels", "--bbox", "1,2,3"], "four"),
        (["export", "sample", "-f", "GPKG", "-l", "parcels", "--bbox", "a"], "four numbers"),
        (["export", "sample", "-f", "GPKG", "-l", "parcels", "--aoi", "nowhere.json"], "nowhere.json"),
        (["status", "not-a-uuid"], "uuid"),
        (["export", "sample"], "format"),
        (["load", "sample", "parcels", "nowhere.gpkg"], "nowhere.gpkg"),
        (["load", "sample", "parcels", __file__], "test_command.py"),
        (["load", "sample", "parcels", "nowhere.gpkg", "--map", "x"], "STANDARD=COLUMN"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(
    state: list[str], arguments: list[str], words: str, tmp_path: Path
) -> None:
    done = terrafusion(*arguments, *state, check=False)

    assert done.returncode == 2, done.stderr
    assert words.lower() in " ".join(done.stderr.lower().split())
    assert "Traceback" not in done.stderr


def test_without_a_cloud_a_command_says_how_to_start_one(tmp_path: Path) -> None:
    done = terrafusion("counties", "--state", str(tmp_path / "none"), check=False)

    assert done.returncode == 2
    assert "terrafusion up" in done.stderr


def test_a_bad_load_leaves_the_published_snapshot_as_it_was(
    state: list[str], gis: Client, sample_files: Path, tmp_path: Path
) -> None:
    before = gis.get("/counties/sample").json()
    whole = (sample_files / "sample_county.gpkg").read_bytes()
    cut = tmp_path / "cut.gpkg"
    cut.write_bytes(whole[: len(whole) // 2])

    unknown_key = terrafusion(
        "load", "sample", "parcels", str(sample_files / "sample_county.gpkg"), "--key", "property", *state, check=False
    )
    truncated = terrafusion("load", "sample", "parcels", str(cut), *state, check=False)

    assert (unknown_key.returncode, truncated.returncode) == (2, 2)
    assert "property_id" in unknown_key.stderr
    assert "cut.gpkg" in truncated.stderr
    assert gis.get("/counties/sample").json() == before


def test_the_same_file_again_is_the_same_version(state: list[str], gis: Client, sample_files: Path) -> None:
    before = gis.get("/counties/sample").json()

    done = terrafusion(
        "load", "sample", "parcels", str(sample_files / "sample_county.gpkg"), "--key", "property_id", "--json", *state
    )

    assert json.loads(done.stdout)["dataset_version"] == before["dataset_version"]
    assert gis.get("/counties/sample").json() == before


def test_a_county_is_loaded_while_no_cloud_runs(tmp_path: Path, sample_files: Path) -> None:
    here = LocalCloud(tmp_path / "state")
    terrafusion(
        "load", "quiet", "parcels", str(sample_files / "sample_county.gpkg"), "--key", "property_id",
        "--state", str(here.state),
    )  # fmt: skip
    here.start()
    try:
        listed = json.loads(terrafusion("counties", "--json", "--state", str(here.state)).stdout)
    finally:
        here.stop()

    assert [item["county_id"] for item in listed] == ["quiet"]
