"""The box around a selection in the CRS that it is written in, where the file does not tell it."""

from collections.abc import Callable
from ctypes import byref, c_double

from gis_export import layers
from gis_export.crs import reference
from gis_export.features import REPORT_EVERY, features
from gis_export.gdal import EngineError, Library, dataset, strings
from gis_export.layers import Box

EDGES = (0.02, 0.1)
"""Shares of a selection's width and height that lie along its edges: a narrow look, then a wider one."""
POINTS_ON_A_SIDE = 101


def extent(library: Library, what: str, crs: str, tick: Callable[[], None]) -> Box | None:
    """The box around a selection's features: every vertex is transformed, as it is where they are written.

    Looks first at the features along the edges of the selection's own box: when all that lies within comes to lie
    within their box, theirs is that of all. None where no feature has a geometry. `tick` is called now and then, and
    may raise to stop.
    """
    with (
        library.listening() as heard,
        dataset(library, what, heard) as opened,
        reference(library, crs) as target,
    ):
        layer = library.GDALDatasetGetLayer(opened, 0)
        own = layers.extent(library, layer, read=False)
        library.OGR_L_SetIgnoredFields(layer, strings(list(layers.fields(library, layer))))
        way = library.OCTNewCoordinateTransformationEx(library.OGR_L_GetSpatialRef(layer), target, None)
        if not way:
            heard.fail("There is no way to the target CRS.")
        try:
            box = (own and _of_edges(library, layer, own, way, tick)) or _around(library, layer, way, tick)
        finally:
            library.OCTDestroyCoordinateTransformation(way)
        heard.check()
    return box


def _of_edges(library: Library, layer: int, own: Box, way: int, tick: Callable[[], None]) -> Box | None:
    """The box around the features that touch the edges, if it is sure to be that of all."""
    for share in EDGES:
        west, south, east, north = own
        x, y = share * (east - west), share * (north - south)
        inner = (west + x, south + y, east - x, north - y)
        strips = [
            (west, south, inner[0], north),
            (inner[2], south, east, north),
            (west, south, east, inner[1]),
            (west, inner[3], east, north),
        ]
        found = []
        for strip in strips:
            library.OGR_L_SetSpatialFilterRect(layer, *strip)
            found.append(_around(library, layer, way, tick))
        library.OGR_L_SetSpatialFilter(layer, None)
        boxes = [box for box in found if box]
        within = _moved(library, inner, way)
        if boxes and within and _union([*boxes, within]) == _union(boxes):
            return _union(boxes)
    return None


def _moved(library: Library, box: Box, way: int) -> Box | None:
    """The box around a box in the target CRS, its sides followed at many points."""
    ends = [c_double() for _ in range(4)]
    moved = library.OCTTransformBounds(way, *box, *(byref(end) for end in ends), POINTS_ON_A_SIDE)
    west, south, east, north = (end.value for end in ends)
    return (west, south, east, north) if moved else None


def _around(library: Library, layer: int, way: int, tick: Callable[[], None]) -> Box | None:
    envelope = (c_double * 4)()
    boxes: list[Box] = []
    for number, feature in enumerate(features(library, layer)):
        if number % REPORT_EVERY == 0:
            tick()
            boxes = [_union(boxes)] if boxes else []
        geometry = library.OGR_F_GetGeometryRef(feature)
        if not geometry or library.OGR_G_IsEmpty(geometry):
            continue
        if library.OGR_G_Transform(geometry, way):
            raise EngineError(f"The geometry of feature {number + 1:,} cannot be transformed.")
        library.OGR_G_GetEnvelope(geometry, envelope)
        west, east, south, north = envelope
        boxes.append((west, south, east, north))
    return _union(boxes) if boxes else None


def _union(boxes: list[Box]) -> Box:
    west, south, east, north = zip(*boxes, strict=True)
    return (min(west), min(south), max(east), max(north))
