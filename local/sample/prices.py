"""The market that the sample county lives by, and the assessor who follows it imperfectly.

The price of a parcel at a time is

    (land + building) · exp(drift · months) · season · exp(unseen + noise)

    land     = rate[class] · standard lot · (area / standard lot)^lot_elasticity · exp(neighborhood + gradient · ring)
    building = cost[class] · (living / 1,800)^living_elasticity · exp(quality, condition, baths) · depreciation(age)
               + garage, all times exp(neighborhood / 2)

`unseen` stays with a parcel from sale to sale, `noise` is the bargain of the day.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from local.sample.attributes import Estates, IntArray, PropertyClass
from local.sample.terrain import FloatArray

AnyFloats = NDArray[np.floating[Any]]

REFERENCE_YEAR = 2025
"""Prices without growth are those of 1 January of this year, the valuation date of the current roll."""


@dataclass(frozen=True, slots=True)
class PriceModel:
    """Every coefficient of the market: US dollars of 1 January 2025, areas in sq ft, drift per month.

    `land_rate` is dollars per sq ft of a standard lot, `building_cost` dollars for 1,800 sq ft, new, of average
    quality. `gradient` is the log change of land from the middle to the edge of the town.
    """

    standard_lot: float = 8_500.0
    standard_living: float = 1_800.0
    land_rate: Mapping[str, float] = field(
        default_factory=lambda: {
            PropertyClass.RESIDENTIAL: 17.5,
            PropertyClass.MULTI_FAMILY: 18.0,
            PropertyClass.COMMERCIAL: 26.0,
            PropertyClass.INDUSTRIAL: 9.0,
            PropertyClass.AGRICULTURAL: 7.0,
            PropertyClass.VACANT: 15.0,
            PropertyClass.EXEMPT: 11.0,
        }
    )
    building_cost: Mapping[str, float] = field(
        default_factory=lambda: {
            PropertyClass.RESIDENTIAL: 385_000.0,
            PropertyClass.MULTI_FAMILY: 350_000.0,
            PropertyClass.COMMERCIAL: 400_000.0,
            PropertyClass.INDUSTRIAL: 240_000.0,
            PropertyClass.AGRICULTURAL: 350_000.0,
            PropertyClass.VACANT: 0.0,
            PropertyClass.EXEMPT: 300_000.0,
        }
    )
    lot_elasticity: float = 0.42
    living_elasticity: float = 0.80
    quality_step: float = 0.115
    condition_step: float = 0.055
    bath_step: float = 0.035
    garage_rate: float = 42.0
    depreciation_floor: float = 0.48
    depreciation_years: float = 48.0
    gradient: float = -0.28
    neighborhood_spread: float = 0.17
    monthly_drift: float = 0.0042
    drift_spread: float = 0.0007
    season: float = 0.012
    unseen: float = 0.055
    noise: float = 0.060

    def neighborhood(self, seed: int, number: IntArray) -> tuple[FloatArray, FloatArray]:
        """Log level and monthly drift of each parcel's neighborhood."""
        known, at = np.unique(number, return_inverse=True)
        draws = np.array([np.random.default_rng((seed, 6, int(one))).normal(0, 1, 2) for one in known])
        return self.neighborhood_spread * draws[at, 0], self.monthly_drift + self.drift_spread * draws[at, 1]

    def land(self, estates: Estates, level: FloatArray) -> FloatArray:
        """Value of the bare land (USD) at reference prices."""
        rate = _by_class(estates, self.land_rate)
        size = (estates.land_area / self.standard_lot) ** self.lot_elasticity
        place = np.exp(level + self.gradient * np.minimum(estates.ring, 1.2))
        value: FloatArray = rate * self.standard_lot * size * place
        return value

    def building(self, estates: Estates, level: FloatArray, year: IntArray) -> FloatArray:
        """Value of what stands on the land (USD) at reference prices and the age of a `year`; 0 before it is built."""
        age = year - estates.year_built
        worn = self.depreciation_floor + (1 - self.depreciation_floor) * np.exp(
            -np.maximum(age, 0) / self.depreciation_years
        )
        size = (estates.living_area / self.standard_living) ** self.living_elasticity
        taste = (
            self.quality_step * (estates.quality - 3)
            + self.condition_step * (estates.condition - 3)
            + self.bath_step * np.maximum(estates.bathrooms - 2, 0)
        )
        new = _by_class(estates, self.building_cost) * size * np.exp(taste) + self.garage_rate * estates.garage_area
        return np.where(estates.built & (age >= 0), new * worn * np.exp(level / 2), 0.0)

    def growth(self, drift: FloatArray, months: AnyFloats) -> FloatArray:
        """Factor from reference prices to those `months` after the reference date."""
        factor: FloatArray = np.exp(drift * months)
        return factor

    def seasonal(self, month: AnyFloats) -> FloatArray:
        """Factor of the time of year: highest in June. `month` counts from 1."""
        factor: FloatArray = np.exp(self.season * np.cos(2 * np.pi * (month - 6) / 12))
        return factor


@dataclass(frozen=True, slots=True)
class Assessor:
    """How rolls depart from the market.

    `level` of value that is aimed at, `regressivity` (log assessed lost per log of value above `typical` USD),
    lasting and yearly error (log standard deviations), and the step (USD) values are rounded to.
    """

    level: float = 0.950
    regressivity: float = 0.07
    typical: float = 410_000.0
    lasting_error: float = 0.088
    yearly_error: float = 0.02
    step: int = 100

    def assess(
        self, land: FloatArray, building: FloatArray, growth: FloatArray, error: FloatArray
    ) -> tuple[IntArray, IntArray]:
        """Assessed land and improvements (USD) from values at reference prices and a log `error`."""
        total = land + building
        factor = self.level * (total / self.typical) ** -self.regressivity * growth * np.exp(error)
        rounded = [np.rint(part * factor / self.step).astype(np.int64) * self.step for part in (land, building)]
        return rounded[0], rounded[1]


def _by_class(estates: Estates, values: Mapping[str, float]) -> FloatArray:
    known, at = np.unique(estates.property_class, return_inverse=True)
    return np.array([values[one] for one in known])[at]
