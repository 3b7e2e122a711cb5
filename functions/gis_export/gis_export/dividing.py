"""How an export is divided into parts: decided once, by the step that begins it, from the layers' indexes."""

from dataclasses import replace

from gis_export.area import box_in_layer_crs
from gis_export.capacity import joined_fields, part_size
from gis_export.division import check_parts, takes_parts
from gis_export.formats import FORMATS, ExportFormat
from gis_export.gdal import dataset, load
from gis_export.geoparquet import is_utc
from gis_export.parts import Division, Span, divide
from gis_export.plan import ExportPlan
from gis_export.selection import LayerSource, Settled, big_integers, selection
from gis_export.sources import CountyFiles
from gis_export.task import ExportTask
from terrafusion.counties import CountySnapshot, FieldType
from terrafusion.errors import FailureReason, Impossible, JobFailure
from terrafusion.flatgeobuf import FlatGeobuf, FlatGeobufError

Box = tuple[float, float, float, float]


def division(files: CountyFiles, task: ExportTask) -> Division | None:
    """An export's parts; None where it is one file.

    Raises
    ------
    JobFailure
        When there would be too many, or a layer cannot be read in parts.
    """
    plan, snapshot, settings = task.plan, task.snapshot, task.configuration.gis_export
    if not takes_parts(plan, snapshot, settings, {name: snapshot.layers[name].located for name in plan.layers}):
        return None  # whatever the area leaves of them
    spans = {name: spans_of(files, plan, snapshot, name) for name in plan.layers}
    totals = {name: sum(end - first for first, end in spans[name]) for name in spans}
    if not takes_parts(plan, snapshot, settings, totals):
        return None
    sources = files.sources(plan, snapshot)
    settled = {source.name: _settled(plan, snapshot, source) for source in sources}
    sizes = {name: part_size(plan, snapshot, settings, name, settled[name].as_text) for name in spans}
    try:
        check_parts(totals, sizes)
    except Impossible as error:
        raise JobFailure(FailureReason.EXPORT_TOO_LARGE, error.message) from error
    parts = [part for name in spans for part in divide(name, spans[name], sizes[name])]
    return Division(tuple(parts), settled)


def spans_of(files: CountyFiles, plan: ExportPlan, snapshot: CountySnapshot, name: str) -> list[Span]:
    """Ranges of a layer's features, outside of which none lies near the plan's area."""
    count = snapshot.layers[name].located
    if plan.area is None:
        return [(0, count)] if count else []
    try:
        return opened(files, snapshot, name).spans(box_of(files, plan, snapshot, name)) if count else []
    except FlatGeobufError as error:
        raise unreadable(name, error) from error


def box_of(files: CountyFiles, plan: ExportPlan, snapshot: CountySnapshot, name: str) -> Box | None:
    """The box around the plan's area in a layer's CRS; None without an area."""
    if plan.area is None:
        return None
    library = load()
    with library.listening() as heard, dataset(library, files.path(snapshot, name), heard) as layers:
        return box_in_layer_crs(library, plan.area, library.GDALDatasetGetLayer(layers, 0))


def opened(files: CountyFiles, snapshot: CountySnapshot, name: str) -> FlatGeobuf:
    """A layer's file, of which only what is asked for is read."""
    key = files.key(snapshot, name)
    return FlatGeobuf(lambda offset, length: files.data.read_range(key, offset, length))


def unreadable(name: str, error: FlatGeobufError) -> JobFailure:
    """The failure of a layer that cannot be read in parts."""
    return JobFailure(FailureReason.ENGINE_ERROR, f"Layer '{name}' cannot be read in parts: {error}. Load it again.")


def _settled(plan: ExportPlan, snapshot: CountySnapshot, source: LayerSource) -> Settled:
    """What a worker would find in the whole selection, looked at only for what can be found.

    Of moments that are joined, the snapshot tells whether they are marked as UTC.
    """
    wanted = None if plan.attributes is None else plan.attributes[source.name]
    fields = snapshot.layers[source.name].fields
    types = {field.type for field in fields if wanted is None or field.name in wanted}
    joined = [field for field in joined_fields(plan, snapshot, source.name) if field.type is FieldType.DATETIME]
    may_round = FieldType.INTEGER64 in types and not FORMATS[plan.export_format].holds_64_bits
    is_parquet = plan.export_format is ExportFormat.GEOPARQUET
    utc = is_parquet and bool(joined) and all(field.values is not None and field.values.zoned for field in joined)
    may_be_utc = is_parquet and FieldType.DATETIME in types and (utc or not joined)
    if not (may_round or may_be_utc):
        return Settled((), utc=utc)
    library = load()
    what = selection(library, replace(source, types={}), plan.area)
    texts = tuple(big_integers(library, what, wanted)) if may_round else ()
    if not may_be_utc:
        return Settled(texts, utc)
    with library.listening() as heard, dataset(library, what, heard) as layers:
        return Settled(texts, is_utc(library, library.GDALDatasetGetLayer(layers, 0), wanted))
