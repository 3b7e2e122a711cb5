"""The standard value fields of the county's properties, joined onto layers that lack them.

The table comes as Parquet; what is joined goes into an indexed SQLite file, so that memory stays constant and GDAL's
own join finds each row at once.
"""

import datetime as dt
import sqlite3
from collections.abc import Collection, Iterator, Sequence
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
    FieldType.DATETIME: "TIMESTAMP",
    FieldType.STRING: "VARCHAR",
}


def lacking(layer: LayerManifest, properties: LayerManifest) -> tuple[str, ...]:
    """The value fields that the properties have, in a type that can be joined, and the layer does not."""
    own = {field.name for field in layer.fields}
    there = {field.name for field in properties.fields if field.type in SQL_TYPES}
    return tuple(name for name in VALUE_FIELDS if name in there and name not in own)


def unjoinable(layer: LayerManifest, properties: LayerManifest, hidden: Collection[str]) -> tuple[str, ...]:
    """What of the properties' value fields the layer lacks and does not get, in words."""
    own = {field.name for field in layer.fields}
    there = {field.name: field.type for field in properties.fields if field.name in VALUE_FIELDS}
    joined = [name for name in lacking(layer, properties) if name not in hidden]
    missing = [name for name in there if name not in own]
    if KEY not in own:
        return (f"values are not joined: the layer has no column '{KEY}'",) if missing else ()
    why = {name: f"in the table of properties it is of type {there[name]}" for name in missing}
    why = {name: "your role may not see it" if name in hidden else text for name, text in why.items()}
    return tuple(f"'{name}' is not joined: {why[name]}" for name in missing if name not in joined)


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
                yield tuple(map(_stored, row))


def _stored(value: Any) -> Any:
    """A value as SQLite keeps it: dates and moments as text, moments that have a zone in UTC."""
    if isinstance(value, dt.datetime) and value.tzinfo:
        return value.astimezone(dt.UTC).isoformat()
    return value.isoformat() if isinstance(value, dt.date) else value
