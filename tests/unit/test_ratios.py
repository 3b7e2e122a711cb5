"""The statistics against the IAAO's published answers, other implementations, and rules that hold for all sales."""

import csv
import math
from functools import cache

import numpy as np
import pytest
import scipy.stats
import statsmodels.api
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from terrafusion import ratios
from terrafusion.ratios import Interval, Measure, RatioSample, distributions, level, uniformity
from tests.conftest import SHARED

GOLDEN = SHARED / "golden"

COMPUTED = (
    Measure.MEDIAN,
    Measure.MEAN,
    Measure.WEIGHTED_MEAN,
    Measure.COD,
    Measure.PRD,
    Measure.PRB,
    Measure.MKI,
    Measure.COV,
)
IAAO = {
    "1_1": ".8639132336 .8995782839 .9148518647 29.8177141172 .9833048590 .2322612785 1.1426101097 32.9683140599",
    "1_4": ".8200000000 .8271676459 .8469986381 14.5238023399 .9765867484 .1354902750 1.1402046014 17.3099229103",
    "d_1": ".9098214286 .9031273519 .8794665091 7.5073975074 1.0269036314 -.1198374558 .8379704086 9.1322756361",
    "d_2": "1.0000000000 .9843750000 .9323529412 7.8125000000 1.0557965300 -.0108504493 .9170797657 10.4456826914",
}
"""Of each of the IAAO's tables what COMPUTED names."""
PUBLISHED = {
    "1_1": {Measure.COD: "29.8", Measure.PRD: "0.98", Measure.PRB: "0.232"},
    "1_4": {Measure.COD: "14.5", Measure.PRD: "0.98", Measure.PRB: "0.135"},
    "d_1": {Measure.COD: "7.5", Measure.PRD: "1.027", Measure.PRB: "-0.120"},
    "d_2": {Measure.COD: "7.8", Measure.PRD: "1.056", Measure.PRB: "-0.011"},
}
D4 = ".629 .641 .658 .693 .695 .717 .787 .789 .820 .848 .880 .895 .933 .947 1.028 1.035 1.067"

# IAAO, Standard on Ratio Studies, exposure draft of May 2026, section 6.1, table 1: value and price of 54 sales (USD)
DRAFT = """
240000 690000 144000 296250 392000 787500 199200 372000 340800 574500 472000 795000 336000 559500 284800 465000
436000 693600 191200 298500 225000 350000 194000 295000 481600 732000 338400 495000 164800 237000 252800 352500
945000 1289000 280000 379000 407000 540000 423000 560000 306800 390000 236800 300000 361000 450000 290400 345000
235200 277500 415000 485000 381000 442000 380000 435000 875000 998000 680000 772500 329000 365000 457000 487000
516000 547500 295200 300000 580000 580000 840000 840000 640000 622500 660000 637500 354000 340000 800000 750000
390000 352500 800000 705000 469000 410000 1000000 859500 920000 787500 527000 440000 800000 648000 786000 630000
496000 388500 1000000 765000 320000 243750 960000 720000 952000 705000 327200 240000
"""


@cache
def table(name: str) -> RatioSample:
    path = GOLDEN / f"iaao_table_{name}.csv"
    if not path.exists():
        pytest.skip("the IAAO's tables are not beside this checkout (../shared/golden)")
    with path.open() as file:
        rows = list(csv.DictReader(file))
    return RatioSample.of([float(r["estimate"]) for r in rows], [float(r["sale_price"]) for r in rows])


def draft() -> RatioSample:
    numbers = np.array(DRAFT.split(), dtype=float)
    return RatioSample.of(numbers[::2], numbers[1::2])


def close(value: float | None, to: float | None, tolerance: float = 1e-9) -> bool:
    """Whether both are undefined, or about the same."""
    return value is to is None or value == pytest.approx(to, rel=tolerance, abs=tolerance)


def ends(statistic: ratios.Statistic) -> tuple[float, float]:
    assert statistic.interval is not None, statistic.interval_reason
    return statistic.interval.low, statistic.interval.high


@pytest.mark.parametrize("name", IAAO)
def test_iaao_tables_to_the_last_digit_and_to_the_published_ones(name: str) -> None:
    found = ratios.study(table(name))

    for measure, answer in zip(COMPUTED, IAAO[name].split(), strict=True):
        assert float(found[measure]) == pytest.approx(float(answer), abs=1e-9)
    for measure, printed in PUBLISHED[name].items():
        digits = len(printed.partition(".")[2])
        assert f"{float(found[measure]):.{digits}f}" == printed


def test_iaao_intervals() -> None:
    assert ends(ratios.prb(table("1_1"))) == pytest.approx((0.0754833974, 0.3890391596), abs=1e-9)
    assert ends(ratios.prb(table("d_1"))) == pytest.approx((-0.1723463458, -0.0673285658), abs=1e-9)
    assert ends(ratios.median_ratio(table("1_1"), level=0.9)) == pytest.approx((0.6953586498, 1.0352941176), abs=1e-9)
    assert ends(ratios.mean_ratio(table("1_1"), level=0.9)) == pytest.approx((0.8160639017, 0.9830926660), abs=1e-9)
    ordered = np.array(D4.split(), dtype=float)
    for share, published in ((0.95, (0.6952222, 0.9326162)), (0.90, (0.7068734, 0.9124914))):
        made = ratios.median_interval(ordered, level=share)
        assert isinstance(made, Interval)
        assert (made.low, made.high) == pytest.approx(published, abs=1e-9)


def test_vei_of_iaao_tables() -> None:
    assert float(ratios.vei(table("1_1"))) == pytest.approx(39.9020982157, abs=1e-9)
    assert float(ratios.vei(table("d_1"))) == pytest.approx(-9.4368285294, abs=1e-9)
    assert ratios.vei(table("1_4")).text == "not computed (n = 17 < 20)"
    with pytest.raises(ratios.NotComputed, match="n = 17 < 20"):
        float(ratios.vei(table("1_4")))


def test_vei_of_the_exposure_drafts_worked_example() -> None:
    """Appendix E.4, table 25 of the draft of May 2026."""
    sample = draft()
    groups = ratios.value_groups(sample, 4)
    found = ratios.vei(sample)
    significance = ratios.vei_significance(found)

    assert [group.n for group in groups] == [14, 13, 13, 14]
    assert f"{sample.median:.4f}" == "0.8678"
    assert f"{groups[0].median:.4f}" == "0.7280"
    assert f"{groups[-1].median:.4f}" == "1.1491"
    intervals = [(round(g.interval.low, 4), round(g.interval.high, 4)) for g in (groups[0], groups[-1]) if g.interval]
    assert intervals == [(0.6429, 0.8476), (1.0, 1.2476)]
    # the draft computes from medians of four digits
    assert float(found) == pytest.approx(48.53, abs=0.01)
    assert significance == pytest.approx(17.57, abs=0.01)


def test_group_sizes_follow_the_percentiles() -> None:
    rng = np.random.default_rng(2)
    for n, groups in ((20, 2), (50, 2), (51, 4), (54, 4), (500, 4), (501, 10), (2_000, 10)):
        price = rng.lognormal(12, 0.4, n)
        assert ratios.vei_group_count(n) == groups
        sizes = [g.n for g in ratios.value_groups(RatioSample.of(price * rng.uniform(0.8, 1.1, n), price), groups)]
        bounds = np.percentile(np.arange(1, n + 1), np.linspace(0, 100, groups + 1)[1:])
        assert np.cumsum(sizes).tolist() == np.floor(bounds + 1e-9).astype(int).tolist()
    assert ratios.vei_group_count(19) is None


def test_dispersion_interval_of_bonett_and_seier() -> None:
    """The example that the authors' own R package `statpsych` prints for `ci.cod`."""
    scores = [30, 20, 15, 10, 10, 60, 20, 25, 20, 30, 10, 5, 50, 40, 20, 10, 0, 20, 50]
    found = ratios.cod(scores, np.ones(len(scores)))

    assert float(found) / 100 == pytest.approx(0.5921053, abs=1e-7)
    assert tuple(end / 100 for end in ends(found)) == pytest.approx((0.3813259, 1.092679), abs=1e-6)


def test_regression_and_t_intervals_against_statsmodels() -> None:
    rng = np.random.default_rng(7)
    price = rng.lognormal(12.3, 0.5, 400)
    sample = RatioSample.of(price**0.97 * rng.lognormal(0.3, 0.1, 400), price)
    x, y = ratios.prb_points(sample)
    fitted = statsmodels.api.OLS(y, statsmodels.api.add_constant(x)).fit()

    assert float(ratios.prb(sample)) == pytest.approx(fitted.params[1], rel=1e-10)
    assert ends(ratios.prb(sample)) == pytest.approx(tuple(fitted.conf_int()[1]), rel=1e-9)
    mean = statsmodels.stats.api.DescrStatsW(sample.ratio)
    assert ends(ratios.mean_ratio(sample)) == pytest.approx(mean.tconfint_mean(0.05), rel=1e-10)


def test_weighted_mean_interval_against_weighted_least_squares() -> None:
    """The ratio estimator's error is that of a regression through 0 under variance ∝ price, made robust (HC1's kin)."""
    rng = np.random.default_rng(3)
    price = rng.lognormal(12.3, 0.5, 300)
    assessed = price * rng.normal(0.95, 0.1, 300)
    weights = 1 / price
    fitted = statsmodels.api.WLS(assessed, price, weights=weights).fit(cov_type="HC0")
    low, high = ends(ratios.weighted_mean_ratio(assessed, price))

    assert float(ratios.weighted_mean_ratio(assessed, price)) == pytest.approx(fitted.params[0], rel=1e-12)
    t = scipy.stats.t.ppf(0.975, 299)
    assert (high - low) / 2 == pytest.approx(t * fitted.bse[0] * math.sqrt(300 / 299), rel=1e-9)


@pytest.mark.parametrize("measure", [Measure.PRD, Measure.MKI, Measure.KI, Measure.COV, Measure.WEIGHTED_MEAN])
def test_linearised_errors_against_the_jackknife(measure: Measure) -> None:
    rng = np.random.default_rng(11)
    price = rng.lognormal(12.3, 0.6, 300)
    assessed = price**0.95 * rng.lognormal(0.6, 0.12, 300)
    compute = ratios.MEASURES[measure]
    whole = compute(RatioSample.of(assessed, price), 0.95)
    keep = ~np.eye(300, dtype=bool)
    left_out = np.array([float(compute(RatioSample(assessed[k], price[k]), 0.95)) for k in keep])
    jackknife = math.sqrt(299 / 300 * float(((left_out - left_out.mean()) ** 2).sum()))
    low, high = ends(whole)

    assert (high - low) / 2 / scipy.stats.t.ppf(0.975, 299) == pytest.approx(jackknife, rel=0.03)


def test_quantiles_and_tails_against_scipy() -> None:
    for degrees in (1, 2, 3, 4, 7, 15, 29, 60, 240, 5_000, 5_001, 1_000_000):
        for p in (0.75, 0.9, 0.95, 0.975, 0.995, 0.9999):
            assert distributions.t_quantile(p, degrees) == pytest.approx(scipy.stats.t.ppf(p, degrees), rel=1e-9)
            assert distributions.t_quantile(1 - p, degrees) == pytest.approx(-distributions.t_quantile(p, degrees))
            assert distributions.t_cdf(p * 3, degrees) == pytest.approx(scipy.stats.t.cdf(p * 3, degrees), rel=1e-11)
    for a, b, x in ((0.5, 0.5, 0.3), (2, 3, 0.7), (50, 0.5, 0.99), (0.5, 50, 0.01), (400, 300, 0.6)):
        assert distributions.incomplete_beta(a, b, x) == pytest.approx(scipy.special.betainc(a, b, x), rel=1e-10)
    for n in (1, 6, 17, 30, 200):
        for k in {0, n // 3, n // 2}:
            assert distributions.coin_tail(k, n) == pytest.approx(scipy.stats.binom.cdf(k, n, 0.5), rel=1e-12)
    assert distributions.t_quantile(0.5, 3) == 0
    for p, degrees in ((0, 4), (1, 4), (0.9, 0)):
        with pytest.raises(ValueError, match="no t quantile"):
            distributions.t_quantile(p, degrees)


@given(st.integers(5, 60), st.integers(5, 60), st.integers(1, 40), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_rank_test_against_scipy(n: int, m: int, distinct: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, distinct, n).astype(float), rng.integers(0, distinct, m).astype(float)
    assume(np.unique(np.concatenate((first, second))).size > 1)
    known = scipy.stats.mannwhitneyu(first, second, method="asymptotic").pvalue

    assert ratios.mann_whitney(first, second) == pytest.approx(known, rel=1e-9, abs=1e-12)


SALES = st.integers(20, 120).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.float64, n, elements=st.integers(10_000, 2_000_000).map(float)),
        hnp.arrays(np.float64, n, elements=st.integers(10_000, 2_000_000).map(float)),
    )
)
SCALE_FREE = (Measure.COD, Measure.COV, Measure.PRD, Measure.PRB, Measure.VEI, Measure.MKI)


@given(SALES, st.sampled_from([0.25, 2.0, 8.0]), st.sampled_from([0.25, 2.0, 8.0]))
@settings(max_examples=60, deadline=None)
def test_scale_changes_no_measure_of_uniformity_or_equity(
    sales: tuple[np.ndarray, np.ndarray], by: float, currency: float
) -> None:
    """All values times a factor, and all in another currency; powers of two, so that nothing is rounded."""
    assessed, price = sales
    before = ratios.study(RatioSample.of(assessed, price))
    after = ratios.study(RatioSample.of(assessed * by * currency, price * currency))

    for measure in SCALE_FREE:
        assert close(after[measure].value, before[measure].value), measure
        if before[measure].interval is not None:
            assert ends(after[measure]) == pytest.approx(ends(before[measure]), rel=1e-7, abs=1e-7)
    for measure in (Measure.MEDIAN, Measure.MEAN, Measure.WEIGHTED_MEAN):
        assert float(after[measure]) == pytest.approx(by * float(before[measure]), rel=1e-12)


@given(SALES, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_sales_changes_nothing(sales: tuple[np.ndarray, np.ndarray], random: object) -> None:
    assessed, price = sales
    order = np.arange(price.size)
    random.shuffle(order)  # type: ignore[attr-defined]
    before = ratios.study(RatioSample.of(assessed, price))
    after = ratios.study(RatioSample.of(assessed[order], price[order]))

    for measure in Measure:
        assert close(after[measure].value, before[measure].value), measure
        assert (after[measure].interval is None) == (before[measure].interval is None)


@given(SALES)
@settings(max_examples=40, deadline=None)
def test_values_that_equal_a_share_of_the_price_are_perfectly_uniform(sales: tuple[np.ndarray, np.ndarray]) -> None:
    _, price = sales
    assume(np.unique(price).size > 2)
    found = ratios.study(RatioSample.of(price * 0.5, price))

    assert float(found[Measure.COD]) == pytest.approx(0, abs=1e-9)
    for measure, perfect in ((Measure.PRD, 1), (Measure.PRB, 0), (Measure.VEI, 0), (Measure.MKI, 1)):
        assert float(found[measure]) == pytest.approx(perfect, abs=1e-9)


@given(st.integers(1, 40), st.integers(0, 2**32 - 1), st.floats(0.05, 0.4))
@settings(max_examples=40, deadline=None)
def test_regressive_values_are_called_regressive_by_all(n: int, seed: int, strength: float) -> None:
    """Values that grow slower than prices, without noise: a monotone transformation of the price that bends down."""
    rng = np.random.default_rng(seed)
    price = np.unique(rng.lognormal(12.3, 0.6, 50 + n))
    found = ratios.study(RatioSample.of(price ** (1 - strength), price))

    assert float(found[Measure.PRD]) > 1
    assert float(found[Measure.PRB]) < 0
    assert float(found[Measure.VEI]) < 0
    assert float(found[Measure.MKI]) < 1
    assert float(found[Measure.KI]) < 0


@given(SALES)
@settings(max_examples=40, deadline=None)
def test_the_median_follows_monotone_transformations(sales: tuple[np.ndarray, np.ndarray]) -> None:
    """Of an odd sample, the median and its interval by rank are values of it: log(r)'s are the logs of r's."""
    ratio = np.sort(sales[0] / sales[1])[: sales[0].size // 2 * 2 - 1]
    plain = level.rank_interval(ratio, level=0.9)
    logs = level.rank_interval(np.log(ratio), level=0.9)

    assert isinstance(plain, Interval)
    assert isinstance(logs, Interval)
    assert (logs.low, logs.high) == pytest.approx((math.log(plain.low), math.log(plain.high)), rel=1e-12)


DRAWS = 2_000


def _coverage(draw: np.ndarray, truth: float, make: object) -> float:
    inside = 0
    for row in draw:
        low, high = make(row)  # type: ignore[operator]
        inside += low <= truth <= high
    return inside / len(draw)


def _within_two_errors(found: float, nominal: float) -> bool:
    return abs(found - nominal) <= 2 * math.sqrt(nominal * (1 - nominal) / DRAWS)


@pytest.mark.parametrize("n", [17, 25, 30])
def test_coverage_of_the_small_samples_median(n: int) -> None:
    draws = np.random.default_rng(20).normal(1, 0.1, (DRAWS, n))
    covered = _coverage(draws, 1.0, lambda row: ends(ratios.median_ratio(row, np.ones(n))))

    assert _within_two_errors(covered, 0.95)


def test_coverage_of_the_smallest_samples_median() -> None:
    """Straight interpolation errs on the safe side: at n = 8 it covers more than 95 %, less than its outer ranks."""
    draws = np.random.default_rng(20).normal(1, 0.1, (DRAWS, 8))
    covered = _coverage(draws, 1.0, lambda row: ends(ratios.median_ratio(row, np.ones(8))))

    assert 0.95 <= covered <= 1 - 2 * scipy.stats.binom.cdf(0, 8, 0.5)


@pytest.mark.parametrize("n", [31, 36, 120])
def test_coverage_of_the_median_by_rank(n: int) -> None:
    """Ranks are whole numbers, so the interval covers what the binomial says of its ranks, at least the level."""
    draws = np.sort(np.random.default_rng(21).lognormal(0, 0.2, (DRAWS, n)), axis=1)
    j = distributions.half_width_rank(n, 0.95)
    exact = 1 - 2 * scipy.stats.binom.cdf(n // 2 - j, n, 0.5)
    covered = _coverage(draws, 1.0, lambda row: ends(ratios.median_ratio(row, np.ones(n))))

    assert exact >= 0.95
    assert _within_two_errors(covered, exact)


def test_coverage_of_the_mean_and_the_dispersion() -> None:
    rng = np.random.default_rng(22)
    normal = rng.normal(1, 0.12, (DRAWS, 25))
    assert _within_two_errors(_coverage(normal, 1.0, lambda row: ends(ratios.mean_ratio(row, np.ones(25)))), 0.95)
    skewed = rng.lognormal(0, 0.25, (DRAWS, 200))
    truth = 100 * (2 * scipy.stats.norm.cdf(0.25) - 1) * math.exp(0.25**2 / 2)  # E|X - 1| of a lognormal, by its median
    covered = _coverage(skewed, truth, lambda row: ends(ratios.cod(row, np.ones(200))))
    assert _within_two_errors(covered, 0.95)


@pytest.mark.parametrize(
    "measure", [Measure.PRB, Measure.WEIGHTED_MEAN, Measure.PRD, Measure.MKI, Measure.KI, Measure.COV]
)
def test_coverage_of_intervals_that_need_prices(measure: Measure) -> None:
    """Sales of one population, drawn over and over: its own figure, from a million sales, is the truth."""
    rng = np.random.default_rng(23)

    def population(size: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        price = rng.uniform(150_000, 450_000, size)
        return price * (1.15 - price / 3e6) * rng.normal(1, 0.08, size), price

    compute = ratios.MEASURES[measure]
    truth = float(compute(RatioSample(*population((1_000_000,))), 0.95))
    assessed, price = population((DRAWS, 250))
    inside = 0
    for a, s in zip(assessed, price, strict=True):
        low, high = ends(compute(RatioSample(a, s), 0.95))
        inside += low <= truth <= high
    assert _within_two_errors(inside / DRAWS, 0.95)


def test_what_a_sample_does_not_define_is_said() -> None:
    one = ratios.study(RatioSample.of([90_000], [100_000]))
    assert one[Measure.MEDIAN].value == pytest.approx(0.9)
    assert one[Measure.MEDIAN].interval_reason == "not computed (n = 1 < 6)"
    assert one[Measure.COD].text == "not computed (n = 1 < 2)"
    assert one[Measure.PRB].text == "not computed (n = 1 < 3)"
    assert ratios.study(RatioSample.of([], []))[Measure.MEAN].text == "not computed (n = 0 < 1)"
    assert ratios.mki([1, 2, 3], [5, 5, 5]).text == "not computed (all prices are equal)"
    assert ratios.prb([1, 1, 1], [5, 5, 5]).text == "not computed (all sales have one value)"
    assert ratios.prd([0, 0], [5, 5]).text == "not computed (all values are 0)"
    assert ratios.cod([0, 0, 9], [5, 5, 9]).text == "not computed (the median ratio is 0)"
    assert ratios.median_ratio([1] * 5, [1] * 5, level=0.9).interval is not None
    assert ratios.median_ratio([1] * 5, [1] * 5).interval_reason == "not computed (n = 5 < 6)"


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), min_size=0, max_size=60),
)
@settings(max_examples=150, deadline=None)
def test_every_sample_gives_numbers_or_reasons(pairs: list[tuple[int, int]]) -> None:
    """Ties, zeros, constants and too few: no NaN, no exception."""
    found = ratios.study(RatioSample.of([a for a, _ in pairs], [s for _, s in pairs]))

    for statistic in found.statistics.values():
        assert (statistic.value is None) == (statistic.reason is not None)
        if statistic.value is not None and statistic.interval is None:
            assert statistic.interval_reason
        if statistic.interval is not None:
            assert statistic.interval.low <= statistic.interval.high


@pytest.mark.parametrize(
    ("assessed", "price", "words"),
    [
        ([1, 2], [1], "two arrays of one length"),
        ([1, math.nan], [1, 1], "1 of 2 values"),
        ([1, -1], [1, 1], "1 of 2 values"),
        ([1, 1], [0, -5], "2 prices"),
        ([1, 1], [math.inf, 1], "1 prices"),
    ],
)
def test_sales_that_are_none_are_refused(assessed: list[float], price: list[float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RatioSample.of(assessed, price)


def test_outliers_are_found_by_the_stated_rule() -> None:
    rng = np.random.default_rng(5)
    ratio = np.concatenate((rng.normal(1, 0.1, 200), [2.4, 0.1]))
    found = ratios.outliers(RatioSample.of(ratio, np.ones(202)))
    lower, upper = np.percentile(ratio, [25, 75])

    assert found.count == 2
    assert found.is_outlier[-2:].all()
    assert (found.low, found.high) == pytest.approx((lower - 3 * (upper - lower), upper + 3 * (upper - lower)))
    uniform = ratios.outliers(RatioSample.of(np.r_[rng.normal(1, 0.02, 200), 2.0], np.ones(201)))
    assert uniform.count == 0
    assert uniform.skipped is not None
    assert uniform.skipped.endswith("< 6 %")


def test_sales_chasing() -> None:
    assert [ratios.critical_share(share) for share in (0.04, 0.05, 0.10)] == [32, 26, 13]
    rng = np.random.default_rng(6)
    honest = rng.normal(1, 0.12, 100)
    chased = np.r_[np.ones(40), honest[:60]]
    assert ratios.ratios_near_one(RatioSample.of(honest, np.ones(100))).suspected is False
    assert ratios.ratios_near_one(RatioSample.of(chased, np.ones(100))).suspected is True
    assert ratios.ratios_near_one(RatioSample.of(honest[:29], np.ones(29))).reason == "n = 29 < 30"
    alike = ratios.sold_against_unsold(rng.normal(0.08, 0.02, 80), rng.normal(0.08, 0.02, 900))
    apart = ratios.sold_against_unsold(rng.normal(0.16, 0.02, 80), rng.normal(0.08, 0.02, 900))
    small = ratios.sold_against_unsold(rng.normal(0.05, 0.001, 80), rng.normal(0.01, 0.001, 900))
    assert (alike.suspected, apart.suspected, small.suspected) == (False, True, True)
    assert (alike.tolerance, small.tolerance) == (0.05, 0.03)
    assert ratios.sold_against_unsold([0.1], [0.1] * 9).reason == "sold: n = 1 < 5"


def test_time_trend_is_recovered_and_taken_out() -> None:
    rng = np.random.default_rng(9)
    months = rng.uniform(0, 36, 800)
    value = rng.lognormal(12.3, 0.4, 800)
    price = value * 1.004**months * rng.lognormal(0, 0.08, 800)
    found = ratios.price_trend(RatioSample.of(value, price), months)
    fitted = statsmodels.api.OLS(np.log(price / value), statsmodels.api.add_constant(months)).fit()

    assert found.per_month == pytest.approx(math.exp(fitted.params[1]) - 1, rel=1e-9)
    assert found.interval is not None
    assert found.interval.low <= 0.004 <= found.interval.high
    assert found.significant
    flat = ratios.price_trend(RatioSample.of(value, found.adjust(price, months, 36)), months)
    assert flat.per_month == pytest.approx(0, abs=1e-12)
    assert ratios.price_trend(RatioSample.of([1] * 3, [1] * 3), [1, 2, 3]).reason == "n = 3 < 12"


def test_strata_are_the_parts_studied_alone() -> None:
    rng = np.random.default_rng(10)
    price = rng.lognormal(12, 0.4, 500)
    sample = RatioSample.of(price * rng.normal(1, 0.1, 500), price)
    labels = rng.integers(-1, 4, 500)
    found = ratios.strata(sample, labels, 5)

    for label in range(4):
        alone = ratios.study(sample.take(labels == label))
        for measure in Measure:
            assert found[label][measure].value == pytest.approx(alone[measure].value, rel=1e-12)
    assert found[4].n == 0


def test_dispersion_of_a_sample_is_the_cods_share() -> None:
    assert 100 * uniformity.dispersion(draft()) == pytest.approx(float(ratios.cod(draft())))
