"""Coordinate reference systems by code or WKT; nothing that a caller names is ever opened as a file or an address."""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import byref, c_char_p, c_double, c_void_p
from dataclasses import dataclass

from gis_export.gdal import TRADITIONAL_AXIS_ORDER, Library, load, strings, take_text

WGS84 = "EPSG:4326"
_CODE = re.compile(r"(?:EPSG:{1,2}|urn:ogc:def:crs:EPSG:[\d.]*:)?(\d{1,7})", re.IGNORECASE)
_WKT = re.compile(
    r"\s*(?:GEOGCS|PROJCS|COMPD_CS|GEOGCRS|GEODCRS|PROJCRS|COMPOUNDCRS|BOUNDCRS|GEOGRAPHICCRS|PROJECTEDCRS)\s*\[",
    re.IGNORECASE,
)

EQUIVALENT = ("CRITERION=EQUIVALENT_EXCEPT_AXIS_ORDER_GEOGCRS", "IGNORE_DATA_AXIS_TO_SRS_AXIS_MAPPING=YES")
ACCURACIES = (0.1, 1.0, 2.0, 5.0, 10.0, 50.0)
"""Steps, in metres, in which a transformation's accuracy is asked for."""


class UnknownCrs(ValueError):
    """Nobody knows such a CRS; the text names it and what would do."""


@dataclass(frozen=True, slots=True)
class Crs:
    """A CRS: its code when EPSG has one, WKT2, and its area of use as west, south, east, north in degrees."""

    code: str | None
    name: str
    wkt: str
    is_geographic: bool
    area_of_use: tuple[float, float, float, float] | None


def resolve(text: str) -> Crs:
    """Look up `EPSG:2927`, `2927`, an OGC URN or WKT.

    Raises
    ------
    UnknownCrs
        For anything else, and for codes that EPSG does not have.
    """
    library = load()
    with library.listening(), reference(library, text) as handle:
        if not (library.OSRIsGeographic(handle) or library.OSRIsProjected(handle)):
            raise UnknownCrs(f"'{_short(text)}' is not a CRS for maps: neither geographic nor projected.")
        return Crs(
            code=epsg_code(library, handle),
            name=(library.OSRGetName(handle) or b"").decode(),
            wkt=exported(library, handle),
            is_geographic=bool(library.OSRIsGeographic(handle)),
            area_of_use=area_of_use(library, handle),
        )


def epsg_code(library: Library, handle: int) -> str | None:
    """A CRS's code where EPSG has one; others have codes, too, but nobody is asked to know them."""
    number = library.OSRGetAuthorityCode(handle, None)
    return f"EPSG:{number.decode()}" if number and library.OSRGetAuthorityName(handle, None) == b"EPSG" else None


def exported(library: Library, handle: int) -> str:
    """A CRS as WKT2."""
    wkt = c_void_p()
    library.OSRExportToWktEx(handle, byref(wkt), None)
    return take_text(library, wkt)


def is_same(one: str, other: str) -> bool:
    """Whether two CRS are one, whatever they are called and in whichever order their axes are told; see `resolve`."""
    if one == other:
        return True
    library = load()
    with library.listening(), reference(library, one) as first, reference(library, other) as second:
        return bool(library.OSRIsSameEx(first, second, strings(EQUIVALENT)))


def accuracy(source: str, target: str) -> float:
    """How exact the best transformation at hand is: one of `ACCURACIES`, or infinity when it is but a rough shift.

    Grids, which would do better, are not downloaded.
    """
    library = load()
    with library.listening(), reference(library, source) as before, reference(library, target) as after:
        for metres in ACCURACIES:
            if _is_possible(library, before, after, metres):
                return metres
    return math.inf


def shift_warning(source: str, target: str) -> str | None:
    """What is to be said of a transformation that is not exact."""
    metres = accuracy(source, target)
    if metres <= ACCURACIES[0]:
        return None
    how = "a rough shift" if math.isinf(metres) else f"exact to {metres:g} m"
    return f"the change of datum from {_short(source)} to {_short(target)} is {how}: no better one is at hand"


def _is_possible(library: Library, source: int, target: int, metres: float) -> bool:
    options = library.OCTNewCoordinateTransformationOptions()
    try:
        library.OCTCoordinateTransformationOptionsSetBallparkAllowed(options, 0)
        library.OCTCoordinateTransformationOptionsSetDesiredAccuracy(options, metres)
        found = library.OCTNewCoordinateTransformationEx(source, target, options)
    finally:
        library.OCTDestroyCoordinateTransformationOptions(options)
    if found:
        library.OCTDestroyCoordinateTransformation(found)
    return bool(found)


@contextmanager
def reference(library: Library, text: str) -> Iterator[int]:
    """A handle to a CRS, with x east and y north whatever its authority says; see `resolve` for errors."""
    handle = library.OSRNewSpatialReference(None)
    try:
        code = _CODE.fullmatch(text.strip())
        if code:
            status = library.OSRImportFromEPSG(handle, int(code[1]))
        elif _WKT.match(text):
            status = library.OSRImportFromWkt(handle, byref(c_char_p(text.encode())))
        else:
            raise UnknownCrs(f"'{_short(text)}' is not a CRS: give an EPSG code such as EPSG:2927, or WKT.")
        if status:
            raise UnknownCrs(f"CRS '{_short(text)}' is not known: give an EPSG code such as EPSG:2927, or WKT.")
        library.OSRSetAxisMappingStrategy(handle, TRADITIONAL_AXIS_ORDER)
        yield handle
    finally:
        library.OSRDestroySpatialReference(handle)


def projjson(text: str) -> str:
    """A CRS as PROJJSON, as GeoParquet wants it."""
    library = load()
    with library.listening(), reference(library, text) as handle:
        pointer = c_void_p()
        library.OSRExportToPROJJSON(handle, byref(pointer), None)
        return take_text(library, pointer)


def area_of_use(library: Library, handle: int) -> tuple[float, float, float, float] | None:
    """Where a CRS is to be used, as west, south, east, north in degrees; its west is east of its east on the 180th."""
    bounds = [c_double() for _ in range(4)]
    if not library.OSRGetAreaOfUse(handle, *(byref(bound) for bound in bounds), None):
        return None
    west, south, east, north = (bound.value for bound in bounds)
    return (west, south, east, north)


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "…"
