"""Bare land is valued as bare land, whatever its class is called and whatever else is asked for."""

from datetime import date
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.valuation_cases.counties import county
from valuation import training
from valuation.appraisal import Appraisal
from valuation.approaches import Approach
from valuation.buildings import Buildings
from valuation.confidence import Confidence, judge
from valuation.market import Market, Values
from valuation.records import Records

ROLL, DAY = 2_700, 19_700
NAN = float("nan")


@cache
def market(lots: str = "land") -> tuple[Market, Records]:
    sales, properties = county(900, lots=lots)
    made = training.train(sales, properties, published=date(2025, 1, 1))
    return training.open_market(made.model, made.boosted, sales, properties), properties


def valued(rows: Any, lots: str = "land") -> tuple[Values, Confidence]:
    made, properties = market(lots)
    values = made.value(properties.take(np.asarray(rows)), np.full(len(rows), DAY))
    return values, judge(made, values)


@cache
def roll() -> tuple[Values, Confidence]:
    return valued(np.arange(ROLL))


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(rows=st.lists(st.integers(0, ROLL - 1), min_size=1, max_size=6, unique=True))
def test_a_property_s_appraisal_does_not_depend_on_the_other_rows_of_the_request(rows: list[int]) -> None:
    values, confidence = valued(rows)
    whole, judged = roll()
    for approach in Approach:
        assert values.by[approach].tobytes() == whole.by[approach][rows].tobytes()
    assert (values.comparables.sales == whole.comparables.sales[rows]).all()
    assert confidence.score.tobytes() == judged.score[rows].tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("row", [0, 5, 1000])
def test_a_lot_alone_is_compared_with_lots(row: int) -> None:
    values, _ = valued([row])
    made, _ = market()
    chosen = values.comparables.sales[0][values.comparables.sales[0] >= 0]
    assert len(chosen)
    assert set(made.evidence.sales.records.texts("property_class")[chosen]) == {"land"}


@pytest.mark.slow
def test_a_lot_lacks_no_building_whatever_its_class_is_called() -> None:
    by_name = [valued([0], lots) for lots in ("land", "vacant")]
    assert by_name[0][1].score[0] == by_name[1][1].score[0]
    assert not any(rows[0] for _, confidence in by_name for rows in confidence.lacking.values())


@pytest.mark.slow
def test_a_home_of_which_nothing_is_recorded_is_no_lot() -> None:
    made, properties = market()
    home = properties.take(np.array([1]))
    nothing = {name: np.array([NAN]) for name in ("living_area_sqft", "year_built", "bathrooms")}
    appraisal = Appraisal.of(made, Records({**home.columns, **nothing}, 1), date(2023, 12, 9))
    assert "Living area, Year built" in " ".join(appraisal.notes())
    assert appraisal.approaches(appraisal.comparables())["cost"]["unavailable"] is not None


def records(classes: list[str], **columns: list[float]) -> Records:
    return Records.of({"property_class": np.array(classes), **{name: np.array(v) for name, v in columns.items()}})


SOLD = records(
    ["home"] * 40 + ["farm"] * 40,
    living_area_sqft=[1500.0] * 40 + [1500.0, NAN] * 20,
)


@pytest.mark.parametrize(
    ("kind", "known", "built"),
    [
        ("farm", {}, False),
        ("farm", {"bedrooms": 3.0}, True),
        ("farm", {"year_built": 1990.0}, True),
        ("farm", {"year_built": 0.0, "bathrooms": 0.0}, False),
        ("home", {}, True),
        ("home", {"living_area_sqft": -40.0}, True),
        ("home", {"living_area_sqft": 0.0}, False),
        ("never sold", {}, False),
        ("", {}, True),
    ],
)
def test_a_record_without_a_building_is_land_unless_its_class_hardly_ever_is(
    kind: str, known: dict[str, float], built: bool
) -> None:
    one = {"living_area_sqft": NAN, **known}
    assert Buildings(SOLD).on(records([kind], **{name: [value] for name, value in one.items()})).tolist() == [built]


def test_where_no_buildings_are_recorded_everything_is_compared_with_everything() -> None:
    sold = records(["home"] * 40, land_area_sqft=[5000.0] * 40)
    assert Buildings(sold).on(records(["", "home"], living_area_sqft=[NAN, 900.0])).all()
