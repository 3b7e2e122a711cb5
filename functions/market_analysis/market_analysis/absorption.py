"""How a market takes up what is for sale: listings by period, months of supply, days on the market.

A listing is on the market from its list date until it is taken off or closed, whichever comes first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb

from market_analysis import joining
from market_analysis.analysis import Row, figure, plural
from market_analysis.analysis_types import GroupBy, Period
from market_analysis.market import NO_VALUE, Market, Scope
from market_analysis.periods import DAYS_PER_MONTH, Calendar, months_before

LISTINGS = "listings"
DATES = ("list_date", "off_market_date", "close_date")
PRICES = ("list_price", "close_price")
WINDOWS = ((12, 6), (6, 3), (3, 0))
"""Months before the last day, from and to: the columns of Fannie Mae's Form 1004MC."""
PACE_MONTHS = 12
"""The pace of sales that the supply of today is told at."""
FOR_SALE = "list_date <= last AND (gone_date IS NULL OR gone_date > last)"
CLOSED = "close_date BETWEEN first AND last"
FIGURES = {
    "new_listings": "count(*) FILTER (list_date BETWEEN first AND last)",
    "closed_listings": f"count(*) FILTER ({CLOSED})",
    "active_listings": f"count(*) FILTER ({FOR_SALE})",
    "median_close_price": f"median(close_price) FILTER ({CLOSED})",
    "median_days_on_market": f"median(gone_date - list_date) FILTER ({CLOSED})",
    "median_close_to_list_percent": f"median(100 * close_price / list_price) FILTER ({CLOSED})",
    "median_list_price": f"median(list_price) FILTER ({FOR_SALE})",
    "median_days_listed": f"median(last - list_date) FILTER ({FOR_SALE})",
}
"""Of a span: listings begun and closed within it, and those for sale at the end of its last day."""
COUNTS = ("new_listings", "closed_listings", "active_listings")
"""Those that are whole numbers."""


@dataclass(frozen=True, slots=True)
class Span:
    """Days, both included, that so many months are counted for; `named` is what its row begins with."""

    named: Row
    first: date
    last: date
    months: float

    @classmethod
    def of_days(cls, named: Row, first: date, last: date) -> "Span":
        """A span whose months are those of its days."""
        return cls(named, first, last, ((last - first).days + 1) / DAYS_PER_MONTH)


@dataclass(frozen=True, slots=True)
class Absorption:
    """What listings tell; without a `total` they tell nothing, and `notes` say why.

    `last` is the last day that both the analysis and the listings reach. `periods`, `windows` and `groups` are rows of
    `FIGURES` with what follows from them; `total` and `groups` are of the last `PACE_MONTHS`.
    """

    last: date = date.min
    considered: int = 0
    excluded: tuple[tuple[str, int], ...] = ()
    total: Row | None = None
    periods: tuple[Row, ...] = ()
    windows: tuple[Row, ...] = ()
    groups: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def tables(self) -> dict[str, Sequence[Row]]:
        """The rows by the names of their files."""
        named = {"absorption": self.periods, "absorption_windows": self.windows, "absorption_groups": self.groups}
        return {name: rows for name, rows in named.items() if rows}

    @property
    def finding(self) -> str:
        """The supply in half a sentence; nothing where it cannot be told."""
        if self.total is None or self.total["months_of_supply"] is None:
            return ""
        supply, active = self.total["months_of_supply"], plural(self.total["active_listings"], "listing")
        return f"{active} on {self.last} are {supply:.1f} months of supply"

    @property
    def document(self) -> Row | None:
        """As a result has it."""
        if self.total is None:
            return None
        return {
            "as_of": self.last.isoformat(),
            **self.total,
            "windows": list(self.windows),
            "groups": list(self.groups),
            "periods": list(self.periods),
            "listings_considered": self.considered,
            "left_out": [{"reason": reason, "listings": count} for reason, count in self.excluded],
        }


def absorption(market: Market, scope: Scope, period: Period, group_by: GroupBy, min_sales: int) -> Absorption:
    """Look at a county's listings over the days of a market, in the same places."""
    database = market.database
    if LISTINGS not in joining.tables(database):
        return _nothing(
            "Months of supply and time on the market need listings, which the county's snapshot does not hold; sales "
            "alone cannot tell them."
        )
    missing = [name for name in DATES if not joining.count(database, f"SELECT count({name}) FROM {LISTINGS}")]  # noqa: S608
    if missing:
        return _nothing(
            f"The county's listings have no {' and no '.join(missing)}: without, nobody can tell what was for sale."
        )
    first, last = _reach(database)
    first, last = max(first, market.first), min(last, market.last)
    if first > last:
        return _nothing(f"The county's listings tell nothing of {market.first} to {market.last}.")
    considered, excluded = _keep(database, scope, group_by, first, last)
    notes = []
    if first > market.first:
        notes.append(
            f"The first listing ended on {first}: nothing is told of before, and supply may be told too low at first."
        )
    if last < market.last:
        notes.append(f"Listings end on {last}: supply is told as of that day.")
    pace = _pace(first, last)
    [total] = _figures(database, [pace], min_sales)
    return Absorption(
        last=last,
        considered=considered,
        excluded=tuple(excluded.items()),
        total=total,
        periods=tuple(_figures(database, _periods(Calendar(period, first, last)), min_sales)),
        windows=tuple(_figures(database, _windows(first, last), min_sales)),
        groups=tuple(_figures(database, [pace], min_sales, group_by)),
        notes=tuple(notes),
    )


def _nothing(why: str) -> Absorption:
    return Absorption(notes=(why,))


def _reach(database: duckdb.DuckDBPyConnection) -> tuple[date, date]:
    """The first day that a listing ended and the last that anything happened to one.

    A list of those that were for sale since some day knows older ones that lasted; of their time it knows no others.
    """
    [(first, last)] = database.execute(
        """SELECT min(least(off_market_date, close_date)), max(greatest(list_date, off_market_date, close_date))
        FROM listings"""
    ).fetchall()
    return first, last


def _keep(
    database: duckdb.DuckDBPyConnection, scope: Scope, group_by: GroupBy, first: date, last: date
) -> tuple[int, dict[str, int]]:
    """Make the table `listed`; gives the number of all listings, and what was left out by the first reason."""
    linked = joining.link(database, LISTINGS, LISTINGS)
    group = "'county'" if group_by is GroupBy.COUNTY else f"coalesce({linked.places[group_by]}, '{NO_VALUE}')"
    reasons = {
        "without a list date": "list_date IS NULL",
        "ended before they were listed": "gone_date < list_date OR close_date < list_date",
        "of a listing_id that was there already": "listing_id IS NOT NULL AND number > 1",
        f"not on the market from {first} to {last}": (
            f"list_date > DATE '{last}' OR greatest(gone_date, close_date) < DATE '{first}'"
        ),
    }
    reasons |= {f"of another {place}": f"{place}_of IS DISTINCT FROM ${place}" for place in scope.places}
    given = {place.value: value for place, value in scope.places.items()}
    judged = " ".join(f"WHEN {condition} THEN {at}" for at, condition in enumerate(reasons.values()))
    own = {name: f"{LISTINGS}.{name}" for name in ("listing_id", *DATES)}
    prices = {name: f"CASE WHEN {LISTINGS}.{name} > 0 THEN {LISTINGS}.{name} END" for name in PRICES}
    columns = own | prices | {"value": group} | {f"{place}_of": linked.places[place] for place in scope.places}
    selected = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    database.execute(
        f"""CREATE OR REPLACE TABLE listed AS
        WITH known AS (SELECT {selected} FROM {linked.relation}),
        ended AS (SELECT *, least(off_market_date, close_date) AS gone_date FROM known),
        numbered AS (SELECT *, row_number() OVER (
            PARTITION BY listing_id ORDER BY list_date, gone_date, list_price, close_price) AS number FROM ended)
        SELECT *, CASE {judged} ELSE -1 END AS reason FROM numbered""",  # noqa: S608
        given,
    )
    counts = dict(database.execute("SELECT reason, count(*) FROM listed GROUP BY 1").fetchall())
    database.execute("DELETE FROM listed WHERE reason >= 0")
    return sum(counts.values()), {reason: counts[at] for at, reason in enumerate(reasons) if counts.get(at)}


def _pace(first: date, last: date) -> Span:
    start = months_before(last, PACE_MONTHS)
    if start < first:
        return Span.of_days(_days(first, last), first, last)
    return Span(_days(start, last), start, last, PACE_MONTHS)


def _periods(calendar: Calendar) -> list[Span]:
    spans = []
    for at in range(len(calendar)):
        named = {
            "period": calendar.label(at),
            "period_start": calendar.start(at).isoformat(),
            "partial": not calendar.is_whole(at),
        }
        first, last = max(calendar.start(at), calendar.first), min(calendar.end(at), calendar.last)
        spans.append(Span.of_days(named, first, last))
    return spans


def _windows(first: date, last: date) -> list[Span]:
    """The columns of Form 1004MC, those that listings reach over."""
    spans = []
    for back, to in WINDOWS:
        start, end = months_before(last, back), months_before(last, to) - timedelta(days=1)
        if start >= first:
            name = f"prior {to + 1} to {back} months" if to else f"current to {back} months"
            spans.append(Span({"window": name, **_days(start, end)}, start, end, back - to))
    return spans


def _days(first: date, last: date) -> Row:
    return {"from": first.isoformat(), "to": last.isoformat()}


def _figures(
    database: duckdb.DuckDBPyConnection, spans: Sequence[Span], min_sales: int, group_by: GroupBy | None = None
) -> list[Row]:
    """A row for each span, and group if any; `thin` with fewer than `min_sales` closed listings."""
    if not spans:
        return []
    values = ", ".join(f"({at}, DATE '{span.first}', DATE '{span.last}')" for at, span in enumerate(spans))
    group = "value" if group_by else "''"
    found = database.execute(
        f"""SELECT nth, {group}, {", ".join(FIGURES.values())}
        FROM (VALUES {values}) AS spans(nth, first, last) {"" if group_by else "LEFT"} JOIN listed
            ON list_date <= last AND coalesce(greatest(gone_date, close_date), DATE 'infinity') >= first
        GROUP BY ALL ORDER BY 1, 2"""  # noqa: S608
    ).fetchall()
    return [
        ({str(group_by): value} if group_by else {}) | spans[nth].named | _row(figures, spans[nth].months, min_sales)
        for nth, value, *figures in found
    ]


def _row(figures: Sequence[float | None], months: float, min_sales: int) -> Row:
    """`FIGURES` by name, with the pace and the supply that follow from them."""
    row: Row = {name: figure(number) for name, number in zip(FIGURES, figures, strict=True)}
    row |= {name: int(row[name]) for name in COUNTS}
    pace = row["closed_listings"] / months
    supply = row["active_listings"] / pace if pace else None
    return {
        **row,
        "absorption_per_month": figure(pace),
        "months_of_supply": figure(supply),
        "thin": row["closed_listings"] < min_sales,
    }
