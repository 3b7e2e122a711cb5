"""A model of a county whose market is known: how right it is, and whether every figure adds up."""

import json
from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any

import numpy as np
import pytest

from terrafusion.errors import FailureReason, JobFailure
from tests.unit.valuation_cases.counties import NOISE, YEARLY_GROWTH, county
from valuation import training
from valuation.adjustments import PLACE
from valuation.appraisal import Appraisal
from valuation.approaches import Approach
from valuation.boosting import Boosted
from valuation.card import model_card
from valuation.confidence import weak_comparables
from valuation.market import Market
from valuation.model import Model
from valuation.records import Records
from valuation.training import Trained

PUBLISHED, DAY = date(2025, 1, 1), date(2024, 1, 1)


pytestmark = pytest.mark.slow


@cache
def trained(**shape: Any) -> tuple[Trained, Market, Records]:
    sales, properties = county(**shape)
    made = training.train(sales, properties, published=PUBLISHED, version="v")
    model = Model.model_validate_json(made.model.model_dump_json())
    return made, training.open_market(model, Boosted(made.boosted.text), sales, properties), properties


def appraise(at: int = 0, day: date = DAY, **changes: float) -> dict[str, Any]:
    _, market, properties = trained()
    one = properties.take(np.array([at]))
    changed = {name: np.array([value]) for name, value in changes.items()}
    return Appraisal.of(market, Records({**one.columns, **changed}, 1), day).document(Approach.RECONCILED)


def test_it_finds_what_the_market_was_drawn_from() -> None:
    card = model_card(trained()[0])
    reconciled = card["hold_out"]["approaches"]["reconciled"]
    assert reconciled["median_ratio"] == pytest.approx(1, abs=0.04)
    assert reconciled["cod"] < 100 * NOISE * 1.6
    assert card["market_time"]["yearly_change"] == pytest.approx(YEARLY_GROWTH, abs=0.03)
    assert 0.8 < reconciled["interval_coverage"] <= 1


def test_the_same_sales_make_the_same_bytes() -> None:
    sales, properties = county()
    again = training.train(sales, properties, published=PUBLISHED, version="v")
    first = trained()[0]
    assert again.boosted.text == first.boosted.text
    assert again.model.model_dump_json() == first.model.model_dump_json()
    assert json.dumps(model_card(again), allow_nan=False) == json.dumps(model_card(first), allow_nan=False)


def test_a_kept_model_values_as_the_one_that_was_made() -> None:
    made, market, properties = trained()
    rows = properties.take(np.arange(50))
    fresh = Market(made.model, made.boosted, market.evidence)
    days = np.full(50, 19_700)
    for approach in Approach:
        ours = market.value(rows, days).by[approach]
        assert ours.tobytes() == fresh.value(rows, days).by[approach].tobytes()


def test_one_property_alone_has_the_value_that_it_has_among_many() -> None:
    _, market, properties = trained()
    many = market.value(properties.take(np.arange(300)), np.full(300, 19_700))
    for at in (0, 17, 299):
        alone = market.value(properties.take(np.array([at])), np.full(1, 19_700))
        for approach in Approach:
            assert alone.by[approach][0] == many.by[approach][at]


@pytest.mark.parametrize("at", [0, 5, 321])
def test_contributions_add_up_to_the_value(at: int) -> None:
    document = appraise(at)
    total = sum(row["amount"] for row in document["contributions"])
    assert total == pytest.approx(document["approaches"]["avm"]["value"], abs=1e-6)


@pytest.mark.parametrize("at", [0, 5, 321])
def test_the_grid_adds_up_line_by_line(at: int) -> None:
    document = appraise(at)
    assert document["comparables"]
    for one in document["comparables"]:
        amounts = [line["amount"] for line in one["adjustments"]]
        assert one["sale_price"] + sum(amounts) == pytest.approx(one["adjusted_price"], abs=1e-6)
        net = 100 * sum(amounts) / one["sale_price"]
        assert one["net_adjustment_percent"] == pytest.approx(net, abs=0.01)
        assert one["gross_adjustment_percent"] >= abs(one["net_adjustment_percent"]) - 0.01
    weighted = sum(one["weight"] * one["adjusted_price"] for one in document["comparables"])
    assert weighted == pytest.approx(document["approaches"]["comparable_sales"]["value"], rel=1e-5)
    assert sum(one["weight"] for one in document["comparables"]) == pytest.approx(1, abs=1e-9)


def test_comparables_that_are_much_adjusted_are_told_and_lower_the_confidence() -> None:
    told = set()
    for at in range(60):
        document = appraise(at)
        net = sum(one["weight"] * abs(one["net_adjustment_percent"]) for one in document["comparables"])
        factor = next(one for one in document["confidence_factors"] if one["factor"] == "comparables")
        notes = [note for note in document["notes"] if "adjusted by" in note]
        assert bool(notes) == (net > 15)
        if net > 15:
            assert f"{net / 100:.0%}" in notes[0]
            assert factor["value"] <= np.exp(0.15 - net / 100) + 1e-3
            assert factor["reason"]
        told.add(bool(notes))
    assert told == {True, False}


@pytest.mark.parametrize(("difference", "weak"), [(0.05, False), (0.2, False), (0.24, True), (-0.4, True)])
def test_comparables_adjusted_by_more_than_a_quarter_are_weak(difference: float, weak: bool) -> None:
    _, market, properties = trained()
    values = market.value(properties.take(np.arange(20)), np.full(20, 19_700))
    found = values.comparables
    adjusted = replace(found, difference=np.full_like(found.difference, difference) - found.market_time)
    alike = replace(values, comparables=adjusted, growth=np.zeros(20))
    others = (found.mean_similarity < 0.7 * market.model.usual_similarity) | (found.counts < 3)
    assert not others.all()
    assert (weak_comparables(market, alike) == (weak | others)).all()


def test_what_both_share_is_not_adjusted_for_and_more_area_counts_for_its_owner() -> None:
    seen = 0
    for at in range(12):
        for one in appraise(at)["comparables"]:
            for line in one["adjustments"]:
                if line["feature"] in {"Market time", PLACE}:
                    continue
                if line["subject"] == line["comparable"]:
                    assert line["amount"] == 0
                elif line["feature"] in {"Living area", "Land area", "Bathrooms", "Quality"}:
                    seen += 1
                    assert line["amount"] * (line["subject"] - line["comparable"]) >= 0
    assert seen > 50


def test_a_property_s_own_sales_are_no_comparables() -> None:
    _, market, properties = trained()
    ids = properties.texts("property_id")
    sold = np.flatnonzero(np.isin(ids, market.evidence.sales.property_ids))[:40]
    for at in sold.tolist():
        assert ids[at] not in appraise(at)["comparables_used"]


def test_more_of_what_is_wanted_never_lowers_the_model_s_value() -> None:
    _, market, properties = trained()
    rng = np.random.default_rng(3)
    rows = properties.take(rng.integers(0, len(properties), 1000))
    days = np.full(1000, 19_700)
    for name in ("living_area_sqft", "land_area_sqft", "bathrooms", "quality"):
        more = rows.numbers(name) * (1 + rng.random(1000))
        column = more.astype(str) if name == "quality" else more
        raised = Records.of({**rows.columns, name: column})
        before, after = (market.value(some, days).by[Approach.AVM] for some in (rows, raised))
        assert (after >= before).all()
        assert (after > before).any()


def test_a_value_of_a_day_in_the_past_knows_nothing_that_came_later() -> None:
    sales, properties = county()
    until = date(2021, 12, 31)
    later = sales.dates("sale_date") > np.datetime64(until)
    price = np.where(later, sales.numbers("sale_price") * 3, sales.numbers("sale_price"))
    other = Records({**sales.columns, "sale_price": price}, len(sales))
    documents = []
    for table in (sales, other):
        made = training.train(table, properties, published=PUBLISHED, known_until=until)
        market = training.open_market(made.model, made.boosted, table, properties)
        appraisal = Appraisal.of(market, properties.take(np.array([9])), until)
        documents.append(appraisal.document(Approach.RECONCILED))
    assert documents[0] == documents[1]
    assert max(one["sale_date"] for one in documents[0]["comparables"]) <= until.isoformat()


def test_a_later_day_is_worth_more_and_less_certain() -> None:
    early, late = appraise(day=DAY), appraise(day=date(2026, 1, 1))
    assert late["estimated_value"] > early["estimated_value"]
    assert late["confidence_score"] < early["confidence_score"]
    assert any("damped trend" in note for note in late["notes"])


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"living_area_sqft": np.nan}, "Not recorded: Living area"),
        ({"living_area_sqft": -40.0}, "Recorded with a value that cannot be"),
        ({"land_area_sqft": 9e6}, "Beyond what was sold: Land area"),
        ({"lon": 11.0, "lat": 48.0}, "Beyond what was sold: Longitude, Latitude"),
    ],
)
def test_what_is_strange_about_a_property_lowers_the_confidence_and_is_said(
    changes: dict[str, float], note: str
) -> None:
    plain, strange = appraise(3), appraise(3, **changes)
    assert strange["estimated_value"] > 0
    assert strange["confidence_score"] < plain["confidence_score"]
    assert any(note in told for told in strange["notes"])
    json.dumps(strange, allow_nan=False)


def test_weights_are_told_with_reasons_and_add_up() -> None:
    document = appraise()
    weights = document["approaches"]["reconciled"]["weights"]
    assert sum(one["weight"] for one in weights) == pytest.approx(1, abs=1e-3)
    assert all(one["reason"] for one in weights)
    values = [document["approaches"][one["approach"]]["value"] for one in weights]
    mean = sum(one["weight"] * value for one, value in zip(weights, values, strict=True))
    assert document["estimated_value"] == pytest.approx(mean, rel=1e-3)


@pytest.mark.parametrize(
    "kind",
    [
        {"coordinates": False},
        {"neighborhoods": False},
        {"coordinates": False, "neighborhoods": False},
        {"characteristics": ("living_area_sqft",)},
        {"characteristics": (), "texts": True},
        {"characteristics": ()},
        {"sales": 120},
        {"sales": 500, "texts": True},
    ],
    ids=str,
)
def test_counties_of_any_shape_are_valued(kind: dict[str, Any]) -> None:
    made, market, properties = trained(**kind)
    document = Appraisal.of(market, properties.take(np.array([1])), DAY).document(Approach.RECONCILED)
    json.dumps([document, model_card(made)], allow_nan=False)
    assert document["estimated_value"] > 0
    assert 0 < document["confidence_score"] <= 1
    located = made.model.places.located
    assert all((one["distance_km"] is not None) == located for one in document["comparables"])


@pytest.mark.parametrize(("sales", "count"), [(0, "0"), (60, "60")])
def test_too_few_sales_are_said_with_counts(sales: int, count: str) -> None:
    tables = county(sales)
    with pytest.raises(JobFailure) as failure:
        training.train(*tables, published=PUBLISHED)
    assert failure.value.reason is FailureReason.INSUFFICIENT_SALES
    assert f"there are {count}" in failure.value.message


def test_a_county_that_tells_nothing_of_its_properties_is_not_valued() -> None:
    tables = county(300, characteristics=(), coordinates=False, neighborhoods=False)
    with pytest.raises(JobFailure) as failure:
        training.train(*tables, published=PUBLISHED)
    assert failure.value.reason is FailureReason.INSUFFICIENT_DATA


def test_sales_that_were_left_out_are_counted_on_the_card() -> None:
    sales, properties = county(400)
    flags = np.where(np.arange(400) % 10 == 0, 0.0, 1.0)
    made = training.train(Records({**sales.columns, "is_valid": flags}, 400), properties, published=PUBLISHED)
    told = {row["reason"]: row["count"] for row in model_card(made)["screening"]}
    assert told["not_arms_length"] == 40
    assert made.model.sales_used == 400 - sum(told[reason] for reason in told if reason != "suspect")
