"""The area of interest: read, checked, and brought to one form, polygons in longitude and latitude."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from ctypes import byref, c_double, c_void_p
from dataclasses import dataclass
from typing import Any

from gis_export.crs import WGS84, UnknownCrs, reference
from gis_export.gdal import Library, Messages, load, take_text

Box = tuple[float, float, float, float]

MAX_VERTICES = 100_000
DENSIFY_DEGREES = 0.001
"""About 100 m. At 60° N a projected curve then bows by less than a millimetre off its chord."""


class AreaError(ValueError):
    """An area that cannot be used: `code` for programs, `message` for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Area:
    """A valid multipolygon in EPSG:4326: its GeoJSON, box (west, south, east, north) and geodesic size in km²."""

    geojson: dict[str, Any]
    bbox: Box
    area_sq_km: float


def parse(value: Mapping[str, Any]) -> Area:
    """Read a bbox or a GeoJSON polygon, multipolygon, geometry collection, feature or feature collection.

    Coordinates are EPSG:4326 unless a member `crs` says else. Several polygons are joined; a third ordinate is dropped.

    Raises
    ------
    AreaError
        Saying what is wrong, where, and what would do.
    """
    polygons = list(_polygons(value))
    if not polygons:
        raise AreaError("empty", "The area is empty: it holds no polygon.")
    count = sum(len(ring) for polygon in polygons for ring in polygon)
    if count > MAX_VERTICES:
        raise AreaError("too_many_vertices", f"The area has {count:,} vertices; the limit is {MAX_VERTICES:,}.")
    crs = _crs_name(value)
    if crs is None:
        _check_degrees(polygons)
    library = load()
    with library.listening() as heard:
        return _united(library, heard, polygons, crs)


def check_against(area: Area, county: Box, max_area_sq_km: float) -> None:
    """Refuse an area off the county's box (EPSG:4326) or beyond its limit; see `parse`."""
    if not _overlap(area.bbox, county):
        west, south, east, north = area.bbox
        if _overlap((south, west, north, east), county):
            raise AreaError(
                "swapped_axes",
                "The area is off the county, and would be on it with its axes swapped: "
                "GeoJSON wants [longitude, latitude].",
            )
        raise AreaError(
            "off_county", f"The area, {_box_text(area.bbox)}, is off the county, {_box_text(county)} (EPSG:4326)."
        )
    if area.area_sq_km > max_area_sq_km:
        raise AreaError(
            "too_large",
            f"The area has {area.area_sq_km:,.1f} km²; this county's limit is {max_area_sq_km:,.6g} km².",
        )


def in_layer_crs(library: Library, area: Area, layer: int) -> str:
    """The area as WKT in a layer's CRS, such that it selects what it would in longitude and latitude.

    A straight edge there is a curve in the layer's CRS; edges are densified before they are transformed.
    """
    with _transformed(library, area, layer) as handle:
        text = c_void_p()
        library.OGR_G_ExportToWkt(handle, byref(text))
        return take_text(library, text)


def box_in_layer_crs(library: Library, area: Area, layer: int) -> Box:
    """The box around an area in a layer's CRS: west, south, east, north."""
    with _transformed(library, area, layer) as handle:
        envelope = (c_double * 4)()
        library.OGR_G_GetEnvelope(handle, envelope)
        west, east, south, north = envelope
        return (west, south, east, north)


@contextmanager
def _transformed(library: Library, area: Area, layer: int) -> Iterator[int]:
    with _geometry(library, area.geojson) as handle, reference(library, WGS84) as wgs84:
        library.OGR_G_Segmentize(handle, DENSIFY_DEGREES)
        library.OGR_G_AssignSpatialReference(handle, wgs84)
        target = library.OGR_L_GetSpatialRef(layer)
        if target and library.OGR_G_TransformTo(handle, target):
            raise AreaError("untransformable", "The area cannot be transformed to the layer's CRS.")
        yield handle


Ring = list[tuple[float, float]]
Polygon = list[Ring]


def _polygons(value: Any) -> Iterator[Polygon]:
    if not isinstance(value, Mapping):
        raise AreaError("not_an_object", "The area must be a bbox or a GeoJSON object.")
    kind = value.get("type")
    readers: dict[str, Callable[[Mapping[str, Any]], list[Polygon]]] = {
        "bbox": _read_box,
        "Polygon": lambda v: [_polygon(_member(v, "coordinates"))] if _member(v, "coordinates") else [],
        "MultiPolygon": lambda v: [_polygon(part) for part in _member(v, "coordinates")],
        "GeometryCollection": lambda v: [p for part in _member(v, "geometries") for p in _polygons(part)],
        "Feature": lambda v: list(_polygons(v["geometry"])) if v.get("geometry") is not None else [],
        "FeatureCollection": lambda v: [p for part in _member(v, "features") for p in _polygons(part)],
    }
    if not isinstance(kind, str) or kind not in readers:
        wanted = "it must be bbox, Polygon, MultiPolygon, GeometryCollection, Feature or FeatureCollection"
        raise AreaError("unknown_type", f"The area's type is {kind!r}; {wanted}.")
    yield from readers[kind](value)


def _read_box(value: Mapping[str, Any]) -> list[Polygon]:
    numbers = _member(value, "coordinates")
    if len(numbers) != 4:
        raise AreaError("bad_bbox", "A bbox has four coordinates: minx, miny, maxx, maxy.")
    west, south, east, north = (_number(number, "the bbox") for number in numbers)
    if west >= east or south >= north:
        raise AreaError("bad_bbox", f"The bbox's min must be below its max: {west}, {south}, {east}, {north}.")
    return [[[(west, south), (east, south), (east, north), (west, north), (west, south)]]]


def _member(value: Mapping[str, Any], name: str) -> Sequence[Any]:
    member = value.get(name)
    if not isinstance(member, Sequence) or isinstance(member, str):
        raise AreaError("malformed", f"The area's '{name}' must be a list.")
    return member


def _polygon(rings: Any) -> Polygon:
    if not isinstance(rings, Sequence) or isinstance(rings, str) or not rings:
        raise AreaError("malformed", "A polygon's coordinates are a list of rings, each a list of positions.")
    return [_ring(ring, number) for number, ring in enumerate(rings)]


def _ring(positions: Any, number: int) -> Ring:
    where = f"ring {number} of the area"
    if not isinstance(positions, Sequence) or isinstance(positions, str):
        raise AreaError("malformed", f"Positions are missing in {where}.")
    ring = []
    for position in positions:
        if not isinstance(position, Sequence) or isinstance(position, str) or not 2 <= len(position) <= 4:
            raise AreaError("malformed", f"A position in {where} must be [longitude, latitude].")
        ring.append((_number(position[0], where), _number(position[1], where)))
    if len(ring) < 3 or ring[0] != ring[-1]:
        raise AreaError("open_ring", f"The {where} is not closed: its last position must repeat its first.")
    if len(ring) < 4:
        raise AreaError("malformed", f"The {where} needs at least four positions.")
    return ring


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise AreaError("not_a_number", f"A coordinate of {where} must be a finite number, not {value!r:.40}.")
    return float(value)


def _crs_name(value: Mapping[str, Any]) -> str | None:
    """The CRS that the area names, as a code or as GeoJSON's old `crs` object; None for EPSG:4326."""
    crs = value.get("crs")
    if isinstance(crs, Mapping):
        properties = crs.get("properties")
        crs = properties.get("name") if isinstance(properties, Mapping) else None
    if crs is None:
        return None
    if not isinstance(crs, str):
        raise AreaError("unknown_crs", "The area's 'crs' must be a code such as EPSG:2927.")
    return None if crs.upper() in {WGS84, "URN:OGC:DEF:CRS:OGC:1.3:CRS84", "URN:OGC:DEF:CRS:OGC::CRS84"} else crs


def _check_degrees(polygons: Sequence[Polygon]) -> None:
    for polygon in polygons:
        for x, y in polygon[0]:
            if abs(x) <= 90 < abs(y) <= 180:
                raise AreaError(
                    "swapped_axes",
                    f"({x:g}, {y:g}) has its axes swapped, as it seems: GeoJSON wants [longitude, latitude].",
                )
            if abs(x) > 180 or abs(y) > 90:
                raise AreaError(
                    "not_degrees",
                    f"({x:g}, {y:g}) is no longitude and latitude; for projected coordinates give the area a "
                    "member `crs`, such as EPSG:2927.",
                )


def _united(library: Library, heard: Messages, polygons: list[Polygon], crs: str | None) -> Area:
    document = {"type": "MultiPolygon", "coordinates": polygons}
    with _geometry(library, document) as handle:
        for index, polygon in enumerate(polygons):
            _check_valid(library, heard, polygon, index, len(polygons))
        if crs is not None:
            _to_degrees(library, handle, crs)
        united = library.OGR_G_UnaryUnion(handle)
        if not united:
            heard.fail("The area's polygons cannot be joined.")
        try:
            return _measured(library, united)
        finally:
            library.OGR_G_DestroyGeometry(united)


def _check_valid(library: Library, heard: Messages, polygon: Polygon, index: int, count: int) -> None:
    with _geometry(library, {"type": "Polygon", "coordinates": polygon}) as handle:
        if not library.OGR_G_IsValid(handle):
            reason = "; ".join(heard.warnings) or "it crosses itself"
            which = f"Polygon {index + 1} of {count}" if count > 1 else "The polygon"
            raise AreaError(
                "invalid", f"{which} of the area is not valid ({reason}). Self-intersecting rings need redrawing."
            )


def _to_degrees(library: Library, handle: int, crs: str) -> None:
    try:
        with reference(library, crs) as source, reference(library, WGS84) as target:
            library.OGR_G_AssignSpatialReference(handle, source)
            failed = library.OGR_G_TransformTo(handle, target)
            library.OGR_G_AssignSpatialReference(handle, None)
    except UnknownCrs as error:
        raise AreaError("unknown_crs", str(error)) from error
    if failed:
        raise AreaError("untransformable", f"The area's coordinates do not fit its CRS {crs}.")


def _measured(library: Library, handle: int) -> Area:
    envelope = (c_double * 4)()
    library.OGR_G_GetEnvelope(handle, envelope)
    west, east, south, north = envelope
    with reference(library, WGS84) as wgs84:
        library.OGR_G_AssignSpatialReference(handle, wgs84)
        square_metres = library.OGR_G_GeodesicArea(handle)
        library.OGR_G_AssignSpatialReference(handle, None)
    if not square_metres > 0:
        raise AreaError("empty", "The area is empty: its polygons enclose nothing.")
    document = json.loads(take_text(library, library.OGR_G_ExportToJson(handle)))
    if document["type"] == "Polygon":
        document = {"type": "MultiPolygon", "coordinates": [document["coordinates"]]}
    return Area(document, (west, south, east, north), square_metres / 1e6)


@contextmanager
def _geometry(library: Library, document: Mapping[str, Any]) -> Iterator[int]:
    handle = library.OGR_G_CreateGeometryFromJson(json.dumps(document).encode())
    if not handle:
        raise AreaError("malformed", "The area's coordinates are not those of a polygon.")
    try:
        yield handle
    finally:
        library.OGR_G_DestroyGeometry(handle)


def _overlap(one: Box, other: Box) -> bool:
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]


def _box_text(box: Box) -> str:
    return "[" + ", ".join(f"{number:.4f}" for number in box) + "]"
