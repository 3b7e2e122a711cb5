"""A county's sales with what was sold, narrowed down to what an analysis looks at; what was left out is counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import duckdb
import numpy as np

from market_analysis import joining
from market_analysis.analysis_types import GroupBy
from market_analysis.failures import no_data, nothing_left, too_few, unknown_value
from market_analysis.periods import years_before
from market_analysis.regression import Codes, Factor, Floats
from terrafusion.tables import quoted

ROW = "market.rowid"
"""SQL for the number by which DuckDB knows a row of `market`, until the table is changed."""
REACH_YEARS = 5
"""How far from the sales a trend is followed."""
NO_VALUE = "(none)"
"""What sales without a zip code, neighborhood or class are told apart by."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What part of the market is looked at; days are included.

    Without `date_from` it begins `years` before the end; when that is None too, with the first sale. What is dated
    after the data were `published` is a mistake.
    """

    published: date
    date_from: date | None = None
    date_to: date | None = None
    years: int | None = None
    places: Mapping[GroupBy, str] = field(default_factory=dict)


@dataclass
class Market:
    """Sales on the open market, in DuckDB's table `market`: one row each.

    Columns: `sale_id`, `property_id`, `sale_date`, `price` (USD), `assessed` (USD), `is_known` (its property is in the
    county's table), `zip_code`, `neighborhood`, `property_class`, and `joining.NUMBERS`. `first` and `last` bound the
    days looked at; `considered` is the number of all the county's sales, `excluded` counts by reason what was left out,
    `notes` says what else a reader must know.
    """

    database: duckdb.DuckDBPyConnection
    first: date
    last: date
    considered: int
    count: int
    assessed_is_current: bool
    excluded: dict[str, int]
    notes: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, database: duckdb.DuckDBPyConnection, scope: Scope) -> "Market":
        """Join sales to properties and narrow them down.

        Raises
        ------
        JobFailure
            INSUFFICIENT_SALES when none is left, INSUFFICIENT_DATA for a zip code, neighborhood or class that the
            county does not have, with those that are near.
        """
        database.execute("SET preserve_insertion_order = false")
        first, last = _range_of_valid(database, scope.published)
        end = scope.date_to or last
        start = scope.date_from or (years_before(end, scope.years) if scope.years else first)
        joined = joining.join(database)
        considered, excluded = _narrow(database, joined, scope, start, end)
        left = joining.count(database, "SELECT count(*) FROM market")
        if not left:
            raise _nothing(database, scope, start, end, first, last)
        notes = list(joined.notes)
        unknown = joining.count(database, "SELECT count(*) FROM market WHERE NOT is_known")
        if unknown:
            notes.append(
                f"{unknown:,} sales are of no property in the county's table: nothing is known of what was sold."
            )
        if scope.date_from and scope.date_from < first:
            notes.append(f"Asked from {scope.date_from}; the county's sales begin on {first}.")
        if scope.date_to and scope.date_to > last:
            notes.append(f"Asked to {scope.date_to}; the county's sales end on {last}.")
        period = max(start, first), min(end, last)
        return cls(database, *period, considered, left, joined.is_current, excluded, notes)

    def drop(self, reason: str, condition: str) -> None:
        """Leave out the sales that meet a condition in SQL, and count them under a reason."""
        self.database.execute(f"DELETE FROM market WHERE {condition}")  # noqa: S608  conditions are our own
        left = joining.count(self.database, "SELECT count(*) FROM market")
        if left < self.count:
            self.excluded[reason] = self.excluded.get(reason, 0) + self.count - left
        self.count = left

    def valuation_day(self, wanted: date | None) -> date:
        """The day that prices are brought to: the one wanted, else the last looked at.

        Raises
        ------
        JobFailure
            When it lies so far from the sales that a trend would be stretched beyond sense.
        """
        day = wanted or self.last
        room = timedelta(days=366 * REACH_YEARS)
        if not self.first - room <= day <= self.last + room:
            raise no_data(
                f"valuation_date {day} lies more than {REACH_YEARS} years from the sales looked at, "
                f"{self.first} to {self.last}."
            )
        return day

    def require(self, least: int, what: str) -> None:
        """End the job when fewer than `least` sales are left."""
        if self.count < least:
            raise too_few(f"{what} needs at least {least:,} sales; {self.count:,} are left.", self.excluded)

    def has(self, column: str) -> bool:
        """Whether any sale that is left has a value in a column."""
        return bool(joining.count(self.database, f"SELECT count({quoted(column)}) FROM market"))  # noqa: S608

    def read(
        self, columns: Mapping[str, str], texts: Sequence[str] = ()
    ) -> tuple[dict[str, Floats], dict[str, Factor]]:
        """Expressions over `market` as float arrays (null is NaN), and text columns as factors, in the same order.

        Which order that is, is DuckDB's to choose; ask for `ROW` to find the sales again. Levels of a factor are
        sorted; a missing text is the level `NO_VALUE`.
        """
        levels = {name: self._levels(name) for name in texts}
        joins, selected = [], [f"({expression})::DOUBLE AS {quoted(name)}" for name, expression in columns.items()]
        for name, values in levels.items():
            table = store(self.database, f"levels_{name}", {"value": values, "code": list(range(len(values)))})
            joins.append(f"LEFT JOIN {table} ON coalesce({quoted(name)}, '{NO_VALUE}') = {table}.value")
            selected.append(f"{table}.code AS {quoted(f'code of {name}')}")
        query = f"SELECT {', '.join(selected)} FROM market {' '.join(joins)}"  # noqa: S608
        found = self.database.execute(query).fetchnumpy()
        numbers = {name: _floats(found[name]) for name in columns}
        factors = {
            name: Factor(name, np.asarray(found[f"code of {name}"], dtype=np.int64), values)
            for name, values in levels.items()
        }
        return numbers, factors

    def _levels(self, column: str) -> list[str]:
        query = f"SELECT DISTINCT coalesce({quoted(column)}, '{NO_VALUE}') FROM market ORDER BY 1"  # noqa: S608
        return [row[0] for row in self.database.execute(query).fetchall()]

    def store(self, name: str, columns: Mapping[str, Sequence[Any] | Floats | Codes]) -> str:
        """Keep columns as a table of DuckDB's; NaN becomes null. Gives the table's name."""
        return store(self.database, name, columns)


def store(database: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, Sequence[Any] | Floats | Codes]) -> str:
    """Keep columns as a table; NaN becomes null. Gives the table's name."""
    arrays = {key: _column(values) for key, values in columns.items()}
    kept = ", ".join(
        f"CASE WHEN isnan({quoted(key)}) THEN NULL ELSE {quoted(key)} END AS {quoted(key)}"
        if values.dtype.kind == "f"
        else quoted(key)
        for key, values in arrays.items()
    )
    database.register("incoming", arrays)
    database.execute(f"CREATE OR REPLACE TABLE {quoted(name)} AS SELECT {kept} FROM incoming")  # noqa: S608
    database.unregister("incoming")
    return name


def store_rows(database: duckdb.DuckDBPyConnection, name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Keep rows that share their keys as a table; gives the table's name."""
    return store(database, name, {key: [row[key] for row in rows] for key in rows[0]})


def _floats(values: Any) -> Floats:
    filled = np.ma.filled(np.ma.asarray(values, dtype=np.float64), np.nan)
    return np.asarray(filled, dtype=np.float64)


def _column(values: Any) -> Any:
    """A list as the array that DuckDB reads: flags, whole numbers, numbers (NaN for None), else text."""
    if isinstance(values, np.ndarray):
        return values
    kinds = {type(one) for one in values}
    if kinds == {bool}:
        return np.array(values, dtype=bool)
    if kinds == {int}:
        return np.array(values, dtype=np.int64)
    if kinds <= {int, float, np.float64, type(None)} and kinds != {type(None)}:
        return np.array([np.nan if one is None else one for one in values], dtype=np.float64)
    return np.array([None if one is None else str(one) for one in values], dtype=object)


def _range_of_valid(database: duckdb.DuckDBPyConnection, published: date) -> tuple[date, date]:
    query = """SELECT min(sale_date), max(sale_date) FROM sales
        WHERE coalesce(is_valid, true) AND sale_price > 0 AND sale_date <= $published"""
    first, last = database.execute(query, {"published": published}).fetchall()[0]
    if first is None:
        raise nothing_left("The county's table of sales has no valid sale with a date and a price.")
    return first, last


def _narrow(
    database: duckdb.DuckDBPyConnection,
    joined: joining.Joined,
    scope: Scope,
    start: date,
    end: date,
) -> tuple[int, dict[str, int]]:
    """Make the table `market`; gives the number of all sales, and what was left out by the first reason that holds."""
    reasons = {
        "marked as not valid": "NOT coalesce(s.is_valid, true)",
        "without a date": "s.sale_date IS NULL",
        "dated after the data were published": f"s.sale_date > DATE '{scope.published}'",
        "without a price": "s.sale_price IS NULL OR s.sale_price <= 0",
        f"outside {start} to {end}": f"s.sale_date NOT BETWEEN DATE '{start}' AND DATE '{end}'",
    }
    reasons |= {f"of another {place}": f"{joined.places[place]} IS DISTINCT FROM ${place}" for place in scope.places}
    given = {place.value: value for place, value in scope.places.items()}
    judged = " ".join(f"WHEN {condition} THEN {at}" for at, condition in enumerate(reasons.values()))
    relation = joined.relation if scope.places else "sales s"
    rows = database.execute(f"SELECT CASE {judged} ELSE -1 END, count(*) FROM {relation} GROUP BY 1", given)  # noqa: S608
    counts: dict[int, int] = dict(rows.fetchall())
    named: dict[str, str] = {str(place): sql for place, sql in joined.places.items()} | dict(joined.numbers)
    columns = [f"{sql} AS {quoted(name)}" for name, sql in named.items()]
    kept = " AND ".join(f"NOT coalesce({condition}, true)" for condition in reasons.values())
    database.execute(
        f"""CREATE OR REPLACE TABLE market AS
        SELECT s.sale_id, s.property_id, s.sale_date, s.sale_price::DOUBLE AS price,
            nullif({joined.assessed}::DOUBLE, 0) AS assessed, {joined.known} AS is_known, {", ".join(columns)}
        FROM {joined.relation} WHERE {kept}""",  # noqa: S608
        given,
    )
    excluded = {reason: counts[at] for at, reason in enumerate(reasons) if counts.get(at)}
    return sum(counts.values()), excluded


def _nothing(
    database: duckdb.DuckDBPyConnection, scope: Scope, start: date, end: date, first: date, last: date
) -> Exception:
    """Why no sale is left."""
    for place, value in scope.places.items():
        known = joining.known_values(database, place)
        if value not in known:
            return unknown_value(place.value, value, known)
    where = "".join(f" with {place.value} '{value}'" for place, value in scope.places.items())
    return nothing_left(
        f"There is no valid sale{where} from {start} to {end}; the county's sales run from {first} to {last}."
    )
