"""What came of a layer, by the description that its file gives of itself where it gives one: its rows are all there."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gis_export import layers
from gis_export.crs import WGS84
from gis_export.formats import FORMATS, ExportFormat, LossKind
from gis_export.gdal import EngineError, Library, dataset
from gis_export.losses import Loss, layer_losses, schema_losses
from gis_export.order import EMPTY, LayerResult, Order

GDAL_ON_LOSSES = re.compile(
    r"Normalized/laundered field name|Field .* (created as|of type) |does not (seem to )?natively support|"
    r"has been truncated|of width \d+ truncated|not successfully written"
)
"""Warnings of GDAL's that the losses say better."""
GML_ID = "gml_id"
"""GML's own column, which comes before the layer's."""


@dataclass(frozen=True, slots=True)
class Written:
    """A layer in the file, and the columns that it should have, in order, with their types.

    `names` are those that the file was to give them, where they are others.
    """

    result: LayerResult
    columns: Mapping[str, str]
    names: Mapping[str, str]


def described(library: Library, order: Order, written: Written, path: Path, index: int) -> LayerResult:
    """The layer with its columns in the file, its losses and its warnings.

    Raises
    ------
    EngineError
        When the file has other features or columns than were to be written.
    """
    spec, result, columns = FORMATS[order.export_format], written.result, written.columns
    after = {written.names.get(name, name): spec.types.get(kind, kind) for name, kind in columns.items()}
    box = result.extent
    if spec.keeps_schema:
        found, told = _in_file(library, order, result, path, index)
        box = box or told  # GDAL's own memory is exact, where a SpatiaLite file's index may round
        after = found if columns else {}  # tables of fixed width have a column of their own where there is no other
    if len(after) != len(columns):
        raise EngineError(f"'{result.name}' has {len(after):,} columns in the file, and {len(columns):,} to write.")
    kept_types = order.export_format is ExportFormat.GEOPARQUET
    losses = [
        *_always(order, columns),
        *schema_losses(columns, dict(zip(after, columns.values(), strict=True)) if kept_types else after),
        *result.losses,
    ]
    warnings = [loss.message for loss in losses]
    warnings += [text for text in result.warnings if not GDAL_ON_LOSSES.search(text)]
    if result.record_count == 0:
        warnings.append(EMPTY)
    crosswalk = {old: new for old, new in zip(columns, after, strict=True) if old != new}
    layer = replace(result, warnings=tuple(warnings), losses=tuple(losses), extent=box)
    return replace(layer, field_crosswalk=crosswalk, columns=tuple(after))


def _always(order: Order, columns: Mapping[str, str]) -> list[Loss]:
    losses = layer_losses(FORMATS[order.export_format], columns)
    if order.export_format is ExportFormat.GEOJSON and order.crs != WGS84:
        return [loss for loss in losses if loss.kind is not LossKind.COORDINATES]
    return losses


def _in_file(
    library: Library, order: Order, result: LayerResult, path: Path, index: int
) -> tuple[dict[str, str], layers.Box | None]:
    """The columns in the file, in the order of those that were written, and the layer's extent."""
    with library.listening() as heard, dataset(library, str(path), heard) as opened:
        layer = library.GDALDatasetGetLayerByName(opened, result.name.encode())
        layer = layer or library.GDALDatasetGetLayer(opened, index)
        count = int(library.OGR_L_GetFeatureCount(layer, 1))
        found = layers.columns(library, layer)
        box = layers.extent(library, layer) if count else None
    if count != result.record_count:
        raise EngineError(f"'{result.name}' has {count:,} features in the file, and {result.record_count:,} to write.")
    if order.export_format is ExportFormat.GML:
        found.pop(GML_ID, None)
    return found, box
