"""How sales and listings are joined to properties, as SQL."""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from market_analysis.analysis_types import GroupBy
from terrafusion.tables import quoted

PLACES = (GroupBy.ZIP_CODE, GroupBy.NEIGHBORHOOD, GroupBy.PROPERTY_CLASS)
NUMBERS = (
    "land_area_sqft",
    "living_area_sqft",
    "year_built",
    "bedrooms",
    "bathrooms",
    "stories",
    "quality",
    "condition",
    "garage_area_sqft",
    "lon",
    "lat",
)
"""Columns that a sale has of its own or takes from its property, as numbers."""


@dataclass(frozen=True, slots=True)
class Joined:
    """SQL for sales `s` with their properties `p`: the relation, and each column's expression.

    `known` says whether a sale's property is in the county's table; `assessed` is the value of the current roll where
    the county has one (`is_current`), else what the sale says.
    """

    relation: str
    places: Mapping[GroupBy, str]
    numbers: Mapping[str, str]
    known: str
    assessed: str
    is_current: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Linked:
    """SQL for a table's rows with their properties `p`; `owners` are the aliases with the columns that each has."""

    relation: str
    owners: Mapping[str, frozenset[str]]
    notes: tuple[str, ...]

    @property
    def places(self) -> Mapping[GroupBy, str]:
        """The zip code, neighborhood and class of a row."""
        return {place: f"nullif(trim({self.column(place, 'VARCHAR')}), '')" for place in PLACES}

    def column(self, name: str, kind: str) -> str:
        """A column as a type of DuckDB's: the row's own, else its property's."""
        owners = [alias for alias, columns in self.owners.items() if name in columns]
        values = [f"TRY_CAST({alias}.{quoted(name)} AS {kind})" for alias in owners]
        return f"coalesce({', '.join(values)})" if values else f"CAST(NULL AS {kind})"


def link(database: duckdb.DuckDBPyConnection, table: str, alias: str) -> Linked:
    """Look at a county's tables and say how one joins to properties."""
    owners = {alias: _columns(database, table)}
    if "properties" not in tables(database):
        return Linked(f"{table} AS {alias}", owners, ())
    source, notes = _unique_properties(database)
    relation = f"{table} AS {alias} LEFT JOIN {source} p ON {alias}.property_id = p.property_id"
    return Linked(relation, {**owners, "p": _columns(database, "properties")}, notes)


def join(database: duckdb.DuckDBPyConnection) -> Joined:
    """Sales with their properties; a sale's own column goes before its property's."""
    linked = link(database, "sales", "s")
    has_properties = "p" in linked.owners
    is_current = has_properties and bool(count(database, "SELECT count(current_assessed_value_total) FROM properties"))
    return Joined(
        relation=linked.relation,
        places=linked.places,
        numbers={name: linked.column(name, "DOUBLE") for name in NUMBERS},
        known="p.property_id IS NOT NULL" if has_properties else "true",
        assessed="p.current_assessed_value_total" if is_current else "s.assessed_value",
        is_current=is_current,
        notes=linked.notes,
    )


def known_values(database: duckdb.DuckDBPyConnection, place: GroupBy) -> set[str]:
    """The zip codes, neighborhoods or classes that any property or sale has."""
    found: set[str] = set()
    for table in sorted(tables(database) & {"properties", "sales"}):
        if place.value in _columns(database, table):
            rows = database.execute(f"SELECT DISTINCT trim({place.value}::VARCHAR) FROM {table}")  # noqa: S608
            found |= {row[0] for row in rows.fetchall() if row[0]}
    return found


def tables(database: duckdb.DuckDBPyConnection) -> set[str]:
    """Names of the county's tables."""
    return {row[0] for row in database.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()}


def count(database: duckdb.DuckDBPyConnection, query: str) -> int:
    """The number that a query gives."""
    return int(database.execute(query).fetchall()[0][0])


def _columns(database: duckdb.DuckDBPyConnection, table: str) -> frozenset[str]:
    return frozenset(row[0] for row in database.execute(f"DESCRIBE {table}").fetchall())


def _unique_properties(database: duckdb.DuckDBPyConnection) -> tuple[str, tuple[str, ...]]:
    repeated = count(database, "SELECT count(property_id) - count(DISTINCT property_id) FROM properties")
    if not repeated:
        return "properties", ()
    note = f"{repeated:,} rows of properties share their property_id with another; one row of each is used."
    return "(SELECT DISTINCT ON (property_id) * FROM properties)", (note,)
