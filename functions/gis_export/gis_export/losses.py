"""What a file does not hold of what was to be written: each loss named, and counted in the selection that was written.

A format's traits say what can be lost at all; only columns and values that can meet it are looked at. One query finds
out whether there are any, and the values are read one by one only where there are.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gis_export.features import features
from gis_export.formats import FormatSpec, LossKind, Nulls
from gis_export.gdal import Library, dataset, strings
from gis_export.selection import EXACT

TEXT = frozenset({"String"})
NUMBERS = frozenset({"Integer", "Integer64", "Real", "Int16", "Float32", "Boolean"})
DATE_TIME = "DateTime"
TICK_ROWS = 4_096
NOISE = re.compile(r"\..*(?:0{5}|9{5})\d{1,3}$")
"""What GDAL's JSON writer takes for rounding errors, and a little more: its own rule is not documented."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss: of a column or of the whole layer; `values` counts what it met, None where everything did."""

    kind: LossKind
    message: str
    column: str | None = None
    values: int | None = None

    @property
    def document(self) -> dict[str, Any]:
        """As results and manifests show it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Check:
    """What may happen to the values of a column, and how one that it meets is known, as its text; None is null."""

    kind: LossKind
    column: str
    meets: Callable[[str | None], bool]
    says: str
    query: str


def layer_losses(spec: FormatSpec, columns: Mapping[str, str]) -> list[Loss]:
    """What the format does to every layer, whatever it holds; cut names are told by their columns."""
    untold = {LossKind.NAME} if columns else {LossKind.NAME, LossKind.TYPE}
    return [Loss(kind, text) for kind, text in spec.always.items() if kind not in untold]


def schema_losses(before: Mapping[str, str], after: Mapping[str, str]) -> list[Loss]:
    """Columns that have another name or type in the file, in the columns' order."""
    pairs = list(zip(before.items(), after.items(), strict=True))
    names = [
        Loss(LossKind.NAME, f"column '{old}' is named '{new}' in the file", old)
        for (old, _), (new, _) in pairs
        if old != new
    ]
    types = [
        Loss(LossKind.TYPE, f"column '{name}' is {new} in the file, and was {old}", name)
        for (name, old), (_, new) in pairs
        if old != new
    ]
    return names + types


def value_losses(
    library: Library,
    what: str,
    columns: Mapping[str, str],
    big: Sequence[str],
    spec: FormatSpec,
    tick: Callable[[], None],
    *,
    spatial: bool,
) -> list[Loss]:
    """Values of a selection that the format changes.

    `columns` are those written, with their types; `big` those of them that are text for the sake of their digits.
    `tick` is called now and then, and may raise to stop. A `spatial` selection is of an area, for which GDAL needs the
    geometry: a query of its own would leave that out, and find nothing.
    """
    checks = [check for name, kind in columns.items() if '"' not in name for check in _checks(name, kind, spec)]
    checks += [check for name in big for check in _of_integers(name, f'"{name}"', spec)]
    if not checks:
        return []
    with library.listening() as heard, dataset(library, what, heard) as opened:
        layer = library.GDALDatasetGetLayer(opened, 0)
        checks = [
            check
            for check in checks
            if check.kind is not LossKind.TEXT_CUT or _may_be_longer(library, layer, check, spec)
        ]
        nulls = [] if spatial else [check for check in checks if check.kind is LossKind.NULL]
        tick()
        counted = dict(zip(nulls, _nulls(library, opened, layer, [check.column for check in nulls]), strict=True))
        found = [check for check in checks if check not in counted and not check.query]
        asked = [check for check in checks if check not in counted and check.query]
        tick()
        _read_only(library, layer, {check.column for check in asked}, spatial=spatial)
        if asked and _any(library, layer, [check.query for check in asked]):
            found += [check for check in asked if _any(library, layer, [check.query])]
        counted |= dict(zip(found, _counts(library, layer, found, tick, spatial=spatial), strict=True))
    return [
        Loss(check.kind, f"column '{check.column}': {check.says.format(n=f'{count:,}')}", check.column, count)
        for check in checks
        if (count := counted.get(check))
    ]


def _may_be_longer(library: Library, layer: int, check: _Check, spec: FormatSpec) -> bool:
    """Whether the column's width, in bytes, is beyond the format's; 0 when nobody declared it."""
    definition = library.OGR_L_GetLayerDefn(layer)
    index = library.OGR_FD_GetFieldIndex(definition, check.column.encode())
    width = int(library.OGR_Fld_GetWidth(library.OGR_FD_GetFieldDefn(definition, index)))
    return width == 0 or width > (spec.text_bytes or 0)


def _read_only(library: Library, layer: int, read: Collection[str], *, spatial: bool) -> list[str]:
    """Have GDAL read nothing but some columns; gives the names of all."""
    definition = library.OGR_L_GetLayerDefn(layer)
    names = [
        library.OGR_Fld_GetNameRef(library.OGR_FD_GetFieldDefn(definition, i)).decode()
        for i in range(library.OGR_FD_GetFieldCount(definition))
    ]
    ignored = [*([] if spatial else ["OGR_GEOMETRY"]), *(name for name in names if name not in read)]
    library.OGR_L_SetIgnoredFields(layer, strings(ignored))
    return names


def _any(library: Library, layer: int, conditions: Sequence[str]) -> bool:
    library.OGR_L_SetAttributeFilter(layer, _balanced([f"({condition})" for condition in conditions]).encode())
    try:
        return next(features(library, layer), None) is not None
    finally:
        library.OGR_L_SetAttributeFilter(layer, None)


def _nulls(library: Library, opened: int, layer: int, columns: Sequence[str]) -> list[int]:
    """How many values of each column there are not, by one query."""
    if not columns:
        return []
    name = library.OGR_L_GetName(layer).decode().replace('"', '\\"')
    counts = ", ".join(f'COUNT("{column}")' for column in columns)
    query = f'SELECT {counts} FROM "{name}"'  # noqa: S608  # nosec B608  columns whose names hold quotes are left out
    answer = library.GDALDatasetExecuteSQL(opened, query.encode(), None, None)
    try:
        total = int(library.OGR_L_GetFeatureCount(layer, 1))
        for row in features(library, answer):  # a feature lives as long as its turn
            return [total - int(library.OGR_F_GetFieldAsDouble(row, index)) for index in range(len(columns))]
    finally:
        library.GDALDatasetReleaseResultSet(opened, answer)
    return [0] * len(columns)


def _balanced(parts: Sequence[str]) -> str:
    half = len(parts) // 2
    return f"({_balanced(parts[:half])} OR {_balanced(parts[half:])})" if half else parts[0]


def _counts(
    library: Library, layer: int, checks: Sequence[_Check], tick: Callable[[], None], *, spatial: bool
) -> list[int]:
    """Read the columns in question, value by value."""
    if not checks:
        return []
    read = {check.column for check in checks}
    names = _read_only(library, layer, read, spatial=spatial)
    counts = [0] * len(checks)
    places = {names.index(name): [i for i, c in enumerate(checks) if c.column == name] for name in read}
    text, number_of, is_set = (
        library.OGR_F_GetFieldAsString,
        library.OGR_F_GetFieldAsDouble,
        library.OGR_F_IsFieldSetAndNotNull,
    )
    reals = {index for index in places if checks[places[index][0]].kind is LossKind.DIGITS}
    for row, feature in enumerate(features(library, layer)):
        if row % TICK_ROWS == 0:
            tick()
        for index, numbers in places.items():
            value = None
            if is_set(feature, index):
                value = repr(number_of(feature, index)) if index in reals else text(feature, index).decode()
            for number in numbers:
                counts[number] += checks[number].meets(value)
    return counts


def _checks(name: str, kind: str, spec: FormatSpec) -> list[_Check]:
    column = f'"{name}"'
    makers = {"String": _of_text, "Real": _of_reals, DATE_TIME: _of_moments}
    checks = makers[kind](name, column, spec) if kind in makers else []
    becomes = {Nulls.EMPTY: "empty text", Nulls.ZERO: "0" if kind in NUMBERS else "empty text"}
    if spec.nulls in becomes and (spec.nulls is Nulls.EMPTY or kind in NUMBERS | TEXT):
        says = f"{{n}} nulls are {becomes[spec.nulls]}"
        checks.append(_Check(LossKind.NULL, name, lambda v: v is None, says, ""))
    return checks


def _of_text(name: str, column: str, spec: FormatSpec) -> list[_Check]:
    checks: list[_Check] = []
    limit = spec.text_bytes
    if limit is not None:
        says = f"{{n}} texts are cut at {limit} bytes"
        checks.append(_Check(LossKind.TEXT_CUT, name, lambda v: v is not None and len(v.encode()) > limit, says, ""))
    if spec.trims_start or spec.trims_end:
        queries = [f"{column} LIKE ' %'"] * spec.trims_start + [f"{column} LIKE '% '"] * spec.trims_end

        def trimmed(value: str | None) -> bool:
            return value is not None and (
                (spec.trims_start and value[:1].isspace()) or (spec.trims_end and value[-1:].isspace())
            )

        checks.append(_Check(LossKind.SPACES, name, trimmed, "{n} texts lose spaces at an end", " OR ".join(queries)))
    if spec.empty_is_null:
        says = "{n} empty texts are null"
        checks.append(_Check(LossKind.EMPTY, name, lambda v: v == "", says, f"{column} = ''"))
    return checks


def _of_reals(name: str, _column: str, spec: FormatSpec) -> list[_Check]:
    digits = spec.digits
    if digits is None:
        return []
    says = f"{'at most ' * spec.shortens}{{n}} numbers are rounded to {digits} digits"

    def rounded(value: str | None) -> bool:
        if value is None or float(f"{float(value):.{digits}g}") == float(value):
            return False
        return not spec.shortens or NOISE.search(f"{float(value):.17g}") is not None

    return [_Check(LossKind.DIGITS, name, rounded, says, "")]


def _of_integers(name: str, _column: str, spec: FormatSpec) -> list[_Check]:
    if spec.holds_64_bits:
        return []
    says = "all are text: as numbers {n} would lose digits"
    return [_Check(LossKind.BIG_INTEGER, name, lambda v: v is not None and abs(int(v)) > EXACT, says, "")]


def _of_moments(name: str, column: str, spec: FormatSpec) -> list[_Check]:
    checks = []
    there = f"{column} IS NOT NULL"
    if not spec.zones:
        says = "{n} moments lose their mark of UTC"
        checks.append(_Check(LossKind.ZONE, name, lambda v: v is not None and v.endswith("+00"), says, there))
    if not spec.milliseconds:
        says = "{n} moments lose their milliseconds"
        checks.append(_Check(LossKind.MILLISECONDS, name, lambda v: v is not None and "." in v, says, there))
    return checks
