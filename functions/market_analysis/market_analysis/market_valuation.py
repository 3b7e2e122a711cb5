"""The range of values that a market would give a property, and what that rests on."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np

from market_analysis import hedonic, joining
from market_analysis.analysis import Analysis, Row, figure
from market_analysis.analysis_types import GroupBy, Period
from market_analysis.failures import no_data, too_few, unknown_value
from market_analysis.hedonic import CHARACTERISTICS, months_since
from market_analysis.market import ROW, Market
from market_analysis.periods import DAYS_PER_MONTH
from market_analysis.regression import Factor, Fit, Floats, least_squares
from market_analysis.similar_sales import layer, similar_sales, similar_value, table
from market_analysis.subjects import Subject, described
from market_analysis.trends import overall

LEAST_LOCAL = 30
"""So many residuals of its own a neighborhood needs, to say how far prices lie from the equation."""
MONTHS = "months"


def market_valuation(
    market: Market,
    subject: Subject,
    valuation_date: date | None,
    radius_miles: float,
    count: int,
    level: float,
    min_sales: int,
) -> Analysis:
    """Value a property from a hedonic equation, and beside it from the sales most like it nearby.

    The range holds the middle `level` of what the neighborhood's (or all) sales fetched against the equation.
    """
    target = market.valuation_day(valuation_date)
    trends = overall(market, Period.QUARTER, min_sales)
    known = {name: _characteristic(subject, name, target) for name in CHARACTERISTICS}
    equation = hedonic.choose(market)
    unknown = [name for name in equation.characteristics if known[name] is None]
    if unknown:
        market.notes.append(f"Not known of the property, so not used: {', '.join(unknown)}.")
    used = [name for name in equation.characteristics if known[name] is not None]
    if not used:
        raise no_data("Nothing is known of the property that the county's sales tell; give at least its living area.")
    columns, factors, fitted, by_row = _fit(market, used, equation.factors)
    months = (target - market.first).days / DAYS_PER_MONTH
    numbers = {name: known[name] for name in used} | {MONTHS: months}
    middle = fitted.intercept + sum(one.value * (numbers[name] or 0.0) for name, one in fitted.slopes.items())
    middle += sum(_effect(market, fitted, factor, subject.places.get(GroupBy(factor.name))) for factor in factors)
    residuals, basis = _local(fitted, factors, subject)
    low, high = np.quantile(residuals, [(1 - level) / 2, (1 + level) / 2]).tolist()
    similar = similar_sales(market, subject, middle, by_row, radius_miles, count)
    market.notes += _outside(columns, numbers)
    value = float(np.exp(middle))
    details: dict[str, Any] = {
        "market_value": figure(value, 0),
        "value_range": {
            "low": figure(value * np.exp(low), 0),
            "high": figure(value * np.exp(high), 0),
            "level": level,
            "basis": basis,
        },
        "valuation_date": target.isoformat(),
        "property": described(subject),
        "equation": hedonic.describe(fitted),
        "similar_sales": similar,
    }
    details["similar_sales_value"] = similar_value(similar)
    return Analysis(
        key_finding=_finding(details, level, len(similar)),
        points=market.count,
        trends=trends,
        details=details,
        tables={"similar_sales": table(market, similar)},
        layer=layer(subject, similar, value),
    )


def _fit(
    market: Market, used: list[str], places: tuple[GroupBy, ...]
) -> tuple[dict[str, Floats], list[Factor], Fit, Floats]:
    """Columns, factors, the fitted equation, and its residuals by the sales' row numbers."""
    extra = {"y": hedonic.LOG_PRICE, MONTHS: months_since(market), "row": ROW}
    columns, read = market.read({name: CHARACTERISTICS[name] for name in used} | extra, [str(one) for one in places])
    y, rows = columns.pop("y"), columns.pop("row").astype(np.int64)
    factors = [hedonic.most_frequent_base(factor) for factor in read.values() if len(factor.levels) > 1]
    try:
        fitted = least_squares(y, columns, factors)
    except ValueError as error:
        raise too_few(f"The equation has too few sales: {error}.", market.excluded) from error
    by_row = np.full(int(rows.max()) + 1, np.nan)
    by_row[rows] = fitted.residuals
    return columns, factors, fitted, by_row


def _characteristic(subject: Subject, name: str, target: date) -> float | None:
    """What `CHARACTERISTICS` says of a sale, of the subject on the valuation date."""
    living, land, built = (subject.numbers.get(key) for key in ("living_area_sqft", "land_area_sqft", "year_built"))
    age = None if not built else float(max(target.year - built, 0))
    derived = {
        "log_living_area": float(np.log(living)) if living and living > 0 else None,
        "log_land_area": float(np.log(land)) if land and land > 0 else None,
        "age": age,
        "age_squared": None if age is None else (age / 100) ** 2,
        "garage_area": subject.numbers.get("garage_area_sqft"),
    }
    return derived[name] if name in derived else subject.numbers.get(name)


def _effect(market: Market, fitted: Fit, factor: Factor, wanted: str | None) -> float:
    """A place's effect; where there were no sales, the mean over sales."""
    effects = fitted.effects[factor.name]
    known_effects = dict(zip(factor.levels, effects.values.tolist(), strict=True))
    if wanted is not None and np.isfinite(known_effects.get(wanted, np.nan)):
        return float(known_effects[wanted])
    if wanted is not None:
        known = joining.known_values(market.database, GroupBy(factor.name))
        if wanted not in known:
            raise unknown_value(factor.name, wanted, known)
    market.notes.append(f"No sale has the property's {factor.name} ({wanted or 'not known'}): an average one is taken.")
    counts = np.bincount(factor.codes, minlength=len(factor.levels)) * np.isfinite(effects.values)
    return float((counts * np.nan_to_num(effects.values)).sum() / counts.sum())


def _local(fitted: Fit, factors: list[Factor], subject: Subject) -> tuple[Floats, str]:
    """Residuals of the sales of the subject's neighborhood, or of all."""
    for factor in factors:
        wanted = subject.places.get(GroupBy(factor.name))
        if factor.name != GroupBy.PROPERTY_CLASS and wanted is not None and wanted in factor.levels:
            own = fitted.residuals[factor.codes == list(factor.levels).index(wanted)]
            if own.size >= LEAST_LOCAL:
                return own, f"{own.size} sales of {factor.name} {wanted}"
    return fitted.residuals, f"{fitted.residuals.size} sales"


def _outside(columns: Mapping[str, Floats], numbers: Mapping[str, float | None]) -> list[str]:
    """Characteristics of the subject beyond those of nearly all sales."""
    beyond = []
    for name, values in columns.items():
        low, high = np.quantile(values, [0.01, 0.99])
        value = numbers[name]
        if name != MONTHS and value is not None and not low <= value <= high:
            beyond.append(name)
    return [f"Beyond 98 % of the sales, so less certain: {', '.join(beyond)}."] if beyond else []


def _finding(details: Row, level: float, similar: int) -> str:
    span, beside = details["value_range"], details["similar_sales_value"]
    text = (
        f"The market would pay ${details['market_value']:,.0f} on {details['valuation_date']}; {level:.0%} of sales "
        f"lie between ${span['low']:,.0f} and ${span['high']:,.0f} ({span['basis']})"
    )
    return f"{text}; {similar} similar sales nearby say ${beside['value']:,.0f}." if beside else f"{text}."
