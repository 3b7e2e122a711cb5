"""The range of values that a market would give a property, and what that rests on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import numpy as np

from market_analysis import hedonic, joining
from market_analysis.analysis import Analysis, Row, figure
from market_analysis.analysis_types import GroupBy, Period
from market_analysis.failures import no_data, too_few, unknown_value
from market_analysis.hedonic import CHARACTERISTICS, months_since
from market_analysis.market import Market, store_rows
from market_analysis.neighbors import METERS_PER_MILE, on_plane
from market_analysis.periods import DAYS_PER_MONTH
from market_analysis.regression import Factor, Fit, Floats, least_squares
from market_analysis.shapes import Geometry, MapLayer
from market_analysis.trends import overall
from terrafusion.errors import FailureReason, JobFailure

LEAST_SIMILAR = 5
DEFAULT_RADIUS_MILES = 1.0
LEAST_LOCAL = 30
"""So many residuals of its own a neighborhood needs, to say how far prices lie from the equation."""
MONTHS = "months"


@dataclass(frozen=True, slots=True)
class Subject:
    """A property described: `numbers` by the names of `joining.NUMBERS`, `places`; None for what is not known."""

    property_id: str | None
    numbers: Mapping[str, float | None]
    places: Mapping[GroupBy, str | None]


def find(database: duckdb.DuckDBPyConnection, property_id: str) -> Subject:
    """A property out of the county's table.

    Raises
    ------
    JobFailure
        PROPERTY_NOT_FOUND.
    """
    if "properties" not in joining.tables(database):
        raise no_data("The county has no table of properties; describe the property in `subject`.")
    numbers = ", ".join(f"TRY_CAST({name} AS DOUBLE)" for name in joining.NUMBERS)
    places = ", ".join(f"nullif(trim({place}::VARCHAR), '')" for place in joining.PLACES)
    rows = database.execute(
        f"SELECT {numbers}, {places} FROM properties WHERE property_id = $id LIMIT 1",  # noqa: S608
        {"id": property_id},
    ).fetchall()
    if not rows:
        raise JobFailure(FailureReason.PROPERTY_NOT_FOUND, f"The county has no property '{property_id}'.")
    count = len(joining.NUMBERS)
    return Subject(
        property_id,
        dict(zip(joining.NUMBERS, rows[0][:count], strict=True)),
        dict(zip(joining.PLACES, rows[0][count:], strict=True)),
    )


def market_valuation(
    market: Market,
    subject: Subject,
    valuation_date: date | None,
    radius_miles: float | None,
    count: int,
    level: float,
    min_sales: int,
) -> Analysis:
    """Value a property from a hedonic equation, and beside it from the sales most like it nearby.

    The range holds the middle `level` of what the neighborhood's (or all) sales fetched against the equation.
    """
    target = valuation_date or market.last
    trends = overall(market, Period.QUARTER, min_sales)
    known = {name: _characteristic(subject, name, target) for name in CHARACTERISTICS}
    equation = hedonic.choose(market)
    unknown = [name for name in equation.characteristics if known[name] is None]
    if unknown:
        market.notes.append(f"Not known of the property, so not used: {', '.join(unknown)}.")
    used = [name for name in equation.characteristics if known[name] is not None]
    if not used:
        raise no_data("Nothing is known of the property that the county's sales tell; give at least its living area.")
    market.number()
    columns, factors, fitted = _fit(market, used, equation.factors)
    months = (target - market.first).days / DAYS_PER_MONTH
    numbers = {name: known[name] for name in used} | {MONTHS: months}
    middle = fitted.intercept + sum(one.value * (numbers[name] or 0.0) for name, one in fitted.slopes.items())
    middle += sum(_effect(market, fitted, factor, subject.places.get(GroupBy(factor.name))) for factor in factors)
    residuals, basis = _local(fitted, factors, subject)
    low, high = np.quantile(residuals, [(1 - level) / 2, (1 + level) / 2]).tolist()
    market.store("residuals", {"row": np.arange(fitted.residuals.size), "residual": fitted.residuals})
    similar = _similar(market, subject, middle, radius_miles or DEFAULT_RADIUS_MILES, count)
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
        "property": _described(subject),
        "equation": hedonic.describe(fitted),
        "similar_sales": similar,
    }
    details["similar_sales_value"] = _similar_value(similar)
    return Analysis(
        key_finding=_finding(details, level, len(similar)),
        points=market.count,
        trends=trends,
        details=details,
        tables={"similar_sales": _table(market, similar)},
        layer=_layer(subject, similar, value),
    )


def _fit(market: Market, used: list[str], places: tuple[GroupBy, ...]) -> tuple[dict[str, Floats], list[Factor], Fit]:
    extra = {"y": hedonic.LOG_PRICE, MONTHS: months_since(market)}
    columns, read = market.read(
        {name: CHARACTERISTICS[name] for name in used} | extra, [str(one) for one in places], "row"
    )
    y = columns.pop("y")
    factors = [hedonic.most_frequent_base(factor) for factor in read.values() if len(factor.levels) > 1]
    try:
        return columns, factors, least_squares(y, columns, factors)
    except ValueError as error:
        raise too_few(f"The equation has too few sales: {error}.", market.excluded) from error


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


def _similar(market: Market, subject: Subject, middle: float, radius_miles: float, count: int) -> list[Row]:
    """The sales nearby that differ least in living (else land) area, adjusted by what the equation says of both.

    A sale's price times the ratio of what the equation expects of the subject and of the sale is what the equation
    expects of the subject (`middle`, a log) plus the sale's residual.
    """
    area = next((name for name in ("living_area_sqft", "land_area_sqft") if (subject.numbers.get(name) or 0) > 0), None)
    lon, lat = subject.numbers.get("lon"), subject.numbers.get("lat")
    if area is None or lon is None or lat is None:
        market.notes.append("Without an area and a location of the property there are no similar sales nearby.")
        return []
    rows = market.database.execute(
        f"""SELECT sale_id, property_id, sale_date, price, {area}, lon, lat, residual
        FROM market JOIN residuals USING (row)
        WHERE {area} > 0 AND lon IS NOT NULL AND lat IS NOT NULL AND property_id IS DISTINCT FROM $id""",  # noqa: S608
        {"id": subject.property_id},
    ).fetchall()
    if not rows:
        return []
    plane = on_plane(np.array([lon, *(row[5] for row in rows)]), np.array([lat, *(row[6] for row in rows)]))
    miles = np.hypot(*(plane[1:] - plane[0]).T) / METERS_PER_MILE
    wanted = float(subject.numbers[area] or 0)
    apart = np.abs(np.log(np.array([row[4] for row in rows], dtype=np.float64) / wanted))
    near = np.flatnonzero(miles <= radius_miles)
    chosen = near[np.lexsort((miles[near], apart[near]))][:count]
    return [_similar_row(rows[at], area, float(miles[at]), middle) for at in chosen.tolist()]


def _similar_row(row: tuple[Any, ...], area: str, miles: float, middle: float) -> Row:
    sale_id, property_id, sold, price, size, lon, lat, residual = row
    adjusted = float(np.exp(middle + residual))
    return {
        "sale_id": sale_id,
        "property_id": property_id,
        "sale_date": sold.isoformat(),
        "sale_price": figure(price),
        area: figure(size),
        "miles": figure(miles, 3),
        "adjusted_price": figure(adjusted),
        "lon": lon,
        "lat": lat,
    }


def _similar_value(similar: list[Row]) -> Row | None:
    """The median of the adjusted prices, and the quartiles."""
    if len(similar) < LEAST_SIMILAR:
        return None
    low, middle, high = np.quantile([row["adjusted_price"] for row in similar], [0.25, 0.5, 0.75]).tolist()
    return {"value": figure(middle, 0), "low": figure(low, 0), "high": figure(high, 0), "sales": len(similar)}


def _outside(columns: Mapping[str, Floats], numbers: Mapping[str, float | None]) -> list[str]:
    """Characteristics of the subject beyond those of nearly all sales."""
    beyond = []
    for name, values in columns.items():
        low, high = np.quantile(values, [0.01, 0.99])
        value = numbers[name]
        if name != MONTHS and value is not None and not low <= value <= high:
            beyond.append(name)
    return [f"Beyond 98 % of the sales, so less certain: {', '.join(beyond)}."] if beyond else []


def _described(subject: Subject) -> Row:
    numbers = {name: figure(value, 7) if value is not None else None for name, value in subject.numbers.items()}
    return {"property_id": subject.property_id, **{str(k): v for k, v in subject.places.items()}, **numbers}


def _table(market: Market, similar: list[Row]) -> str:
    empty = {"sale_id": "none nearby", "property_id": None, "sale_date": None, "sale_price": None}
    return store_rows(market.database, "similar_sales", similar or [empty])


def _layer(subject: Subject, similar: list[Row], value: float) -> MapLayer | None:
    if not similar:
        return None
    lon, lat = subject.numbers["lon"], subject.numbers["lat"]
    rows: list[Row] = [
        {"kind": "subject", "property_id": subject.property_id, "price": figure(value, 0)},
        *({"kind": "sale", "property_id": row["property_id"], "price": row["adjusted_price"]} for row in similar),
    ]
    points = [(lon or 0.0, lat or 0.0), *((row["lon"], row["lat"]) for row in similar)]
    return MapLayer("similar_sales", Geometry.POINT, {key: [row[key] for row in rows] for key in rows[0]}, points)


def _finding(details: Row, level: float, similar: int) -> str:
    span, beside = details["value_range"], details["similar_sales_value"]
    text = (
        f"The market would pay ${details['market_value']:,.0f} on {details['valuation_date']}; {level:.0%} of sales "
        f"lie between ${span['low']:,.0f} and ${span['high']:,.0f} ({span['basis']})"
    )
    return f"{text}; {similar} similar sales nearby say ${beside['value']:,.0f}." if beside else f"{text}."
