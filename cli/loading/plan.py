"""What is to be made of a source, decided before its rows are read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyproj

from cli.loading.columns import Columns, plan_columns
from cli.loading.dataset import Dataset, Geometries, Rows, open_dataset
from cli.loading.errors import LoadError
from cli.loading.locations import Coordinates, agreed_crs, find_coordinates, unused_coordinates
from cli.loading.outputs import GEOMETRY
from cli.loading.shapes import Family, families
from terrafusion.counties import LayerKind
from terrafusion.counties.standard import TABLES


@dataclass(frozen=True, slots=True)
class Options:
    """What the operator said, as `prepare` describes it."""

    layer: str
    key: str | None
    mapping: Mapping[str, str]
    crs: str | None
    source_layer: str | None
    style: str | None = None


@dataclass(frozen=True, slots=True)
class Located:
    """Where rows lie: geometries of the source, or points out of its columns; `crs` is the layer's."""

    crs: pyproj.CRS
    family: Family
    coordinates: Coordinates | None

    def geometries(self, rows: Rows) -> Geometries | None:
        """The geometries of some rows."""
        return self.coordinates.points(rows.attributes) if self.coordinates else rows.geometries


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """A layer to be; `added` names the coordinates (EPSG:4326) that are computed for a table."""

    file: str
    layer: str
    kind: LayerKind
    dataset: Dataset
    columns: Columns
    located: Located | None
    added: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def schema(self) -> pa.Schema:
        """Of the draft: attributes in the stored types, then the geometry."""
        fields = [pa.field(column.name, column.arrow) for column in self.columns.items]
        fields += [pa.field(name, pa.float64()) for name in self.added]
        return pa.schema([*fields, pa.field(GEOMETRY, pa.binary())] if self.located else fields)


def plan_layer(file: Path, options: Options) -> LayerPlan:
    """Open a source and decide on columns, CRS and geometry.

    Raises
    ------
    LoadError
        When the source and the options do not make a layer.
    """
    layer = options.layer
    dataset = open_dataset(file, layer, options.source_layer)
    columns = plan_columns(dataset.schema, layer, options.mapping, options.key)
    if dataset.geometry_type is None and layer == "parcels":
        raise LoadError(f"{file.name} has no geometry, but parcels are polygons; load a table as 'properties'.")
    columns, located, notes = _locate(file.name, dataset, columns, options)
    kind = LayerKind.TABLE if layer in TABLES or located is None else LayerKind.FEATURES
    known = columns.named("lon") or columns.named("lat")
    return LayerPlan(
        file=file.name,
        layer=layer,
        kind=kind,
        dataset=dataset,
        columns=columns,
        located=located,
        added=("lon", "lat") if located and kind is LayerKind.TABLE and not known else (),
        notes=notes,
    )


def _locate(
    file: str, dataset: Dataset, columns: Columns, options: Options
) -> tuple[Columns, Located | None, tuple[str, ...]]:
    """Find out where rows lie; columns that say so may get a standard name."""
    if dataset.geometry_type is None:
        columns, coordinates = find_coordinates(columns, options.layer, options.crs)
        if coordinates is None:
            return columns, None, unused_coordinates(columns)
        return columns, Located(coordinates.crs, Family.POINT, coordinates), ()
    crs = agreed_crs(dataset, file, options.crs)
    if options.layer not in TABLES:
        return columns, Located(crs, _family(dataset, options.layer, file), None), ()
    notes = () if "Point" in dataset.geometry_type else ("a row's location is a point on its geometry",)
    return columns, Located(crs, Family.POINT, None), notes


def _family(dataset: Dataset, layer: str, file: str) -> Family:
    """What the layer draws: as declared, or what most of its geometries are."""
    declared = next((family for family in Family if family.value in str(dataset.geometry_type).casefold()), None)
    if layer == "parcels":
        if declared not in (None, Family.POLYGON):
            raise LoadError(f"{file} holds {dataset.geometry_type} geometry, but parcels are polygons.")
        return Family.POLYGON
    return declared or _most(dataset, file)


def _most(dataset: Dataset, file: str) -> Family:
    counts: dict[Family, int] = {}
    for rows in dataset.rows():
        if rows.geometries is not None:
            for family, count in families(rows.geometries).items():
                counts[family] = counts.get(family, 0) + count
    if not counts:
        raise LoadError(
            f"{file} has no geometry that can be drawn; load it as a table ('properties', 'sales' or 'listings')."
        )
    return max(counts, key=lambda family: counts[family])
