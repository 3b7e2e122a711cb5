"""Before and during an export: estimates, the queue, and when it may end."""

from pathlib import Path
from typing import Any

import geopandas
import pytest

from tests.e2e.support import Client, LocalCloud, terrafusion
from tests.e2e.test_bad_input import check_problem


def ask(gis: Client, **more: Any) -> dict[str, Any]:
    body = {"county_id": gis.county, "export_format": "GPKG", "layers": ["parcels"], **more}
    response = gis.post("/gis-export/estimate", body)
    assert response.status_code == 200, response.text
    return dict(response.json())


@pytest.fixture(scope="module")
def corner(sample_files: Path) -> dict[str, Any]:
    frame = geopandas.read_file(sample_files / "sample_county.gpkg", layer="parcels").to_crs(4326)
    west, south, east, north = frame.total_bounds
    return {"type": "bbox", "coordinates": [west, south, west + (east - west) * 0.5, south + (north - south) * 0.5]}


@pytest.mark.parametrize("export_format", ["GPKG", "Shapefile", "CSV", "GeoParquet"])
def test_an_estimate_of_a_whole_layer_is_near_what_comes(gis: Client, export_format: str) -> None:
    foretold = ask(gis, export_format=export_format)
    result = gis.result(gis.submit(export_format))

    assert foretold["features"] == result["result_record_count"]
    assert foretold["layers"][0]["exact"]
    assert foretold["refusal"] is None
    assert foretold["bytes"] == pytest.approx(result["result_file_size_kb"] * 1024, rel=0.5)
    assert 0 < foretold["seconds"] < 60


@pytest.mark.parametrize("parameters", [{}, {"filter": "year_built > 1970"}])
def test_features_under_an_area_and_a_filter_are_counted(
    gis: Client, corner: dict[str, Any], parameters: dict[str, Any]
) -> None:
    foretold = ask(gis, area_of_interest=corner, parameters=parameters)
    result = gis.result(gis.submit("GPKG", area_of_interest=corner, parameters=parameters))

    assert foretold["features"] == result["result_record_count"] > 0
    assert foretold["layers"][0]["exact"]


def test_an_estimate_of_several_layers_is_their_sum(gis: Client) -> None:
    foretold = ask(gis, layers=["parcels", "zoning"])

    assert foretold["features"] == sum(layer["features"] for layer in foretold["layers"])
    assert [layer["name"] for layer in foretold["layers"]] == ["parcels", "zoning"]


def test_an_estimate_leaves_no_job_and_refuses_what_cannot_be(gis: Client) -> None:
    before = gis.get("/gis-export/list", limit=1).json()["items"]

    check_problem(
        gis.post("/gis-export/estimate", {"county_id": gis.county, "export_format": "GPKG", "layers": ["parcel"]}),
        422,
        "parcels",
    )
    ask(gis)
    assert gis.get("/gis-export/list", limit=1).json()["items"] == before


def test_a_status_tells_the_place_in_the_queue_or_the_end(gis: Client) -> None:
    jobs = [gis.submit("GPKG") for _ in range(4)]
    seen = [gis.http.get(job["links"]["status"]).json() for job in jobs]
    last = [gis.wait(job) for job in jobs]

    for document in seen:
        waits = document["status"] == "PENDING"
        assert (document["queue_position"] is not None) is waits
        assert not waits or document["queue_position"] >= 1
    assert all(document["queue_position"] is None for document in last)
    assert all(document["estimated_completion_at"] is None for document in last)


def test_the_command_says_what_will_come(cloud: LocalCloud, tmp_path: Path) -> None:
    done = terrafusion(
        "export", "sample", "-f", "CSV", "-l", "zoning", "-o", str(tmp_path / "z.csv"), "--state", str(cloud.state)
    )

    first = done.stdout.splitlines()[0]
    assert "features, some" in first
