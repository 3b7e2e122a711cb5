"""Each formula against an independent implementation, or a rule that holds for all inputs."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from terrafusion.counties.configuration import CostTables
from tests.unit.valuation_cases.counties import YEARLY_GROWTH, county
from valuation import cost, features, hedonic, market_time
from valuation.features import Feature, Kind
from valuation.intervals import Bands
from valuation.neighbors import Neighbors
from valuation.places import AreaKind, Places
from valuation.records import Records
from valuation.screening import join
from valuation.settings import ModelSettings


def sold(**shape: object) -> tuple:
    sales, properties = county(900, **shape)
    joined, _ = join(sales, properties)
    choice = features.choose(joined.records, tuple(properties), np.log(joined.prices))
    places = Places.survey(joined.records)
    known = features.matrix(joined.records, choice.features)
    return joined, choice.features, places, places.areas(joined.records), known


def test_the_hedonic_equation_is_least_squares_with_dummies_for_areas() -> None:
    joined, chosen, places, areas, known = sold()
    wanted = np.log(joined.prices)
    equation = hedonic.fit(chosen, known, areas, places.count, wanted)
    dummies = (areas[:, None] == np.arange(places.count)).astype(float)
    theirs = sm.OLS(wanted, np.hstack([equation.design(known), dummies])).fit()
    assert equation.coefficients == pytest.approx(theirs.params[: len(equation.terms)], rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("shape", [{}, {"neighborhoods": False}, {"coordinates": False}])
def test_the_index_finds_the_growth_that_prices_were_drawn_with(shape: dict[str, bool]) -> None:
    joined, chosen, places, areas, known = sold(**shape)
    equation = hedonic.fit(chosen, known, areas, places.count, np.log(joined.prices))
    settings_ = ModelSettings()
    index = market_time.fit(joined.days, np.log(joined.prices), equation.design(known), areas, places.count, settings_)
    whole = index.growth(np.array([index.first]), np.array([index.last]))[0]
    assert whole / ((index.last - index.first) / 365.25) == pytest.approx(YEARLY_GROWTH, abs=0.006)


def test_beyond_the_last_sale_the_trend_goes_on_and_fades() -> None:
    index = market_time.TimeIndex(first=0, last=3650, knots=(), slopes=(0.04,), damping=2.0)
    years = np.array([0, 1, 2, 5, 50])
    growth = index.growth(np.full(5, 3650), (3650 + years * 365.25).astype(int))
    assert growth == pytest.approx(0.04 * 2 * (1 - np.exp(-years / 2)), abs=1e-4)
    assert index.level(np.array([-999])) == pytest.approx(0)


def test_a_property_s_own_sales_do_not_tell_of_it() -> None:
    places = np.array([[0.0, 0.0], [0.0, 0.1], [0.0, 0.2], [5.0, 5.0]])
    owners, values = np.array([0, 0, 1, 2]), np.array([100.0, 100.0, 1.0, 3.0])
    neighbors = Neighbors(places, owners, values)
    near = neighbors.means(np.array([[0.0, 0.0]]), np.array([0]), (1, 2))
    weights = 1 / (np.array([0.2, np.hypot(5, 5)]) + 0.1)
    assert near[0] == pytest.approx([1.0, (weights * [1, 3]).sum() / weights.sum()])


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10_000), spread=st.floats(0.01, 0.5))
def test_nine_in_ten_prices_are_within_nine_in_ten_intervals(seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    value = rng.normal(12, 0.5, 4000)
    price = value + rng.standard_t(4, 4000) * spread * (1 + np.abs(value - 12))
    bands = Bands.calibrate(value[:2000], price[:2000], 0.9)
    low, high = bands.interval(value[2000:])
    assert 0.87 < np.mean((price[2000:] >= low) & (price[2000:] <= high)) < 0.94
    assert (low <= value[2000:]).all()
    assert (high >= value[2000:]).all()


def test_intervals_of_few_sales_hold_what_they_say_in_the_mean() -> None:
    """Of a uniform error, the share between two quantiles is their distance: no draw of further prices is needed."""
    rng = np.random.default_rng(1)
    held = []
    for errors in rng.uniform(-0.5, 0.5, (4_000, 50)):
        bands = Bands.calibrate(np.zeros(50), errors, 0.9)
        held.append(bands.high[0] - bands.low[0])
    assert np.mean(held) == pytest.approx(0.9, abs=4 * np.std(held) / np.sqrt(len(held)))


def test_cost_by_a_county_s_tables_is_land_and_new_cost_less_depreciation() -> None:
    tables = CostTables(
        cost_per_sqft={"residential|4": 200, "default": 150},
        garage_cost_per_sqft=40,
        local_multiplier=1.1,
        economic_life_years={"default": 60, "commercial": 40},
        residual_share=0.2,
        effective_age_factor={"5": 0.5},
        land_per_sqft={"N1": 12, "default": 8},
    )
    model = cost.from_tables(tables, ("N0", "N1"))
    records = Records.of(
        {
            "property_class": np.array(["residential", "commercial", "vacant"]),
            "quality": np.array(["4", "2", ""]),
            "condition": np.array(["5", "3", ""]),
            "living_area_sqft": np.array([2000.0, 5000.0, 0.0]),
            "garage_area_sqft": np.array([400.0, np.nan, np.nan]),
            "land_area_sqft": np.array([8000.0, 20000.0, 6000.0]),
            "year_built": np.array([1995.0, 1965.0, np.nan]),
        }
    )
    values = cost.values(model, records, np.array([1, 0, 1]), np.full(3, 2025.0))
    house = 1.1 * (12 * 8000 + (200 * 2000 + 40 * 400) * (1 - 15 / 60))
    shop = 1.1 * (8 * 20000 + 150 * 5000 * 0.2)
    assert values == pytest.approx([house, shop, 1.1 * 12 * 6000])
    part = cost.parts(model, records, np.array([1, 0, 1]), np.full(3, 2025.0))
    assert part is not None
    assert part.value == pytest.approx(house)
    assert part.effective_age_years == 15
    assert part.local_multiplier * (part.land_value + part.replacement_cost_new * part.good) == pytest.approx(house)


def test_costs_are_extracted_from_sales_where_no_table_is_kept() -> None:
    rng = np.random.default_rng(4)
    count = 2000
    living, land = rng.uniform(900, 3000, count), rng.uniform(4000, 12000, count)
    age = rng.uniform(0, 50, count)
    vacant = np.arange(count) < 200
    price = 10 * 8000 * (land / 8000) ** 0.6 + np.where(vacant, 0, 180 * living * np.maximum(1 - age / 75, 0.2))
    records = Records.of(
        {
            "living_area_sqft": np.where(vacant, 0, living),
            "land_area_sqft": land,
            "year_built": np.where(vacant, np.nan, 2025 - age),
        }
    )
    areas = np.zeros(count, np.int64)
    model = cost.from_sales(records, np.full(count, 2025.0), price, areas, 1)
    assert model is not None
    assert model.life == 75
    assert model.land_power == pytest.approx(0.6, abs=0.01)
    assert cost.values(model, records, areas, np.full(count, 2025.0)) == pytest.approx(price, rel=0.02)


def test_features_are_found_whatever_the_county_calls_them_and_values_are_not() -> None:
    sales, properties = county(900, texts=True)
    joined, _ = join(sales, properties)
    choice = features.choose(joined.records, tuple(properties), np.log(joined.prices))
    found = {feature.name: feature for feature in choice.features}
    assert found["roof"].levels == ("metal", "shake", "tile")
    assert found["quality"].kind is Kind.NUMBER
    assert found["quality"].monotone == 1
    assert {"property_id", "total_appraised", "mystery", "OBJECTID"} <= set(choice.omitted)
    assert set(found) | set(choice.omitted) == set(properties)


def test_absurd_values_count_as_missing() -> None:
    records = Records.of({"living_area_sqft": np.array([-5.0, 1500.0, 9e9]), "year_built": np.array([3000.0, 1990, 0])})
    chosen = [Feature(name="living_area_sqft", kind=Kind.NUMBER), Feature(name="year_built", kind=Kind.NUMBER)]
    known = features.matrix(records, chosen)
    assert np.isnan(known).tolist() == [[True, True], [False, False], [True, True]]
    assert features.absurd(records, chosen)["year_built"].tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ({}, AreaKind.NEIGHBORHOOD),
        ({"neighborhoods": False}, AreaKind.CELL),
        ({"coordinates": False}, AreaKind.NEIGHBORHOOD),
        ({"coordinates": False, "neighborhoods": False}, AreaKind.COUNTY),
    ],
)
def test_market_areas_are_what_the_county_has(shape: dict[str, bool], kind: AreaKind) -> None:
    joined, _, places, areas, _ = sold(**shape)
    assert places.kind is kind
    assert (areas >= 0).all()
    assert areas.max() < places.count
    assert np.isfinite(places.positions(joined.records, areas)).all()
