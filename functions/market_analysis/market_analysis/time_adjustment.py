"""How fast prices move, by stratum and by three methods, and what a sale of one day is worth on another."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from market_analysis import hedonic
from market_analysis.analysis import Analysis, Row, figure
from market_analysis.analysis_types import GroupBy, Period
from market_analysis.failures import too_few
from market_analysis.hedonic import Z_95, months_since
from market_analysis.market import Market, store_rows
from market_analysis.pairs import resales
from market_analysis.periods import DAYS_PER_MONTH, Calendar
from market_analysis.ratios import trim_ratios
from market_analysis.regression import Codes, Factor, Floats, least_squares
from market_analysis.resales import holding_rate
from market_analysis.trends import overall
from terrafusion.errors import JobFailure

METHODS = ("hedonic", "ratio_trend", "paired")
EVERYTHING = "(all)"
AGE_NOTE = "Paired and ratio trend rates include what age takes from buildings meanwhile; the hedonic rate holds age."
LEAST_SPAN_MONTHS = 6
"""Sales that lie closer together say too little of a trend."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Growth of log prices a month with its standard error, from so many observations."""

    value: float
    error: float
    observations: int


Rates = dict[str, Rate]
"""By stratum; `EVERYTHING` is all of them together."""


def time_adjustment(
    market: Market,
    group_by: GroupBy,
    min_sales: int,
    valuation_date: date | None,
    min_holding_days: int,
    max_annual_change_percent: float,
) -> Analysis:
    """Rates of change a month by stratum and method, and factors that bring each month's prices to a day.

    `hedonic`: ln(price) on what was sold and on months. `ratio_trend`: ln(price / assessed value) on months. `paired`:
    the log change of resold properties over the months between, through the origin. A stratum with fewer than
    `min_sales` observations has no rate of its own and takes that of all.
    """
    target = market.valuation_day(valuation_date)
    trends = overall(market, Period.MONTH, min_sales)
    calendar = Calendar(Period.MONTH, market.first, market.last)
    pairs = resales(market, calendar, min_holding_days, max_annual_change_percent, group_by, within_periods=True)
    methods = {"paired": paired_rates(pairs.pairs.change, pairs.pairs.months, pairs.group, min_sales)}
    notes = [AGE_NOTE]
    if market.has("assessed"):
        methods["ratio_trend"] = ratio_rates(market, group_by, min_sales)
        if not market.assessed_is_current:
            notes.append(
                "The county keeps no current roll; the sales' own assessed values are used. The ratio trend holds only "
                "if they are of one roll."
            )
    else:
        notes.append("No sale has an assessed value: there is no ratio trend.")
    try:
        methods["hedonic"] = hedonic_rates(market, group_by, min_sales)
    except JobFailure as failure:  # the other methods may still know
        notes.append(f"There is no hedonic rate. {failure.message}")
    if not any(EVERYTHING in rates for rates in methods.values()):
        raise too_few(f"No method has {min_sales} sales over at least {LEAST_SPAN_MONTHS} months.", market.excluded)
    strata = sorted({name for rates in methods.values() for name in rates} - {EVERYTHING})
    rates = [_rate_row(stratum, group_by, methods) for stratum in [EVERYTHING, *strata]]
    factors = list(_factor_rows(market, group_by, [EVERYTHING, *strata], methods, target))
    return Analysis(
        key_finding=_finding(methods, target, market.first),
        points=market.count,
        trends=trends,
        details={
            "group_by": str(group_by),
            "valuation_date": target.isoformat(),
            "rates": rates,
            "factors": [row for row in factors if row[str(group_by)] == EVERYTHING],
            "pairs_excluded": pairs.excluded,
        },
        tables={
            "factors": store_rows(market.database, "factors", factors),
            "rates": store_rows(market.database, "rates", [_flat(row) for row in rates]),
        },
        notes=notes,
    )


def ratio_rates(market: Market, group_by: GroupBy, min_sales: int) -> Rates:
    """Rates from the trend of price over assessed value, errors robust (IAAO, Standard on Ratio Studies 2013, 4.6)."""
    trim_ratios(market)
    numbers, factors = market.read({"y": "ln(price / assessed)", "months": months_since(market)}, _texts(group_by))
    y, months = numbers["y"], numbers["months"]

    def rate(rows: Codes) -> Rate:
        slope = least_squares(y[rows], {"months": months[rows]}).slopes["months"]
        return Rate(slope.value, slope.error, rows.size)

    return _by_stratum(factors.get(str(group_by)), months, min_sales, rate)


def hedonic_rates(market: Market, group_by: GroupBy, min_sales: int) -> Rates:
    """Rates from hedonic equations of their own by stratum, errors robust; the age of a building is held."""
    equation = hedonic.choose(market)
    texts = list(dict.fromkeys([*map(str, equation.factors), *_texts(group_by)]))
    columns = {name: hedonic.CHARACTERISTICS[name] for name in equation.characteristics}
    numbers, factors = market.read(columns | {"y": hedonic.LOG_PRICE, "months": months_since(market)}, texts)
    y = numbers.pop("y")
    stratum = factors.get(str(group_by))
    varied = [factors[str(one)] for one in equation.factors]

    def rate(rows: Codes) -> Rate:
        within = [_part(factor, rows) for factor in varied]
        fit = least_squares(y[rows], {name: values[rows] for name, values in numbers.items()}, within)
        slope = fit.slopes["months"]
        return Rate(slope.value, slope.error, rows.size)

    return _by_stratum(stratum, numbers["months"], min_sales, rate)


def paired_rates(change: Floats, months: Floats, group: Factor, min_sales: int) -> Rates:
    """Rates from resales: log changes on the months between."""

    def rate(rows: Codes) -> Rate:
        return Rate(*holding_rate(change[rows], months[rows]), rows.size)

    return _by_stratum(group if len(group.levels) > 1 else None, months, min_sales, rate, spread=False)


def factor(rate: float, sale: date, target: date) -> float:
    """What a price of one day is multiplied by for another."""
    return float(np.exp(rate * (target - sale).days / DAYS_PER_MONTH))


def _by_stratum(
    stratum: Factor | None, months: Floats, min_sales: int, rate: Callable[[Codes], Rate], *, spread: bool = True
) -> Rates:
    """Apply a method to all observations and to those of each stratum that has enough of them."""
    found: Rates = {}
    for name, rows in ((EVERYTHING, np.arange(months.size)), *(_parts(stratum) if stratum else ())):
        wide = rows.size > 0 and (not spread or float(np.ptp(months[rows])) >= LEAST_SPAN_MONTHS)
        if rows.size < min_sales or not wide:
            continue
        try:
            found[name] = rate(rows)
        except (ValueError, KeyError):  # more parameters than sales, or months that something else explains
            continue
    return found


def _parts(stratum: Factor) -> Iterator[tuple[str, Codes]]:
    order = np.argsort(stratum.codes, kind="stable")
    bounds = np.searchsorted(stratum.codes[order], np.arange(len(stratum.levels) + 1))
    for at, name in enumerate(stratum.levels):
        yield name, order[bounds[at] : bounds[at + 1]]


def _part(factor: Factor, rows: Codes) -> Factor:
    """A factor among some observations, with the levels that occur there."""
    present, codes = np.unique(factor.codes[rows], return_inverse=True)
    levels = [factor.levels[at] for at in present.tolist()]
    part = Factor(factor.name, codes.astype(np.int64), levels)
    return replace(part, base=int(np.bincount(part.codes).argmax()))


def _texts(group_by: GroupBy) -> list[str]:
    return [] if group_by is GroupBy.COUNTY else [str(group_by)]


def _rate_row(stratum: str, group_by: GroupBy, methods: Mapping[str, Rates]) -> Row:
    row: Row = {str(group_by): stratum}
    for name in METHODS:
        rate = methods.get(name, {}).get(stratum)
        row[name] = (
            None
            if rate is None
            else {
                "percent_per_month": figure(100 * np.expm1(rate.value), 5),
                "log_rate": figure(rate.value, 10),
                "standard_error": figure(rate.error, 10),
                "low_percent": figure(100 * np.expm1(rate.value - Z_95 * rate.error), 5),
                "high_percent": figure(100 * np.expm1(rate.value + Z_95 * rate.error), 5),
                "observations": rate.observations,
            }
        )
    return row


def _flat(row: Row) -> Row:
    names = ("percent_per_month", "log_rate", "standard_error", "low_percent", "high_percent", "observations")
    flat = {key: value for key, value in row.items() if key not in METHODS}
    return flat | {f"{method}_{name}": (row[method] or {}).get(name) for method in METHODS for name in names}


def _factor_rows(
    market: Market, group_by: GroupBy, strata: Sequence[str], methods: Mapping[str, Rates], target: date
) -> Iterator[Row]:
    """Factors by stratum and month of sale, taken at the month's middle day."""
    calendar = Calendar(Period.MONTH, market.first, max(market.last, target))
    for stratum in strata:
        for at in range(len(calendar)):
            middle = calendar.start(at).replace(day=15)
            row: Row = {str(group_by): stratum, "month": calendar.label(at)}
            for name in METHODS:
                rates = methods.get(name, {})
                rate = rates.get(stratum) or rates.get(EVERYTHING)
                row[name] = figure(factor(rate.value, middle, target), 6) if rate else None
            yield row


def _finding(methods: Mapping[str, Rates], target: date, first: date) -> str:
    parts = [
        f"{100 * np.expm1(rates[EVERYTHING].value):+.2f} % (standard error {100 * rates[EVERYTHING].error:.2f}) by "
        f"{name.replace('_', ' ')}"
        for name in METHODS
        if EVERYTHING in (rates := methods.get(name, {}))
    ]
    leading = next(methods[name][EVERYTHING] for name in METHODS if EVERYTHING in methods.get(name, {}))
    return (
        f"Prices change a month by {', '.join(parts)}; a sale of {first} is multiplied by "
        f"{factor(leading.value, first, target):.3f} for {target}."
    )
