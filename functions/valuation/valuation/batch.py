"""Values of many properties as a table, with what should be looked at."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from valuation.approaches import Approach
from valuation.confidence import Factor, judge, weak_comparables
from valuation.features import sane
from valuation.market import Market, Values
from valuation.records import Flags, Floats, Ints, Records

LARGE_CHANGE = 0.25
"""Against the value on the roll, after the county's usual level is taken out."""
OUTLYING = 3.0
"""Robust standard deviations of log value per area against what neighbors sell for."""
MISSING = 0.95
"""Below this factor of confidence characteristics count as missing."""
FLAGS = ("large_change", "outlier", "missing_characteristics", "not_yet_built", "weak_comparables", "low_confidence")


@dataclass(frozen=True, slots=True)
class Review:
    """What a county wants to be told: the least confidence, and which value is the final one."""

    threshold: float
    method: Approach


def table(market: Market, records: Records, days: Ints, review: Review, workers: int = 1) -> dict[str, Any]:
    """Columns of the batch's file (n): values in whole USD, NaN where there is none, flags as booleans."""
    values = market.value(records, days, workers)
    confidence = judge(market, values)
    final = values.by[review.method]
    low, high = values.interval(market.model, review.method)
    on_roll, change = _change(values, final)
    columns: dict[str, Any] = {
        "property_id": records.texts("property_id"),
        "situs_address_full": records.texts("situs_address_full"),
        "property_class": records.texts("property_class"),
        "neighborhood": records.texts("neighborhood"),
        "estimated_value": _dollars(final),
        "value_low": _dollars(low),
        "value_high": _dollars(high),
        "confidence_score": np.round(np.where(np.isnan(final), np.nan, confidence.score), 4),
        **{f"{approach.value}_value": _dollars(log_value) for approach, log_value in values.by.items()},
        "comparables": values.comparables.counts.astype(np.int32),
        "value_on_roll": on_roll,
        "change_percent": np.round(100 * change, 2),
        "large_change": _large(market, values, final, on_roll),
        "outlier": _outlying(market, values, final),
        "missing_characteristics": _missing(confidence.factors[Factor.MISSING], confidence.absurd),
        "not_yet_built": confidence.not_yet_built,
        "weak_comparables": weak_comparables(market, values),
        "low_confidence": ~(confidence.score >= review.threshold),
    }
    columns["needs_review"] = np.logical_or.reduce([columns[name] for name in FLAGS]) | np.isnan(low)
    places = {name: sane(name, records.numbers(name)) for name in ("lon", "lat")}
    return {**columns, **places}


def _dollars(log_value: Floats) -> Floats:
    return np.asarray(np.round(np.exp(log_value)), np.float64)


def _change(values: Values, final: Floats) -> tuple[Floats, Floats]:
    """The value on the roll, and the relative change from it."""
    records = values.subjects.records
    current, prior = (records.numbers(f"{when}_assessed_value_total") for when in ("current", "prior"))
    on_roll = np.where(current > 0, current, np.where(prior > 0, prior, np.nan))
    return on_roll, np.exp(final) / on_roll - 1


def _large(market: Market, values: Values, final: Floats, on_roll: Floats) -> Flags:
    """Values that depart from the roll's by more than a quarter, beyond the county's usual level and the time."""
    level = market.model.roll_level or 1.0
    apart = np.exp(final - values.growth) / (on_roll * level) - 1
    return np.abs(np.nan_to_num(apart)) > LARGE_CHANGE


def _outlying(market: Market, values: Values, final: Floats) -> Flags:
    """Values per area far from what the nearest sales were per area."""
    living = sane("living_area_sqft", values.subjects.records.numbers("living_area_sqft"))
    near = values.subjects.known[:, len(market.model.features)]
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = final - values.growth - np.log(np.where(living > 0, living, np.nan)) - near
    return np.abs(np.nan_to_num(gap)) > OUTLYING * market.model.usual_gap


def _missing(factor: Floats, absurd: Any) -> Flags:
    return np.asarray((factor < MISSING) | np.logical_or.reduce([np.zeros(len(factor), bool), *absurd.values()]))
