"""The cost approach: by a county's own tables and by its sales, its parts, and what it says where it cannot tell."""

import json
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

import numpy as np
import pytest

from terrafusion.counties.configuration import CostTables, ValuationConfiguration
from tests.unit.valuation_cases.counties import county
from valuation import cost, training
from valuation.appraisal import Appraisal
from valuation.approaches import Approach
from valuation.batch import Review, table
from valuation.calibration import Calibration
from valuation.card import model_card
from valuation.cost import CostModel, CostParts
from valuation.evidence_pages import property_pages
from valuation.land import Sold
from valuation.market import Market
from valuation.packet import packet_data, packet_pdf
from valuation.property_job import review_of, summary
from valuation.records import Records
from valuation.surroundings import Surroundings

DAY = date(2024, 1, 1)
NOTHING_SOLD = Sold(Records({}, 0), np.empty(0), np.empty(0, np.int64), 0)
HOUSE = {"living_area_sqft": 2000.0, "land_area_sqft": 8000.0, "year_built": 1995.0}
LOT = {"living_area_sqft": 0.0, "land_area_sqft": 6000.0, "year_built": np.nan}


def properties(*rows: dict[str, Any]) -> Records:
    names = {name for row in rows for name in row}
    return Records.of({name: np.array([row.get(name, "") for row in rows]) for name in names})


def parts_of(model: CostModel, one: dict[str, Any], area: int = 0, growth: float = 0.0) -> CostParts | None:
    return cost.parts(model, properties(one), np.array([area]), np.array([2025.0]), np.array([growth]))


def values_of(model: CostModel, *rows: dict[str, Any]) -> np.ndarray:
    count = len(rows)
    return cost.values(model, properties(*rows), np.full(count, -1), np.full(count, 2025.0), np.zeros(count))


def tables(**given: Any) -> CostTables:
    return CostTables(**{"cost_per_sqft": {"default": 150}, "land_per_sqft": {"default": 8}, **given})


def test_cost_by_a_county_s_tables_is_land_and_new_cost_less_depreciation() -> None:
    model = cost.from_tables(
        tables(
            cost_per_sqft={"residential|4": 200, "default": 150},
            garage_cost_per_sqft=40,
            local_multiplier=1.1,
            economic_life_years={"default": 60, "commercial": 40},
            effective_age_factor={"5": 0.5},
            land_per_sqft={"N1": 12, "default": 8},
        ),
        NOTHING_SOLD,
    )
    kind = {"property_class": "residential", "quality": "4", "condition": "5", "neighborhood": "N1"}
    house = HOUSE | kind | {"garage_area_sqft": 400.0}
    shop = {"living_area_sqft": 5000.0, "land_area_sqft": 20000.0, "year_built": 1965.0, "garage_area_sqft": np.nan}
    shop |= {"property_class": "commercial", "quality": "2", "condition": "3", "neighborhood": "N0"}
    lot = LOT | {"property_class": "vacant", "neighborhood": "N1", "garage_area_sqft": np.nan}
    value = 12 * 8000 + 1.1 * (200 * 2000 + 40 * 400) * (1 - 15 / 60)
    assert values_of(model, house, shop, lot) == pytest.approx([value, 8 * 20000 + 1.1 * 150 * 5000 * 0.2, 12 * 6000])
    part = parts_of(model, house)
    assert part is not None
    assert part.value == pytest.approx(value)
    assert part.effective_age_years == 15


def test_a_local_multiplier_is_of_what_is_built_and_not_of_land_at_local_rates() -> None:
    lot = {"living_area_sqft": 0.0, "land_area_sqft": 5404.0, "year_built": np.nan}
    model = cost.from_tables(tables(local_multiplier=0.7, land_per_sqft={"default": 10}), NOTHING_SOLD)
    assert values_of(model, lot).tolist() == [54_040]


def test_land_has_the_rate_of_its_neighborhood_whether_or_not_anything_was_sold_there() -> None:
    """Neighborhoods that are numbers, as codes of market areas are."""
    rates = {str(at): float(10 + at) for at in range(12)}
    model = cost.from_tables(tables(land_per_sqft=rates), NOTHING_SOLD)
    for area in (-1, 0, 3):
        lots = [LOT | {"neighborhood": float(at)} for at in range(12)]
        found = cost.values(model, properties(*lots), np.full(12, area), np.full(12, 2025.0), np.zeros(12))
        assert (found / 6000).tolist() == [10.0 + at for at in range(12)]


@pytest.mark.parametrize(
    ("given", "one", "reason"),
    [
        ({"land_per_sqft": {"N1": 9}}, HOUSE | {"neighborhood": "N2"}, "no rate of neighborhood 'N2'"),
        ({"land_per_sqft": {"N1": 9}}, LOT | {"neighborhood": "N2"}, "no rate of neighborhood 'N2'"),
        ({"land_per_sqft": {}}, HOUSE, "too few sales tell what land is worth"),
        ({"cost_per_sqft": {"exempt": 300}}, HOUSE | {"property_class": "shop"}, "no cost of class 'shop'"),
        ({}, HOUSE | {"year_built": np.nan}, "Living area or year built is not recorded"),
        ({}, LOT | {"land_area_sqft": np.nan}, "Neither a building nor the area of the land"),
    ],
)
def test_what_the_tables_do_not_tell_is_no_value_and_said(
    given: dict[str, Any], one: dict[str, Any], reason: str
) -> None:
    model = cost.from_tables(tables(**given), NOTHING_SOLD)
    assert np.isnan(values_of(model, one)).all()
    assert parts_of(model, one) is None
    assert reason in cost.why_not(model, properties(one), np.array([-1]))


def sold(vacant: int = 200, multiplier: float = 1.0) -> tuple[Sold, np.ndarray]:
    """Sales of one year whose land is 10 · 8000 · (area / 8000)^0.6, and the land's values."""
    rng = np.random.default_rng(4)
    count = 2000
    living, land = rng.uniform(900, 3000, count), rng.uniform(4000, 12000, count)
    age, bare = rng.uniform(0, 50, count), np.arange(count) < vacant
    ground = 10 * 8000 * (land / 8000) ** 0.6
    price = ground + np.where(bare, 0, 180 * living * np.maximum(1 - age / 75, 0.2))
    areas = np.arange(count) % 2
    records = Records.of(
        {
            "living_area_sqft": np.where(bare, 0, living),
            "land_area_sqft": land,
            "year_built": np.where(bare, np.nan, 2025 - age),
        }
    )
    return Sold(records, price * np.where(areas == 1, multiplier, 1), areas, 2), ground


def test_costs_are_extracted_from_sales_where_no_table_is_kept() -> None:
    sales, _ = sold()
    years, same = np.full(2000, 2025.0), np.zeros(2000)
    model = cost.from_sales(sales, years)
    assert model is not None
    assert model.life == 75
    assert model.land.power == pytest.approx(0.6, abs=0.01)
    assert cost.values(model, sales.records, sales.areas, years, same) == pytest.approx(sales.prices, rel=0.02)


def test_land_is_as_sales_tell_where_a_county_has_only_a_table_of_buildings() -> None:
    sales, ground = sold()
    model = cost.from_tables(tables(local_multiplier=1.3, land_per_sqft={}), sales)
    assert model.land.values(sales.records, sales.areas) == pytest.approx(ground, rel=0.02)
    before, after = parts_of(model, HOUSE), parts_of(model, HOUSE, growth=0.1)
    assert before is not None
    assert after is not None
    assert before.building_value == after.building_value == pytest.approx(1.3 * 150 * 2000 * 0.5)
    assert after.land_value == pytest.approx(before.land_value * np.exp(0.1))


@pytest.mark.parametrize("own", [True, False])
def test_land_and_building_add_up_to_the_value(own: bool) -> None:
    sales, _ = sold(multiplier=1.2)
    years = np.full(2000, 2025.0)
    model = cost.from_tables(tables(local_multiplier=1.2), sales) if own else cost.from_sales(sales, years)
    assert model is not None
    part = parts_of(model, HOUSE, area=1)
    assert part is not None
    assert part.local_multiplier != pytest.approx(1, abs=0.01)
    assert part.building_value == pytest.approx(part.local_multiplier * part.replacement_cost_new * part.good)
    assert part.land_value + part.building_value == part.value


@cache
def special() -> tuple[Market, Records, dict[str, Any]]:
    """A county whose cost tables are of its schools alone, of which none was ever sold."""
    sales, every = county(400)
    kinds = np.where(np.isin(every.texts("property_id"), sales.texts("property_id")), "home", "school")
    every = Records({**every.columns, "property_class": kinds}, len(every))
    made = training.train(
        sales, every, published=date(2025, 1, 1), cost_tables=tables(cost_per_sqft={"school": 300}), version="v"
    )
    schools = every.take(np.flatnonzero(kinds == "school"))
    return training.open_market(made.model, made.boosted, sales, every), schools, model_card(made)


@pytest.mark.slow
def test_a_value_by_cost_that_no_sale_tests_has_no_range_and_is_to_be_reviewed() -> None:
    market, schools, card = special()
    appraisal = Appraisal.of(market, schools.take(np.array([0])), DAY)
    document = appraisal.document(Approach.COST)
    json.dumps(document, allow_nan=False)
    assert document["estimated_value"] == document["approaches"]["cost"]["value"] > 0
    assert document["value_range"] is None
    assert "too few sales tell" in document["range_unavailable"]
    weights = {one["approach"]: one for one in document["approaches"]["reconciled"]["weights"]}
    assert weights["cost"]["weight"] == 0
    assert "too few sales tell" in weights["cost"]["reason"]
    reviewed = document | review_of(appraisal, document, ValuationConfiguration())
    assert reviewed["needs_review"]
    assert "no range" in reviewed["review_reason"]
    assert summary(reviewed) == f"${document['estimated_value']:,.0f}, to be reviewed"
    assert card["hold_out"]["approaches"]["cost"] == {"n": 0}
    assert Appraisal.of(market, schools.take(np.array([0])), DAY).document(Approach.AVM)["range_unavailable"] is None


@pytest.mark.slow
def test_a_batch_of_values_that_no_sale_tests_is_all_to_be_reviewed() -> None:
    market, schools, _ = special()
    some = schools.take(np.arange(40))
    found = table(market, some, np.full(40, 19_700), Review(0.0, Approach.COST))
    assert np.isfinite(found["estimated_value"]).all()
    assert np.isnan(found["value_low"]).all()
    assert np.isnan(found["value_high"]).all()
    assert found["needs_review"].all()


def test_errors_of_bare_land_do_not_tell_what_buildings_cost() -> None:
    told = {approach: np.zeros(30) for approach in (Approach.AVM, Approach.COST)}
    for bare, approaches in ((30, {Approach.AVM}), (15, {Approach.AVM, Approach.COST})):
        slice_of = Calibration(told, np.zeros(30), np.ones(30), np.arange(30) < bare)
        assert set(slice_of.bands(0.9)) == approaches


@pytest.mark.slow
def test_a_packet_of_a_value_without_a_range_shows_none_and_its_cost_adds_up() -> None:
    market, schools, card = special()
    appraisal = Appraisal.of(market, schools.take(np.array([0])), DAY)
    document = appraisal.document(Approach.COST)
    result = (
        {"property_id": "P", "dataset_version": "d"}
        | document
        | review_of(appraisal, document, ValuationConfiguration())
    )
    made_at = datetime(2024, 1, 2, tzinfo=UTC)
    pages = property_pages(appraisal, card)
    shown = packet_data(result, pages, office="Office", made_at=made_at, has_map=False)
    money = [float(text.strip("$").replace(",", "")) for _, text in shown["cost"] if text.startswith("$")]
    land, _, building, value = money
    assert shown["range"] is None
    assert land + building == pytest.approx(value, abs=1)
    assert packet_pdf(result, pages, Surroundings([None]), office="Office", made_at=made_at).content.startswith(b"%PDF")
