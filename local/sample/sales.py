"""Rolls and sales: what was assessed each year, what was sold when, and for how much."""

from dataclasses import dataclass, fields, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from local.sample.attributes import Estates, IntArray, PropertyClass, Strings
from local.sample.prices import REFERENCE_YEAR, Assessor, PriceModel
from local.sample.terrain import FloatArray

FIRST_YEAR, LAST_YEAR = 2021, 2025
Dates = NDArray[np.datetime64]

TURNOVER = {
    PropertyClass.RESIDENTIAL: 0.054,
    PropertyClass.MULTI_FAMILY: 0.036,
    PropertyClass.COMMERCIAL: 0.030,
    PropertyClass.INDUSTRIAL: 0.022,
    PropertyClass.AGRICULTURAL: 0.015,
    PropertyClass.VACANT: 0.050,
    PropertyClass.EXEMPT: 0.0,
}
"""Share of a class that is sold in a year."""

SEASON = (0.058, 0.062, 0.083, 0.090, 0.100, 0.107, 0.102, 0.100, 0.086, 0.080, 0.068, 0.064)
"""Share of a year's sales in each month."""

_RESALE_DAYS = 75


class SaleType(StrEnum):
    """How a property changed hands; only the first is a sale on the open market."""

    WARRANTY_DEED = "warranty_deed"
    FAMILY_TRANSFER = "family_transfer"
    FORECLOSURE = "foreclosure"
    QUIT_CLAIM = "quit_claim"


_TYPES = {
    SaleType.WARRANTY_DEED: (0.950, (1.0, 1.0)),
    SaleType.FAMILY_TRANSFER: (0.026, (0.04, 0.75)),
    SaleType.FORECLOSURE: (0.014, (0.55, 0.90)),
    SaleType.QUIT_CLAIM: (0.010, (0.002, 0.06)),
}
"""Share of each type and what part of the market price is paid."""


@dataclass(frozen=True, slots=True)
class Sales:
    """Sales, ordered by parcel and date: index of the parcel, day, USD, type, and the roll's value of that year."""

    parcel: IntArray
    date: Dates
    price: IntArray
    sale_type: Strings
    assessed: IntArray


@dataclass(frozen=True, slots=True)
class Roll:
    """Assessed values (USD) of the current and the prior year, and each parcel's last sale (NaT, 0 if unknown)."""

    land: IntArray
    building: IntArray
    prior_total: IntArray
    last_sale_date: Dates
    last_sale_price: IntArray


@dataclass(frozen=True, slots=True)
class Market:
    """The parcels' place in the market: reference values apart from time, and what only shows in prices."""

    estates: Estates
    model: PriceModel
    assessor: Assessor
    level: FloatArray
    drift: FloatArray
    unseen: FloatArray
    lasting: FloatArray
    yearly: FloatArray

    @classmethod
    def open(cls, estates: Estates, seed: int, rng: np.random.Generator) -> "Market":
        """Draw what the market and the assessor know about each parcel."""
        model, assessor = PriceModel(), Assessor()
        count = estates.land_area.size
        level, drift = model.neighborhood(seed, estates.neighborhood)
        return cls(
            estates=estates,
            model=model,
            assessor=assessor,
            level=level,
            drift=drift,
            unseen=rng.normal(0, model.unseen, count),
            lasting=rng.normal(0, assessor.lasting_error, count),
            yearly=rng.normal(0, assessor.yearly_error, (count, LAST_YEAR - FIRST_YEAR + 1)),
        )

    def at(self, parcel: IntArray) -> "Market":
        """The same market for a selection of parcels, which may repeat."""
        estates = Estates(*(getattr(self.estates, one.name)[parcel] for one in fields(Estates)))
        return replace(
            self,
            estates=estates,
            level=self.level[parcel],
            drift=self.drift[parcel],
            unseen=self.unseen[parcel],
            lasting=self.lasting[parcel],
            yearly=self.yearly[parcel],
        )

    def assessed(self, year: IntArray) -> tuple[IntArray, IntArray]:
        """Assessed land and improvements (USD) as of 1 January of each parcel's `year`, 2021 to 2025."""
        growth = self.model.growth(self.drift, 12.0 * (year - REFERENCE_YEAR))
        error = self.lasting + self.yearly[np.arange(year.size), year - FIRST_YEAR]
        land = self.model.land(self.estates, self.level)
        return self.assessor.assess(land, self.model.building(self.estates, self.level, year), growth, error)

    def price(self, date: Dates, noise: FloatArray) -> FloatArray:
        """What an open-market buyer pays (USD) on each `date`; `noise` in standard deviations."""
        months = (date - np.datetime64(f"{REFERENCE_YEAR}-01-01")).astype(np.float64) / 30.4375
        month = date.astype("datetime64[M]").astype(np.int64) % 12 + 1.0
        value = self.model.land(self.estates, self.level)
        value = value + self.model.building(self.estates, self.level, _years(date))
        luck = np.exp(self.unseen + self.model.noise * noise)
        return value * self.model.growth(self.drift, months) * self.model.seasonal(month) * luck

    def sell(self, rng: np.random.Generator) -> Sales:
        """Five years of sales. Nothing is sold before it was built, nor twice within 75 days."""
        rate = np.array([TURNOVER[PropertyClass(one)] for one in self.estates.property_class.tolist()])
        times = rng.poisson(rate * (LAST_YEAR - FIRST_YEAR + 1))
        parcel = np.repeat(np.arange(rate.size), times)
        date = _sale_dates(parcel.size, rng)
        order = np.lexsort((date, parcel))
        parcel, date = parcel[order], date[order]
        soon = np.r_[False, (np.diff(parcel) == 0) & (np.diff(date).astype(np.int64) < _RESALE_DAYS)]
        fits = ~soon & (_years(date) >= self.estates.year_built[parcel])
        parcel, date = parcel[fits], date[fits]
        sold = self.at(parcel)
        kind = rng.choice(len(_TYPES), parcel.size, p=[share for share, _ in _TYPES.values()])
        low, high = np.array([paid for _, paid in _TYPES.values()])[kind].T
        price = sold.price(date, rng.normal(0, 1, parcel.size)) * rng.uniform(low, high)
        step = np.where(price > 100_000, 500, 50)
        land, building = sold.assessed(_years(date))
        return Sales(
            parcel=parcel,
            date=date,
            price=np.maximum(np.rint(price / step) * step, 50).astype(np.int64),
            sale_type=np.array([str(one) for one in _TYPES])[kind],
            assessed=land + building,
        )

    def roll(self, sales: Sales, rng: np.random.Generator) -> Roll:
        """The current roll, with the last sale: one of `sales`, else an older one that most deeds tell of."""
        count = self.drift.size
        land, building = self.assessed(np.full(count, LAST_YEAR))
        prior_land, prior_building = self.assessed(np.full(count, LAST_YEAR - 1))
        first, last = np.datetime64("1984-01-02"), np.datetime64(f"{FIRST_YEAR - 1}-12-31")
        date = first + rng.integers(0, (last - first).astype(int), count).astype("timedelta64[D]")
        date = np.busday_offset(date, 0, roll="backward")
        price = np.rint(self.price(date, rng.normal(0, 1, count)) / 100).astype(np.int64) * 100
        known = (rng.random(count) < 0.7) & (_years(date) >= self.estates.year_built)
        known &= self.estates.property_class != PropertyClass.EXEMPT
        date, price = np.where(known, date, np.datetime64("NaT", "D")), np.where(known, price, 0)
        date[sales.parcel], price[sales.parcel] = sales.date, sales.price
        return Roll(land, building, prior_land + prior_building, date, price)


def _years(date: Dates) -> IntArray:
    return date.astype("datetime64[Y]").astype(np.int64) + 1970


def _sale_dates(count: int, rng: np.random.Generator) -> Dates:
    """Working days from 2021 to 2025, more of them in summer."""
    year = rng.integers(FIRST_YEAR, LAST_YEAR + 1, count)
    share = np.array(SEASON) / sum(SEASON)
    month = ((year - 1970) * 12 + rng.choice(12, count, p=share)).astype("datetime64[M]")
    length = ((month + np.timedelta64(1, "M")).astype("datetime64[D]") - month.astype("datetime64[D]")).astype(np.int64)
    day = month.astype("datetime64[D]") + np.floor(rng.random(count) * length).astype("timedelta64[D]")
    working: Dates = np.busday_offset(day, 0, roll="modifiedpreceding")
    return working
