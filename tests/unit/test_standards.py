"""Verdicts: what a standard says of a study, and of one that is too small to say anything."""

import numpy as np
import pytest
from pydantic import ValidationError

from terrafusion.ratios import Measure, Outcome, RatioSample, judge, overall, study
from terrafusion.standards import PropertyType, Range, Standard, StandardBook, property_type

BOOK = StandardBook.default().root


def sales(n: int, level: float, spread: float, slope: float = 0.0) -> RatioSample:
    """Ratios around a level: evenly spread, so that the median is exact, with prices that know nothing of them."""
    rng = np.random.default_rng(n)
    price = rng.lognormal(12.3, 0.5, n)
    ratio = rng.permutation(np.linspace(level * (1 - spread), level * (1 + spread), n))
    return RatioSample.of(price ** (1 + slope) / np.exp(12.3) ** slope * ratio, price)


def outcome(sample: RatioSample, measure: Measure, standard: str = "iaao") -> Outcome:
    verdicts = {v.measure: v for v in judge(study(sample), BOOK[standard], PropertyType.RESIDENTIAL)}
    return verdicts[measure].outcome


@pytest.mark.parametrize(
    ("level", "n", "expected"),
    [(1.0, 400, Outcome.PASS), (0.85, 400, Outcome.FAIL), (0.89, 40, Outcome.WARNING), (1.2, 400, Outcome.FAIL)],
)
def test_level_fails_only_when_the_interval_misses_the_range(level: float, n: int, expected: Outcome) -> None:
    assert outcome(sales(n, level, 0.2), Measure.MEDIAN) is expected


def test_states_differ() -> None:
    sample = sales(400, 0.93, 0.2)
    assert outcome(sample, Measure.MEDIAN, "iaao") is Outcome.PASS
    assert outcome(sample, Measure.MEDIAN, "wyoming") is Outcome.FAIL
    assert Measure.VEI not in {v.measure for v in judge(study(sample), BOOK["wyoming"], PropertyType.RESIDENTIAL)}


def test_dispersion_is_judged_by_type() -> None:
    sample = sales(400, 1.0, 0.36)  # COD 18
    verdicts = {kind: judge(study(sample), BOOK["wyoming"], kind) for kind in (*PropertyType, None)}
    by_type = {k: next(v for v in vs if v.measure is Measure.COD) for k, vs in verdicts.items()}

    assert by_type[PropertyType.RESIDENTIAL].outcome is Outcome.FAIL
    assert by_type[PropertyType.INCOME].outcome is Outcome.PASS
    assert by_type[PropertyType.OTHER].outcome is Outcome.NOT_JUDGED
    assert by_type[None].why == "types of property are mixed"


def test_equity_fails_only_when_confirmed() -> None:
    regressive = sales(800, 1.0, 0.1, slope=-0.25)
    assert outcome(regressive, Measure.PRB) is Outcome.FAIL
    assert outcome(regressive, Measure.VEI) is Outcome.FAIL
    assert outcome(regressive, Measure.PRD) is Outcome.FAIL
    assert outcome(regressive, Measure.MKI) is Outcome.FAIL
    assert outcome(sales(24, 1.0, 0.6, slope=-0.2), Measure.VEI) is Outcome.WARNING


def test_groups_that_are_cut_by_value_are_judged_by_level_and_uniformity() -> None:
    rng = np.random.default_rng(0)
    worth = rng.lognormal(12.5, 0.45, 5_000)
    fair = RatioSample(worth * np.exp(rng.normal(0, 0.07, 5_000)), worth * np.exp(rng.normal(0, 0.07, 5_000)))
    limits, kind = BOOK["iaao"], PropertyType.RESIDENTIAL
    deciles = [study(fair.take(places)) for places in np.array_split(fair.by_proxy, 10)]

    assert overall(judge(study(fair), limits, kind)) is Outcome.PASS
    assert all(overall(judge(decile, limits, kind)) is Outcome.FAIL for decile in deciles)
    for decile in deciles:
        verdicts = judge(decile, limits, kind, cut_by_value=True)
        judged = {v.measure for v in verdicts if v.outcome is not Outcome.NOT_JUDGED}
        assert overall(verdicts) is Outcome.PASS
        assert judged == {Measure.MEDIAN, Measure.COD}
    low = study(RatioSample(0.8 * fair.assessed, fair.price))
    assert overall(judge(low, limits, kind, cut_by_value=True)) is Outcome.FAIL


def test_suspicious_uniformity_is_a_warning() -> None:
    assert outcome(sales(400, 1.0, 0.04), Measure.COD) is Outcome.WARNING


def test_too_few_sales_get_no_verdict() -> None:
    verdicts = judge(study(sales(4, 1.0, 0.1)), BOOK["iaao"], PropertyType.RESIDENTIAL)

    assert {v.outcome for v in verdicts} == {Outcome.NOT_JUDGED}
    assert overall(verdicts) is Outcome.NOT_JUDGED
    whys = {v.measure: v.why for v in verdicts}
    assert whys[Measure.MEDIAN] == "n = 4 < 5, too few for a verdict"
    assert whys[Measure.VEI] == "not computed (n = 4 < 20)"


def test_a_county_adds_its_own_standard() -> None:
    own = Standard(
        title="Ours", source="Ordinance 12", level=Range(low=0.97, high=1.03), cod={PropertyType.RESIDENTIAL: 9}
    )
    book = StandardBook.default().with_own({"ours": own})

    assert {"iaao", "wyoming", "indiana", "ours"} <= set(book)
    with pytest.raises(ValidationError, match="must be below"):
        Range(low=1, high=1)


def test_types_are_the_countys_or_guessed_from_words() -> None:
    assert property_type("Single Family", {}) is PropertyType.RESIDENTIAL
    assert property_type("multi_family", {}) is PropertyType.INCOME
    assert property_type("Vacant residential", {}) is PropertyType.VACANT
    assert property_type("911", {}) is PropertyType.OTHER
    assert property_type("911", {"911": PropertyType.INCOME_LARGE}) is PropertyType.INCOME_LARGE
    assert property_type(None, {}) is PropertyType.OTHER
