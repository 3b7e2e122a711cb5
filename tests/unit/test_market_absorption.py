"""The supply for sale: against pandas, day by day, and what listings that say little or nonsense lead to."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from market_analysis.analysis_types import AnalysisType
from market_analysis.periods import months_before
from tests.unit.market_tables import answer, tables_of

VELOCITY = AnalysisType.SALES_VELOCITY
FIRST, LAST = date(2022, 1, 1), date(2024, 12, 31)
SALES: dict[str, list[Any]] = {
    "sale_id": ["a", "b", "c"],
    "property_id": ["P0", "P1", "P2"],
    "sale_date": [FIRST, date(2023, 5, 5), LAST],
    "sale_price": [200_000.0, 250_000.0, 300_000.0],
}
PROPERTIES = {"property_id": [f"P{at}" for at in range(40)], "neighborhood": [f"N{at % 3}" for at in range(40)]}


def listings(seed: int, count: int = 900) -> pd.DataFrame:
    """Listings of four years: closed, withdrawn, still for sale; some known by one of their dates alone."""
    random = np.random.default_rng(seed)
    listed = pd.to_datetime("2021-06-01") + pd.to_timedelta(random.integers(0, 1_300, count), "D")
    stood = pd.to_timedelta(random.geometric(1 / 45, count) - 1, "D")
    closing = pd.to_timedelta(random.integers(0, 60, count), "D")
    fate = random.choice(["closed", "withdrawn", "active", "closed at once"], count, p=[0.7, 0.12, 0.1, 0.08])
    off = pd.Series(listed + stood).where(np.isin(fate, ["closed", "withdrawn"]))
    closed = pd.Series(listed + stood + closing).where(np.isin(fate, ["closed", "closed at once"]))
    price = pd.Series(random.integers(100, 900, count) * 1_000.0)
    return pd.DataFrame(
        {
            "listing_id": [f"L{at}" for at in range(count)],
            "property_id": [f"P{at}" for at in random.integers(0, 44, count)],
            "list_date": listed,
            "off_market_date": off,
            "close_date": closed,
            "list_price": price,
            "close_price": (price * random.normal(0.98, 0.03, count)).round().where(closed.notna()),
        }
    )


def columns(frame: pd.DataFrame) -> dict[str, list[Any]]:
    """As a table of Parquet's: days as dates, nothing as null."""
    days = {name: frame[name].dt.date for name in ("list_date", "off_market_date", "close_date")}
    frame = frame.assign(**days)
    return {name: [None if pd.isna(one) else one for one in frame[name]] for name in frame}


def counted(frame: pd.DataFrame, first: date, last: date, months: float) -> dict[str, Any]:
    """A row of figures, told again in pandas."""
    start, end = pd.Timestamp(first), pd.Timestamp(last)
    gone = frame[["off_market_date", "close_date"]].min(axis=1)
    closed = frame[frame["close_date"].between(start, end)]
    active = frame[(frame["list_date"] <= end) & ~(gone <= end)]
    days = (gone - frame["list_date"]).dt.days
    return {
        "new_listings": int(frame["list_date"].between(start, end).sum()),
        "closed_listings": len(closed),
        "active_listings": len(active),
        "median_close_price": closed["close_price"].median(),
        "median_days_on_market": days[closed.index].median(),
        "median_close_to_list_percent": (100 * closed["close_price"] / closed["list_price"]).median(),
        "median_list_price": active["list_price"].median(),
        "median_days_listed": (end - active["list_date"]).dt.days.median(),
        "absorption_per_month": len(closed) / months,
        "months_of_supply": len(active) / (len(closed) / months) if len(closed) else None,
    }


def agree(row: dict[str, Any], expected: dict[str, Any]) -> None:
    for name, value in expected.items():
        wanted = None if value is None or np.isnan(value) else pytest.approx(value, abs=0.00501)
        assert row[name] == wanted, (name, row)


@pytest.mark.parametrize("seed", range(3))
def test_supply_by_period_window_and_neighborhood_is_what_pandas_counts(seed: int, tmp_path: Path) -> None:
    frame = listings(seed)
    files = tables_of(tmp_path, sales=SALES, properties=PROPERTIES, listings=columns(frame))
    _, analysis, result = answer(files, VELOCITY, group_by="neighborhood", period="quarter")
    found = result["absorption"]
    last = date.fromisoformat(found["as_of"])

    assert last == LAST
    agree(found, counted(frame, date(2024, 1, 1), LAST, 12))
    assert [row["window"] for row in found["windows"]] == [
        "prior 7 to 12 months",
        "prior 4 to 6 months",
        "current to 3 months",
    ]
    for row, (first, end, months) in zip(
        found["windows"],
        [
            (date(2024, 1, 1), date(2024, 6, 30), 6),
            (date(2024, 7, 1), date(2024, 9, 30), 3),
            (date(2024, 10, 1), LAST, 3),
        ],
        strict=True,
    ):
        assert (row["from"], row["to"]) == (first.isoformat(), end.isoformat())
        agree(row, counted(frame, first, end, months))
    assert [row["period"] for row in found["periods"]][::11] == ["2022-Q1", "2024-Q4"]
    for row in found["periods"]:
        first = date.fromisoformat(row["period_start"])
        end = (pd.Timestamp(first) + pd.offsets.QuarterEnd(0)).date()
        agree(row, counted(frame, first, end, ((end - first).days + 1) / 30.4375))
    places = dict(zip(PROPERTIES["property_id"], PROPERTIES["neighborhood"], strict=True))
    by_place = frame["property_id"].map(places).fillna("(none)")
    assert [row["neighborhood"] for row in found["groups"]] == ["(none)", "N0", "N1", "N2"]
    for row in found["groups"]:
        agree(row, counted(frame[by_place == row["neighborhood"]], date(2024, 1, 1), LAST, 12))
    supply, active = found["months_of_supply"], found["active_listings"]
    assert f"{active:,} listings on 2024-12-31 are {supply:.1f} months of supply" in analysis.key_finding
    assert {"absorption", "absorption_windows", "absorption_groups"} <= set(analysis.tables)


def test_a_neighborhood_is_told_alone(tmp_path: Path) -> None:
    frame = listings(7)
    files = tables_of(tmp_path, sales=SALES, properties=PROPERTIES, listings=columns(frame))
    _, _, whole = answer(files, VELOCITY, group_by="neighborhood")
    _, _, alone = answer(files, VELOCITY, neighborhood="N1")
    [row] = [row for row in whole["absorption"]["groups"] if row["neighborhood"] == "N1"]

    assert {name: alone["absorption"][name] for name in row if name != "neighborhood"} == {
        name: value for name, value in row.items() if name != "neighborhood"
    }
    left_out = {row["reason"]: row["listings"] for row in alone["absorption"]["left_out"]}
    elsewhere = left_out["of another neighborhood"]
    looked_at = len(frame) - sum(row["listings"] for row in whole["absorption"]["left_out"])
    assert looked_at - elsewhere == alone["absorption"]["listings_considered"] - sum(left_out.values()) > 0


def one(**changes: Any) -> dict[str, list[Any]]:
    """A table of a single listing, closed within the days of the sales."""
    listing = {
        "listing_id": "L1",
        "property_id": "P1",
        "list_date": date(2023, 4, 1),
        "off_market_date": date(2023, 4, 20),
        "close_date": date(2023, 5, 20),
        "list_price": 300_000.0,
        "close_price": 290_000.0,
    }
    return {name: [value] for name, value in (listing | changes).items()}


def test_without_listings_nothing_is_invented(tmp_path: Path) -> None:
    _, analysis, result = answer(tables_of(tmp_path, sales=SALES, properties=PROPERTIES), VELOCITY)
    assert result["absorption"] is None
    assert any("need listings" in note for note in result["notes"])
    assert "supply" not in analysis.key_finding


@pytest.mark.parametrize("absent", ["list_date", "off_market_date", "close_date"])
def test_listings_that_lack_a_date_throughout_are_refused_by_its_name(absent: str, tmp_path: Path) -> None:
    table = {name: values for name, values in one().items() if name != absent}
    _, _, result = answer(tables_of(tmp_path, sales=SALES, listings=table), VELOCITY)
    assert result["absorption"] is None
    assert any(f"no {absent}" in note for note in result["notes"])


def test_listings_of_other_years_tell_nothing_of_these(tmp_path: Path) -> None:
    long_ago = one(list_date=date(2001, 1, 1), off_market_date=date(2001, 2, 1), close_date=date(2001, 3, 1))
    _, _, result = answer(tables_of(tmp_path, sales=SALES, listings=long_ago), VELOCITY)
    assert result["absorption"] is None
    assert any("tell nothing of 2022-01-01 to 2024-12-31" in note for note in result["notes"])


def test_what_is_wrong_with_a_listing_is_counted(tmp_path: Path) -> None:
    rows = [
        one(),
        one(),
        one(listing_id="L2", list_date=None),
        one(listing_id="L3", list_date=date(2023, 6, 1)),
        one(listing_id="L4", list_date=date(2026, 1, 1), off_market_date=None, close_date=None),
        one(listing_id=None, list_price=-5.0),
        one(listing_id=None, list_price=0.0, close_price=None),
    ]
    table = {name: [row[name][0] for row in rows] for name in rows[0]}
    _, _, result = answer(tables_of(tmp_path, sales=SALES, listings=table), VELOCITY, period="month")
    found = result["absorption"]
    assert {row["reason"]: row["listings"] for row in found["left_out"]} == {
        "of a listing_id that was there already": 1,
        "without a list date": 1,
        "ended before they were listed": 1,
        "not on the market from 2023-04-20 to 2024-12-31": 1,
    }
    assert found["listings_considered"] == 7
    may = next(row for row in found["periods"] if row["period"] == "2023-05")
    assert (may["closed_listings"], may["active_listings"], may["months_of_supply"]) == (3, 0, 0.0)
    assert may["median_close_to_list_percent"] == pytest.approx(100 * 290 / 300, abs=0.005)
    june = next(row for row in found["periods"] if row["period"] == "2023-06")
    assert (june["closed_listings"], june["months_of_supply"], june["median_days_on_market"]) == (0, None, None)
    assert found["months_of_supply"] is None


def test_dates_that_were_loaded_as_text_are_read(tmp_path: Path) -> None:
    texts = one(list_date="2023-04-01", off_market_date="2023-04-20", close_date="2023-05-20", list_price="300000")
    _, _, result = answer(tables_of(tmp_path, sales=SALES, listings=texts), VELOCITY)
    assert next(row for row in result["absorption"]["periods"] if row["period"] == "2023-05")["closed_listings"] == 1


@pytest.mark.parametrize(
    ("day", "months", "first"),
    [
        (date(2024, 12, 31), 6, date(2024, 7, 1)),
        (date(2024, 2, 29), 12, date(2023, 3, 1)),
        (date(2025, 2, 28), 12, date(2024, 3, 1)),
        (date(2024, 8, 31), 6, date(2024, 3, 1)),
        (date(2024, 8, 30), 6, date(2024, 3, 1)),
        (date(2024, 3, 15), 3, date(2023, 12, 16)),
        (date(2024, 1, 31), 0, date(2024, 2, 1)),
    ],
)
def test_whole_months_end_on_a_day(day: date, months: int, first: date) -> None:
    assert months_before(day, months) == first


def test_months_before_never_overlap_nor_leave_days_out() -> None:
    for ordinal in range(date(2023, 1, 1).toordinal(), date(2025, 1, 1).toordinal()):
        day = date.fromordinal(ordinal)
        edges = [months_before(day, back) for back in (12, 6, 3, 0)]
        assert edges == sorted(edges)
        assert edges[-1] == day + timedelta(days=1)
