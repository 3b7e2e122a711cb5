"""How many features of a layer one worker, and one file of a format, can take: the size of an export's parts."""

from gis_export.formats import FORMATS
from gis_export.limits import Column, rows_held
from gis_export.plan import ExportPlan
from gis_export.rates import PASS_SECONDS_PER_MILLION, rates
from terrafusion.counties import CountySnapshot, Field, FieldType, GisExportConfiguration, LayerManifest

WORKER_SECONDS = 900.0
TIME_SHARE = 1 / 3
"""Of a worker's time: Lambda's processors are slower than those that the rates were measured on."""
WORKER_DISK_BYTES = 10 * 2**30
DISK_SHARE = 0.8
UNPACKED = 2.0
"""Bytes of a file before it is packed, per byte of the source, where the rates tell of packed ones."""

OGR_TYPES = {
    FieldType.INTEGER: "Integer",
    FieldType.INTEGER64: "Integer64",
    FieldType.REAL: "Real",
    FieldType.BOOLEAN: "Boolean",
    FieldType.DATE: "Date",
    FieldType.DATETIME: "DateTime",
}
"""OGR's names of types; what is not here is text in a table of fixed width."""


def part_size(
    plan: ExportPlan,
    snapshot: CountySnapshot,
    settings: GisExportConfiguration,
    name: str,
    texts: tuple[str, ...] = (),
    *,
    with_format: bool = True,
) -> int:
    """Features of a layer that one part takes at most: what was asked for, a worker takes and a file holds.

    `texts` are columns of numbers that are written as text. What the format holds makes no parts by itself, where none
    are asked for: `with_format` false leaves it out.
    """
    layer = snapshot.layers[name]
    sizes: list[int | None] = [worker_size(plan, layer, settings)]
    if with_format:
        sizes.append(format_size(plan, layer, columns_of(plan, snapshot, name, texts)))
    if plan.features_per_part is not None:
        sizes.append(plan.features_per_part)
    return max(1, min(size for size in sizes if size is not None))


def worker_size(plan: ExportPlan, layer: LayerManifest, settings: GisExportConfiguration) -> int:
    """Features that one worker takes: the county's figure, or less where its time or its disk would not do."""
    rate = rates()[plan.export_format]
    seconds = (rate.seconds_per_million + PASS_SECONDS_PER_MILLION * plan.passes) / 1e6
    packed = FORMATS[plan.export_format].always_zipped or plan.bundle
    written = max(UNPACKED, rate.bytes_per_source_byte) if packed else rate.bytes_per_source_byte
    copies = 1 + plan.passes + written + packed * rate.bytes_per_source_byte
    return int(
        min(
            settings.max_features_per_worker,
            WORKER_SECONDS * TIME_SHARE / seconds,
            WORKER_DISK_BYTES * DISK_SHARE / (max(1.0, bytes_of(layer)) * copies),
        )
    )


def format_size(plan: ExportPlan, layer: LayerManifest, columns: list[Column]) -> int | None:
    """Features that one file of the format takes, None where it takes any number.

    The file of a Shapefile's geometries has a limit of its own; it is smaller than the source, which holds the same
    coordinates and more.
    """
    limit, rows = FORMATS[plan.export_format].max_bytes, rows_held(plan.export_format, columns)
    if limit is None or rows is None:
        return rows
    return min(rows, int(limit / max(1.0, bytes_of(layer))))


def columns_of(plan: ExportPlan, snapshot: CountySnapshot, name: str, texts: tuple[str, ...] = ()) -> list[Column]:
    """The columns that a layer's table will have; `texts` are those whose numbers are written as text."""
    kept = None if plan.attributes is None else set(plan.attributes[name])
    fields = [field for field in snapshot.layers[name].fields if kept is None or field.name in kept]
    columns = [Column("String", None) if field.name in texts else _column(field) for field in fields]
    return columns + [_column(field) for field in joined_fields(plan, snapshot, name)]


def joined_fields(plan: ExportPlan, snapshot: CountySnapshot, name: str) -> list[Field]:
    """The fields of the county's properties that are joined to a layer."""
    wanted = plan.joined.get(name, ())
    return [field for field in snapshot.layers["properties"].fields if field.name in wanted] if wanted else []


def _column(field: Field) -> Column:
    return Column(OGR_TYPES.get(field.type, "String"), field.width if field.type is FieldType.STRING else None)


def bytes_of(layer: LayerManifest) -> float:
    """Bytes of a feature as it is stored, on the average."""
    stored = layer.file("data.fgb")
    return stored.size_bytes / max(1, layer.located) if stored else 0.0
