"""What is to be said of an export's layers beside what the files tell: it follows from the plan and the snapshot."""

from collections.abc import Iterator

from gis_export.crs import shift_warning
from gis_export.plan import ExportPlan
from terrafusion.counties import CountySnapshot, LayerManifest


def notices(plan: ExportPlan, snapshot: CountySnapshot) -> dict[str, list[str]]:
    """Warnings by layer: rows that lie nowhere, values that could not be joined, the way between datums."""
    return {name: list(_of_layer(plan, snapshot.layers[name])) for name in plan.layers}


def _of_layer(plan: ExportPlan, layer: LayerManifest) -> Iterator[str]:
    missing = layer.quality.without_location
    if missing:
        yield f"{missing:,} of the layer's {layer.count:,} rows have no location, and are not exported"
    yield from plan.unjoined.get(layer.layer, ())
    system = layer.crs or layer.crs_wkt
    if system and (text := shift_warning(system, plan.crs)):
        yield text
