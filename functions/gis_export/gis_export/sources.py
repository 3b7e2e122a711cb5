"""The layers of a plan, as the engine reads them straight from the data bucket."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gis_export.assessment import value_table
from gis_export.delta import Previous, change_column
from gis_export.formats import FORMATS, FormatSpec, LossKind
from gis_export.joins import Join
from gis_export.plan import ExportPlan
from gis_export.selection import LayerSource
from gis_export.where import where
from terrafusion.counties import Catalogue, CountySnapshot, Field, FieldType, LayerManifest, Values
from terrafusion.errors import FailureReason, JobFailure, NotFound
from terrafusion.filters import check
from terrafusion.jobs.model import Job
from terrafusion.storage import Storage

OGR_TYPES = {FieldType.DATE: "Date", FieldType.TIME: "Time"}
"""Types that FlatGeobuf cannot say, by OGR's names."""
STYLE = "style.qml"


@dataclass(frozen=True, slots=True)
class CountyFiles:
    """The counties' files."""

    catalogue: Catalogue
    data: Storage

    def snapshot(self, job: Job) -> CountySnapshot:
        """The data that a job is about.

        Raises
        ------
        JobFailure
            When they are gone.
        """
        try:
            return self.catalogue.snapshot(job.county_id, job.dataset_version)
        except NotFound as error:
            raise JobFailure(FailureReason.DATASET_CHANGED, error.message) from error

    def key(self, snapshot: CountySnapshot, name: str) -> str:
        """Where a layer's FlatGeobuf lies."""
        return self.catalogue.file_key(snapshot.county_id, snapshot.layers[name], "data.fgb")

    def path(self, snapshot: CountySnapshot, name: str) -> str:
        """A layer's FlatGeobuf as GDAL reads it."""
        return _path(self.catalogue, self.data, snapshot.county_id, snapshot.layers[name])

    def sources(self, plan: ExportPlan, snapshot: CountySnapshot) -> list[LayerSource]:
        """The plan's layers, without values that are to be joined."""
        return [layer_source(self.catalogue, self.data, plan, snapshot, name) for name in plan.layers]

    def with_values(
        self, sources: Sequence[LayerSource], plan: ExportPlan, snapshot: CountySnapshot, directory: Path
    ) -> list[LayerSource]:
        """The layers with the table that brings their values, where the plan wants any."""
        wanted = {source.name: plan.joined[source.name] for source in sources if source.name in plan.joined}
        if not wanted:
            return list(sources)
        properties = snapshot.layers["properties"]
        parquet = directory / "properties.parquet"
        self.data.download(self.catalogue.file_key(snapshot.county_id, properties, "data.parquet"), parquet)
        columns = list(dict.fromkeys(column for names in wanted.values() for column in names))
        table = value_table(parquet, directory / "properties.sqlite", properties, columns)
        parquet.unlink()

        def join(names: tuple[str, ...]) -> Join:
            return replace(table, columns=names, dates=tuple(set(names) & set(table.dates)))

        return [replace(s, join=join(wanted[s.name])) if s.name in wanted else s for s in sources]


def layer_source(
    catalogue: Catalogue, data: Storage, plan: ExportPlan, snapshot: CountySnapshot, name: str
) -> LayerSource:
    """A layer with the plan's condition."""
    layer = snapshot.layers[name]
    wanted = plan.filters.get(name)
    condition = where(check(wanted, layer.fields)) if wanted else None
    types = {field.name: OGR_TYPES[field.type] for field in layer.fields if field.type in OGR_TYPES}
    previous = _previous(catalogue, data, plan, layer, snapshot.county_id) if plan.since else None
    spared = spared_losses(layer.fields, FORMATS[plan.export_format])
    path = _path(catalogue, data, snapshot.county_id, layer)
    style = _style(catalogue, data, snapshot.county_id, layer)
    return LayerSource(name, path, types, condition, previous=previous, spared=spared, style=style)


def _path(catalogue: Catalogue, data: Storage, county: str, layer: LayerManifest) -> str:
    return f"/vsis3/{data.bucket}/{catalogue.file_key(county, layer, 'data.fgb')}"


def _style(catalogue: Catalogue, data: Storage, county: str, layer: LayerManifest) -> str | None:
    return data.read(catalogue.file_key(county, layer, STYLE)).decode() if layer.file(STYLE) else None


def spared_losses(fields: Sequence[Field], spec: FormatSpec) -> dict[str, frozenset[LossKind]]:
    """Losses that no value of a column can meet, as the county's manifest knows of all its rows."""
    return {field.name: frozenset(_spared(field, field.values, spec)) for field in fields if field.values is not None}


def _spared(field: Field, values: Values, spec: FormatSpec) -> Iterator[LossKind]:
    met = {
        LossKind.NULL: field.nulls > 0,
        LossKind.SPACES: values.padded,
        LossKind.EMPTY: values.empty,
        LossKind.CONTROL: values.controls,
        LossKind.DIGITS: values.digits > (spec.digits or 0),
        LossKind.BIG_INTEGER: values.big,
        LossKind.ZONE: values.zoned,
        LossKind.MILLISECONDS: values.subseconds,
    }
    return (kind for kind, may_be in met.items() if not may_be)


def _previous(catalogue: Catalogue, data: Storage, plan: ExportPlan, layer: LayerManifest, county: str) -> Previous:
    """The layer as it was in the version that the plan names; there may have been none, or a table without places."""
    older = catalogue.snapshot(county, plan.since or "").layers.get(layer.layer)
    columns = tuple(field.name for field in layer.fields)
    if plan.attributes is not None:
        columns = tuple(name for name in columns if name in plan.attributes[layer.layer])
    change = change_column([field.name for field in layer.fields])
    if older is None or not older.has_geometry:
        return Previous(None, None, layer.key or "", columns, change)
    wanted = plan.filters.get(layer.layer)
    condition = where(check(wanted, older.fields)) if wanted else None
    return Previous(_path(catalogue, data, county, older), condition, layer.key or "", columns, change)
