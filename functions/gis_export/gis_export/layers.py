"""What an open layer says of itself."""

from ctypes import c_double

from gis_export.gdal import Library

MULTI_TYPES = {2: 5, 3: 6}
"""Line and polygon, and what they are promoted to, as OGC type numbers: a layer mixes single and multi ones."""
NO_SUBTYPE = 0

Box = tuple[float, float, float, float]
"""West, south, east, north."""


def fields(library: Library, layer: int) -> dict[str, int]:
    """The definitions of a layer's columns by name, in order; they live as long as the layer."""
    definition = library.OGR_L_GetLayerDefn(layer)
    found = [library.OGR_FD_GetFieldDefn(definition, i) for i in range(library.OGR_FD_GetFieldCount(definition))]
    return {library.OGR_Fld_GetNameRef(field).decode(): field for field in found}


def columns(library: Library, layer: int) -> dict[str, str]:
    """The columns of a layer with their types, subtypes such as Boolean before the type that carries them."""
    return {name: type_name(library, field) for name, field in fields(library, layer).items()}


def type_name(library: Library, field: int) -> str:
    """A column's type by OGR's name: its subtype where it has one."""
    subtype = library.OGR_Fld_GetSubType(field)
    if subtype != NO_SUBTYPE:
        return str(library.OGR_GetFieldSubTypeName(subtype).decode())
    return str(library.OGR_GetFieldTypeName(library.OGR_Fld_GetType(field)).decode())


def extent(library: Library, layer: int, *, read: bool = True) -> Box | None:
    """A layer's extent; None where it has none, or does not know it and may not be read."""
    envelope = (c_double * 4)()
    if library.OGR_L_GetExtent(layer, envelope, int(read)):
        return None
    west, east, south, north = envelope
    return (west, south, east, north)


def written_type(library: Library, layer: int) -> str:
    """The geometry type of a file that a layer is written to, as `MultiPolygon`: single geometries are promoted."""
    flat = library.OGR_L_GetGeomType(layer) % 1000
    return str(library.OGRGeometryTypeToName(MULTI_TYPES.get(flat, flat)).decode()).replace(" ", "")


def quoted(name: str) -> str:
    """A name as OGR's SQL and its options have it."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
