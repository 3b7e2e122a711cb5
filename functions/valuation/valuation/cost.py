"""The cost approach: land, and what it costs to build new at the place, less age-life depreciation.

    value = land + multiplier · new · good
    new   = rate · (living area · (living area / typical area)^(size power - 1) + garage share · garage area)
    good  = max(1 - effective age / economic life, residual)

A county's own cost tables are used when its configuration has them. Otherwise rates, life and multipliers are
extracted from its sales (IAAO Standard on Mass Appraisal, cost models calibrated from the market): rates by
non-negative least squares on relative errors; life, residual and size power as they fit best. Such a model's
multiplier is how its market area sells against cost, land and building alike, so that land has it, too.
"""

from itertools import product

import numpy as np
from pydantic import Field
from scipy.optimize import nnls

from terrafusion.counties.configuration import CostTables
from valuation import land
from valuation.features import group_median, sane
from valuation.land import DEFAULT, LandRates, Sold
from valuation.places import sizes
from valuation.records import Flags, Floats, Ints, Records, Texts, looked_up
from valuation.settings import Spec

MIN_SALES = 50
MIN_RATE_SALES = 30
LIVES = (50.0, 60.0, 75.0, 100.0)
SIZE_POWERS = (1.0, 0.9, 0.8, 0.7)
"""A large building costs less per sq ft than a small one."""
RESIDUALS = (0.2, 0.35, 0.5)
GARAGE_SHARE = 0.35
"""What a sq ft of garage costs beside one of living area, where no table says."""
SHRINKAGE = 10.0
NO_LAND = LandRates(rates={DEFAULT: 0.0}, power=land.POWER, from_market=True)
"""Where sales are of buildings on land of no known size, what they say of buildings holds the land."""


class CostModel(Spec):
    """Rates in USD: per sq ft of living area by class and quality (`class|quality`, quality, class, or `default`).

    `age_factor` maps condition to effective age as a share of actual age; `multipliers` are by market area.
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
    land: LandRates
    multipliers: tuple[float, ...]
    multiplier: float = 1.0


class CostParts(Spec):
    """What a value by cost is made of, in USD: land and building add up to it; `good` is the share that age has left.

    The building is what it costs new, times the local multiplier, times what age has left.
    """

    land_value: float
    replacement_cost_new: float
    local_multiplier: float
    effective_age_years: float
    good: float
    building_value: float
    value: float


def from_tables(tables: CostTables, sold: Sold) -> CostModel:
    """A county's own tables; land as sales tell where the county has no table of it."""
    own = land.of_table(tables.land_per_sqft) if tables.land_per_sqft else None
    return CostModel(
        source="the county's cost tables" + ("" if own else ", and land as its sales tell"),
        from_market=False,
        rates=dict(tables.cost_per_sqft),
        garage_rate=tables.garage_cost_per_sqft,
        life=tables.economic_life_years.get(DEFAULT, 60.0),
        lives={name: years for name, years in tables.economic_life_years.items() if name != DEFAULT},
        residual=tables.residual_share,
        age_factor=dict(tables.effective_age_factor),
        land=own or land.of_sales(sold) or NO_LAND.model_copy(update={"rates": {}}),
        multipliers=(),
        multiplier=tables.local_multiplier,
    )


def from_sales(sold: Sold, years: Floats) -> CostModel | None:
    """Extract rates from sales, made in some years; None when too few tell enough."""
    records, prices, improved = sold.records, sold.prices, sold.improved
    if improved.sum() < MIN_SALES:
        return None
    living, garage = _sizes(records)
    age = years - sane("year_built", records.numbers("year_built"))
    lots = land.of_sales(sold) or NO_LAND
    keys = _keys(records)
    known, counts = np.unique(keys[improved], return_counts=True)
    rated = [str(key) for key in known[counts >= MIN_RATE_SALES]]
    rows = [(keys == key) & improved for key in rated]
    rest = improved & ~np.logical_or.reduce([np.zeros(len(keys), bool), *rows])
    best: tuple[float, CostModel] | None = None
    typical = float(np.median(living[improved]))
    everywhere = lots.model_copy(update={"rates": {DEFAULT: lots.rates[DEFAULT]}})
    ground = everywhere.values(records, sold.areas)
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
            land=lots,
            multipliers=(),
        )
        value = values(model, records, sold.areas, years, np.zeros(len(years)))
        error = np.log(prices[improved] / np.maximum(value[improved], 1))
        spread = float(np.median(np.abs(error - np.median(error))))
        if best is None or spread < best[0]:
            best = (spread, _with_multipliers(model, error, sold.areas[improved], sold.area_count))
    return best[1] if best else None


def values(model: CostModel, records: Records, areas: Ints, years: Floats, growth: Floats) -> Floats:
    """Values (USD, n) in a year, NaN where the cost approach cannot tell.

    Parameters
    ----------
    growth
        Log change of prices since the last sale (n): what was extracted from sales grows with it, tables do not.
    """
    lot, new, _, good, multiplier = _parts(model, records, areas, years, growth)
    total = lot + multiplier * new * good
    return np.where(total > 0, total, np.nan)


def good(model: CostModel, records: Records, years: Floats) -> Floats:
    """The share of each building that age has left (n): 1 for bare land, NaN where it is not known."""
    return _aged(model, records, years)[1]


def parts(model: CostModel, records: Records, areas: Ints, years: Floats, growth: Floats) -> CostParts | None:
    """The parts of the first property's value; None where the cost approach cannot tell."""
    lot, new, age, good, multiplier = (float(part[0]) for part in _parts(model, records, areas, years, growth))
    building = multiplier * new * good
    if not lot + building > 0:
        return None
    return CostParts(
        land_value=lot,
        replacement_cost_new=new,
        local_multiplier=multiplier,
        effective_age_years=age,
        good=good,
        building_value=building,
        value=lot + building,
    )


def bare(records: Records) -> Flags:
    """Rows that say nothing of a building."""
    return ~(_sizes(records)[0] > 0) & np.isnan(sane("year_built", records.numbers("year_built")))


def why_not(model: CostModel, records: Records, areas: Ints) -> str:
    """Why the cost approach cannot tell the first property's value."""
    living, built = _sizes(records)[0][0], sane("year_built", records.numbers("year_built"))[0]
    vacant = bool(bare(records)[0])
    if not vacant and (not living > 0 or np.isnan(built)):
        return "Living area or year built is not recorded."
    if not vacant and np.isnan(_rate(model, records)[0]):
        kind, quality = (str(records.texts(name)[0]) for name in ("property_class", "quality"))
        return f"The county's cost tables have no cost of class '{kind}' and quality '{quality}', and no default."
    lot = model.land.values(records, areas)[0]
    if vacant and lot == 0:
        return "Neither a building nor the area of the land is recorded."
    if np.isnan(lot) and model.land.from_market:
        return "The county has no table of land, and too few sales tell what land is worth."
    if np.isnan(lot):
        name = str(records.texts("neighborhood")[0])
        return f"The county's table of land has no rate of neighborhood '{name}', and no default."
    return "What the cost approach knows of it comes to nothing."


def _parts(model: CostModel, records: Records, areas: Ints, years: Floats, growth: Floats) -> tuple[Floats, ...]:
    """Land, replacement cost new, effective age, share left, and multiplier of each row; NaN where not known."""
    living, garage = _sizes(records)
    size = np.where(living > 0, living, np.nan)
    size = size * (size / model.typical_area) ** (model.size_power - 1)
    new = _rate(model, records) * (size + model.garage_share * garage) + model.garage_rate * garage
    new = np.where(bare(records), 0.0, new * (np.exp(growth) if model.from_market else 1.0))
    local = np.array([*model.multipliers, model.multiplier])
    multiplier = local[areas] if model.multipliers else np.full(len(records), model.multiplier)
    lot = model.land.values(records, areas) * (np.exp(growth) if model.land.from_market else 1.0)
    return lot * (multiplier if model.from_market else 1.0), new, *_aged(model, records, years), multiplier


def _aged(model: CostModel, records: Records, years: Floats) -> tuple[Floats, Floats]:
    """Effective age in years, and the share of the building that it has left."""
    vacant = bare(records)
    age = np.maximum(years - sane("year_built", records.numbers("year_built")), 0)
    age = age * looked_up(records.texts("condition"), model.age_factor, 1.0)
    life = looked_up(records.texts("property_class"), model.lives, model.life)
    good = np.maximum(1 - age / life, model.residual)
    return np.where(vacant, 0.0, age), np.where(vacant, 1.0, good)


def _rate(model: CostModel, records: Records) -> Floats:
    """Cost per sq ft of each row: by class and quality, by quality, by class, by default; NaN where there is none."""
    rate = np.full(len(records), np.nan)
    for by in (_keys(records), records.texts("quality"), records.texts("property_class")):
        rate = np.where(np.isnan(rate), looked_up(by, model.rates, np.nan), rate)
    return np.where(np.isnan(rate), model.rates.get(DEFAULT, np.nan), rate)


def _sizes(records: Records) -> tuple[Floats, Floats]:
    """Living area, NaN where it is not known, and garage."""
    living, garage = (sane(name, records.numbers(name)) for name in ("living_area_sqft", "garage_area_sqft"))
    return living, np.nan_to_num(garage)


def _keys(records: Records) -> Texts:
    return np.char.add(np.char.add(records.texts("property_class"), "|"), records.texts("quality"))


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
