"""The grid of a MapInfo file: its coordinates are integers of 32 bits between bounds that the file declares.

GDAL's own bounds make a step of up to 0.4 m in NAD83's state planes, and end before the northings of some planes in
feet, where coordinates are lost. Bounds around the CRS's area of use make steps of millimetres, and are the same
for all files in it.
"""

import math
from ctypes import byref, c_double

from gis_export.crs import WGS84, area_of_use, reference
from gis_export.gdal import load

MARGIN = 1_000_000.0
"""Metres around the area of use: counties end beyond their zones, and a layer may end beyond its county."""
EDGE_POINTS = 21


def bounds_options(system: str) -> list[str]:
    """The creation option for files in a projected CRS that has an area of use; other files have GDAL's bounds."""
    library = load()
    with library.listening(), reference(library, system) as target, reference(library, WGS84) as degrees:
        use = area_of_use(library, target)
        if use is None or use[0] > use[2] or not library.OSRIsProjected(target):
            return []
        sides = [c_double() for _ in range(4)]
        way = library.OCTNewCoordinateTransformationEx(degrees, target, None)
        if not way:
            return []
        found = library.OCTTransformBounds(way, *use, *(byref(side) for side in sides), EDGE_POINTS)
        library.OCTDestroyCoordinateTransformation(way)
        west, south, east, north = (side.value for side in sides)
        if not found or not all(map(math.isfinite, (west, south, east, north))):
            return []
        margin = MARGIN / library.OSRGetLinearUnits(target, None)
    return [f"BOUNDS={west - margin!r},{south - margin!r},{east + margin!r},{north + margin!r}"]
