"""How sales are joined to what was sold, as SQL."""

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


def join(database: duckdb.DuckDBPyConnection) -> Joined:
    """Look at a county's tables and say how they join; a sale's own column goes before its property's."""
    sold = set(_columns(database, "sales"))
    has_properties = "properties" in tables(database)
    source, notes = _unique_properties(database) if has_properties else ("", ())
    is_current = has_properties and bool(count(database, "SELECT count(current_assessed_value_total) FROM properties"))

    def either(column: str, kind: str) -> str:
        owners = [*(["s"] if column in sold else []), *(["p"] if has_properties else [])]
        values = [f"TRY_CAST({owner}.{quoted(column)} AS {kind})" for owner in owners]
        return f"coalesce({', '.join(values)})" if values else f"CAST(NULL AS {kind})"

    return Joined(
        relation=f"sales s LEFT JOIN {source} p ON s.property_id = p.property_id" if source else "sales s",
        places={place: f"nullif(trim({either(place, 'VARCHAR')}), '')" for place in PLACES},
        numbers={name: either(name, "DOUBLE") for name in NUMBERS},
        known="p.property_id IS NOT NULL" if source else "true",
        assessed="p.current_assessed_value_total" if is_current else "s.assessed_value",
        is_current=is_current,
        notes=notes,
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


def _columns(database: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    return [row[0] for row in database.execute(f"DESCRIBE {table}").fetchall()]


def _unique_properties(database: duckdb.DuckDBPyConnection) -> tuple[str, tuple[str, ...]]:
    repeated = count(database, "SELECT count(property_id) - count(DISTINCT property_id) FROM properties")
    if not repeated:
        return "properties", ()
    note = f"{repeated:,} rows of properties share their property_id with another; one row of each is used."
    return "(SELECT DISTINCT ON (property_id) * FROM properties)", (note,)
