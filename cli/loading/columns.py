"""Which columns a layer gets, under which names, of which types."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from cli.loading.errors import LoadError, nearest
from cli.loading.standard import ARROW_TYPES, Converted, convert
from terrafusion.counties import FieldType
from terrafusion.counties.standard import (
    ANY_STANDARD_FIELD,
    SERVE,
    STANDARD_FIELDS,
    TABLES,
    TEXT_FIELDS,
    type_of,
)

IDENTIFIED_BY_PROPERTY = frozenset({"parcels", "properties"})


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the layer: `standardised` when its values are turned into the standard field's type."""

    name: str
    source_name: str
    index: int
    type: FieldType
    arrow: pa.DataType
    standardised: bool = False

    def standard(self, name: str) -> "Column":
        """The same column under a standard name, in its type."""
        kind = type_of(name)
        return replace(self, name=name, type=kind, arrow=ARROW_TYPES[kind], standardised=True)

    def read(self, batch: pa.RecordBatch) -> Converted:
        """The column's values out of a batch of the source.

        Raises
        ------
        LoadError
            When text is not UTF-8: GDAL hands on what a CSV or GeoJSON holds.
        """
        values = _plain(batch.column(self.index))
        if not _is_readable(values):
            raise LoadError(
                f"Column '{self.source_name}' holds text that is not UTF-8. Beside a Shapefile, put a file of its name "
                f"with the ending .cpg that names the encoding, such as 1252; convert a CSV or GeoJSON, for example "
                f"with iconv -f WINDOWS-1252 -t UTF-8."
            )
        if self.standardised and values.type != self.arrow:
            return convert(values, self.type)
        return Converted(pc.cast(values, self.arrow, safe=not kinds.is_temporal(self.arrow)), 0, ())


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a layer in the source's order, and the one that identifies rows."""

    items: tuple[Column, ...]
    key: str | None

    def find(self, name: str) -> Column | None:
        """A column by its stored name."""
        return next((column for column in self.items if column.name == name), None)

    def named(self, *names: str) -> Column | None:
        """The first column whose stored name is one of these, whatever its case."""
        return next((column for column in self.items if column.name.casefold() in names), None)

    def replaced(self, column: Column, by: Column) -> "Columns":
        """The same columns but for one."""
        return replace(self, items=tuple(by if item is column else item for item in self.items))


def plan_columns(schema: pa.Schema, layer: str, mapping: Mapping[str, str], key: str | None) -> Columns:
    """Name and type the columns of a source for a layer.

    The key of `parcels` and `properties` is also their `property_id`, unless another column is. Mapping a column to
    the name that it has already asks for the standard type.

    Raises
    ------
    LoadError
        For a mapping to no standard field, of no column, to a name that is taken; for an unknown key.
    """
    names = list(schema.names)
    wanted = _checked(layer, mapping, names)
    if key is not None:
        key = _known_key(key, names, wanted)
        taken = {name.casefold() for name in names if name != key} | set(wanted)
        if layer in IDENTIFIED_BY_PROPERTY and key not in wanted.values() and "property_id" not in taken:
            wanted["property_id"] = key
    standard_of = {column: standard for standard, column in wanted.items()}
    items = tuple(_column(index, field, standard_of.get(field.name), layer) for index, field in enumerate(schema))
    _check_collisions(items)
    return Columns(items, standard_of.get(key, key) if key is not None else None)


def _checked(layer: str, mapping: Mapping[str, str], names: list[str]) -> dict[str, str]:
    standards = STANDARD_FIELDS.get(layer, ANY_STANDARD_FIELD)
    for standard, column in mapping.items():
        if standard not in standards:
            raise LoadError(f"'{standard}' is no standard field of {layer}. {nearest(standard, standards)}")
        if column not in names:
            raise LoadError(f"There is no column '{column}' to become {standard}. {nearest(column, names)}")
    repeated = sorted(column for column in set(mapping.values()) if list(mapping.values()).count(column) > 1)
    if repeated:
        raise LoadError(f"Column '{repeated[0]}' is mapped twice; map each column once.")
    return dict(mapping)


def _known_key(key: str, names: list[str], wanted: Mapping[str, str]) -> str:
    if key in names:
        return key
    if key in wanted:
        return wanted[key]
    raise LoadError(f"There is no column '{key}' to be the key. {nearest(key, [*names, *wanted])}")


def _column(index: int, field: pa.Field, standard: str | None, layer: str) -> Column:
    kind, arrow = _stored_type(field.type)
    column = Column(field.name, field.name, index, kind, arrow)
    if standard is None and field.name in STANDARD_FIELDS.get(layer, ()) and _is_taken_for(field.name, kind, layer):
        standard = field.name
    return column.standard(standard) if standard else column


def _is_taken_for(standard: str, kind: FieldType, layer: str) -> bool:
    """Whether a column that has a standard field's name gets its type: text loses nothing, and tables are joined by it;
    tables are computed with, so that what is no number, date or flag there has to be known when it is loaded.
    """
    return standard in TEXT_FIELDS or (layer in TABLES and kind not in SERVE[type_of(standard)])


def _check_collisions(items: tuple[Column, ...]) -> None:
    """Most formats that a layer is exported to take names that differ in case only for one."""
    seen: dict[str, Column] = {}
    for item in sorted(items, key=lambda item: item.name != item.source_name):
        other = seen.setdefault(item.name.casefold(), item)
        if other is item:
            continue
        if item.name != item.source_name:
            raise LoadError(
                f"Column '{item.source_name}' cannot become {item.name}: the file has a column '{other.name}' "
                f"already. Map that one instead, or rename it."
            )
        raise LoadError(f"The file has two columns '{other.name}' and '{item.name}'; rename one of them.")


def _stored_type(source: pa.DataType) -> tuple[FieldType, pa.DataType]:
    """The stored type of a source's; whatever has no counterpart becomes text (lists as JSON)."""
    if isinstance(source, pa.DictionaryType):
        source = source.index_type
    if kinds.is_timestamp(source):
        return FieldType.DATETIME, pa.timestamp("ms", source.tz)
    for fits, kind in STORED:
        if fits(source):
            return kind, ARROW_TYPES[kind]
    return FieldType.STRING, pa.string()


def _small(source: pa.DataType) -> bool:
    return bool(kinds.is_integer(source)) and source not in (pa.int64(), pa.uint32(), pa.uint64())


STORED = (
    (kinds.is_boolean, FieldType.BOOLEAN),
    (_small, FieldType.INTEGER),
    (kinds.is_integer, FieldType.INTEGER64),
    (kinds.is_floating, FieldType.REAL),
    (kinds.is_decimal, FieldType.REAL),
    (kinds.is_date, FieldType.DATE),
    (kinds.is_time, FieldType.TIME),
    (kinds.is_binary, FieldType.BINARY),
    (kinds.is_large_binary, FieldType.BINARY),
)


def _plain(values: pa.Array) -> pa.Array:
    """Values without wrapping: the codes of a coded domain, lists as JSON."""
    if isinstance(values, pa.DictionaryArray):
        return values.indices
    if isinstance(values, pa.ExtensionArray):
        return values.storage
    if kinds.is_nested(values.type):
        texts = [None if value is None else json.dumps(value, default=str) for value in values.to_pylist()]
        return pa.array(texts, pa.string())
    return values


def _is_readable(values: pa.Array) -> bool:
    if not (kinds.is_string(values.type) or kinds.is_large_string(values.type)):
        return True
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
