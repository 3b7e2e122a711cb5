"""Properties that sold more than once: which pairs of sales say what the same thing cost at two times."""

from dataclasses import dataclass

import numpy as np

from market_analysis.analysis_types import GroupBy
from market_analysis.market import Market
from market_analysis.periods import DAYS_PER_MONTH, Calendar
from market_analysis.regression import Factor, Floats
from market_analysis.resales import Pairs
from market_analysis.trends import group_of

LIVING_AREA_CHANGED = 0.02


@dataclass(frozen=True, slots=True)
class Resales:
    """Pairs that count, each one's group, and how many pairs were left out by reason."""

    pairs: Pairs
    group: Factor
    excluded: dict[str, int]


def resales(
    market: Market,
    calendar: Calendar,
    min_holding_days: int,
    max_annual_change_percent: float,
    group_by: GroupBy = GroupBy.COUNTY,
    *,
    within_periods: bool = False,
) -> Resales:
    """Pair each sale with the property's sale before it.

    Left out are flips (sold again within `min_holding_days`), properties that changed (built, enlarged or put into
    another class between the sales), prices that changed faster than any market (`max_annual_change_percent`, both
    ways), and pairs within one period unless `within_periods`.
    """
    limit = np.log1p(max_annual_change_percent / 100)
    reasons = {
        f"flip: sold again within {min_holding_days} days": f"days < {min_holding_days}",
        "changed: built after the first sale": "coalesce(year_built > year(first_date), false)",
        "changed: living area": f"coalesce(abs(living / first_living - 1) > {LIVING_AREA_CHANGED}, false)",
        "changed: property class": "coalesce(property_class <> first_class, false)",
        f"price changed beyond {max_annual_change_percent:g} % a year": f"abs(change) > {limit} * days / 365.25",
    }
    if not within_periods:
        reasons["both sales in one period"] = "first = second"
    judged = " ".join(f"WHEN {condition} THEN {at}" for at, condition in enumerate(reasons.values()))
    market.database.execute(
        f"""CREATE OR REPLACE TABLE pairs AS
        WITH ordered AS (
            SELECT property_id, sale_date, price, year_built, living_area_sqft AS living, property_class,
                {group_of(group_by)} AS area, lag(sale_date) OVER before AS first_date,
                lag(price) OVER before AS first_price, lag(living_area_sqft) OVER before AS first_living,
                lag(property_class) OVER before AS first_class
            FROM market WHERE property_id IS NOT NULL
            WINDOW before AS (PARTITION BY property_id ORDER BY sale_date, sale_id)
        ), paired AS (
            SELECT *, {calendar.index_of("first_date")} AS first, {calendar.index_of("sale_date")} AS second,
                ln(price / first_price) AS change, date_diff('day', first_date, sale_date) AS days
            FROM ordered WHERE first_date IS NOT NULL
        )
        SELECT property_id, first_date, first_price, sale_date AS second_date, price AS second_price, area, first,
            second, change, days / {DAYS_PER_MONTH} AS months, CASE {judged} ELSE -1 END AS reason
        FROM paired"""  # noqa: S608
    )
    counted = dict(market.database.execute("SELECT reason, count(*) FROM pairs GROUP BY 1").fetchall())
    market.database.execute("DELETE FROM pairs WHERE reason >= 0")
    market.database.execute("ALTER TABLE pairs DROP COLUMN reason")
    excluded = {name: counted[at] for at, name in enumerate(reasons) if counted.get(at)}
    return Resales(*_read(market), excluded)


def _read(market: Market) -> tuple[Pairs, Factor]:
    levels = [row[0] for row in market.database.execute("SELECT DISTINCT area FROM pairs ORDER BY 1").fetchall()]
    market.store("pair_areas", {"value": levels, "code": list(range(len(levels)))})
    found = market.database.execute(
        """SELECT first, second, change, months, code FROM pairs JOIN pair_areas ON area = value"""
    ).fetchnumpy()
    whole = {name: np.asarray(found[name], dtype=np.int64) for name in ("first", "second", "code")}
    change, months = (_plain(found[name]) for name in ("change", "months"))
    return Pairs(whole["first"], whole["second"], change, months), Factor("area", whole["code"], levels)


def _plain(values: object) -> Floats:
    return np.asarray(values, dtype=np.float64)
