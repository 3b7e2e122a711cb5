"""Buildings newer than the valuation date, years that cannot be, and values beyond the last sale."""

import uuid
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

import numpy as np
import pytest

from terrafusion.counties import CountyConfiguration
from terrafusion.jobs.model import Job, JobStatus
from tests.unit.valuation_cases.counties import county
from valuation import training
from valuation.appraisal import Appraisal
from valuation.approaches import Approach
from valuation.batch import Review, table
from valuation.market import Market
from valuation.property_job import document_of
from valuation.records import Records

PUBLISHED, DAY = date(2025, 1, 1), date(2023, 12, 30)
TRUSTING = CountyConfiguration.model_validate({"valuation": {"confidence_threshold_for_review": 0}})

pytestmark = pytest.mark.slow


@cache
def market() -> tuple[Market, Records]:
    sales, properties = county(900)
    made = training.train(sales, properties, published=PUBLISHED)
    return training.open_market(made.model, made.boosted, sales, properties), properties


def subject(**changes: float) -> Records:
    one = market()[1].take(np.array([3]))
    return Records({**one.columns, **{name: np.array([value]) for name, value in changes.items()}}, 1)


def result(day: date = DAY, **changes: float) -> dict[str, Any]:
    """A property's result in a county that reviews nothing for its score."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    parameters = {
        "mode": "property",
        "property_id": "P-000003",
        "property_ids": None,
        "filter": None,
        "valuation_method_hint": "reconciled",
        "valuation_date": day.isoformat(),
        "parameters": {"report": False, "output_format": "parquet"},
    }
    job = Job(
        job_id=str(uuid.uuid4()),
        plugin="valuation",
        county_id="drawn",
        status=JobStatus.RUNNING,
        message="",
        parameters=parameters,
        requested_by="ada",
        dataset_version="v",
        created_at=moment,
        updated_at=moment,
    )
    return document_of(Appraisal.of(market()[0], subject(**changes), day), job, TRUSTING)


@pytest.mark.parametrize(("year", "unbuilt"), [(2015.0, False), (2023.0, False), (2024.0, True), (2027.0, True)])
def test_a_building_newer_than_the_valuation_date_is_told_and_reviewed(year: float, unbuilt: bool) -> None:
    document = result(year_built=year)
    factors = {row["factor"]: row for row in document["confidence_factors"]}
    assert document["needs_review"] is unbuilt
    assert bool(document["review_reason"]) is unbuilt
    assert factors["construction"]["value"] == (0.5 if unbuilt else 1)
    assert any(f"Built in {year:.0f}, after the valuation date" in note for note in document["notes"]) is unbuilt
    rows = table(market()[0], subject(year_built=year), np.array([19_721]), Review(0.0, Approach.RECONCILED))
    assert rows["not_yet_built"].tolist() == [unbuilt]
    assert rows["needs_review"][0] >= unbuilt


@pytest.mark.parametrize("year", [2028.0, 2090.0])
def test_a_year_of_construction_that_nobody_can_know_is_absurd(year: float) -> None:
    document, unknown = result(year_built=year), result(year_built=np.nan)
    assert "Recorded with a value that cannot be, and taken as missing: Year built." in document["notes"]
    assert not any("Not recorded" in note for note in document["notes"])
    assert document["estimated_value"] == unknown["estimated_value"]
    assert document["confidence_score"] == unknown["confidence_score"] < result()["confidence_score"]
    assert document["approaches"]["cost"]["value"] is None


def test_intervals_widen_with_the_time_beyond_the_last_sale() -> None:
    made, _ = market()
    last = made.model.time_index.last
    days = last + np.array([-900, 0, 365, 4 * 365 + 1])
    records = subject().take(np.zeros(4, int))
    values = made.value(records, days)
    for approach in Approach:
        low, high = values.interval(made.model, approach)
        value, bands = values.by[approach], made.model.bands[approach]
        plain = bands.interval(value)
        assert (low[:2], high[:2]) == (pytest.approx(plain[0][:2]), pytest.approx(plain[1][:2]))
        added = np.sqrt((value - low) ** 2 - (value - plain[0]) ** 2)[2:] / 1.6449
        assert added == pytest.approx([0.03 / np.sqrt(3), 0.03 * np.sqrt(64 / 3)], rel=0.01)
        assert (high >= plain[1] - 1e-12).all()
