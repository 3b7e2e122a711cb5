"""Sales that are no evidence are found, counted, and told with a reason."""

from datetime import date
from typing import Any

import numpy as np
import pytest

from tests.unit.valuation_cases.counties import columns
from valuation.records import Records
from valuation.screening import Reason, join, screen, suspects

PUBLISHED = date(2025, 1, 1)


def reasons_of(sales: dict[str, Any], properties: dict[str, Any], known_until: date | None = None) -> np.ndarray:
    table = Records.of(sales)
    joined, found = join(table, Records.of(properties))
    return screen(table, joined, found, PUBLISHED, known_until)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("sale_price", np.nan, Reason.MISSING_ESSENTIALS),
        ("sale_date", np.datetime64("NaT"), Reason.MISSING_ESSENTIALS),
        ("property_id", "", Reason.MISSING_ESSENTIALS),
        ("sale_price", -200_000.0, Reason.NO_PRICE),
        ("sale_price", 0.0, Reason.NO_PRICE),
        ("sale_price", 10.0, Reason.NOMINAL_PRICE),
        ("sale_date", np.datetime64("2031-05-05"), Reason.FUTURE_DATE),
        ("sale_date", np.datetime64("1890-05-05"), Reason.BEFORE_CONSTRUCTION),
        ("property_id", "nowhere", Reason.UNKNOWN_PROPERTY),
        ("is_valid", 0.0, Reason.NOT_ARMS_LENGTH),
    ],
)
def test_a_bad_sale_is_left_out_with_its_reason(column: str, value: Any, reason: Reason) -> None:
    sales, properties = columns(200)
    sales[column][7] = value
    found = reasons_of(sales, properties)
    assert found[7] == reason
    assert (np.delete(found, 7) != reason).all()


def test_text_in_place_of_a_price_is_a_missing_price() -> None:
    sales, properties = columns(50)
    sales["sale_price"] = sales["sale_price"].astype(str)
    sales["sale_price"][3] = "a lot"
    found = reasons_of(sales, properties)
    assert found[3] == Reason.MISSING_ESSENTIALS
    assert (np.delete(found, 3) == "").all()


def test_what_was_not_known_at_the_date_is_left_out() -> None:
    sales, properties = columns(200)
    found = reasons_of(sales, properties, date(2021, 6, 30))
    assert ((found == Reason.AFTER_VALUATION) == (sales["sale_date"] > np.datetime64("2021-06-30"))).all()


def sold(ids: list[str], owners: list[str], dates: list[str], prices: list[float]) -> dict[str, Any]:
    return {
        "sale_id": np.array(ids),
        "property_id": np.array(owners),
        "sale_date": np.array(dates, "datetime64[D]"),
        "sale_price": np.array(prices),
    }


PLAIN = {"property_id": np.array(["a", "b", "c"]), "living_area_sqft": np.array([1500.0, 1600.0, 1700.0])}


def test_a_sale_recorded_twice_counts_once() -> None:
    sales = sold(["1", "2", "3"], ["a", "a", "b"], ["2020-01-01", "2020-01-01", "2020-01-01"], [2e5, 2e5, 2e5])
    assert reasons_of(sales, PLAIN).tolist() == ["", Reason.DUPLICATE, ""]


def test_a_sale_that_is_no_evidence_makes_no_duplicate_and_no_flip_of_one_that_is() -> None:
    sales = sold(
        ["1", "2", "3", "4"],
        ["a", "a", "b", "b"],
        ["2020-01-01", "2020-01-01", "2020-01-01", "2020-03-01"],
        [2e5, 2e5, 3e5, 5e5],
    )
    sales["is_valid"] = np.array([0.0, 1.0, 1.0, 0.0])
    assert reasons_of(sales, PLAIN).tolist() == [Reason.NOT_ARMS_LENGTH, "", "", Reason.NOT_ARMS_LENGTH]


def test_a_deed_is_over_several_properties_also_when_the_county_does_not_know_them_all() -> None:
    sales = sold(["9", "9"], ["a", "elsewhere"], ["2020-01-01"] * 2, [5e5, 5e5])
    assert reasons_of(sales, PLAIN).tolist() == [Reason.SEVERAL_PARCELS, Reason.UNKNOWN_PROPERTY]


def test_one_deed_over_several_properties_is_no_evidence_of_any() -> None:
    sales = sold(["9", "9", "3"], ["a", "b", "c"], ["2020-01-01"] * 3, [5e5, 5e5, 5e5])
    assert reasons_of(sales, PLAIN).tolist() == [Reason.SEVERAL_PARCELS, Reason.SEVERAL_PARCELS, ""]


@pytest.mark.parametrize(
    ("resold", "price", "first"),
    [("2020-05-01", 2.6e5, Reason.FLIP), ("2020-12-01", 2.6e5, ""), ("2020-05-01", 2.1e5, "")],
)
def test_the_first_sale_of_a_flip_is_left_out(resold: str, price: float, first: str) -> None:
    sales = sold(["1", "2"], ["a", "a"], ["2020-01-01", resold], [2e5, price])
    assert reasons_of(sales, PLAIN).tolist() == [first, ""]


@pytest.mark.parametrize(
    ("years", "left_out"),
    [
        (["1900"], 1),
        (["1900", "1931", "2009"], 3),
        (["2015", "2017"], 0),
        ([str(year) for year in range(1962, 2019)], 0),
        (["1900"] * 8, 0),
    ],
    ids=["one", "some", "no gap", "a long history", "too many to be mistyped"],
)
def test_the_few_sales_long_before_all_others_are_left_out(years: list[str], left_out: int) -> None:
    sales, properties = columns(400)
    properties["year_built"][:] = np.nan
    sales["sale_date"][: len(years)] = np.array(years, "datetime64[Y]").astype("datetime64[D]")
    found = reasons_of(sales, properties)
    assert (found == Reason.ISOLATED_DATE).sum() == left_out
    assert (found[left_out:] != Reason.ISOLATED_DATE).all()


def test_a_price_far_from_its_market_area_and_year_is_suspect() -> None:
    sales, properties = columns(400)
    sales["sale_price"][5] *= 20
    joined, _ = join(Records.of(sales), Records.of(properties))
    areas = np.unique(joined.records.texts("neighborhood"), return_inverse=True)[1]
    far = suspects(joined, areas, areas.max() + 1)
    assert far[5]
    assert far.sum() <= 4


def test_what_a_sale_says_of_its_property_goes_before_what_the_roll_says_now() -> None:
    sales = sold(["1", "2"], ["a", "b"], ["2020-01-01"] * 2, [2e5, 2e5])
    sales["living_area_sqft"] = np.array([1400.0, np.nan])
    joined, _ = join(Records.of(sales), Records.of(PLAIN))
    assert joined.records.numbers("living_area_sqft").tolist() == [1400.0, 1600.0]


def test_what_a_sale_says_counts_whatever_type_it_is_written_in() -> None:
    sales = sold(["1", "2", "3"], ["a", "b", "c"], ["2020-01-01"] * 3, [2e5] * 3)
    sales["living_area_sqft"] = np.array(["1400", "", "large"])
    sales["quality"] = np.array([3.0, np.nan, 4.0])
    joined, _ = join(Records.of(sales), Records.of(PLAIN | {"quality": np.array(["1", "2", "good"])}))
    assert joined.records.numbers("living_area_sqft").tolist() == [1400.0, 1600.0, 1700.0]
    assert joined.records.texts("quality").tolist() == ["3", "2", "4"]
