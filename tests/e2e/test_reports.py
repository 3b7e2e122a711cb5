"""Reports over HTTP: asked for, followed, downloaded, opened, compared with the files that the county came from."""

import csv
import hashlib
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import openpyxl
import pypdf
import pytest

from tests.e2e.support import Client, LocalCloud, load_sample, terrafusion


@pytest.fixture
def staff(as_role: Callable[..., Client]) -> Client:
    """Somebody of the reporting staff."""
    return as_role("ReportingStaff")


@pytest.fixture(scope="module")
def sales(sample_files: Path) -> list[dict[str, str]]:
    """The sales as the county handed them over."""
    with (sample_files / "sales.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def properties(sample_files: Path) -> list[dict[str, str]]:
    """The properties as the county handed them over."""
    with (sample_files / "properties.csv").open() as file:
        return list(csv.DictReader(file))


def ask(client: Client, report_type: str, **parameters: Any) -> dict[str, Any]:
    return client.run("reporting", {"report_type": report_type, "parameters": parameters})


def fetched(client: Client, job: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """A job's result and its file, which is what the result says it is."""
    result = client.result(job)
    response = httpx.get(result["download_url"], timeout=60)
    assert response.status_code == 200
    assert hashlib.sha256(response.content).hexdigest() == result["sha256"]
    assert result["result_metadata"]["file_size_kb"] == round(len(response.content) / 1024, 1)
    return result, response.content


def usable(sales: list[dict[str, str]], year: str = "") -> list[float]:
    """Ratios of the sales that count, from the county's own file."""
    return [
        float(s["assessed_value"]) / float(s["sale_price"])
        for s in sales
        if s["is_valid"].lower() == "true" and s["sale_date"].startswith(year)
    ]


def test_a_ratio_study_as_pdf(staff: Client, sales: list[dict[str, str]], tmp_path: Path) -> None:
    job = ask(staff, "sales_ratio_study")
    result, content = fetched(staff, job)
    path = tmp_path / "study.pdf"
    path.write_bytes(content)
    document = pypdf.PdfReader(path)
    status = staff.http.get(job["links"]["status"]).json()

    assert job["report_id"] == job["job_id"] == status["report_id"]
    assert job["report_type"] == "sales_ratio_study"
    assert job["parameters"]["parameters"]["output_format"] == "pdf"
    assert status["progress"] == 100
    assert result["result_metadata"]["pages"] == len(document.pages) > 3
    assert result["result_location"].endswith(".pdf")
    assert result["result_metadata"]["generation_time_seconds"] > 0
    ratios = usable(sales)
    assert result["summary"]["sales_used"] == len(ratios)
    assert result["summary"]["statistics"]["median"]["value"] == pytest.approx(median(ratios), rel=1e-12)
    assert f"{median(ratios):.4f}" in document.pages[0].extract_text()
    assert status["dataset_version"] in document.pages[0].extract_text()


@pytest.mark.parametrize("output", ["html", "xlsx", "csv", "json"])
def test_a_year_in_every_other_format(staff: Client, sales: list[dict[str, str]], tmp_path: Path, output: str) -> None:
    result, content = fetched(staff, ask(staff, "sales_ratio_study", output_format=output.upper(), year=2024))
    path = tmp_path / f"study.{output}"
    path.write_bytes(content)
    ratios = usable(sales, "2024")
    text = path.read_text() if output != "xlsx" else ""

    assert result["result_metadata"]["pages"] is None
    assert result["summary"]["sales_used"] == len(ratios)
    found = {
        "html": lambda: f"{median(ratios):.4f}" in text,
        "csv": lambda: float(next(csv.DictReader(text.splitlines()))["median"]) == pytest.approx(median(ratios)),
        "json": lambda: json.loads(text)["with_outliers"]["median"]["value"] == pytest.approx(median(ratios)),
        "xlsx": lambda: (
            openpyxl.load_workbook(path, data_only=True)["Sales studied"]["B1"].value == pytest.approx(median(ratios))
        ),
    }
    assert found[output]()


def test_the_rolls_total_is_the_files_to_the_cent(staff: Client, properties: list[dict[str, str]]) -> None:
    result, content = fetched(staff, ask(staff, "assessment_roll_summary", output_format="json"))
    total = sum(Decimal(p["current_assessed_value_total"]) for p in properties)

    assert Decimal(result["summary"]["current_value"]) == total
    rows = json.loads(content)["tables"]["by_property_class"]["rows"]
    for row in rows[:-1]:
        mine = [p for p in properties if p["property_class"] == row["group"]]
        assert row["properties"] == len(mine)
        assert Decimal(row["current_value"]) == sum(Decimal(p["current_assessed_value_total"]) for p in mine)


def test_changes_equity_and_validation(staff: Client, properties: list[dict[str, str]]) -> None:
    jobs = [
        ask(staff, "value_change", output_format="json"),
        ask(staff, "vertical_equity"),
        ask(staff, "sales_validation"),
    ]
    change, equity, validation = (fetched(staff, job) for job in jobs)
    prior, current = (
        sum(Decimal(p[name]) for p in properties)
        for name in ("prior_assessed_value_total", "current_assessed_value_total")
    )

    assert Decimal(change[0]["summary"]["change"]) == current - prior
    assert equity[1].startswith(b"%PDF")
    assert set(equity[0]["summary"]["verdicts"]) == {"median", "cod", "prd", "prb", "vei", "mki"}
    assert jobs[2]["parameters"]["parameters"]["output_format"] == "xlsx"
    assert validation[0]["summary"]["by_reason"]["not_valid"] > 0


def test_a_record_card_draws_the_parcel(staff: Client, properties: list[dict[str, str]], tmp_path: Path) -> None:
    wanted = [properties[10]["property_id"], properties[20]["property_id"]]
    result, content = fetched(staff, ask(staff, "property_record_card", property_ids=wanted))
    path = tmp_path / "cards.pdf"
    path.write_bytes(content)
    text = " ".join(page.extract_text() for page in pypdf.PdfReader(path).pages)

    assert result["summary"]["properties"] == 2
    for name in wanted:
        assert f"Parcel {name}" in text
    assert properties[10]["situs_address_full"] in text


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"report_type": "sales_ratio"}, 400, "report_type"),
        ({"report_type": "sales_ratio_study", "parameters": {"output_format": "docx"}}, 400, "output_format"),
        ({"report_type": "sales_validation", "parameters": {"output_format": "pdf"}}, 422, "comes as xlsx"),
        ({"report_type": "sales_ratio_study", "parameters": {"standard": "iaoa"}}, 422, "Did you mean iaao"),
        ({"report_type": "assessment_roll_summary", "parameters": {"year": 2024}}, 422, "knows no parameter 'year'"),
    ],
)
def test_bad_requests_are_refused_before_a_job_exists(
    staff: Client, body: dict[str, Any], status: int, words: str
) -> None:
    response = staff.post("/reporting/run", {"county_id": staff.county, **body})
    assert response.status_code == status
    assert words in response.text
    assert response.json()["errors"]


@pytest.mark.parametrize(
    ("report_type", "parameters", "reason", "words"),
    [
        ("sales_ratio_study", {"year": 1931}, "insufficient_sales", "No sales are left"),
        ("sales_ratio_study", {"property_class": "residental"}, "insufficient_sales", "Did you mean residential"),
        ("property_record_card", {"property_id": "0-0"}, "property_not_found", "The roll has no property 0-0"),
    ],
)
def test_what_only_the_data_can_tell_ends_the_job(
    staff: Client, report_type: str, parameters: dict[str, Any], reason: str, words: str
) -> None:
    last = staff.wait(ask(staff, report_type, **parameters))
    assert (last["status"], last["failure_reason"]) == ("FAILED", reason)
    assert words in last["message"]


def test_a_county_without_tables_is_told_how_to_load_them(
    as_role: Callable[..., Client], cloud: LocalCloud, sample_files: Path
) -> None:
    load_sample(cloud, "bare", sample_files, ("neighborhoods",))
    bare = as_role("ReportingStaff", "bare")
    response = bare.post("/reporting/run", {"county_id": "bare", "report_type": "assessment_roll_summary"})
    assert response.status_code == 422
    assert "terrafusion load bare properties FILE" in response.json()["message"]


def test_reports_are_counted_by_type(staff: Client, as_role: Callable[..., Client], cloud: LocalCloud) -> None:
    staff.wait(ask(staff, "assessment_roll_summary", output_format="csv"))
    text = httpx.get(f"{cloud.url}/metrics", timeout=30).text
    ours = [line for line in text.splitlines() if 'report_type="assessment_roll_summary"' in line]

    assert any(line.startswith("report_jobs_completed_total{") for line in ours)
    assert any(line.startswith("report_processing_duration_seconds_bucket{") and 'le="0.5"' in line for line in ours)


def test_the_command_makes_a_report(cloud: LocalCloud, tmp_path: Path) -> None:
    target = tmp_path / "study.html"
    done = terrafusion(
        "report", "sample", "sales_ratio_study", "-o", str(target), "--class", "residential", "--standard", "wyoming",
        "--set", "stratify=[\"year\"]", "--state", str(cloud.state),
    )  # fmt: skip
    wrong = terrafusion(
        "report", "sample", "sales_ratio_study", "--set", "year", "--state", str(cloud.state), check=False
    )
    unknown = terrafusion("report", "sample", "ratios", "--state", str(cloud.state), check=False)

    assert "median ratio" in done.stdout
    assert "Wyoming State Board of Equalization" in target.read_text()
    assert wrong.returncode == 2
    assert "NAME=VALUE" in wrong.stderr
    assert unknown.returncode == 2
    assert "sales_ratio_study" in unknown.stderr
