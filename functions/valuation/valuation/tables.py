"""A county's tables, as far as valuations need them in memory: sales, the properties that were sold, and the asked."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from terrafusion.counties import Catalogue, CountySnapshot
from terrafusion.errors import FailureReason, JobFailure, NotFound
from terrafusion.storage import Storage
from terrafusion.tables import connect, fetch
from valuation.records import Ints, Records

NEAR_MATCHES = 3


class CountyTables:
    """The tables of one snapshot, in files on this machine."""

    def __init__(self, snapshot: CountySnapshot, database: duckdb.DuckDBPyConnection) -> None:
        self.snapshot = snapshot
        self._database = database

    @classmethod
    def open(cls, catalogue: Catalogue, data: Storage, county_id: str, version: str, directory: Path) -> "CountyTables":
        """Fetch what is not there yet, and open it.

        Raises
        ------
        JobFailure
            `insufficient_data` when the snapshot, or one of its tables, is not there.
        """
        try:
            snapshot = catalogue.snapshot(county_id, version)
        except NotFound as error:
            raise JobFailure(FailureReason.INSUFFICIENT_DATA, error.message) from error
        directory.mkdir(parents=True, exist_ok=True)
        files = fetch(catalogue, data, snapshot, directory)
        for name in ("properties", "sales"):
            if name not in files:
                raise JobFailure(FailureReason.INSUFFICIENT_DATA, f"County '{county_id}' has no table '{name}'.")
        return cls(snapshot, connect({name: files[name] for name in ("properties", "sales")}))

    @property
    def property_count(self) -> int:
        """Rows of the table of properties."""
        return int(self._rows("SELECT count(*) FROM properties")[0][0])

    @property
    def sale_count(self) -> int:
        """Rows of the table of sales."""
        return int(self._rows("SELECT count(*) FROM sales")[0][0])

    def sales(self) -> Records:
        """All sales."""
        return self._records("SELECT * FROM sales")

    def sold(self) -> Records:
        """The properties that sales are of."""
        return self._records("SELECT * FROM properties WHERE property_id IN (SELECT property_id FROM sales)")

    def last_sale(self) -> date | None:
        """The day of the last sale that is dated before the data were published."""
        query = "SELECT max(sale_date) FROM sales WHERE sale_date <= ? AND sale_price > 0"
        day: date | None = self._rows(query, [self.snapshot.published_at.date()])[0][0]
        return day

    def property(self, property_id: str) -> Records:
        """A property, the first of those that share its id.

        Raises
        ------
        JobFailure
            `property_not_found`, with ids that are spelled much like it.
        """
        found = self._records("SELECT * FROM properties WHERE property_id = ? LIMIT 1", [property_id])
        if len(found):
            return found
        query = (
            "SELECT DISTINCT property_id, jaro_winkler_similarity(property_id, ?) AS alike FROM properties "
            "WHERE property_id IS NOT NULL ORDER BY alike DESC, property_id LIMIT ?"
        )
        near = ", ".join(str(row[0]) for row in self._rows(query, [property_id, NEAR_MATCHES]) if row[1] > 0)
        hint = f" Near matches: {near}." if near else ""
        raise JobFailure(
            FailureReason.PROPERTY_NOT_FOUND,
            f"County '{self.snapshot.county_id}' has no property '{property_id}'.{hint}",
        )

    def select(self, condition: str = "true", values: list[Any] | None = None) -> Ints:
        """Numbers of the rows of properties (int64) for which an SQL condition holds."""
        query = f"SELECT row_at FROM ({self._numbered()}) WHERE {condition} ORDER BY row_at"  # noqa: S608
        rows = self._rows(query, values)
        return np.array([row[0] for row in rows], np.int64)

    def rows_of(self, property_ids: Sequence[str]) -> tuple[Ints, list[str]]:
        """Numbers of the rows of some properties, the first of those that share an id, and the ids that none has."""
        self._database.register("asked", {"asked_id": np.array(property_ids)})
        query = f"SELECT property_id, min(row_at) FROM ({self._numbered()}) SEMI JOIN asked ON property_id = asked_id "  # noqa: S608
        found = {str(row[0]): int(row[1]) for row in self._rows(f"{query} GROUP BY property_id")}
        unknown = [name for name in property_ids if name not in found]
        return np.array(sorted(found.values()), np.int64), unknown

    def properties(self, rows: Ints) -> Records:
        """Properties by their rows' numbers, in their order."""
        self._database.register("wanted", {"wanted_row": np.sort(rows)})
        query = f"SELECT p.* EXCLUDE (row_at) FROM ({self._numbered()}) p JOIN wanted ON row_at = "  # noqa: S608
        return self._records(f"{query} wanted_row ORDER BY wanted_row")

    def _numbered(self) -> str:
        return "SELECT *, row_number() OVER () - 1 AS row_at FROM properties"

    def _records(self, query: str, values: list[Any] | None = None) -> Records:
        return Records.of(self._database.execute(query, values or []).fetchnumpy())

    def _rows(self, query: str, values: list[Any] | None = None) -> list[tuple[Any, ...]]:
        return list(self._database.execute(query, values or []).fetchall())
