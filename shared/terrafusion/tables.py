"""A county's tables in DuckDB: the standard fields are always there, the county's own are kept.

Needs the layer `tables`.
"""

from collections.abc import Mapping
from pathlib import Path

import duckdb

from terrafusion.counties import Catalogue, CountySnapshot, FieldType
from terrafusion.counties.standard import STANDARD_FIELDS, type_of
from terrafusion.storage import Storage

PARQUET = "data.parquet"
DUCKDB_TYPES: Mapping[FieldType, str] = {
    FieldType.STRING: "VARCHAR",
    FieldType.REAL: "DOUBLE",
    FieldType.INTEGER: "INTEGER",
    FieldType.BOOLEAN: "BOOLEAN",
    FieldType.DATE: "DATE",
}


def fetch(catalogue: Catalogue, data: Storage, snapshot: CountySnapshot, directory: Path) -> dict[str, Path]:
    """Bring a snapshot's tables to a directory, by layer name; what is there already is not fetched again.

    A file's name says county, layer and version, so a directory may serve one job after the other.
    """
    found = {}
    for name, layer in snapshot.layers.items():
        entry = layer.file(PARQUET)
        if entry is None:
            continue
        path = directory / f"{snapshot.county_id}.{name}.{layer.version}.parquet"
        if not path.exists():
            data.download(catalogue.file_key(snapshot.county_id, layer, PARQUET), path)
        found[name] = path
    return found


def connect(files: Mapping[str, Path], *, memory_limit_mb: int = 1024, threads: int = 2) -> duckdb.DuckDBPyConnection:
    """Open Parquet files as views named after their layers.

    The views of `properties`, `sales`, `listings` and `parcels` have every standard field: one that the county does not
    keep is null throughout, in the field's type. Nothing is read before it is asked for; nothing can be loaded from
    elsewhere.
    """
    database = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": f"{memory_limit_mb}MB",
            "threads": threads,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )
    for name, path in files.items():
        source = database.read_parquet(str(path))
        absent = [field for field in STANDARD_FIELDS.get(name, ()) if field not in source.columns]
        nulls = (f", CAST(NULL AS {DUCKDB_TYPES[type_of(field)]}) AS {quoted(field)}" for field in absent)
        database.execute(f"CREATE VIEW {quoted(name)} AS SELECT *{''.join(nulls)} FROM {_literal(path)}")  # noqa: S608  # nosec B608
    return database


def quoted(identifier: str) -> str:
    """An identifier as SQL writes it."""
    return '"' + identifier.replace('"', '""') + '"'


def _literal(path: Path) -> str:
    return "read_parquet('" + str(path).replace("'", "''") + "')"
