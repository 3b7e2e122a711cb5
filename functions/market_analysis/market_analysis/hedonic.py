"""Prices explained by what was sold, where and when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from market_analysis.analysis import Analysis, Row, figure, percent_change, rise
from market_analysis.analysis_types import GroupBy, Period
from market_analysis.failures import no_data, too_few
from market_analysis.market import ROW, Market, store_rows
from market_analysis.periods import DAYS_PER_MONTH, Calendar
from market_analysis.regression import Estimate, Factor, Fit, Floats, least_squares
from market_analysis.trends import overall

LOG_PRICE = "ln(price)"
CHARACTERISTICS: Mapping[str, str] = {
    "log_living_area": "CASE WHEN living_area_sqft > 0 THEN ln(living_area_sqft) END",
    "log_land_area": "CASE WHEN land_area_sqft > 0 THEN ln(land_area_sqft) END",
    "age": "CASE WHEN year_built > 1600 THEN greatest(year(sale_date) - year_built, 0) END",
    "age_squared": "CASE WHEN year_built > 1600 THEN (greatest(year(sale_date) - year_built, 0) / 100.0) ** 2 END",
    "bedrooms": "bedrooms",
    "bathrooms": "bathrooms",
    "stories": "stories",
    "quality": "quality",
    "condition": "condition",
    "garage_area": "garage_area_sqft",
}
"""What an equation may use, as SQL over `market`."""
WHERE_AND_WHAT = (GroupBy.NEIGHBORHOOD, GroupBy.ZIP_CODE)
COVERED = 0.8
"""A characteristic is used when at least this share of the sales has it; sales without it are then left out."""
LEAST_PER_PARAMETER = 5
Z_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Equation:
    """What an equation explains log prices by; `place` is the finest place the county keeps, besides the class."""

    characteristics: tuple[str, ...]
    factors: tuple[GroupBy, ...]


def choose(market: Market) -> Equation:
    """Choose the characteristics that most sales have, and leave out the sales without them, counted.

    Raises
    ------
    JobFailure
        INSUFFICIENT_SALES when less than a handful of sales is left, INSUFFICIENT_DATA when they have no
        characteristic.
    """
    shares = ", ".join(f"count({expression}) / count(*)" for expression in CHARACTERISTICS.values())
    [row] = market.database.execute(f"SELECT {shares} FROM market").fetchall()  # noqa: S608
    used = tuple(name for name, share in zip(CHARACTERISTICS, row, strict=True) if share >= COVERED)
    unused = [name for name, share in zip(CHARACTERISTICS, row, strict=True) if 0 < share < COVERED]
    if unused:
        market.notes.append(f"Not used, as fewer than {COVERED:.0%} of the sales have it: {', '.join(unused)}.")
    for name in used:
        market.drop(f"without {name.removeprefix('log_')}", f"({CHARACTERISTICS[name]}) IS NULL")
    if not used:
        raise no_data("The county's tables tell too little of what was sold: no living area, lot, age or other figure.")
    market.require(3 * LEAST_PER_PARAMETER, "A hedonic equation")
    places = [place for place in WHERE_AND_WHAT if market.has(place)][:1]
    classes = [GroupBy.PROPERTY_CLASS] if market.has(GroupBy.PROPERTY_CLASS) else []
    return Equation(used, (*places, *classes))


def fit(market: Market, equation: Equation, calendar: Calendar) -> tuple[Fit, Floats]:
    """Fit ln(price) on an equation and on dummies of the calendar's periods; gives the rows of its residuals too."""
    numbers = {name: CHARACTERISTICS[name] for name in equation.characteristics}
    extra = {"y": LOG_PRICE, "period": calendar.index_of("sale_date"), "row": ROW}
    read, factors = market.read(numbers | extra, [str(one) for one in equation.factors])
    y, rows, periods = read.pop("y"), read.pop("row"), read.pop("period").astype(np.int64)
    varied = [most_frequent_base(factor) for factor in factors.values() if len(factor.levels) > 1]
    try:
        when = Factor("period", periods, calendar.labels, int(periods.min()))
        return least_squares(y, read, [*varied, when]), rows
    except ValueError as error:
        raise too_few(f"The equation has too few sales: {error}.", market.excluded) from error


def hedonic_index(market: Market, period: Period, min_sales: int) -> Analysis:
    """A price index from time dummies: what the same property would have sold for, period by period.

    The index is 100·exp(b) of each period's dummy against the first period with sales; its interval carries the
    error of that difference.
    """
    equation = choose(market)
    calendar = Calendar(period, market.first, market.last)
    result, _ = fit(market, equation, calendar)
    effects = result.effects["period"]
    rows = overall(market, period, min_sales)
    for at, row in enumerate(rows):
        row.update(index_figures(float(effects.values[at]), float(effects.errors[at])))
    return Analysis(
        key_finding=index_finding("hedonic", rows, f"{market.count:,} sales, R² {result.r_squared:.3f}"),
        points=market.count,
        trends=rows,
        details={
            "base_period": next(row["period"] for row in rows if row["standard_error"] == 0),
            "equation": describe(result),
        },
        tables={
            "hedonic_index": store_rows(market.database, "hedonic_index", rows),
            "coefficients": store_rows(market.database, "coefficients", coefficients(result)),
        },
        notes=[f"Not used, as other variables explain it or it does not vary: {', '.join(result.dropped)}."]
        if result.dropped
        else [],
    )


def index_figures(level: float, error: float) -> Row:
    """An index with its 95 % interval, from a log level and its standard error."""
    return {
        "index": figure(100 * np.exp(level), 4),
        "index_low": figure(100 * np.exp(level - Z_95 * error), 4),
        "index_high": figure(100 * np.exp(level + Z_95 * error), 4),
        "log_level": figure(level, 10),
        "standard_error": figure(error, 10),
    }


def index_finding(name: str, rows: Sequence[Row], basis: str) -> str:
    """A sentence on an index: from its first to its last period that is not thin."""
    known = [row for row in rows if row["index"] is not None and not row["thin"]]
    if len(known) < 2:
        return f"The {name} index knows fewer than two periods with enough sales ({basis})."
    first, last = known[0], known[-1]
    change = percent_change(first["index"], last["index"]) or 0.0
    error = 100 * last["index"] / first["index"] * float(np.hypot(first["standard_error"], last["standard_error"]))
    return (
        f"By the {name} index prices {rise(change)} from {first['period']} to {last['period']} "
        f"(standard error about {error:.1f} points; {basis})."
    )


def describe(result: Fit) -> Row:
    """An equation for a result: coefficients, their errors, and how well it fits."""
    return {
        "dependent": "ln(sale_price)",
        "observations": result.observations,
        "parameters": result.parameters,
        "r_squared": figure(result.r_squared, 6),
        "residual_deviation": figure(
            float(np.sqrt((result.residuals**2).sum() / (result.observations - result.parameters))), 6
        ),
        "errors": "HC1",
        "coefficients": {name: _estimate(one) for name, one in result.slopes.items()},
        "factors": {
            name: sum(bool(np.isfinite(one)) for one in effects.values) for name, effects in result.effects.items()
        },
    }


def coefficients(result: Fit) -> list[Row]:
    """All coefficients as rows, effects of factors included."""
    rows: list[Row] = [
        {"variable": name, "level": None, "coefficient": one.value, "standard_error": one.error}
        for name, one in result.slopes.items()
    ]
    for name, effects in result.effects.items():
        rows += [
            {"variable": name, "level": level, "coefficient": float(value), "standard_error": float(error)}
            for level, value, error in zip(effects.levels, effects.values, effects.errors, strict=True)
        ]
    return rows


def months_since(market: Market) -> str:
    """SQL for the months since the first day looked at."""
    return f"date_diff('day', DATE '{market.first}', sale_date) / {DAYS_PER_MONTH}"


def most_frequent_base(factor: Factor) -> Factor:
    """A factor with its effects relative to the level that most observations have."""
    return replace(factor, base=int(np.bincount(factor.codes).argmax()))


def _estimate(one: Estimate) -> Row:
    return {"value": figure(one.value, 8), "standard_error": figure(one.error, 8)}
