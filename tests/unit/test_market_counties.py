"""What is measured in a real county, beside independent figures, and in the generated one, beside the truth."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import duckdb
import esda
import libpysal
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.spatial import cKDTree

import local.sample.sales
from local.sample import PriceModel, write
from market_analysis.analysis_types import AnalysisType
from tests.conftest import SHARED
from tests.unit.market_tables import answer, lucas_tables

pytestmark = pytest.mark.slow

SEED = 2927
EARTH = 6_371_008.8
DAYS_PER_MONTH = 365.25 / 12


@pytest.fixture(scope="module")
def lucas(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, dict[str, Path]]:
    source = SHARED / "data" / "lucas_oh_sales.csv"
    if not source.exists():
        pytest.skip("the real county file lucas_oh_sales.csv is not beside this checkout (../shared/data)")
    frame = pd.read_csv(source, parse_dates=["sale_date"])
    return frame, lucas_tables(source, tmp_path_factory.mktemp("lucas"))


def without_outliers(frame: pd.DataFrame) -> pd.DataFrame:
    ratio = np.log(frame.avalue / frame.price)
    low, high = ratio.quantile(0.25), ratio.quantile(0.75)
    return frame[(ratio >= low - 3 * (high - low)) & (ratio <= high + 3 * (high - low))]


def test_the_ratio_trend_of_lucas_county(lucas: tuple[pd.DataFrame, dict[str, Path]]) -> None:
    frame, files = lucas
    _, _, result = answer(files, AnalysisType.TIME_ADJUSTMENT, valuation_date="1999-01-01")
    kept = without_outliers(frame)
    months = (kept.sale_date - frame.sale_date.min()).dt.days / DAYS_PER_MONTH
    theirs = sm.OLS(np.log(kept.price / kept.avalue), sm.add_constant(months)).fit(cov_type="HC1")
    ours = result["rates"][0]["ratio_trend"]
    assert ours["log_rate"] == pytest.approx(theirs.params.iloc[1], abs=1e-9)
    assert ours["standard_error"] == pytest.approx(theirs.bse.iloc[1], abs=1e-9)
    assert ours["observations"] == len(kept)
    june = next(row for row in result["factors"] if row["month"] == "1996-06")
    days = (pd.Timestamp("1999-01-01") - pd.Timestamp("1996-06-15")).days
    assert june["ratio_trend"] == pytest.approx(np.exp(theirs.params.iloc[1] * days / DAYS_PER_MONTH), abs=1e-6)


def test_moran_of_the_ratios_of_lucas_county(lucas: tuple[pd.DataFrame, dict[str, Path]]) -> None:
    frame, files = lucas
    _, _, result = answer(files, AnalysisType.HOTSPOTS, permutations=999)
    kept = without_outliers(frame).reset_index(drop=True)
    middle = np.radians((kept.lat.min() + kept.lat.max()) / 2)
    points = np.radians(np.column_stack([kept.lon * np.cos(middle), kept.lat])) * EARTH
    _, found = cKDTree(points).query(points, 9)
    rows = [[one for one in row if one != at][:8] for at, row in enumerate(found.tolist())]
    weights = libpysal.weights.W(dict(enumerate(rows)), silence_warnings=True)
    weights.transform = "r"
    theirs = esda.Moran((kept.avalue / kept.price).to_numpy(), weights, permutations=0)
    assert result["global_moran"]["value"] == pytest.approx(theirs.I, abs=1e-6)
    assert result["result_summary"]["data_points_analyzed"] == len(kept)
    assert result["global_moran"]["p_value"] < 0.05


def test_the_hedonic_index_of_lucas_county(lucas: tuple[pd.DataFrame, dict[str, Path]]) -> None:
    frame, files = lucas
    _, _, result = answer(files, AnalysisType.HEDONIC_INDEX, period="year")
    age = np.maximum(frame.sale_date.dt.year - frame.yrbuilt, 0)
    columns = {
        "log_living_area": np.log(frame.TLA), "log_land_area": np.log(frame.lotsize), "age": age,
        "age_squared": (age / 100) ** 2, "bedrooms": frame.beds, "bathrooms": frame.baths + frame.halfbaths / 2,
        "garage_area": frame.garagesqft,
    }  # fmt: skip
    years = pd.get_dummies(frame.sale_date.dt.year, drop_first=True).astype(float)
    full = sm.add_constant(pd.concat([pd.DataFrame(columns), years], axis=1))
    theirs = sm.OLS(np.log(frame.price), full).fit(cov_type="HC1")
    ours = result["equation"]["coefficients"]
    for name in columns:
        assert ours[name]["value"] == pytest.approx(theirs.params[name], abs=1e-7)
        assert ours[name]["standard_error"] == pytest.approx(theirs.bse[name], abs=1e-7)
    levels = [row["log_level"] for row in result["trends"]]
    np.testing.assert_allclose(levels[1:], theirs.params[years.columns], atol=1e-8)
    np.testing.assert_allclose(
        [row["standard_error"] for row in result["trends"]][1:], theirs.bse[years.columns], atol=1e-8
    )


def test_medians_and_averages_are_those_of_pandas(lucas: tuple[pd.DataFrame, dict[str, Path]]) -> None:
    frame, files = lucas
    _, _, result = answer(
        files, AnalysisType.PRICE_PER_SQFT, date_from="1995-03-01", date_to="1997-02-28", period="month"
    )
    chosen = frame[(frame.sale_date >= "1995-03-01") & (frame.sale_date <= "1997-02-28")]
    by_month = chosen.assign(ppsf=chosen.price / chosen.TLA).groupby(chosen.sale_date.dt.strftime("%Y-%m"))
    expected = by_month.agg(
        average=("price", "mean"), middle=("price", "median"), ppsf=("ppsf", "median"), n=("price", "size")
    )
    rows = {row["period"]: row for row in result["trends"]}
    assert list(rows) == expected.index.tolist()
    for month, wanted in expected.iterrows():
        assert rows[month]["average_price"] == pytest.approx(wanted.average, abs=0.01)
        assert rows[month]["median_price"] == pytest.approx(wanted.middle)
        assert rows[month]["median_price_per_sqft"] == pytest.approx(wanted.ppsf, abs=1e-4)
        assert rows[month]["sales_volume"] == wanted.n
    assert result["left_out"] == [{"reason": "outside 1995-03-01 to 1997-02-28", "sales": len(frame) - len(chosen)}]


def generated(folder: Path) -> dict[str, Path]:
    files = write(folder, parcels=20_000, seed=SEED)
    tables = {"sales": files.sales, "properties": files.properties}
    made = {name: folder / f"{name}.parquet" for name in tables}
    with duckdb.connect() as database:
        for name, path in tables.items():
            database.execute(f"COPY (SELECT * FROM read_csv('{path}')) TO '{made[name]}'")
    return made


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return generated(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def without_noise(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same county with the same sales, at exactly what the model of prices says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local.sample.sales, "PriceModel", partial(PriceModel, noise=0.0, unseen=0.0))
        return generated(tmp_path_factory.mktemp("exact"))


def drifts(codes: Mapping[str, int]) -> dict[str, float]:
    """Monthly drift of each neighborhood, as the generator drew it."""
    numbers = np.array([int(code.removeprefix("N-")) for code in codes])
    return dict(zip(codes, PriceModel().neighborhood(SEED, numbers)[1].tolist(), strict=True))


def test_the_known_drift_is_recovered(sample: dict[str, Path]) -> None:
    market, _, result = answer(
        sample, AnalysisType.TIME_ADJUSTMENT, group_by="neighborhood", property_class="residential"
    )
    sales = dict(market.database.execute("SELECT neighborhood, count(*) FROM market GROUP BY 1").fetchall())
    known = drifts(sales)
    together = result["rates"][0]["hedonic"]
    mean = sum(known[one] * count for one, count in sales.items()) / sum(sales.values())
    assert abs(together["log_rate"] - mean) < 2 * together["standard_error"]
    own = [row for row in result["rates"][1:] if row["hedonic"]]
    off = [(row["hedonic"]["log_rate"] - known[row["neighborhood"]]) / row["hedonic"]["standard_error"] for row in own]
    assert len(off) > 20
    assert np.mean(np.abs(off) < 2) >= 0.9
    assert np.mean(np.square(off)) < 1.6


def test_the_index_follows_the_known_drift(sample: dict[str, Path]) -> None:
    market, _, result = answer(sample, AnalysisType.HEDONIC_INDEX, property_class="residential", period="year")
    sales = market.database.execute("SELECT year(sale_date), neighborhood, sale_date FROM market").fetchall()
    known = drifts({row[1]: 1 for row in sales})
    drift = np.mean([known[neighborhood] for _, neighborhood, _ in sales])
    days = {year: np.mean([day.toordinal() for at, _, day in sales if at == year]) for year in range(2021, 2026)}
    levels = [drift * (days[year] - days[2021]) / DAYS_PER_MONTH for year in sorted(days)]
    for row, level in zip(result["trends"][1:], levels[1:], strict=True):
        assert abs(row["log_level"] - level) < 2 * row["standard_error"]


def test_neighborhood_effects_are_recovered(sample: dict[str, Path], without_noise: dict[str, Path]) -> None:
    """Against the same equation at the model's exact prices: what is left is the sample's error."""

    def effects(files: dict[str, Path]) -> dict[str, tuple[float, float]]:
        market, _, _ = answer(files, AnalysisType.HEDONIC_INDEX, property_class="residential")
        rows = market.database.execute(
            "SELECT level, coefficient, standard_error FROM coefficients WHERE variable = 'neighborhood'"
        ).fetchall()
        return {level: (value, error) for level, value, error in rows if value is not None}

    found, exact = effects(sample), effects(without_noise)
    off = [(found[one][0] - exact[one][0]) / found[one][1] for one in found if found[one][1] > 0]
    assert len(off) > 30
    assert np.mean(np.abs(off) < 2) >= 0.9
    levels = PriceModel().neighborhood(SEED, np.array([int(one.removeprefix("N-")) for one in found]))[0]
    assert np.corrcoef(levels, [found[one][0] for one in found])[0, 1] > 0.9


def test_paired_sales_see_the_drift_less_what_age_takes(
    sample: dict[str, Path], without_noise: dict[str, Path]
) -> None:
    rates = [
        answer(files, AnalysisType.TIME_ADJUSTMENT, property_class="residential")[2]["rates"][0]
        for files in (sample, without_noise)
    ]
    for method in ("paired", "ratio_trend"):
        found, exact = rates[0][method], rates[1][method]
        assert abs(found["log_rate"] - exact["log_rate"]) < 2 * found["standard_error"]
        assert exact["log_rate"] < PriceModel().monthly_drift


def test_a_property_is_valued_near_what_the_model_says(sample: dict[str, Path], without_noise: dict[str, Path]) -> None:
    with duckdb.connect() as database:
        [(identifier, exact)] = database.execute(
            f"""SELECT property_id, sale_price
            FROM '{without_noise["sales"]}' JOIN '{sample["properties"]}' USING (property_id)
            WHERE is_valid AND property_class = 'residential' AND sale_date BETWEEN '2025-12-01' AND '2025-12-31'
            ORDER BY sale_id LIMIT 1"""
        ).fetchall()
    _, _, result = answer(sample, AnalysisType.MARKET_VALUATION, property_id=identifier, valuation_date="2025-12-31")
    assert result["value_range"]["low"] < exact < result["value_range"]["high"]
    assert result["market_value"] == pytest.approx(exact, rel=0.15)
