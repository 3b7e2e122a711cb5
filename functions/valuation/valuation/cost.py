"""The cost approach: land, and what it costs to build new, less age-life depreciation, times a local multiplier.

    value = multiplier[area] · (land + new · good)
    new   = rate · (living area · (living area / typical area)^(size power - 1) + garage share · garage area)
    good  = max(1 - effective age / economic life, residual)

A county's own cost tables are used when its configuration has them. Otherwise rates, life and multipliers are
extracted from its sales (IAAO Standard on Mass Appraisal, cost models calibrated from the market): land from sales of
vacant lots when there are enough, else by allocation (the share of land in assessed values, or a fifth); rates by
non-negative least squares on relative errors; life, residual and size power as they fit best.
"""

from collections.abc import Mapping
from itertools import product

import numpy as np
from pydantic import Field
from scipy.optimize import nnls

from terrafusion.counties.configuration import CostTables
from valuation.features import group_median, sane
from valuation.places import sizes
from valuation.records import Floats, Ints, Records, Texts
from valuation.settings import Spec

DEFAULT = "default"
MIN_SALES = 50
MIN_RATE_SALES = 30
MIN_VACANT = 30
LIVES = (50.0, 60.0, 75.0, 100.0)
SIZE_POWERS = (1.0, 0.9, 0.8, 0.7)
"""A large building costs less per sq ft than a small one."""
RESIDUALS = (0.2, 0.35, 0.5)
GARAGE_SHARE = 0.35
"""What a sq ft of garage costs beside one of living area, where no table says."""
LAND_SHARE = 0.2
SHRINKAGE = 10.0
LAND_POWER = 0.6
"""A lot twice the size is worth 2^0.6 as much, where too few vacant lots were sold to tell."""


class CostModel(Spec):
    """Rates in USD: per sq ft of living area by class and quality (`class|quality`, class, or `default`).

    `land` maps market area codes (or `default`) to the rate of a lot of one sq ft, which grows with area^`land_power`.
    `age_factor` maps condition to effective age as a share of actual age.
    """

    source: str
    from_market: bool
    rates: dict[str, float]
    garage_rate: float = 0.0
    garage_share: float = 0.0
    size_power: float = 1.0
    typical_area: float = 1.0
    life: float
    lives: dict[str, float] = Field(default={})
    residual: float
    age_factor: dict[str, float] = Field(default={})
    land: dict[str, float]
    land_power: float
    multipliers: tuple[float, ...]
    multiplier: float = 1.0


class CostParts(Spec):
    """What a value by cost is made of, in USD; `good` is the share that age has left."""

    land_value: float
    replacement_cost_new: float
    effective_age_years: float
    good: float
    local_multiplier: float
    value: float


def from_tables(tables: CostTables, area_names: tuple[str, ...]) -> CostModel:
    """A county's own tables."""
    codes = {name: str(code) for code, name in enumerate(area_names)}
    return CostModel(
        source="the county's cost tables",
        from_market=False,
        rates=dict(tables.cost_per_sqft),
        garage_rate=tables.garage_cost_per_sqft,
        life=tables.economic_life_years.get(DEFAULT, 60.0),
        lives={name: years for name, years in tables.economic_life_years.items() if name != DEFAULT},
        residual=tables.residual_share,
        age_factor=dict(tables.effective_age_factor),
        land={codes.get(name, name): rate for name, rate in tables.land_per_sqft.items()},
        land_power=1.0,
        multipliers=(),
        multiplier=tables.local_multiplier,
    )


def from_sales(records: Records, years: Floats, prices: Floats, areas: Ints, area_count: int) -> CostModel | None:
    """Extract rates from sales at prices (USD) of one time; None when too few tell enough."""
    living, land, garage = _sizes(records)
    age = years - sane("year_built", records.numbers("year_built"))
    improved = (living > 0) & ~np.isnan(age)
    if improved.sum() < MIN_SALES:
        return None
    lots = _land_from_vacant(land, prices, areas, area_count, ~(living > 0) & (land > 0))
    lots = lots or _land_by_allocation(records, land, prices, improved)
    keys = _keys(records)
    known, counts = np.unique(keys[improved], return_counts=True)
    rated = [str(key) for key in known[counts >= MIN_RATE_SALES]]
    rows = [(keys == key) & improved for key in rated]
    rest = improved & ~np.logical_or.reduce([np.zeros(len(keys), bool), *rows])
    best: tuple[float, CostModel] | None = None
    typical = float(np.median(living[improved]))
    ground = lots[0][DEFAULT] * np.nan_to_num(land) ** lots[1]
    for life, power, residual in product(LIVES, SIZE_POWERS, RESIDUALS):
        good = np.maximum(1 - np.maximum(age, 0) / life, residual)
        size = living * (np.maximum(living, 1) / typical) ** (power - 1) + GARAGE_SHARE * garage
        columns = [np.where(row, size * good, 0)[improved] for row in (*rows, rest)]
        model = CostModel(
            source="extracted from the county's sales, as it keeps no cost tables",
            from_market=True,
            rates=_rates(columns, rated, prices[improved], ground[improved]),
            garage_share=GARAGE_SHARE,
            size_power=power,
            typical_area=typical,
            life=life,
            residual=residual,
            land=lots[0],
            land_power=lots[1],
            multipliers=(),
        )
        error = np.log(prices[improved] / np.maximum(_value(model, records, areas, years)[improved], 1))
        spread = float(np.median(np.abs(error - np.median(error))))
        if best is None or spread < best[0]:
            best = (spread, _with_multipliers(model, error, areas[improved], area_count))
    return best[1] if best else None


def values(model: CostModel, records: Records, areas: Ints, years: Floats) -> Floats:
    """Values (USD, n) at the model's prices in a year, NaN where the cost approach cannot tell."""
    return _value(model, records, areas, years)


def good(model: CostModel, records: Records, areas: Ints, years: Floats) -> Floats:
    """The share of each building that age has left (n): 1 for bare land, NaN where it is not known."""
    return _parts(model, records, areas, years)[3]


def parts(model: CostModel, records: Records, areas: Ints, years: Floats) -> CostParts | None:
    """The parts of one property's value; None where the cost approach cannot tell."""
    land, new, age, good, multiplier = (float(part[0]) for part in _parts(model, records, areas, years))
    total = multiplier * (land + new * good)
    if not np.isfinite(total) or total <= 0:
        return None
    return CostParts(
        land_value=land,
        replacement_cost_new=new,
        effective_age_years=age,
        good=good,
        local_multiplier=multiplier,
        value=total,
    )


def _value(model: CostModel, records: Records, areas: Ints, years: Floats) -> Floats:
    land, new, _, good, multiplier = _parts(model, records, areas, years)
    total = multiplier * (land + new * good)
    return np.where(total > 0, total, np.nan)


def _parts(model: CostModel, records: Records, areas: Ints, years: Floats) -> tuple[Floats, ...]:
    """Land, replacement cost new, effective age, share left, and multiplier of each row; NaN where not known."""
    living, land, garage = _sizes(records)
    built = sane("year_built", records.numbers("year_built"))
    vacant = ~(living > 0) & np.isnan(built)
    classes, conditions = records.texts("property_class"), records.texts("condition")
    age = np.maximum(years - built, 0) * _looked_up(conditions, model.age_factor, 1.0)
    life = _looked_up(classes, model.lives, model.life)
    good = np.where(vacant, 1.0, np.maximum(1 - age / life, model.residual))
    keys = _keys(records)
    default = model.rates.get(DEFAULT, np.nan)
    rate = _looked_up(keys, model.rates, np.nan)
    for by in (records.texts("quality"), classes):
        rate = np.where(np.isnan(rate), _looked_up(by, model.rates, np.nan), rate)
    rate = np.where(np.isnan(rate), default, rate)
    size = np.where(living > 0, living, np.nan)
    size = size * (size / model.typical_area) ** (model.size_power - 1)
    new = np.where(vacant, 0.0, rate * (size + model.garage_share * garage) + model.garage_rate * garage)
    lot = _looked_up(areas.astype(str), model.land, model.land.get(DEFAULT, 0.0))
    lot = np.where(np.isnan(land), 0.0, lot * np.maximum(land, 0) ** model.land_power)
    lot = np.where(vacant & ~(land > 0), np.nan, lot)
    local = np.array([*model.multipliers, model.multiplier])
    multiplier = local[areas] if model.multipliers else np.full(len(records), model.multiplier)
    return lot, new, np.where(vacant, 0.0, age), good, multiplier


def _sizes(records: Records) -> tuple[Floats, Floats, Floats]:
    living, land, garage = (
        sane(name, records.numbers(name)) for name in ("living_area_sqft", "land_area_sqft", "garage_area_sqft")
    )
    return living, land, np.nan_to_num(garage)


def _keys(records: Records) -> Texts:
    return np.char.add(np.char.add(records.texts("property_class"), "|"), records.texts("quality"))


def _looked_up(texts: Texts, table: Mapping[str, float], default: float) -> Floats:
    known, at = np.unique(texts, return_inverse=True)
    return np.array([table.get(text, default) for text in known.tolist()], np.float64)[at]


def _land_from_vacant(
    land: Floats, prices: Floats, areas: Ints, area_count: int, vacant: np.ndarray
) -> tuple[dict[str, float], float] | None:
    """Rates by market area and the power of size, from sales of vacant lots."""
    if vacant.sum() < MIN_VACANT:
        return None
    size, price = np.log(land[vacant]), np.log(prices[vacant])
    power = float(np.clip(np.polyfit(size, price, 1)[0], 0.2, 1.0))
    level = price - power * size
    slots = np.where(areas[vacant] < 0, area_count, areas[vacant])
    counts = np.bincount(slots, minlength=area_count + 1)
    middle = float(np.median(level))
    medians = np.nan_to_num(group_median(level, slots, area_count + 1), nan=middle)
    local = np.exp((medians * counts + middle * SHRINKAGE) / (counts + SHRINKAGE))
    rates = {str(at): float(local[at]) for at in range(area_count) if counts[at]}
    return {**rates, DEFAULT: float(np.exp(middle))}, power


def _land_by_allocation(
    records: Records, land: Floats, prices: Floats, improved: np.ndarray
) -> tuple[dict[str, float], float]:
    """One rate for the county, such that land is its usual share of the usual price."""
    assessed = [records.numbers(f"assessed_{part}_value") for part in ("land", "improvement")]
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = assessed[0] / (assessed[0] + assessed[1])
    shares = shares[improved & (shares > 0) & (shares < 1)]
    share = float(np.median(shares)) if len(shares) >= MIN_SALES else LAND_SHARE
    lots = improved & (land > 0)
    rate = float(np.median(share * prices[lots] / land[lots] ** LAND_POWER)) if lots.sum() >= MIN_SALES else 0.0
    return {DEFAULT: rate}, LAND_POWER


def _rates(columns: list[Floats], rated: list[str], prices: Floats, ground: Floats) -> dict[str, float]:
    """Cost per sq ft by class and quality, as prices less land tell; the rest have the rate of the rest."""
    building = np.maximum(1 - ground / prices, 0)
    found, _ = nnls(np.column_stack(columns) / prices[:, None], building)
    rates = {key: float(rate) for key, rate in zip(rated, found, strict=False) if rate > 0}
    counts = [float((column > 0).sum()) for column in columns[: len(rated)]]
    usual = float(np.average(found[: len(rated)], weights=counts)) if rated else 0.0
    return {**rates, DEFAULT: float(found[-1]) or usual}


def _with_multipliers(model: CostModel, error: Floats, areas: Ints, area_count: int) -> CostModel:
    """Local multipliers: how each market area sells against cost, thin areas drawn towards the county."""
    middle = float(np.median(error))
    counts = sizes(areas, area_count)[:area_count]
    slots = np.where(areas < 0, area_count, areas)
    medians = np.nan_to_num(group_median(error, slots, area_count + 1)[:area_count], nan=middle)
    local = np.exp((medians * counts + middle * SHRINKAGE) / (counts + SHRINKAGE))
    return model.model_copy(
        update={"multipliers": tuple(float(one) for one in local), "multiplier": float(np.exp(middle))}
    )
