"""A county's tables in DuckDB: the standard fields are always there, the county's own are kept.

Needs the layer `tables`.
"""

from collections.abc import Mapping
from pathlib import Path

import duckdb

from terrafusion.counties import Catalogue, CountySnapshot, FieldType
from terrafusion.counties.standard import FLAG_WORDS, NUMBERS, STANDARD_FIELDS, type_of
from terrafusion.storage import Storage

PARQUET = "data.parquet"
DUCKDB_TYPES: Mapping[FieldType, str] = {
    FieldType.STRING: "VARCHAR",
    FieldType.REAL: "DOUBLE",
    FieldType.INTEGER: "INTEGER",
    FieldType.BOOLEAN: "BOOLEAN",
    FieldType.DATE: "DATE",
}

DUCKDB_NUMBERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE"})


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

    The views of `properties`, `sales`, `listings` and `parcels` have every standard field, in its type (whole numbers
    serve as numbers): one that the county does not keep is null throughout, and so is a value that is none of its type.
    Nothing is read before it is asked for; nothing can be loaded from elsewhere.
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
        kept = dict(zip(source.columns, map(str, source.types), strict=True))
        standard = {field: type_of(field) for field in STANDARD_FIELDS.get(name, ())}
        read = (_read(field, kept[field], standard[field]) if field in standard else quoted(field) for field in kept)
        absent = (f"CAST(NULL AS {DUCKDB_TYPES[kind]}) AS {quoted(f)}" for f, kind in standard.items() if f not in kept)
        columns = ", ".join([*read, *absent])
        database.execute(f"CREATE VIEW {quoted(name)} AS SELECT {columns} FROM {_literal(path)}")  # noqa: S608  # nosec B608
    return database


def _read(field: str, stored: str, wanted: FieldType) -> str:
    """SQL for a standard field as its type. A flag that cannot be read is false: a doubtful sale is no evidence."""
    name, kind = quoted(field), DUCKDB_TYPES[wanted]
    if stored == kind or (wanted in NUMBERS and stored in DUCKDB_NUMBERS):
        return name
    if wanted is FieldType.BOOLEAN:
        yes = ", ".join(f"'{word}'" for word, meaning in FLAG_WORDS.items() if meaning)
        return f"CASE WHEN trim({name}::VARCHAR) <> '' THEN lower(trim({name}::VARCHAR)) IN ({yes}) END AS {name}"
    return f"TRY_CAST({name} AS {kind}) AS {name}"


def quoted(identifier: str) -> str:
    """An identifier as SQL writes it."""
    return '"' + identifier.replace('"', '""') + '"'


def _literal(path: Path) -> str:
    return "read_parquet('" + str(path).replace("'", "''") + "')"
