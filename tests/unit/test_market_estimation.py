"""Estimates against statsmodels and against solutions by matrices written out."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from market_analysis.regression import Factor, least_squares
from market_analysis.resales import LEAST_VARIANCE_SHARE, Pairs, holding_rate, repeat_sales

Floats = NDArray[np.float64]


def world(seed: int, count: int = 800) -> tuple[Floats, dict[str, Floats], list[Factor], Floats]:
    """Prices with unequal variance, two factors, and the same equation with its dummies written out."""
    random = np.random.default_rng(seed)
    area, lot = random.normal(1_700, 400, count), random.normal(9_000, 2_500, count)
    period, place = random.integers(0, 9, count), random.integers(0, 14, count)
    place[: count // 2] = 3
    noise = random.normal(0, 0.1, count) * (1 + np.abs(area - 1_700) / 400)
    y = 11 + 0.0004 * area + 1e-5 * lot + 0.03 * period + random.normal(0, 0.1, 14)[place] + noise
    names = [[str(at) for at in range(size)] for size in (9, 14)]
    factors = [Factor("period", period, names[0]), Factor("place", place, names[1], base=3)]
    dummies = [period == at for at in range(1, 9)] + [place == at for at in range(14) if at != 3]
    full = np.column_stack([np.ones(count), area, lot, *dummies]).astype(float)
    return y, {"area": area, "lot": lot}, factors, full


@pytest.mark.parametrize("seed", range(4))
def test_coefficients_and_robust_errors_are_those_of_statsmodels(seed: int) -> None:
    y, columns, factors, full = world(seed)
    ours = least_squares(y, columns, factors)
    theirs = sm.OLS(y, full).fit(cov_type="HC1")
    assert ours.slopes["area"].value == pytest.approx(theirs.params[1], rel=1e-9)
    assert ours.slopes["lot"].error == pytest.approx(theirs.bse[2], rel=1e-9)
    assert ours.intercept == pytest.approx(theirs.params[0], rel=1e-9)
    assert ours.r_squared == pytest.approx(theirs.rsquared, rel=1e-9)
    np.testing.assert_allclose(ours.effects["period"].values[1:], theirs.params[3:11], rtol=1e-8)
    np.testing.assert_allclose(ours.effects["period"].errors[1:], theirs.bse[3:11], rtol=1e-8)
    np.testing.assert_allclose(np.delete(ours.effects["place"].values, 3), theirs.params[11:], rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(ours.residuals, theirs.resid, atol=1e-10)


def test_columns_that_others_explain_are_dropped_and_change_nothing() -> None:
    y, columns, factors, _ = world(9)
    plain = least_squares(y, columns, factors)
    more = least_squares(
        y, {**columns, "twice": 2 * columns["area"] - columns["lot"], "same": np.full(y.size, 7.0)}, factors
    )
    assert more.dropped == ("twice", "same")
    assert more.parameters == plain.parameters
    assert more.slopes["area"].value == pytest.approx(plain.slopes["area"].value, rel=1e-9)


def test_levels_without_observations_have_no_effect() -> None:
    y, columns, _, _ = world(2)
    codes = np.random.default_rng(0).integers(0, 3, y.size) * 2
    effects = least_squares(y, columns, [Factor("period", codes, list("abcde"))]).effects["period"]
    assert np.isnan(effects.values[[1, 3]]).all()
    assert np.isfinite(effects.values[[0, 2, 4]]).all()


def test_more_parameters_than_observations_are_refused() -> None:
    with pytest.raises(ValueError, match="3 observations for 3 parameters"):
        least_squares(
            np.array([1.0, 2, 4]), {"x": np.array([1.0, 2, 5])}, [Factor("a", np.array([0, 1, 1]), ["a", "b"])]
        )


def resold(seed: int, count: int = 400, periods: int = 12) -> Pairs:
    random = np.random.default_rng(seed)
    first = random.integers(0, periods - 1, count)
    second = first + 1 + random.integers(0, periods - 1, count) % (periods - 1 - first)
    level = np.cumsum(random.normal(0.01, 0.02, periods))
    months = (second - first) * 3 + random.uniform(0, 2, count)
    change = level[second] - level[first] + random.normal(0, 1, count) * np.sqrt(0.004 + 0.0006 * months)
    return Pairs(first, second, change, months)


def written_out(pairs: Pairs, periods: int) -> Floats:
    matrix = np.zeros((len(pairs), periods))
    matrix[np.arange(len(pairs)), pairs.first] = -1
    matrix[np.arange(len(pairs)), pairs.second] = 1
    return matrix[:, 1:]


@pytest.mark.parametrize("seed", range(4))
def test_both_repeat_sales_indices_are_the_matrix_solutions(seed: int) -> None:
    pairs = resold(seed)
    index = repeat_sales(pairs, 12)
    matrix = written_out(pairs, 12)
    bmn = sm.OLS(pairs.change, matrix).fit()
    np.testing.assert_allclose(index.bmn.levels[1:], bmn.params, atol=1e-10)
    np.testing.assert_allclose(index.bmn.errors[1:], bmn.bse, rtol=1e-9)
    second = sm.OLS(bmn.resid**2, sm.add_constant(pairs.months)).fit()
    assert (index.variance_constant, index.variance_per_month) == pytest.approx(tuple(second.params), rel=1e-8)
    variance = np.maximum(second.fittedvalues, LEAST_VARIANCE_SHARE * (bmn.resid**2).mean())
    weighted = sm.WLS(pairs.change, matrix, weights=1 / variance).fit()
    np.testing.assert_allclose(index.case_shiller.levels[1:], weighted.params, atol=1e-10)
    np.testing.assert_allclose(index.case_shiller.errors[1:], weighted.bse, rtol=1e-8)


def test_periods_that_no_pair_leads_to_have_no_index() -> None:
    pairs = resold(1)
    apart = pairs.where((pairs.first != 4) & (pairs.second != 4))
    index = repeat_sales(apart, 12)
    assert np.isnan(index.bmn.levels).tolist() == [at == 4 for at in range(12)]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(-0.02, 0.02))
def test_the_same_growth_everywhere_is_recovered_exactly(seed: int, rate: float) -> None:
    pairs = resold(seed, count=80)
    steady = Pairs(pairs.first, pairs.second, rate * (pairs.second - pairs.first), pairs.months)
    index = repeat_sales(steady, 12)
    np.testing.assert_allclose(index.case_shiller.levels, rate * np.arange(12), atol=1e-9)


def test_a_holding_rate_is_the_line_through_the_origin() -> None:
    pairs = resold(5)
    theirs = sm.OLS(pairs.change, pairs.months).fit(cov_type="HC1")
    assert holding_rate(pairs.change, pairs.months) == pytest.approx((theirs.params[0], theirs.bse[0]), rel=1e-9)
