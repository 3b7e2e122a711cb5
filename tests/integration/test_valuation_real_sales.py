"""Values of sales that came after all that the model knows: a real county's, and the sample county's."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pytest

from local.sample import write
from terrafusion.ratios import Measure, RatioSample, study
from valuation import training
from valuation.approaches import Approach
from valuation.market import Market, Values
from valuation.records import Records
from valuation.screening import Reason, Sales, join, screen
from valuation.training import Trained

LUCAS_SALES = """
    SELECT parcel_no AS property_id, parcel_no AS sale_id, sale_date, price::DOUBLE AS sale_price, lon, lat
    FROM read_csv('{file}')"""
LUCAS_PROPERTIES = """
    SELECT * EXCLUDE (price, sale_date) RENAME (parcel_no AS property_id, TLA AS living_area_sqft,
        yrbuilt AS year_built, lotsize AS land_area_sqft, beds AS bedrooms, baths AS bathrooms,
        garagesqft AS garage_area_sqft)
    FROM read_csv('{file}')"""


@dataclass(frozen=True)
class Later:
    """A model of the sales up to a day, and what it says of all sales at arm's length that came after."""

    made: Trained
    sales: Sales
    values: Values

    def figures(self, approach: Approach) -> dict[str, float]:
        log_value, prices = self.values.by[approach], self.sales.prices
        there = ~np.isnan(log_value)
        found = study(RatioSample.of(np.exp(log_value[there]), prices[there]))
        low, high = self.values.interval(self.made.model, approach)
        ratios = np.exp(log_value[there]) / prices[there]
        return {
            "n": float(there.sum()),
            "median": float(found[Measure.MEDIAN]),
            "cod": float(found[Measure.COD]),
            "mdape": 100 * float(np.median(np.abs(ratios - 1))),
            "coverage": float(np.mean(((np.log(prices) >= low) & (np.log(prices) <= high))[there])),
        }


def after(tables: tuple[Records, Records], until: date, published: date) -> Later:
    sales, properties = tables
    made = training.train(sales, properties, published=published, known_until=until)
    market: Market = training.open_market(made.model, made.boosted, sales, properties)
    joined, found = join(sales, properties)
    reasons = screen(sales, joined, found, published, None)
    wanted = np.isin(reasons, ("", Reason.BEFORE_CONSTRUCTION.value)) & (joined.dates > np.datetime64(until))
    later = joined.take(np.flatnonzero(wanted))
    return Later(made, later, market.value(later.records, later.days))


@pytest.fixture(scope="module")
def lucas(lucas_sales: Path) -> Later:
    """Lucas County, Ohio: what sales to 1997 say of those of 1998."""
    tables = tuple(
        Records.of(duckdb.sql(query.format(file=lucas_sales)).fetchnumpy()) for query in (LUCAS_SALES, LUCAS_PROPERTIES)
    )
    return after(tables, date(1997, 12, 31), date(1999, 1, 1))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Later:
    """The sample county: what sales to 2024 say of those of 2025."""
    files = write(tmp_path_factory.mktemp("county"))
    tables = tuple(
        Records.of(duckdb.read_csv(str(file), dtype={"property_id": "VARCHAR"}).fetchnumpy())
        for file in (files.sales, files.properties)
    )
    return after(tables, date(2024, 12, 31), date(2026, 1, 2))  # type: ignore[arg-type]


def test_values_of_1998_are_near_prices(lucas: Later) -> None:
    reconciled, model = lucas.figures(Approach.RECONCILED), lucas.figures(Approach.AVM)
    assert reconciled["n"] == 4378
    assert 0.98 <= reconciled["median"] <= 1.02
    assert 0.98 <= model["median"] <= 1.02
    assert reconciled["cod"] <= 19
    assert model["cod"] <= 19
    assert reconciled["mdape"] <= 12
    assert model["mdape"] <= 12


def test_adjusted_comparables_are_as_good_as_the_model(lucas: Later, sample: Later) -> None:
    for later in (lucas, sample):
        apart = later.figures(Approach.COMPARABLE_SALES)["cod"] - later.figures(Approach.AVM)["cod"]
        assert abs(apart) <= 0.5


def test_nine_in_ten_prices_of_1998_are_within_their_intervals(lucas: Later) -> None:
    for approach in Approach:
        assert 0.88 <= lucas.figures(approach)["coverage"] <= 0.92


def test_values_of_the_sample_county_s_last_year_are_near_prices(sample: Later) -> None:
    reconciled = sample.figures(Approach.RECONCILED)
    assert 0.98 <= reconciled["median"] <= 1.02
    assert reconciled["cod"] <= 9
    assert reconciled["mdape"] <= 8
    assert 0.88 <= reconciled["coverage"] <= 0.94


def test_the_county_s_own_value_is_no_feature(lucas: Later) -> None:
    assert "avalue" in lucas.made.model.omitted
    assert {"wall", "garage", "rooms", "frontage"} <= {feature.name for feature in lucas.made.model.features}
