"""Points and polygons as an OGC GeoPackage (version 1.3), by the standard library alone.

For results of some ten thousand features; a county's layers are exported through GDAL.
"""

import sqlite3
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeGuard, cast

Position = tuple[float, float]
MultiPolygon = Sequence[Sequence[Sequence[Position]]]
Shape = Position | MultiPolygon
Box = tuple[float, float, float, float]

APPLICATION_ID = 0x47504B47
USER_VERSION = 10_300
WGS84 = 4326
WGS84_WKT = (
    'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,AUTHORITY["EPSG","7030"]],'
    'AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,'
    'AUTHORITY["EPSG","9122"]],AUTHORITY["EPSG","4326"]]'
)
_WKB_POINT, _WKB_POLYGON, _WKB_MULTI_POLYGON = 1, 3, 6
_LITTLE_ENDIAN, _WITH_ENVELOPE, _EMPTY = 0x01, 0x02, 0x10
_KEY, _GEOMETRY = "fid", "geom"


class GeometryKind(StrEnum):
    """What a layer's features are."""

    POINT = "POINT"
    MULTI_POLYGON = "MULTIPOLYGON"


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """A layer: `columns` (n,) by name, and `shapes` (n,): positions, or polygons as rings of positions; None for none.

    Coordinates are longitude and latitude in degrees (EPSG:4326). Rings are closed, the outer one first. Values are
    flags, whole numbers, numbers, dates or text, of one kind in a column; None where there is none.
    """

    name: str
    kind: GeometryKind
    columns: Mapping[str, Sequence[Any]]
    shapes: Sequence[Shape | None]
    description: str = ""


def write(path: Path, tables: Sequence[FeatureTable], changed_at: datetime | None = None) -> None:
    """Write layers to a new file; one that is there is replaced.

    Parameters
    ----------
    changed_at
        What the file says of its last change; now when not given.

    Raises
    ------
    ValueError
        When a column's length is not that of the shapes, or a name is taken by the format.
    """
    path.unlink(missing_ok=True)
    moment = (changed_at or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(_FRAME)
        database.executemany("INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, ?)", _REFERENCES)
        for table in tables:
            _write_table(database, table, moment)


def _write_table(database: sqlite3.Connection, table: FeatureTable, moment: str) -> None:
    for name, values in table.columns.items():
        if len(values) != len(table.shapes):
            raise ValueError(f"{table.name}.{name} has {len(values)} values for {len(table.shapes)} features")
        if name.lower() in {_KEY, _GEOMETRY}:
            raise ValueError(f"{table.name} cannot have a column '{name}'")
    columns = "".join(f", {_quoted(name)} {_type(values)}" for name, values in table.columns.items())
    database.execute(
        f"CREATE TABLE {_quoted(table.name)} "
        f"({_KEY} INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, {_GEOMETRY} {table.kind}{columns})"
    )
    boxes = [_box(shape) for shape in table.shapes]
    places = ", ".join("?" * (len(table.columns) + 2))
    rows = zip(_blobs(table, boxes), *(map(_value, values) for values in table.columns.values()), strict=True)
    database.executemany(
        f"INSERT INTO {_quoted(table.name)} VALUES ({places})",  # noqa: S608  names are quoted
        ((at, *row) for at, row in enumerate(rows, 1)),
    )
    known = [box for box in boxes if box]
    extent = (
        (min(b[0] for b in known), min(b[1] for b in known), max(b[2] for b in known), max(b[3] for b in known))
        if known
        else (None, None, None, None)
    )
    database.execute(
        "INSERT INTO gpkg_contents VALUES (?, 'features', ?, ?, ?, ?, ?, ?, ?, ?)",
        (table.name, table.name, table.description, moment, *extent, WGS84),
    )
    database.execute(
        "INSERT INTO gpkg_geometry_columns VALUES (?, ?, ?, ?, 0, 0)", (table.name, _GEOMETRY, str(table.kind), WGS84)
    )
    _index(database, table.name, boxes)


def _index(database: sqlite3.Connection, name: str, boxes: Sequence[Box | None]) -> None:
    """The extension `gpkg_rtree_index`: a spatial index, and what keeps it true when the layer is edited."""
    index = f"rtree_{name}_{_GEOMETRY}"
    database.execute(
        "INSERT INTO gpkg_extensions VALUES (?, ?, 'gpkg_rtree_index', "
        "'http://www.geopackage.org/spec120/#extension_rtree', 'write-only')",
        (name, _GEOMETRY),
    )
    database.execute(f"CREATE VIRTUAL TABLE {_quoted(index)} USING rtree(id, minx, maxx, miny, maxy)")
    database.executemany(
        f"INSERT INTO {_quoted(index)} VALUES (?, ?, ?, ?, ?)",  # noqa: S608  names are quoted
        ((at, box[0], box[2], box[1], box[3]) for at, box in enumerate(boxes, 1) if box),
    )
    for trigger, text in _TRIGGERS.items():
        database.execute(
            text.format(
                trigger=_quoted(f"{index}_{trigger}"), table=_quoted(name), index=_quoted(index), g=_GEOMETRY, i=_KEY
            )
        )


def _blobs(table: FeatureTable, boxes: Sequence[Box | None]) -> Iterator[bytes | None]:
    for shape, box in zip(table.shapes, boxes, strict=True):
        if shape is None:
            yield None
        elif table.kind is GeometryKind.POINT:
            yield _header(_LITTLE_ENDIAN) + struct.pack("<BIdd", 1, _WKB_POINT, *shape)
        elif box is None:
            yield _header(_LITTLE_ENDIAN | _EMPTY) + struct.pack("<BII", 1, _WKB_MULTI_POLYGON, 0)
        else:
            west, south, east, north = box
            envelope = struct.pack("<4d", west, east, south, north)
            yield _header(_LITTLE_ENDIAN | _WITH_ENVELOPE) + envelope + _multi_polygon(_polygons(shape))


def _header(flags: int) -> bytes:
    return struct.pack("<2sBBi", b"GP", 0, flags, WGS84)


def _multi_polygon(polygons: MultiPolygon) -> bytes:
    parts = [struct.pack("<BII", 1, _WKB_MULTI_POLYGON, len(polygons))]
    for rings in polygons:
        parts.append(struct.pack("<BII", 1, _WKB_POLYGON, len(rings)))
        for ring in rings:
            flat = [number for position in ring for number in position[:2]]
            parts.append(struct.pack(f"<I{len(flat)}d", len(ring), *flat))
    return b"".join(parts)


def _box(shape: Shape | None) -> Box | None:
    """West, south, east, north."""
    if shape is None:
        return None
    if _is_position(shape):
        return (shape[0], shape[1], shape[0], shape[1])
    corners = [position for rings in _polygons(shape) for ring in rings[:1] for position in ring]
    if not corners:
        return None
    xs, ys = [at[0] for at in corners], [at[1] for at in corners]
    return (min(xs), min(ys), max(xs), max(ys))


def _is_position(shape: Shape) -> TypeGuard[Position]:
    return len(shape) > 0 and isinstance(shape[0], int | float)


def _polygons(shape: Shape) -> MultiPolygon:
    return cast("MultiPolygon", shape)


def _type(values: Sequence[Any]) -> str:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return "BOOLEAN"
    if kinds and all(issubclass(kind, date) for kind in kinds):
        return "DATE"
    if kinds and all(issubclass(kind, int) for kind in kinds):
        return "INTEGER"
    if kinds and all(issubclass(kind, int | float) for kind in kinds):
        return "REAL"
    return "TEXT"


def _value(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


_REFERENCES = (
    ("Undefined Cartesian", -1, "NONE", -1, "undefined", "undefined Cartesian coordinate reference system"),
    ("Undefined geographic", 0, "NONE", 0, "undefined", "undefined geographic coordinate reference system"),
    ("WGS 84 geodetic", WGS84, "EPSG", WGS84, WGS84_WKT, "longitude/latitude in degrees on the WGS 84 spheroid"),
)

_FRAME = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {USER_VERSION};
CREATE TABLE gpkg_spatial_ref_sys (
    srs_name TEXT NOT NULL, srs_id INTEGER PRIMARY KEY, organization TEXT NOT NULL,
    organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
CREATE TABLE gpkg_contents (
    table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE, description TEXT DEFAULT '',
    last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER,
    CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (
    table_name TEXT NOT NULL, column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL,
    z TINYINT NOT NULL, m TINYINT NOT NULL,
    CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name),
    CONSTRAINT uk_gc_table_name UNIQUE (table_name),
    CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
    CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_extensions (
    table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL, definition TEXT NOT NULL, scope TEXT NOT NULL,
    CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name));
"""

_PUT = (
    "INSERT OR REPLACE INTO {index} VALUES "
    "(NEW.{i}, ST_MinX(NEW.{g}), ST_MaxX(NEW.{g}), ST_MinY(NEW.{g}), ST_MaxY(NEW.{g}))"
)
_TAKE = "DELETE FROM {index} WHERE id"
_THERE = "(NEW.{g} NOTNULL AND NOT ST_IsEmpty(NEW.{g}))"
_GONE = "(NEW.{g} ISNULL OR ST_IsEmpty(NEW.{g}))"
_SAME, _MOVED = "OLD.{i} = NEW.{i}", "OLD.{i} != NEW.{i}"
_TRIGGERS = {
    name: f"CREATE TRIGGER {{trigger}} AFTER {event} ON {{table}} WHEN {condition} BEGIN {action}; END"
    for name, event, condition, action in (
        ("insert", "INSERT", _THERE, _PUT),
        ("update1", "UPDATE OF {g}", f"{_SAME} AND {_THERE}", _PUT),
        ("update2", "UPDATE OF {g}", f"{_SAME} AND {_GONE}", f"{_TAKE} = OLD.{{i}}"),
        ("update3", "UPDATE", f"{_MOVED} AND {_THERE}", f"{_TAKE} = OLD.{{i}}; {_PUT}"),
        ("update4", "UPDATE", f"{_MOVED} AND {_GONE}", f"{_TAKE} IN (OLD.{{i}}, NEW.{{i}})"),
        ("delete", "DELETE", "OLD.{g} NOT NULL", f"{_TAKE} = OLD.{{i}}"),
    )
}
"""Of the standard's annex F.3, in the form that its version 1.2 gave them."""
