"""A county drawn from a market that is known: what a model should find out."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from valuation.records import Records

CHARACTERISTICS = ("living_area_sqft", "land_area_sqft", "year_built", "bathrooms", "quality")
YEARLY_GROWTH = 0.05
NOISE = 0.08


def columns(
    sales: int = 900,
    *,
    seed: int = 1,
    characteristics: Sequence[str] = CHARACTERISTICS,
    coordinates: bool = True,
    neighborhoods: bool = True,
    texts: bool = False,
    lots: str = "",
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Columns of the tables of sales and properties: three properties for each sale, five years from 2019 on.

    With `lots` every fifth property is bare land, of the class of that name; the others are of class `home`.
    """
    rng = np.random.default_rng(seed)
    count = max(3 * sales, 30)
    east, north = rng.random(count), rng.random(count)
    known: dict[str, Any] = {
        "living_area_sqft": np.exp(rng.normal(7.4, 0.35, count)).round(),
        "land_area_sqft": np.exp(rng.normal(9, 0.5, count)).round(),
        "year_built": rng.integers(1920, 2018, count).astype(float),
        "bathrooms": rng.integers(1, 4, count).astype(float),
        "quality": rng.integers(1, 6, count).astype(str),
    }
    log_value = 5.6 + 0.75 * np.log(known["living_area_sqft"]) + 0.12 * np.log(known["land_area_sqft"])
    log_value += 0.003 * (known["year_built"] - 1950) + 0.05 * known["bathrooms"]
    log_value += 0.08 * known["quality"].astype(float) + 0.25 * np.sin(5 * east) + 0.2 * np.cos(4 * north)
    if lots:
        bare = np.arange(count) % 5 == 0
        log_value = np.where(bare, 5 + 0.7 * np.log(known["land_area_sqft"]) + 0.25 * np.sin(5 * east), log_value)
        known |= {name: np.where(bare, np.nan, known[name]) for name in ("living_area_sqft", "year_built", "bathrooms")}
        known["quality"] = np.where(bare, "", known["quality"])
    properties: dict[str, Any] = {"property_id": np.array([f"P-{at:06}" for at in range(count)])}
    properties |= {name: known[name] for name in characteristics}
    if lots:
        properties["property_class"] = np.where(bare, lots, "home")
    if neighborhoods:
        properties["neighborhood"] = np.char.add(
            "N", ((east * 4).astype(int) * 4 + (north * 4).astype(int)).astype(str)
        )
    if coordinates:
        properties["lon"], properties["lat"] = -120 + 0.2 * east, 46 + 0.15 * north
    if texts:
        properties["roof"] = np.array(["shake", "metal", "tile"])[rng.integers(0, 3, count)]
        properties["total_appraised"] = np.exp(log_value).round()
        properties["mystery"] = np.exp(log_value + rng.normal(0, 0.01, count)).round()
        properties["OBJECTID"] = np.arange(count, dtype=float)
    sold = rng.integers(0, count, sales)
    day = rng.integers(0, 5 * 365, sales)
    price = np.exp(log_value[sold] + YEARLY_GROWTH * day / 365.25 + rng.normal(0, NOISE, sales))
    return {
        "sale_id": np.array([f"S-{at:06}" for at in range(sales)]),
        "property_id": properties["property_id"][sold],
        "sale_date": np.datetime64("2019-01-01") + day,
        "sale_price": price.round(-2),
        "is_valid": np.ones(sales),
    }, properties


def county(sales: int = 900, **shape: Any) -> tuple[Records, Records]:
    """The county's tables of sales and properties."""
    sold, owned = columns(sales, **shape)
    return Records.of(sold), Records.of(owned)
