"""The box around a selection in the CRS that it is written in, where the file does not tell it."""

from collections.abc import Callable
from ctypes import c_double

from gis_export.crs import reference
from gis_export.features import REPORT_EVERY, features
from gis_export.gdal import EngineError, Library, dataset, strings
from gis_export.layers import Box, fields


def extent(library: Library, what: str, crs: str, tick: Callable[[], None]) -> Box | None:
    """The box around a selection's features: every vertex is transformed, as it is where they are written.

    None where no feature has a geometry. `tick` is called now and then, and may raise to stop.
    """
    with (
        library.listening() as heard,
        dataset(library, what, heard) as opened,
        reference(library, crs) as target,
    ):
        layer = library.GDALDatasetGetLayer(opened, 0)
        library.OGR_L_SetIgnoredFields(layer, strings(list(fields(library, layer))))
        way = library.OCTNewCoordinateTransformationEx(library.OGR_L_GetSpatialRef(layer), target, None)
        if not way:
            heard.fail("There is no way to the target CRS.")
        try:
            box = _around(library, layer, way, tick)
        finally:
            library.OCTDestroyCoordinateTransformation(way)
        heard.check()
    return box


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
