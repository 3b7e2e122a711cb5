"""The cost approach: by a county's own tables and by its sales, its parts, and what it says where it cannot tell."""

from datetime import date
from typing import Any

import numpy as np
import pytest

from terrafusion.counties.configuration import CostTables
from valuation import cost
from valuation.cost import CostModel, CostParts
from valuation.land import Sold
from valuation.records import Records

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
