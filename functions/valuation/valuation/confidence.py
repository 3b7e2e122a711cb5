"""How far a value can be relied on: a probability, made smaller by what is wrong with the property at hand.

    score = met · missing · extrapolation · time · construction · comparables · agreement

`met` is the share of calibration sales of the value's band whose price was within 20 % of the value: an estimate of
the probability that this property would sell within 20 % of it, if nothing were the matter. The other factors, each
from 0 to 1, are judgements; they are written out below, and told with every value.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce

import numpy as np

from valuation import features
from valuation.approaches import Approach
from valuation.market import Market, Values
from valuation.reconciliation import APPROACHES
from valuation.records import Flags, Floats, Ints

MISSING_ALL = 0.5
"""The factor when everything is missing that the trees gain from."""
OUTSIDE = 0.9
"""For each characteristic outside of what was sold."""
YEAR_BEYOND = 0.9
"""For each year between the last sale and the valuation date."""
FEW_COMPARABLES = 0.8
DIFFERENT_COMPARABLES = 0.9
WEAK_SIMILARITY = 0.7
"""Comparables are weak when their similarity is below this share of the usual."""
NET_ADJUSTMENT, GROSS_ADJUSTMENT = 0.15, 0.25
"""Beyond so much of their price comparables are to be explained (Fannie Mae's Selling Guide to December 2014; no limits
since). A net adjustment beyond the second has a gross one beyond it too, as that is never less."""
NOT_YET_BUILT = 0.5
"""What stood before the building is not recorded; such a value is reviewed whatever its score."""
DISAGREEMENT = 0.15
"""A log difference between approaches up to this much, or up to the approach's usual error, is nothing unusual."""


class Factor(StrEnum):
    """What a score is the product of."""

    MET = "met"
    MISSING = "missing"
    EXTRAPOLATION = "extrapolation"
    TIME = "time"
    CONSTRUCTION = "construction"
    COMPARABLES = "comparables"
    AGREEMENT = "agreement"


@dataclass(frozen=True, slots=True)
class Confidence:
    """Scores (n), their factors (n each), and by feature which rows lack it, or have it outside of what was sold.

    `not_yet_built` are properties whose building is of a year after the valuation date's.
    """

    score: Floats
    factors: Mapping[Factor, Floats]
    lacking: Mapping[str, Flags]
    outside: Mapping[str, Flags]
    absurd: Mapping[str, Flags]
    not_yet_built: Flags


def judge(market: Market, values: Values) -> Confidence:
    """Score the reconciled values of properties (n)."""
    lacking, outside = _lacking(market, values), market.ranges.outside(values.subjects)
    importance = market.model.importance
    lost = sum((importance.get(name, 0.0) * rows for name, rows in lacking.items()), np.zeros(len(values.days)))
    strange = sum((rows.astype(float) for rows in outside.values()), np.zeros(len(values.days)))
    beyond = np.maximum(values.days - market.model.time_index.last, 0) / 365.25
    unbuilt = values.subjects.records.numbers("year_built") > _years(values.days)
    known = np.nan_to_num(values.by[Approach.RECONCILED], nan=0.0)
    factors = {
        Factor.MET: market.model.bands[Approach.RECONCILED].met_share(known),
        Factor.MISSING: 1 - (1 - MISSING_ALL) * np.minimum(lost, 1),
        Factor.EXTRAPOLATION: OUTSIDE ** np.minimum(strange, 3),
        Factor.TIME: YEAR_BEYOND**beyond,
        Factor.CONSTRUCTION: np.where(unbuilt, NOT_YET_BUILT, 1.0),
        Factor.COMPARABLES: _comparables(market, values),
        Factor.AGREEMENT: _agreement(market, values),
    }
    score = reduce(np.multiply, factors.values())
    return Confidence(score, factors, lacking, outside, values.subjects.absurd, np.asarray(unbuilt))


def weak_comparables(market: Market, values: Values) -> Flags:
    """Properties whose comparables are fewer than wanted, much less similar than usual, or much adjusted."""
    return np.asarray(unlike_comparables(market, values) | (_net_adjustment(values) > GROSS_ADJUSTMENT))


def unlike_comparables(market: Market, values: Values) -> Flags:
    """Properties whose comparables are fewer than wanted, or much less similar than usual."""
    unlike = values.comparables.mean_similarity < WEAK_SIMILARITY * market.model.usual_similarity
    return np.asarray(_few(market, values) | unlike)


def adjusted_comparables(values: Values) -> Flags:
    """Properties whose comparables' net adjustments want an explanation."""
    return np.asarray(_net_adjustment(values) > NET_ADJUSTMENT)


def _years(days: Ints) -> Ints:
    return days.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970


def _few(market: Market, values: Values) -> Flags:
    return np.asarray(values.comparables.counts < market.model.settings.min_comparables)


def _net_adjustment(values: Values) -> Floats:
    return values.comparables.net_adjustment(values.growth)


def _comparables(market: Market, values: Values) -> Floats:
    different = np.where(unlike_comparables(market, values), DIFFERENT_COMPARABLES, 1.0)
    number = np.where(_few(market, values), FEW_COMPARABLES, different)
    return number * np.exp(-np.maximum(_net_adjustment(values) - NET_ADJUSTMENT, 0))


def _agreement(market: Market, values: Values) -> Floats:
    """What the approach says that is farthest from the middle one, beyond what it is usually off by."""
    spreads = [bands.spread if (bands := market.model.bands.get(a)) else 0.0 for a in APPROACHES]
    beyond = np.abs(np.nan_to_num(values.weights.apart)) - np.maximum(spreads, DISAGREEMENT)
    return np.asarray(np.exp(-np.maximum(beyond.max(axis=1), 0)))


def _lacking(market: Market, values: Values) -> dict[str, Flags]:
    """By feature the properties that lack what most sold ones had; bare land lacks no building."""
    lacking = {}
    built = market.evidence.buildings.on(values.subjects.records)
    for at, feature in enumerate(market.model.features):
        missing = np.isnan(values.subjects.known[:, at])
        usual = feature.missing < 0.5
        of_building = feature.name not in features.LOCATION | {"land_area_sqft", "property_class"}
        lacking[feature.name] = missing & usual & (built | (not of_building))
    return lacking
