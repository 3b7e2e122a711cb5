"""What a file does not hold of what was to be written: each loss named, and counted in the selection that was written.

A format's traits say what can be lost at all, and the county's manifest what no value of a column is like; the columns
that are left are read once, in batches.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gis_export import layers
from gis_export.arrow import batches
from gis_export.formats import FormatSpec, LossKind, Nulls
from gis_export.gdal import Library, Messages, dataset, strings
from gis_export.selection import EXACT, LayerSource

TEXT = frozenset({"String"})
NUMBERS = frozenset({"Integer", "Integer64", "Real", "Int16", "Float32", "Boolean"})
DATE_TIME = "DateTime"
BATCH_ROWS = 4_096
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f]")
"""Characters that XML has no place for, and the carriage return, which it reads as a line's end."""
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
    """What may happen to the values of a column, and how one that it meets is known; nulls are counted by themselves.

    Values are `str`, `float`, or moments as ISO 8601.
    """

    kind: LossKind
    column: str
    says: str
    meets: Callable[[Any], bool]


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
    source: LayerSource,
    columns: Mapping[str, str],
    big: Sequence[str],
    spec: FormatSpec,
    tick: Callable[[], None],
    *,
    spatial: bool,
) -> list[Loss]:
    """Values of a selection that the format changes.

    `source` is the layer that was selected from. `columns` are those written, with their types; `big` those of them
    that are text for the sake of their digits. `tick` is called now and then, and may raise to stop. A `spatial`
    selection is of an area, for which GDAL needs the geometry.
    """
    checks = [check for name, kind in columns.items() for check in _checks(name, kind, spec)]
    checks += [check for name in big for check in _of_integers(name, spec)]
    checks = [check for check in checks if check.kind not in source.spared.get(check.column, ())]
    if not checks:
        return []

    def named(column: str) -> str:
        return source.names.get(column, column)

    with library.listening() as heard, dataset(library, what, heard) as opened:
        layer = library.GDALDatasetGetLayer(opened, 0)
        checks = [
            check
            for check in checks
            if check.kind is not LossKind.TEXT_CUT or _may_be_longer(library, layer, named(check.column), spec)
        ]
        counts = _counts(
            library, heard, layer, [(named(check.column), check) for check in checks], tick, spatial=spatial
        )
    return [
        Loss(check.kind, f"column '{check.column}': {check.says.format(n=f'{count:,}')}", check.column, count)
        for check, count in zip(checks, counts, strict=True)
        if count
    ]


def _may_be_longer(library: Library, layer: int, column: str, spec: FormatSpec) -> bool:
    """Whether the column's width, in bytes, is beyond the format's; 0 when nobody declared it."""
    width = int(library.OGR_Fld_GetWidth(layers.fields(library, layer)[column]))
    return width == 0 or width > (spec.text_bytes or 0)


def _counts(
    library: Library,
    heard: Messages,
    layer: int,
    asked: Sequence[tuple[str, _Check]],
    tick: Callable[[], None],
    *,
    spatial: bool,
) -> list[int]:
    """How many values each check meets, in the column that it is asked of."""
    checks = [check for _, check in asked]
    counts = [0] * len(checks)
    places: dict[str, list[int]] = {}
    for number, (column, _) in enumerate(asked):
        places.setdefault(column, []).append(number)
    _read_only(library, layer, places, spatial=spatial)
    for batch in batches(library, heard, layer, BATCH_ROWS, ["DATETIME_AS_STRING=YES"]) if checks else ():
        tick()
        for name, numbers in places.items():
            found = batch.column(name)
            of_values = [number for number in numbers if checks[number].kind is not LossKind.NULL]
            values = [value for value in found.to_pylist() if value is not None] if of_values else []
            for number in numbers:
                counts[number] += sum(map(checks[number].meets, values)) if number in of_values else found.null_count
    heard.check()
    return counts


def _read_only(library: Library, layer: int, read: Collection[str], *, spatial: bool) -> None:
    """Have GDAL read nothing but some columns."""
    names = layers.fields(library, layer)
    ignored = [*([] if spatial else ["OGR_GEOMETRY"]), *(name for name in names if name not in read)]
    library.OGR_L_SetIgnoredFields(layer, strings(ignored))


def _checks(name: str, kind: str, spec: FormatSpec) -> list[_Check]:
    makers = {"String": _of_text, "Real": _of_reals, DATE_TIME: _of_moments}
    checks = makers[kind](name, spec) if kind in makers else []
    becomes = {Nulls.EMPTY: "empty text", Nulls.ZERO: "0" if kind in NUMBERS else "empty text"}
    if spec.nulls in becomes and (spec.nulls is Nulls.EMPTY or kind in NUMBERS | TEXT):
        checks.append(_Check(LossKind.NULL, name, f"{{n}} nulls are {becomes[spec.nulls]}", lambda _: False))
    return checks


def _of_text(name: str, spec: FormatSpec) -> list[_Check]:
    checks: list[_Check] = []
    limit = spec.text_bytes
    if limit is not None:
        says = f"{{n}} texts are cut at {limit} bytes"
        checks.append(_Check(LossKind.TEXT_CUT, name, says, lambda v: len(v) * 4 > limit and len(v.encode()) > limit))
    if spec.trims_start or spec.trims_end:
        says, start, end = "{n} texts lose spaces at an end", tuple(spec.trims_start), tuple(spec.trims_end)
        checks.append(_Check(LossKind.SPACES, name, says, lambda v: v.startswith(start) or v.endswith(end)))
    if spec.empty_is_null:
        checks.append(_Check(LossKind.EMPTY, name, "{n} empty texts are null", lambda v: v == ""))
    if spec.drops_controls:
        says = "{n} texts lose control characters"
        checks.append(_Check(LossKind.CONTROL, name, says, lambda v: CONTROL.search(v) is not None))
    return checks


def _of_reals(name: str, spec: FormatSpec) -> list[_Check]:
    digits = spec.digits
    if spec.decimals is not None:
        return [_of_decimals(name, spec.decimals, spec.real_width)]
    if digits is None:
        return []
    says = f"{'at most ' * spec.shortens}{{n}} numbers are rounded to {digits} digits"

    def rounded(value: float) -> bool:
        if float(f"{value:.{digits}g}") == value:
            return False
        return not spec.shortens or NOISE.search(f"{value:.17g}") is not None

    return [_Check(LossKind.DIGITS, name, says, rounded)]


def _of_decimals(name: str, decimals: int, width: int | None) -> _Check:
    says = f"{{n}} numbers lose what is beyond {decimals} decimals, or {width} characters"
    return _Check(LossKind.DIGITS, name, says, lambda v: float(f"{v:.{decimals}f}"[:width]) != v)


def _of_integers(name: str, spec: FormatSpec) -> list[_Check]:
    if spec.holds_64_bits:
        return []
    says = "all are text: as numbers {n} would lose digits"
    return [_Check(LossKind.BIG_INTEGER, name, says, lambda v: abs(int(v)) > EXACT)]


def _of_moments(name: str, spec: FormatSpec) -> list[_Check]:
    checks = []
    if not spec.zones:
        says = "{n} moments lose their mark of UTC"
        checks.append(_Check(LossKind.ZONE, name, says, lambda v: v.endswith("Z")))
    if not spec.milliseconds:
        says = "{n} moments lose their milliseconds"
        checks.append(_Check(LossKind.MILLISECONDS, name, says, lambda v: "." in v))
    return checks
