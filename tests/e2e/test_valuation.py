"""Valuations from outside: a property, a past date, a model, many properties, a packet, and what is wrong."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import duckdb
import geopandas
import httpx
import pypdf
import pytest

from tests.e2e.support import Client, LocalCloud, terrafusion

CONTRACT = {
    "estimated_value",
    "confidence_score",
    "valuation_method_used",
    "comparables_used",
    "valuation_date",
    "value_range",
    "approaches",
    "comparables",
    "contributions",
    "model_version",
}


@pytest.fixture
def appraiser(as_role: Callable[..., Client]) -> Client:
    return as_role("ValuationStaff")


@pytest.fixture(scope="module")
def roll(as_role: Callable[..., Client], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The whole roll's values, by property."""
    job = as_role("ValuationStaff").run("valuation", {"mode": "batch"})
    (file,) = fetch(as_role("ValuationStaff").result(job), tmp_path_factory.mktemp("roll"))
    return duckdb.read_parquet(str(file)).df().set_index("property_id")


@pytest.fixture(scope="module")
def some(roll: Any) -> list[str]:
    """Ids of houses of the county."""
    return sorted(roll.index[roll.property_class == "residential"])[:3]


def fetch(result: dict[str, Any], folder: Path) -> list[Path]:
    paths = []
    for file in result["files"]:
        response = httpx.get(file["download_url"], timeout=60)
        assert response.status_code == 200, response.text
        path = folder / file["name"]
        path.write_bytes(response.content)
        paths.append(path)
    return paths


def failed(client: Client, **body: Any) -> dict[str, Any]:
    last = client.wait(client.run("valuation", body))
    assert last["status"] == "FAILED", last
    return last


def test_a_property_has_a_value_whose_figures_add_up(appraiser: Client, some: list[str]) -> None:
    job = appraiser.run("valuation", {"property_id": some[0]})
    assert job["property_id"] == some[0]
    assert job["parameters"]["valuation_method_hint"] == "reconciled"

    result = appraiser.result(job)

    assert set(result) >= CONTRACT
    assert result["value_range"]["low"] < result["estimated_value"] < result["value_range"]["high"]
    assert result["comparables_used"] == [one["property_id"] for one in result["comparables"]]
    assert some[0] not in result["comparables_used"]
    assert len(result["comparables"]) >= 3
    for one in result["comparables"]:
        total = one["sale_price"] + sum(line["amount"] for line in one["adjustments"])
        assert total == pytest.approx(one["adjusted_price"], abs=1e-6)
    contributed = sum(row["amount"] for row in result["contributions"])
    assert contributed == pytest.approx(result["approaches"]["avm"]["value"], abs=1e-6)


def test_the_same_request_has_the_same_result(appraiser: Client, some: list[str]) -> None:
    first, again = (appraiser.result(appraiser.run("valuation", {"property_id": some[1]})) for _ in range(2))
    assert json.dumps(first) == json.dumps(again)


@pytest.mark.parametrize("method", ["comparable_sales", "avm", "cost"])
def test_a_hint_names_the_method(appraiser: Client, some: list[str], method: str) -> None:
    result = appraiser.result(appraiser.run("valuation", {"property_id": some[0], "valuation_method_hint": method}))
    assert result["valuation_method_used"] == method
    assert result["estimated_value"] == result["approaches"][method]["value"]


def test_a_date_in_the_past_knows_no_later_sale_and_two_may_train_its_model_at_once(
    appraiser: Client, some: list[str]
) -> None:
    body = {"property_id": some[0], "valuation_date": "2024-07-01"}
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: appraiser.result(appraiser.run("valuation", body)), range(2)))

    assert results[0] == results[1]
    assert results[0]["valuation_date"] == "2024-07-01"
    assert max(one["sale_date"] for one in results[0]["comparables"]) <= "2024-07-01"
    today = appraiser.result(appraiser.run("valuation", {"property_id": some[0]}))
    assert results[0]["model_version"] != today["model_version"]


def test_a_property_that_is_not_there_is_named_with_its_nearest(appraiser: Client, some: list[str]) -> None:
    last = failed(appraiser, property_id=f"{some[0]}x")
    assert last["failure_reason"] == "property_not_found"
    assert some[0] in last["message"]


def test_a_date_before_all_sales_has_too_few(appraiser: Client, some: list[str]) -> None:
    last = failed(appraiser, property_id=some[0], valuation_date="1999-01-01")
    assert last["failure_reason"] == "insufficient_sales"
    assert "after_valuation" in last["message"]


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({}, 422, "property_id"),
        ({"property_id": 7}, 400, "property_id"),
        ({"property_id": "a", "mode": "everything"}, 400, "mode"),
        ({"property_id": "a", "valuation_date": "soon"}, 400, "valuation_date"),
        ({"property_id": "a", "valuation_method_hint": "guess"}, 400, "valuation_method_hint"),
        ({"property_id": "a", "mode": "train"}, 422, "property_id"),
        ({"property_id": "a", "filter": "zip_code = '1'"}, 422, "filter"),
        ({"mode": "batch", "property_ids": ["a"], "filter": "zip_code = '1'"}, 422, "filter"),
        ({"mode": "batch", "property_ids": []}, 400, "property_ids"),
        ({"mode": "batch", "parameters": {"report": True}}, 422, "parameters.report"),
        ({"property_id": "a", "colour": "blue"}, 400, "colour"),
        ({"mode": "batch", "filter": "neighborhod = 'N-001'"}, 422, "neighborhood"),
        ({"mode": "batch", "filter": "zip_code ="}, 422, "parse"),
        ({"property_id": "a", "valuation_date": "2300-01-01"}, 422, "valuation date"),
        ({"property_id": "a", "valuation_date": "1492-01-01"}, 422, "valuation date"),
    ],
)
def test_what_is_wrong_is_said_before_a_job_exists(
    appraiser: Client, body: dict[str, Any], status: int, told: str
) -> None:
    response = appraiser.post("/valuation/run", {"county_id": appraiser.county, **body})
    assert response.status_code == status, response.text
    assert told in response.text


def test_training_gives_a_card_and_what_became_of_each_sale(appraiser: Client, tmp_path: Path) -> None:
    result = appraiser.result(appraiser.run("valuation", {"mode": "train"}))
    pdf, card, screening = fetch(result, tmp_path)

    assert [path.name for path in (pdf, card, screening)] == ["model_card.pdf", "model_card.json", "screening.csv"]
    document = json.loads(card.read_text())
    assert document["model_version"] == result["model_version"]
    assert document["hold_out"]["approaches"]["reconciled"]["n"] > 0
    left_out = sum(row["count"] for row in document["screening"])
    assert len(screening.read_text().splitlines()) - 1 == left_out
    text = "".join(page.extract_text() for page in pypdf.PdfReader(pdf).pages)
    assert result["model_version"] in text


def test_the_roll_has_a_value_of_every_property_the_same_as_alone(
    appraiser: Client, roll: Any, some: list[str]
) -> None:
    alone = appraiser.result(appraiser.run("valuation", {"property_id": some[0]}))
    row = roll.loc[some[0]]
    assert row.estimated_value == round(alone["estimated_value"])
    assert row.confidence_score == pytest.approx(alone["confidence_score"], abs=1e-4)
    assert roll.estimated_value.notna().mean() > 0.98
    assert roll.needs_review.mean() < 0.5


def test_some_properties_as_csv_and_those_that_are_not_there(
    appraiser: Client, roll: Any, some: list[str], tmp_path: Path
) -> None:
    body = {"mode": "batch", "property_ids": [*some, "nowhere"], "parameters": {"output_format": "csv"}}
    result = appraiser.result(appraiser.run("valuation", body))
    (path,) = fetch(result, tmp_path)

    rows = duckdb.read_csv(str(path)).df().set_index("property_id")
    assert sorted(rows.index) == some
    assert (rows.estimated_value == roll.loc[rows.index].estimated_value).all()
    assert result["summary"]["properties"] == 3
    assert result["summary"]["unknown_examples"] == ["nowhere"]


def test_a_filter_s_properties_as_a_map(appraiser: Client, roll: Any, tmp_path: Path) -> None:
    body = {
        "mode": "batch",
        "filter": "property_class = 'residential' AND living_area_sqft > 2500",
        "parameters": {"output_format": "geopackage"},
    }
    result = appraiser.result(appraiser.run("valuation", body))
    (path,) = fetch(result, tmp_path)

    made = geopandas.read_file(path)
    assert len(made) == result["summary"]["properties"] > 0
    assert set(made.property_class) == {"residential"}
    assert made.crs.to_epsg() == 4326
    values = made.set_index("property_id").estimated_value
    assert (values == roll.loc[values.index].estimated_value).all()


@pytest.mark.parametrize(
    "body", [{"property_ids": ["nowhere"]}, {"filter": "property_id = 'nowhere'"}], ids=["ids", "filter"]
)
def test_a_batch_of_nothing_says_so(appraiser: Client, body: dict[str, Any]) -> None:
    assert failed(appraiser, mode="batch", **body)["failure_reason"] == "property_not_found"


def test_the_packet_is_a_tagged_pdf_with_the_value_and_its_comparables(
    appraiser: Client, some: list[str], tmp_path: Path
) -> None:
    result = appraiser.result(appraiser.run("valuation", {"property_id": some[0], "parameters": {"report": True}}))
    (path,) = fetch(result, tmp_path)
    reader = pypdf.PdfReader(BytesIO(path.read_bytes()))
    text = "".join(page.extract_text() for page in reader.pages)

    assert len(reader.pages) == result["pages"]
    assert f"${result['estimated_value']:,.0f}" in text
    assert all(one in text for one in result["comparables_used"])
    assert reader.trailer["/Root"]["/MarkInfo"]["/Marked"]


def test_the_command_prints_the_grid(cloud: LocalCloud, county: str, some: list[str], tmp_path: Path) -> None:
    state = ["--state", str(cloud.state)]
    packet = tmp_path / "packet.pdf"
    shown = terrafusion("value", county, some[0], "--packet", str(packet), *state).stdout
    document = json.loads(terrafusion("value", county, some[0], "--json", *state).stdout)

    result = document["result"]
    assert f"${result['estimated_value']:,.0f}" in shown
    for one in result["comparables"]:
        assert one["property_id"] in shown
        assert f"${one['adjusted_price']:,.0f}" in shown
    assert packet.read_bytes().startswith(b"%PDF")
    refused = terrafusion("value", county, "nowhere", *state, check=False)
    assert refused.returncode == 1
    assert "property_not_found" in refused.stderr


HEADER = "sale_id,property_id,sale_date,sale_price,is_valid"


def load_sales(cloud: LocalCloud, county: str, rows: list[str], sample_files: Path, folder: Path) -> None:
    sales = folder / "sales.csv"
    sales.write_text("\n".join([HEADER, *rows]))
    state = ["--state", str(cloud.state)]
    terrafusion("load", county, "properties", str(sample_files / "properties.csv"), "--key", "property_id", *state)
    terrafusion("load", county, "sales", str(sales), "--key", "sale_id", *state)


def test_sales_that_are_none_are_counted_by_reason(
    cloud: LocalCloud,
    as_role: Callable[..., Client],
    sample_files: Path,
    some: list[str],
    tmp_path: Path,
) -> None:
    rows = [
        f"1,{some[0]},2024-05-05,-200000,true",
        f"2,{some[0]},2099-05-05,200000,true",
        f"3,{some[1]},2024-05-05,a lot,true",
        f"4,{some[1]},2024-05-05,250000,false",
        f"5,{some[2]},2024-06-05,250000,true",
        *(f"{n},{some[1]},2024-05-05,250000,false" for n in range(6, 26)),
    ]
    load_sales(cloud, "fewsales", rows, sample_files, tmp_path)
    client = as_role("ValuationStaff", "fewsales")

    last = failed(client, property_id=some[0])

    assert last["failure_reason"] == "insufficient_sales"
    for told in ("1 no_price", "1 future_date", "1 missing_essentials", "21 not_arms_length"):
        assert told in last["message"]


def test_a_county_without_sales_is_told_what_to_load(
    cloud: LocalCloud, as_role: Callable[..., Client], sample_files: Path
) -> None:
    state = ["--state", str(cloud.state)]
    terrafusion("load", "nosales", "properties", str(sample_files / "properties.csv"), "--key", "property_id", *state)
    response = as_role("ValuationStaff", "nosales").post("/valuation/run", {"county_id": "nosales", "property_id": "a"})
    assert response.status_code == 422
    assert "terrafusion load nosales sales" in response.json()["message"]
