"""What lies around a property and its comparables, in the coordinates of the county's own layers.

The tables know places in longitude and latitude, layers have the county's CRS. A place is found in a layer by its
property's id; one whose id no parcel has is put where the shift of those that were found puts it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from terrafusion.charts.layers import MultiLine, MultiPolygon, Position
from terrafusion.counties import Catalogue, CountySnapshot, LayerManifest
from terrafusion.flatgeobuf import FlatGeobuf, FlatGeobufError
from terrafusion.storage import Storage

Box = tuple[float, float, float, float]
LINEAR_UNIT = re.compile(r'(?:LENGTHUNIT|UNIT)\["[^"]*",\s*([0-9.eE+-]+)')
SEARCH_SHARE = 0.02
"""Of the county's extent, around where a place should be."""
MARGIN_SHARE = 0.12
MOST_PARCELS = 4_000


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Shapes around, and where the subject (first) and the comparables are; `metres` is the unit, None for degrees."""

    spots: Sequence[Position | None]
    metres: float | None = None
    extent: Box | None = None
    parcels: Sequence[MultiPolygon] = ()
    subject: Sequence[MultiPolygon] = ()
    comparables: Sequence[MultiPolygon] = ()
    roads: Sequence[MultiLine] = field(default=())


def look_around(
    catalogue: Catalogue,
    data: Storage,
    snapshot: CountySnapshot,
    ids: Sequence[str],
    places: Sequence[Position | None],
) -> Surroundings:
    """The county's parcels and roads around places (longitude, latitude), which belong to properties by id."""
    layer = snapshot.layers.get("parcels")
    if layer is None or not layer.has_geometry or layer.bbox is None or layer.native_bbox is None:
        return Surroundings(places)
    try:
        return _on_parcels(catalogue, data, snapshot, layer, ids, places)
    except FlatGeobufError:
        return Surroundings(places)


def _on_parcels(
    catalogue: Catalogue,
    data: Storage,
    snapshot: CountySnapshot,
    layer: LayerManifest,
    ids: Sequence[str],
    places: Sequence[Position | None],
) -> Surroundings:
    source = _open(catalogue, data, snapshot, layer)
    rough = [None if place is None else _stretched(place, layer) for place in places]
    found = _parcels_by_id(source, ids, rough, layer)
    spots = _spots(ids, rough, found)
    known = [spot for spot in spots if spot is not None]
    if not known:
        return Surroundings(places)
    extent = _around(known, layer)
    shapes = [feature.geometry.polygons for feature in source.features(extent) if feature.geometry is not None]
    roads = snapshot.layers.get("roads")
    lines: list[MultiLine] = []
    if roads is not None and roads.has_geometry and roads.crs == layer.crs:
        around = _open(catalogue, data, snapshot, roads).features(extent)
        lines = [feature.geometry.lines for feature in around if feature.geometry is not None]
    return Surroundings(
        spots=spots,
        metres=_metres(layer),
        extent=extent,
        parcels=shapes if len(shapes) <= MOST_PARCELS else (),
        subject=[found[ids[0]]] if ids[0] in found else (),
        comparables=[found[name] for name in dict.fromkeys(ids[1:]) if name in found],
        roads=lines,
    )


def _open(catalogue: Catalogue, data: Storage, snapshot: CountySnapshot, layer: LayerManifest) -> FlatGeobuf:
    return FlatGeobuf(partial(data.read_range, catalogue.file_key(snapshot.county_id, layer, "data.fgb")))


def _stretched(place: Position, layer: LayerManifest) -> Position:
    """Roughly where a place is in the layer's CRS: the county's two extents laid over each other."""
    assert layer.bbox is not None  # noqa: S101  asked by `look_around`
    assert layer.native_bbox is not None  # noqa: S101
    (west, south, east, north), (left, bottom, right, top) = layer.bbox, layer.native_bbox
    across = (place[0] - west) / (east - west) if east > west else 0.5
    up = (place[1] - south) / (north - south) if north > south else 0.5
    return left + across * (right - left), bottom + up * (top - bottom)


def _parcels_by_id(
    source: FlatGeobuf, ids: Sequence[str], rough: Sequence[Position | None], layer: LayerManifest
) -> dict[str, MultiPolygon]:
    """Shapes of the parcels of some properties, looked for near where they should be."""
    assert layer.native_bbox is not None  # noqa: S101  asked by `look_around`
    left, bottom, right, top = layer.native_bbox
    reach = SEARCH_SHARE * max(right - left, top - bottom)
    found: dict[str, MultiPolygon] = {}
    for name, place in zip(ids, rough, strict=True):
        if place is None or name in found:
            continue
        box = (place[0] - reach, place[1] - reach, place[0] + reach, place[1] + reach)
        for feature in source.features(box):
            if feature.properties.get("property_id") == name and feature.geometry is not None:
                found[name] = feature.geometry.polygons
                break
    return found


def _spots(
    ids: Sequence[str], rough: Sequence[Position | None], found: dict[str, MultiPolygon]
) -> list[Position | None]:
    middles = {name: _middle(shape) for name, shape in found.items()}
    pairs = [(middles[name], place) for name, place in zip(ids, rough, strict=True) if name in middles and place]
    shift = (
        sum(true[0] - guess[0] for true, guess in pairs) / max(len(pairs), 1),
        sum(true[1] - guess[1] for true, guess in pairs) / max(len(pairs), 1),
    )
    spots: list[Position | None] = []
    for name, place in zip(ids, rough, strict=True):
        moved = None if place is None else (place[0] + shift[0], place[1] + shift[1])
        spots.append(middles.get(name, moved))
    return spots


def _middle(shape: MultiPolygon) -> Position:
    """The middle of the first ring's extent."""
    ring = shape[0][0]
    xs, ys = [x for x, _ in ring], [y for _, y in ring]
    return (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2


def _around(spots: Sequence[Position], layer: LayerManifest) -> Box:
    assert layer.native_bbox is not None  # noqa: S101  asked by `look_around`
    left, bottom, right, top = layer.native_bbox
    xs, ys = [x for x, _ in spots], [y for _, y in spots]
    least = 0.03 * max(right - left, top - bottom)
    margin = max(MARGIN_SHARE * max(max(xs) - min(xs), max(ys) - min(ys)), least)
    return min(xs) - margin, min(ys) - margin, max(xs) + margin, max(ys) + margin


def _metres(layer: LayerManifest) -> float | None:
    """Length of the layer's unit; None for degrees."""
    text = layer.crs_wkt or ""
    if text.startswith(("GEOGCS", "GEOGCRS")):
        return None
    units = [float(number) for number in LINEAR_UNIT.findall(text)]
    linear = [unit for unit in units if not 0.017 < unit < 0.018]
    return linear[-1] if linear else 1.0
