"""The standard value fields of the county's properties, joined onto layers that lack them.

The table comes as Parquet; what is joined goes into an indexed SQLite file, so that memory stays constant and GDAL's
own join finds each row at once.
"""

import datetime as dt
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gis_export.joins import KEY, TABLE, Join
from terrafusion.counties import FieldType, LayerManifest

VALUE_FIELDS = (
    "assessed_land_value",
    "assessed_improvement_value",
    "current_assessed_value_total",
    "prior_assessed_value_total",
    "last_sale_date",
    "last_sale_price",
)
SQL_TYPES = {
    FieldType.INTEGER: "INTEGER",
    FieldType.INTEGER64: "BIGINT",
    FieldType.REAL: "FLOAT",
    FieldType.DATE: "DATE",
    FieldType.STRING: "VARCHAR",
}


def lacking(layer: LayerManifest, properties: LayerManifest) -> tuple[str, ...]:
    """The value fields that the properties have, in a type that can be joined, and the layer does not."""
    own = {field.name for field in layer.fields}
    there = {field.name for field in properties.fields if field.type in SQL_TYPES}
    return tuple(name for name in VALUE_FIELDS if name in there and name not in own)


def value_table(parquet: Path, target: Path, properties: LayerManifest, columns: Sequence[str]) -> Join:
    """Put a table's key and some columns into an indexed SQLite file; of rows with the same key the first counts."""
    types = {field.name: field.type for field in properties.fields}
    declared = ", ".join(f"{name} {SQL_TYPES[types[name]]}" for name in columns)
    places = ", ".join("?" for _ in (KEY, *columns))
    database = sqlite3.connect(target)
    try:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute(f"CREATE TABLE {TABLE} ({KEY} VARCHAR PRIMARY KEY, {declared})")
        insert = f"INSERT OR IGNORE INTO {TABLE} VALUES ({places})"  # noqa: S608  # nosec B608  names of our own
        database.executemany(insert, _rows(parquet, columns))
        database.commit()
    finally:
        database.close()
    dates = tuple(name for name in columns if types[name] is FieldType.DATE)
    return Join(str(target), tuple(columns), dates)


def _rows(parquet: Path, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    from arro3.io import read_parquet

    for batch in read_parquet(str(parquet)):
        values = [batch.column(name).to_pylist() for name in (KEY, *columns)]
        for row in zip(*values, strict=True):
            if row[0] is not None:
                yield tuple(v.isoformat() if isinstance(v, (dt.date, dt.datetime)) else v for v in row)
