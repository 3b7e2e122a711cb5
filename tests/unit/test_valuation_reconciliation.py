"""Approaches that agree are weighed; one that contradicts the others has no weight, and the confidence knows of it."""

import math
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
from valuation.comparables import Comparables
from valuation.evidence import Subjects
from valuation.features import Feature, Kind
from valuation.intervals import Bands
from valuation.market import Market
from valuation.ranges import SoldRanges
from valuation.reconciliation import APPROACHES, STRAY, Weights, weigh
from valuation.records import Records

SPREADS = {Approach.COMPARABLE_SALES: 0.1, Approach.AVM: 0.11, Approach.COST: 0.15}


def weights_of(values: list[float]) -> tuple[Weights, dict[Approach, np.ndarray]]:
    """Weights of one property's dollars by comparables, model and cost, NaN for none."""
    by = {approach: np.log(np.array([value])) for approach, value in zip(APPROACHES, values, strict=True)}
    bands = {
        approach: Bands(level=0.9, cuts=(), low=(-0.2,), high=(0.2,), met=(0.8,), spread=spread, count=500)
        for approach, spread in SPREADS.items()
    }
    eight, weight = np.full((1, 8), 0.8), np.full((1, 8), 1 / 8)
    nothing = np.zeros((1, 8))
    found = Comparables(np.zeros((1, 8), int), eight, nothing, nothing, nothing, nothing, weight, np.array([200]))
    return weigh(by, bands, found, np.ones(1), 0.8), by


NONE = math.nan


@pytest.mark.parametrize(
    ("values", "strays"),
    [
        ([606e3, 595e3, 620e3], []),
        ([606e3, 595e3, 1.71e6], [Approach.COST]),
        ([606e3, 595e3, 70.5e6], [Approach.COST]),
        ([300e3, 595e3, 620e3], [Approach.COMPARABLE_SALES]),
        ([606e3, 1.5e6, 620e3], [Approach.AVM]),
        ([NONE, 595e3, 1.71e6], [Approach.COST]),
        ([NONE, NONE, 1.71e6], []),
        ([200e3, 600e3, 2e6], [Approach.COMPARABLE_SALES, Approach.COST]),
    ],
)
def test_what_is_far_from_the_middle_has_no_weight(values: list[float], strays: list[Approach]) -> None:
    weights, by = weights_of(values)
    assert [approach for at, approach in enumerate(APPROACHES) if weights.strays[0, at]] == strays
    counted = [value for value, share in zip(values, weights.shares[0], strict=True) if share > 0]
    assert len(counted) == np.sum(~np.isnan(values)) - len(strays)
    assert weights.shares.sum() == pytest.approx(1)
    assert min(counted) * 0.999 <= np.exp(weights.reconcile(by)[0]) <= max(counted) * 1.001


@settings(max_examples=200)
@given(values=st.lists(st.floats(1e3, 1e9), min_size=3, max_size=3))
def test_the_value_is_never_further_from_the_middle_than_an_approach_may_stray(values: list[float]) -> None:
    weights, by = weights_of(values)
    middle = np.log(values[int(np.argmin(np.abs(weights.apart[0])))])
    assert weights.shares.sum() == pytest.approx(1)
    assert abs(weights.reconcile(by)[0] - middle) <= STRAY * max(SPREADS.values()) + 1e-9


def test_no_approach_with_a_value_leaves_none() -> None:
    weights, by = weights_of([NONE, NONE, NONE])
    assert not weights.strays.any()
    assert np.isnan(weights.reconcile(by)[0])


@cache
def market() -> tuple[Market, Records]:
    sales, properties = county(900)
    made = training.train(sales, properties, published=date(2025, 1, 1))
    return training.open_market(made.model, made.boosted, sales, properties), properties


def appraise(living: float) -> dict[str, Any]:
    made, properties = market()
    one = properties.take(np.array([3]))
    records = Records({**one.columns, "living_area_sqft": np.array([living])}, 1)
    return Appraisal.of(made, records, date(2024, 1, 1)).document(Approach.RECONCILED)


@pytest.mark.slow
@pytest.mark.parametrize("living", [30_000.0, 1_000_000.0])
def test_an_absurd_area_does_not_drag_the_value_and_is_said(living: float) -> None:
    usual, absurd = appraise(1_500), appraise(living)
    others = [absurd["approaches"][name]["value"] for name in ("comparable_sales", "avm")]
    assert absurd["approaches"]["cost"]["value"] > 3 * max(others)
    assert min(others) <= absurd["estimated_value"] <= max(others)
    weights = {row["approach"]: row for row in absurd["approaches"]["reconciled"]["weights"]}
    assert weights["cost"]["weight"] == 0
    assert "no weight" in weights["cost"]["reason"]
    assert absurd["confidence_score"] < 0.5 < usual["confidence_score"]
    assert any("the cost approach" in note for note in absurd["notes"])
    assert any("Beyond what was sold: Living area" in note for note in absurd["notes"])


@pytest.mark.parametrize(
    ("kind", "living", "outside"), [("home", 9e3, True), ("shop", 9e3, False), ("barn", 9e3, False)]
)
def test_what_was_sold_is_asked_of_a_property_s_own_class(kind: str, living: float, outside: bool) -> None:
    def subjects(kinds: list[str], areas: np.ndarray) -> Subjects:
        none = np.zeros(len(kinds), int)
        return Subjects(Records.of({"property_class": np.array(kinds)}), none, none, areas, areas[:, None])

    areas = np.r_[np.linspace(1e3, 2e3, 200), np.linspace(4e3, 2e4, 200)]
    feature = Feature(name="living_area_sqft", kind=Kind.NUMBER, low=1e3, high=2e4)
    ranges = SoldRanges(subjects(["home"] * 200 + ["shop"] * 200, areas), [feature])
    assert ranges.outside(subjects([kind], np.array([9_000.0]))) == {feature.name: [outside]}
