"""Each formula against an independent implementation, or a rule that holds for all inputs."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.valuation_cases.counties import YEARLY_GROWTH, county
from valuation import features, hedonic, market_time
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
