"""A sketch of a parcel among its neighbors, from its outline."""

from reporting.content import Figure
from reporting.context import Context
from reporting.outlines import around, metres, parcel
from terrafusion.charts import Areas, MapDrawing

LAYER = "parcels"


def sketch(context: Context, property_id: str, place: tuple[float, float] | None) -> Figure | None:
    """The picture, or None where the county has no outline of the parcel.

    Parameters
    ----------
    place
        Longitude and latitude of the property, where known.
    """
    layer = context.maps.get(LAYER)
    if layer is None or "property_id" not in {column.name for column in layer.header.columns}:
        return None
    manifest = context.snapshot.layers[LAYER]
    found = parcel(layer, manifest, property_id, place)
    if found is None:
        return None
    drawing = MapDrawing(
        f"Parcel {property_id}",
        [
            Areas("Neighboring parcels", found.neighbors),
            Areas("This parcel", [found.shape], fill="#93BCD8", outline="#12436D", outline_width=1.6),
        ],
        metres=metres(manifest),
        extent=around(found.shape, 0.6),
        note=f"Layer {LAYER} of dataset {context.snapshot.version}. A sketch, not a survey.",
        height=300,
    )
    alt = f"Outline of parcel {property_id} among {len(found.neighbors)} neighboring parcels, north up."
    return Figure(drawing.title, drawing.svg(), alt)
