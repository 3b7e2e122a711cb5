"""The pass over a source: rows are settled, counted, and written to the draft or to the quarantine."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyproj
import shapely

from cli.loading.dataset import REMEDY, Geometries, Rows
from cli.loading.errors import LoadError
from cli.loading.locations import WGS84
from cli.loading.outputs import Draft, Quarantine
from cli.loading.plan import LayerPlan
from cli.loading.shapes import Family, points_of, settle
from cli.loading.standard import convert
from cli.loading.tally import Tally
from terrafusion.counties import FieldType, LayerKind

COUNTED = frozenset({"FlatGeobuf", "GPKG", "OpenFileGDB", "SQLite", "Parquet"})  # formats that know their row count


def draft_layer(plan: LayerPlan, folder: Path, read: Callable[[int], None]) -> tuple[Draft, Tally]:
    """Read the source into a draft and `quarantine.csv`, both in `folder`; `read` is told the rows so far.

    Raises
    ------
    LoadError
        When the source is damaged, has no rows, or none that can be stored.
    """
    draft = Draft(folder / "draft.arrow", plan.schema)
    with Quarantine(folder / "quarantine.csv") as quarantine:
        drafting = _Drafting(plan, draft, quarantine)
        for rows in plan.dataset.rows():
            drafting.take(rows)
            read(drafting.tally.read)
    draft.close()
    tally = drafting.tally
    if plan.dataset.driver in COUNTED and tally.read < plan.dataset.count:
        counts = f"{tally.read:,} of {plan.dataset.count:,} rows"
        raise LoadError(f"{plan.file} is damaged or cut short: it gives {counts}. {REMEDY}")
    if not tally.read:
        layer = f" in layer '{plan.dataset.layer}'" if plan.dataset.layer else ""
        raise LoadError(f"{plan.file} has no rows{layer}; there is nothing to publish.")
    if not tally.stored:
        reasons = ", ".join(f"{reason}: {count:,}" for reason, count in sorted(tally.reasons.items()))
        raise LoadError(f"None of the {tally.read:,} rows of {plan.file} can be stored ({reasons}).")
    return draft, tally


class _Drafting:
    def __init__(self, plan: LayerPlan, draft: Draft, quarantine: Quarantine) -> None:
        self.tally = Tally.of(plan.columns.items, plan.added)
        self._plan = plan
        self._draft = draft
        self._quarantine = quarantine
        crs = plan.located.crs if plan.located else WGS84
        self._to_degrees = None if crs == WGS84 else pyproj.Transformer.from_crs(crs, WGS84, always_xy=True)

    def take(self, rows: Rows) -> None:
        attributes = self._attributes(rows)
        keys = self._keys(attributes, rows.attributes.num_rows)
        located = self._plan.located
        geometries = located.geometries(rows) if located else None
        if located is None or geometries is None:
            self._store(attributes, None)
        elif self._plan.kind is LayerKind.TABLE:
            points = points_of(geometries)
            self._store([*attributes, *self._degrees(points)], points)
        else:
            self._settle(attributes, geometries, located.family, keys)
        self.tally.read += rows.attributes.num_rows

    def _attributes(self, rows: Rows) -> list[pa.Array]:
        arrays = []
        for column in self._plan.columns.items:
            converted = column.read(rows.attributes)
            self.tally.fields[column.name].count_conversion(converted)
            arrays.append(converted.values)
        return arrays

    def _keys(self, attributes: list[pa.Array], count: int) -> pa.Array:
        if self._plan.columns.key is None:
            return pa.nulls(count, pa.string())
        position = [column.name for column in self._plan.columns.items].index(self._plan.columns.key)
        keys = convert(attributes[position], FieldType.STRING).values
        self.tally.keys.append(keys)
        return keys

    def _settle(self, attributes: list[pa.Array], geometries: Geometries, family: Family, keys: pa.Array) -> None:
        settled = settle(geometries, family)
        refused = settled.refused
        self.tally.repaired += settled.repaired
        self.tally.flattened += settled.flattened
        if refused.any():
            self.tally.reasons.update(reason.value for reason in settled.refusals)
            numbers = np.flatnonzero(refused) + self.tally.read + 1
            refused_keys = keys.filter(pa.array(refused)).to_pylist()
            self._quarantine.add(numbers.tolist(), refused_keys, settled.refusals, geometries[refused])
            attributes = [array.filter(pa.array(~refused)) for array in attributes]
        self._store(attributes, settled.geometries[~refused])

    def _degrees(self, points: Geometries) -> list[pa.Array]:
        """Longitude and latitude (EPSG:4326), where the table has no columns of its own for them."""
        if not self._plan.added:
            return []
        x, y = shapely.get_x(points), shapely.get_y(points)
        if self._to_degrees is not None:
            x, y = self._to_degrees.transform(x, y)
        return [pa.array(np.where(np.isfinite(values), values, np.nan), from_pandas=True) for values in (x, y)]

    def _store(self, attributes: list[pa.Array], geometries: Geometries | None) -> None:
        for field, array in zip(self.tally.fields.values(), attributes, strict=True):
            field.count(array)
        self.tally.stored += len(attributes[0]) if geometries is None else len(geometries)
        if geometries is None:
            self._draft.write(attributes)
            return
        self.tally.locate(geometries)
        self._draft.write([*attributes, pa.array(shapely.to_wkb(geometries), pa.binary())])
