"""Outlines out of a county's map layers: all of a small layer, or one parcel and its neighbors."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from terrafusion.counties import LayerManifest
from terrafusion.counties.manifest import Box
from terrafusion.flatgeobuf import FlatGeobuf

MOST_OUTLINES = 1_500
MOST_SCANNED = 60_000
SHARES = (0.004, 0.02, 0.06)
"""Of the layer's extent, how far around a guessed place a parcel is looked for, before all of it is read."""

MultiPolygon = Sequence[Sequence[Sequence[tuple[float, float]]]]

_UNIT = re.compile(r'(?:LENGTHUNIT|UNIT)\["[^"]*",\s*([0-9.eE+-]+)')


@dataclass(frozen=True, slots=True)
class Parcel:
    """A parcel's outline and those of the parcels around it, in the layer's own coordinates."""

    shape: MultiPolygon
    neighbors: Sequence[MultiPolygon]


def outlines(layer: FlatGeobuf, field: str) -> list[tuple[str | None, MultiPolygon]]:
    """Every feature's value of a field and its outline; nothing for a layer without the field, or too large to show."""
    if field not in {column.name for column in layer.header.columns} or layer.header.features_count > MOST_OUTLINES:
        return []
    return [
        (_text(feature.properties[field]), feature.geometry.polygons)
        for feature in layer.features()
        if feature.geometry is not None and feature.geometry.polygons
    ]


def parcel(
    layer: FlatGeobuf, manifest: LayerManifest, property_id: str, place: tuple[float, float] | None
) -> Parcel | None:
    """A parcel by its id, found through the layer's index around its place where that is known.

    Parameters
    ----------
    place
        Longitude and latitude (EPSG:4326); None reads the whole layer, if it is not too large.
    """
    for box in _boxes(manifest, place):
        found = _within(layer, box, property_id)
        if found is not None:
            return found
    if layer.header.features_count > MOST_SCANNED:
        return None
    for feature in layer.features():
        if (
            _text(feature.properties.get("property_id")) == property_id
            and feature.geometry
            and feature.geometry.polygons
        ):
            return _within(layer, around(feature.geometry.polygons, 1.0), property_id)
    return None


def metres(manifest: LayerManifest) -> float | None:
    """Length of the unit of a layer's coordinates; None for degrees."""
    text = manifest.crs_wkt or ""
    if manifest.crs in {None, "EPSG:4326"} or text.startswith(("GEOG", "GEODCRS")):
        return None
    found = _UNIT.findall(text)
    return float(found[-1]) if found else 1.0


def around(shape: MultiPolygon, share: float) -> Box:
    """The box around a shape, wider by a share of its longer side on all four."""
    xs = [x for polygon in shape for ring in polygon for x, _ in ring]
    ys = [y for polygon in shape for ring in polygon for _, y in ring]
    margin = share * max(max(xs) - min(xs), max(ys) - min(ys))
    return (min(xs) - margin, min(ys) - margin, max(xs) + margin, max(ys) + margin)


def _within(layer: FlatGeobuf, box: Box, property_id: str) -> Parcel | None:
    shape: MultiPolygon | None = None
    others: list[MultiPolygon] = []
    for feature in layer.features(box):
        if feature.geometry is None or not feature.geometry.polygons:
            continue
        if _text(feature.properties.get("property_id")) == property_id and shape is None:
            shape = feature.geometry.polygons
        else:
            others.append(feature.geometry.polygons)
    if shape is None:
        return None
    west, south, east, north = around(shape, 1.0)
    near = [
        other
        for other in others
        if (b := around(other, 0.0)) and b[0] <= east and b[2] >= west and b[1] <= north and b[3] >= south
    ]
    return Parcel(shape, near)


def _boxes(manifest: LayerManifest, place: tuple[float, float] | None) -> list[Box]:
    """Boxes around where a place should be in the layer's coordinates, by proportion of the two extents.

    Of a county's size, projected coordinates are nearly a linear image of degrees; what they are not, wider boxes take.
    """
    degrees, native = manifest.bbox, manifest.native_bbox
    if place is None or degrees is None or native is None:
        return []
    width, height = degrees[2] - degrees[0], degrees[3] - degrees[1]
    if width <= 0 or height <= 0:
        return []
    x = native[0] + (place[0] - degrees[0]) / width * (native[2] - native[0])
    y = native[1] + (place[1] - degrees[1]) / height * (native[3] - native[1])
    reach = max(native[2] - native[0], native[3] - native[1])
    return [(x - s * reach, y - s * reach, x + s * reach, y + s * reach) for s in SHARES]


def _text(value: object) -> str | None:
    return None if value is None else str(value)
