"""The hedonic challenger: ordinary least squares on log price, with a level for each market area.

An appraiser can recompute it with a calculator. It is what the boosted model has to beat, it takes the
characteristics out when the time index is estimated, and its errors tell how neighbors sell against their
characteristics (the spatial lag).
"""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from valuation.features import LOCATION, Feature, Kind
from valuation.places import sizes, within
from valuation.records import Floats, Ints
from valuation.settings import Spec

MIN_DUMMY_SALES = 30
SKEWED = 2.5
"""A number whose 99.5 percentile is so many times its median enters as a logarithm."""
SHRINKAGE = 5.0
"""An area's level counts as so many sales of the county's level beside its own."""


class TermKind(StrEnum):
    """How a feature enters the equation."""

    LINEAR = "linear"
    BENT = "bent"
    LOG = "log"
    ZERO = "zero"
    MISSING = "missing"
    LEVEL = "level"


class Term(Spec):
    """One column of the equation, out of one feature; `at` is a bend, or a level's code."""

    feature: int
    kind: TermKind
    at: float = 0.0


class Hedonic(Spec):
    """log price = constant + terms · coefficients + area. The last of `areas` is for rows of no area."""

    terms: tuple[Term, ...]
    medians: tuple[float, ...]
    bounds: tuple[tuple[float, float], ...]
    constant: float
    coefficients: tuple[float, ...]
    areas: tuple[float, ...]

    def design(self, known: Floats) -> Floats:
        """The equation's columns (n, terms) for encoded rows (n, features)."""
        return design(known, self.terms, self.medians, self.bounds)

    def without_area(self, known: Floats) -> Floats:
        """Log value by characteristics alone."""
        return np.asarray(self.constant + self.design(known) @ np.array(self.coefficients), np.float64)

    def predict(self, known: Floats, areas: Ints) -> Floats:
        """Log value."""
        return np.asarray(self.without_area(known) + np.array(self.areas)[areas], np.float64)


def terms_of(features: Sequence[Feature], known: Floats) -> tuple[Term, ...]:
    """Choose the equation's columns by what sold properties had. Location is left to the market areas."""
    chosen: list[Term] = []
    for at, feature in enumerate(features):
        if feature.name in LOCATION:
            continue
        values = known[:, at]
        if feature.kind is Kind.CATEGORY:
            codes, counts = np.unique(values[~np.isnan(values)], return_counts=True)
            common = codes[counts >= MIN_DUMMY_SALES]
            chosen += [Term(feature=at, kind=TermKind.LEVEL, at=float(code)) for code in common[1:]]
            continue
        chosen += _number_terms(at, feature, values)
        if feature.missing > 0.01:
            chosen.append(Term(feature=at, kind=TermKind.MISSING))
    return tuple(chosen)


def design(
    known: Floats, terms: Sequence[Term], medians: Sequence[float], bounds: Sequence[tuple[float, float]]
) -> Floats:
    """The equation's columns (n, terms); what is missing counts as the median, what is extreme as the extreme sold."""
    columns = [np.zeros((len(known), 0))]
    for term in terms:
        values = known[:, term.feature]
        low, high = bounds[term.feature]
        filled = np.clip(np.where(np.isnan(values), medians[term.feature], values), low, high)
        columns.append(_column(term, values, filled)[:, None])
    return np.hstack(columns)


def fit(features: Sequence[Feature], known: Floats, areas: Ints, area_count: int, log_price: Floats) -> Hedonic:
    """Estimate the equation from sales whose prices are of one time."""
    terms = terms_of(features, known)
    medians = tuple(feature.median for feature in features)
    bounds = tuple((feature.low, feature.high) for feature in features)
    columns = design(known, terms, medians, bounds)
    counts = sizes(areas, area_count)
    coefficients = np.linalg.lstsq(within(columns, areas, counts), within(log_price, areas, counts), rcond=1e-8)[0]
    left = log_price - columns @ coefficients
    constant = float(left.mean())
    slots = np.where(areas < 0, area_count, areas)
    levels = np.bincount(slots, left - constant, area_count + 1) / (counts + SHRINKAGE)
    levels[area_count] = 0.0
    return Hedonic(
        terms=terms,
        medians=medians,
        bounds=bounds,
        constant=constant,
        coefficients=tuple(coefficients.tolist()),
        areas=tuple(levels.tolist()),
    )


def _number_terms(at: int, feature: Feature, values: Floats) -> list[Term]:
    filled = values[~np.isnan(values)]
    if filled.min() >= 0 and feature.high > SKEWED * max(feature.median, 1e-9):
        zero = [Term(feature=at, kind=TermKind.ZERO)] if 0.01 < np.mean(filled == 0) < 0.99 else []
        return [Term(feature=at, kind=TermKind.LOG), *zero]
    bends: Sequence[float] = (
        np.unique(np.quantile(filled, (0.25, 0.5, 0.75))).tolist() if len(np.unique(filled)) > 20 else []
    )
    return [
        Term(feature=at, kind=TermKind.LINEAR),
        *(Term(feature=at, kind=TermKind.BENT, at=bend) for bend in bends),
    ]


def _column(term: Term, values: Floats, filled: Floats) -> Floats:
    match term.kind:
        case TermKind.LINEAR:
            return filled
        case TermKind.BENT:
            return np.asarray(np.maximum(filled - term.at, 0), np.float64)
        case TermKind.LOG:
            return np.asarray(np.log1p(np.maximum(filled, 0)), np.float64)
        case TermKind.ZERO:
            return np.asarray(filled == 0, np.float64)
        case TermKind.MISSING:
            return np.asarray(np.isnan(values), np.float64)
        case TermKind.LEVEL:
            return np.asarray(values == term.at, np.float64)
