"""The layers of a plan, as the engine reads them straight from the data bucket."""

from gis_export.plan import ExportPlan
from gis_export.selection import LayerSource
from gis_export.where import where
from terrafusion.counties import Catalogue, CountySnapshot, FieldType
from terrafusion.filters import check
from terrafusion.storage import Storage

OGR_TYPES = {FieldType.DATE: "Date", FieldType.TIME: "Time"}
"""Types that FlatGeobuf cannot say, by OGR's names."""


def layer_source(
    catalogue: Catalogue, data: Storage, plan: ExportPlan, snapshot: CountySnapshot, name: str
) -> LayerSource:
    """A layer with the plan's condition."""
    layer = snapshot.layers[name]
    wanted = plan.filters.get(name)
    condition = where(check(wanted, layer.fields)) if wanted else None
    types = {field.name: OGR_TYPES[field.type] for field in layer.fields if field.type in OGR_TYPES}
    key = catalogue.file_key(snapshot.county_id, layer, "data.fgb")
    return LayerSource(name, f"/vsis3/{data.bucket}/{key}", types, condition)
