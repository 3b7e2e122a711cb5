"""Listings of a multiple listing service: what was for sale, from when to when, for how much."""

from dataclasses import dataclass, fields

import numpy as np

from local.sample.attributes import IntArray
from local.sample.sales import FIRST_YEAR, LAST_YEAR, TURNOVER, Dates, Market, Sales, SaleType
from local.sample.terrain import FloatArray

LISTED = 0.92
"""Share of open-market sales that brokers listed; the others were agreed among neighbors."""
WITHDRAWN = 0.14
"""Listings that find no buyer, per sale that was listed."""
ASKED_TOO_MUCH = 1.09
"""What those ask, as a multiple of what others would."""
SOLD_AFTER, WITHDRAWN_AFTER = 24.0, 95.0
"""Median days on the market."""

_FIRST_DAY, _LAST_DAY = np.datetime64(f"{FIRST_YEAR}-01-01"), np.datetime64(f"{LAST_YEAR}-12-31")
_NEVER = np.datetime64("NaT", "D")
_DAYS_TO_CLOSING = (21, 60)
_STEP = 1_000


@dataclass(frozen=True, slots=True)
class Listings:
    """Index of the parcel; days listed, taken off the market and closed (NaT: not yet, or never); USD (NaN: none)."""

    parcel: IntArray
    list_date: Dates
    off_market_date: Dates
    close_date: Dates
    list_price: FloatArray
    close_price: FloatArray


def offer(market: Market, sales: Sales, rng: np.random.Generator) -> Listings:
    """What is known at the end of the last year: what sold, what will close in the next months, what was withdrawn.

    The next year begins as the last one did.
    """
    sold = np.flatnonzero((sales.sale_type == SaleType.WARRANTY_DEED) & (rng.random(sales.parcel.size) < LISTED))
    date, price = sales.date[sold], sales.price[sold].astype(np.float64)
    repeated = (date >= np.datetime64(f"{LAST_YEAR}-01-01")) & (date < np.datetime64(f"{LAST_YEAR}-06-01"))
    parts = [
        _closing(sales.parcel[sold], date, price, rng),
        _closing(sales.parcel[sold][repeated], date[repeated] + np.timedelta64(365, "D"), price[repeated], rng),
        _withdrawn(market, round(WITHDRAWN * sold.size), rng),
    ]
    return _known(Listings(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(Listings))))


def _closing(parcel: IntArray, close: Dates, price: FloatArray, rng: np.random.Generator) -> Listings:
    off = close - rng.integers(*_DAYS_TO_CLOSING, close.size).astype("timedelta64[D]")
    asked = price * np.exp(rng.normal(0.012, 0.022, price.size))
    return Listings(parcel, off - _stood(SOLD_AFTER, close.size, rng), off, close, asked, price)


def _withdrawn(market: Market, count: int, rng: np.random.Generator) -> Listings:
    traded = [str(one) for one, share in TURNOVER.items() if share > 0]
    offered = np.flatnonzero(np.isin(market.estates.property_class, traded))
    parcel = rng.choice(offered, count if offered.size else 0)
    days = int((_LAST_DAY - _FIRST_DAY).astype(np.int64))
    listed = _FIRST_DAY + rng.integers(0, days, parcel.size).astype("timedelta64[D]")
    asked = market.at(parcel).price(listed, rng.normal(0, 1, parcel.size)) * ASKED_TOO_MUCH
    off = listed + _stood(WITHDRAWN_AFTER, parcel.size, rng)
    return Listings(parcel, listed, off, np.full(parcel.size, _NEVER), asked, np.full(parcel.size, np.nan))


def _stood(
    median: float, count: int, rng: np.random.Generator
) -> np.ndarray[tuple[int, ...], np.dtype[np.timedelta64]]:
    return np.floor(median * np.exp(rng.normal(0, 0.75, count))).astype("timedelta64[D]")


def _known(listings: Listings) -> Listings:
    """Without what comes after the last day."""
    begun = listings.list_date <= _LAST_DAY
    off, close = listings.off_market_date[begun], listings.close_date[begun]
    asked = np.maximum(np.rint(listings.list_price[begun] / _STEP) * _STEP - 100, _STEP - 100)
    return Listings(
        parcel=listings.parcel[begun],
        list_date=listings.list_date[begun],
        off_market_date=np.where(off <= _LAST_DAY, off, _NEVER),
        close_date=np.where(close <= _LAST_DAY, close, _NEVER),
        list_price=asked,
        close_price=np.where(close <= _LAST_DAY, listings.close_price[begun], np.nan),
    )
