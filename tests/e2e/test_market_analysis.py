"""Market analyses from outside: asked over HTTP, their files opened with other people's libraries."""

import io
import json
from pathlib import Path
from typing import Any

import geopandas
import httpx
import pandas as pd
import pytest

from tests.conftest import ogrinfo
from tests.e2e.support import Client, LocalCloud, load_sample, terrafusion

PLUGIN = "market-analysis"
TYPES = {
    "price_trend_by_zip": {},
    "price_per_sqft": {"group_by": "property_class"},
    "sales_velocity": {},
    "comparable_market_area": {"neighborhood": "N-002"},
    "hedonic_index": {"property_class": "residential", "date_from": "2021-01-01"},
    "repeat_sales_index": {"period": "year"},
    "time_adjustment": {"property_class": "residential"},
    "neighborhood_summary": {},
    "hotspots": {"permutations": 999},
}


@pytest.fixture
def analyst(as_role) -> Client:  # type: ignore[no-untyped-def]
    return as_role("MarketAnalyst")  # type: ignore[no-any-return]


def ask(client: Client, kind: str, **parameters: Any) -> dict[str, Any]:
    return client.run(PLUGIN, {"analysis_type": kind, "parameters": parameters})


def fetched(result: dict[str, Any], suffix: str) -> bytes:
    file = next(file for file in result["files"] if file["name"].endswith(suffix))
    answer = httpx.get(file["download_url"], timeout=60)
    assert answer.status_code == 200
    assert len(answer.content) == file["size_bytes"]
    return answer.content


@pytest.fixture(scope="module")
def results(as_role) -> dict[str, dict[str, Any]]:  # type: ignore[no-untyped-def]
    client = as_role("MarketAnalyst")
    jobs = {kind: ask(client, kind, **parameters) for kind, parameters in TYPES.items()}
    return {kind: client.result(job) for kind, job in jobs.items()}


@pytest.mark.parametrize("kind", TYPES)
def test_an_analysis_says_what_it_found_and_brings_its_files(results: dict[str, dict[str, Any]], kind: str) -> None:
    result = results[kind]
    summary = result["result_summary"]
    assert summary["key_finding"].endswith(".")
    assert summary["data_points_analyzed"] > 0
    assert summary["parameters_used"]["date_to"] <= "2025-12-31"
    assert {"period", "average_price", "median_price", "sales_volume"} <= set(result["trends"][0])
    assert {row["reason"] for row in result["left_out"]} >= {"marked as not valid"}
    table = pd.read_parquet(io.BytesIO(fetched(result, ".parquet")))
    written = pd.read_csv(io.BytesIO(fetched(result, ".csv")))
    assert len(table) == len(written) > 0
    assert list(table.columns) == list(written.columns)
    assert result["result_data_location"].endswith(result["files"][0]["name"])
    assert fetched(result, "_chart.svg").startswith(b"<svg")
    assert fetched(result, "_chart.png").startswith(b"\x89PNG")


def test_neighborhoods_are_the_countys_own_polygons(
    results: dict[str, dict[str, Any]], sample_files: Path, tmp_path: Path
) -> None:
    result = results["neighborhood_summary"]
    package = tmp_path / "n.gpkg"
    package.write_bytes(fetched(result, ".gpkg"))
    made = geopandas.read_file(package).set_index("neighborhood").sort_index()
    assert "feature" in ogrinfo("-so", "-al", str(package)).lower()
    source = geopandas.read_file(sample_files / "sample_county.gpkg", layer="neighborhoods")
    source = source.set_index("neighborhood").loc[made.index]
    assert made.crs.to_epsg() == 4326
    assert made.to_crs(source.crs).hausdorff_distance(source).max() < 10  # feet: NAD83 is taken for WGS 84
    areas = {row["neighborhood"]: row for row in result["areas"]}
    assert made.properties.to_dict() == {name: row["properties"] for name, row in areas.items()}
    web = json.loads(fetched(result, ".geojson"))
    assert {one["properties"]["neighborhood"] for one in web["features"]} == set(areas)


def test_the_supply_is_that_of_the_countys_listings(
    results: dict[str, dict[str, Any]], sample_files: Path, tmp_path: Path
) -> None:
    result = results["sales_velocity"]
    found = result["absorption"]
    listings = pd.read_csv(sample_files / "listings.csv", parse_dates=["list_date", "off_market_date", "close_date"])
    gone = listings[["off_market_date", "close_date"]].min(axis=1)
    active = ((listings.list_date <= found["as_of"]) & ~(gone <= found["as_of"])).sum()
    closed = listings[listings.close_date.between(found["from"], found["to"])]

    assert found["to"] == found["as_of"] == result["result_summary"]["parameters_used"]["date_to"]
    assert (found["active_listings"], found["closed_listings"]) == (active, len(closed))
    assert found["months_of_supply"] == pytest.approx(active / (len(closed) / 12), abs=0.005)
    assert found["median_days_on_market"] == (gone - listings.list_date).dt.days[closed.index].median()
    assert f"{found['months_of_supply']:.1f} months of supply" in result["result_summary"]["key_finding"]
    assert [row["closed_listings"] for row in found["windows"]] == [
        closed.close_date.between(row["from"], row["to"]).sum() for row in found["windows"]
    ]
    assert sum(row["closed_listings"] for row in found["windows"]) == found["closed_listings"]
    table = pd.read_csv(io.BytesIO(fetched(result, "_absorption.csv")))
    assert table.closed_listings.tolist() == [row["closed_listings"] for row in found["periods"]]
    assert fetched(result, "_supply.svg").startswith(b"<svg")


def test_places_of_a_hotspot_map_are_those_of_the_sales(results: dict[str, dict[str, Any]], sample_files: Path) -> None:
    made = geopandas.read_file(io.BytesIO(fetched(results["hotspots"], ".geojson")))
    sales = pd.read_csv(sample_files / "sales.csv").set_index("sale_id").loc[made.sale_id]
    assert made.geometry.x.to_numpy() == pytest.approx(sales.lon.to_numpy(), abs=1e-9)
    assert set(made.spot) <= {"hot", "cold", "not significant"}


def test_a_property_of_the_county_is_valued(analyst: Client, sample_files: Path) -> None:
    houses = pd.read_csv(sample_files / "properties.csv").query("property_class == 'residential'")
    result = analyst.result(ask(analyst, "market_valuation", property_id=houses.property_id.iloc[0]))
    span = result["value_range"]
    assert span["low"] < result["market_value"] < span["high"]
    assert result["property"]["living_area_sqft"] == houses.living_area_sqft.iloc[0]


def test_what_the_data_alone_can_tell_ends_the_job_with_a_reason(analyst: Client) -> None:
    wrong = {
        "insufficient_data": ask(analyst, "price_trend_by_zip", zip_code="99366"),
        "insufficient_sales": ask(analyst, "hedonic_index", date_from="1980-01-01", date_to="1981-01-01"),
        "property_not_found": ask(analyst, "market_valuation", property_id="nowhere"),
    }
    ended = {reason: analyst.wait(job) for reason, job in wrong.items()}
    assert {reason: (one["status"], one["failure_reason"]) for reason, one in ended.items()} == {
        reason: ("FAILED", reason) for reason in wrong
    }
    assert "Did you mean 99336" in ended["insufficient_data"]["message"]
    assert "the county's sales run from 2021-01-" in ended["insufficient_sales"]["message"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"analysis_type": "weather"}, 400, "price_trend_by_zip"),
        ({"analysis_type": "hotspots", "parameters": {"neighbors": "many"}}, 400, "parameters.neighbors"),
        ({"analysis_type": "hotspots", "parameters": {"period": "month"}}, 422, "takes no period"),
        (
            {"analysis_type": "hedonic_index", "parameters": {"date_from": "2024-01-02", "date_to": "2024-01-01"}},
            422,
            "lies after",
        ),
    ],
)
def test_what_is_wrong_is_said_before_there_is_a_job(
    analyst: Client, body: dict[str, Any], status: int, words: str
) -> None:
    answer = analyst.post(f"/{PLUGIN}/run", {"county_id": analyst.county, **body})
    assert answer.status_code == status
    assert words in answer.text


def test_a_county_without_sales(cloud: LocalCloud, sample_files: Path, as_role) -> None:  # type: ignore[no-untyped-def]
    load_sample(cloud, "unsold", sample_files, ("neighborhoods",))
    client = as_role("MarketAnalyst", "unsold")
    answer = client.post(f"/{PLUGIN}/run", {"county_id": "unsold", "analysis_type": "hedonic_index"})
    assert answer.status_code == 422
    assert "has no table of sales" in answer.json()["message"]


def test_metrics_tell_analyses_apart(cloud: LocalCloud, results: dict[str, dict[str, Any]], analyst: Client) -> None:
    text = httpx.get(f"{cloud.url}/metrics").text
    assert (
        'market_analysis_jobs_submitted_total{analysis_type="hotspots",county_id="sample",status_on_submit="PENDING"}'
        in (text.replace('county_id="sample",analysis_type="hotspots"', 'analysis_type="hotspots",county_id="sample"'))
    )
    assert "market_analysis_processing_duration_seconds_bucket" in text


def test_the_command_draws_the_trend_and_fetches_the_files(cloud: LocalCloud, tmp_path: Path) -> None:
    done = terrafusion(
        "analyze", "sample", "price_trend_by_zip", "--set", "period=year", "--set", "date_from=2021-01-01", "-o",
        str(tmp_path / "out"), "--state", str(cloud.state),
    )  # fmt: skip
    assert "median price" in done.stdout
    assert "●" in done.stdout
    assert [line.split()[0] for line in done.stdout.splitlines() if line.startswith("202")] == [
        "2021", "2022", "2023", "2024", "2025",
    ]  # fmt: skip
    assert len(list((tmp_path / "out").iterdir())) == 4
    refused = terrafusion(
        "analyze", "sample", "price_trend_by_zip", "--set", "zip_code", "--state", str(cloud.state), check=False
    )
    assert refused.returncode == 2
    assert "NAME=VALUE" in refused.stderr
