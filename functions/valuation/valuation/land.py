"""What land is worth: by the county's own table, or as its sales tell.

Sales tell it by those of bare lots when there are enough, else by allocation: the share of land in assessed values, or
a fifth (IAAO Standard on Mass Appraisal, land valuation).
"""

from dataclasses import dataclass

import numpy as np

from valuation.features import group_median, sane
from valuation.records import Flags, Floats, Ints, Records, looked_up
from valuation.settings import Spec

DEFAULT = "default"
MIN_LOTS = 30
MIN_IMPROVED = 50
SHRINKAGE = 10.0
SHARE = 0.2
POWER = 0.6
"""A lot twice the size is worth 2^0.6 as much, where too few bare lots were sold to tell."""


class LandRates(Spec):
    """Rates in USD by name (or `default`): what a lot of one sq ft is worth; more land is worth more by area^`power`.

    Names are neighborhoods as the county writes them, or, where rates are from its sales, codes of market areas.
    """

    rates: dict[str, float]
    power: float
    from_market: bool

    def values(self, records: Records, areas: Ints) -> Floats:
        """USD (n): 0 where no land is recorded, NaN where it is and no rate is known."""
        size = np.nan_to_num(sane("land_area_sqft", records.numbers("land_area_sqft")))
        names = areas.astype(str) if self.from_market else records.texts("neighborhood")
        rate = looked_up(names, self.rates, self.rates.get(DEFAULT, np.nan))
        return np.where(size > 0, rate * size**self.power, 0.0)


@dataclass(frozen=True, slots=True)
class Sold:
    """Sales (n) at prices (USD) of one time, with the market area of each (-1 for none), of so many areas."""

    records: Records
    prices: Floats
    areas: Ints
    area_count: int

    @property
    def living(self) -> Floats:
        """Living area (sq ft), NaN where it is not known."""
        return sane("living_area_sqft", self.records.numbers("living_area_sqft"))

    @property
    def improved(self) -> Flags:
        """Sales of a building of known size and age."""
        return (self.living > 0) & ~np.isnan(sane("year_built", self.records.numbers("year_built")))


def of_table(land_per_sqft: dict[str, float]) -> LandRates:
    """The county's own rates by neighborhood."""
    return LandRates(rates=land_per_sqft, power=1.0, from_market=False)


def of_sales(sold: Sold) -> LandRates | None:
    """Rates that sales tell; None where too few of them are of known land."""
    land = sane("land_area_sqft", sold.records.numbers("land_area_sqft"))
    vacant = ~(sold.living > 0) & (land > 0)
    return _by_bare_lots(sold, land, vacant) if vacant.sum() >= MIN_LOTS else _by_allocation(sold, land)


def _by_bare_lots(sold: Sold, land: Floats, vacant: Flags) -> LandRates:
    """Rates by market area and the power of size; those of areas with few lots are drawn towards the county's."""
    size, price, areas = np.log(land[vacant]), np.log(sold.prices[vacant]), sold.areas[vacant]
    power = float(np.clip(np.polyfit(size, price, 1)[0], 0.2, 1.0))
    level = price - power * size
    slots = np.where(areas < 0, sold.area_count, areas)
    counts = np.bincount(slots, minlength=sold.area_count + 1)
    middle = float(np.median(level))
    medians = np.nan_to_num(group_median(level, slots, sold.area_count + 1), nan=middle)
    local = np.exp((medians * counts + middle * SHRINKAGE) / (counts + SHRINKAGE))
    rates = {str(at): float(local[at]) for at in range(sold.area_count) if counts[at]}
    return LandRates(rates={**rates, DEFAULT: float(np.exp(middle))}, power=power, from_market=True)


def _by_allocation(sold: Sold, land: Floats) -> LandRates | None:
    """One rate for the county, such that land is its usual share of the usual price."""
    assessed = [sold.records.numbers(f"assessed_{part}_value") for part in ("land", "improvement")]
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = assessed[0] / (assessed[0] + assessed[1])
    shares = shares[sold.improved & (shares > 0) & (shares < 1)]
    share = float(np.median(shares)) if len(shares) >= MIN_IMPROVED else SHARE
    lots = sold.improved & (land > 0)
    if lots.sum() < MIN_IMPROVED:
        return None
    rate = float(np.median(share * sold.prices[lots] / land[lots] ** POWER))
    return LandRates(rates={DEFAULT: rate}, power=POWER, from_market=True)
