"""Where areas lie: the county's own polygons when it has a layer of them, else hulls around what lies there."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from market_analysis import joining
from market_analysis.analysis import Row
from market_analysis.analysis_types import GroupBy
from market_analysis.market import Market
from market_analysis.shapes import Geometry, MapLayer, MultiPolygon, hull
from market_analysis.unprojection import unprojection
from terrafusion.flatgeobuf import FlatGeobuf

Outlines = Mapping[str, MultiPolygon]
"""Polygons in degrees (EPSG:4326) by the area's code."""

HULL_NOTE = "The county has no usable layer of {area}s; polygons are convex hulls of {what}, which may overlap."


CODE = "neighborhood"
"""The column of a county's layer of neighborhoods that has the code its properties carry."""


def read_outlines(read: Callable[[int, int], bytes], wkt: str) -> Outlines | None:
    """The polygons of a FlatGeobuf layer in the CRS of `wkt`; None when it has no codes or cannot be unprojected."""
    to_degrees, layer = unprojection(wkt), FlatGeobuf(read)
    if to_degrees is None or CODE not in {column.name for column in layer.header.columns}:
        return None
    return {
        str(feature.properties[CODE]): [
            [[to_degrees(x, y) for x, y in ring] for ring in polygon] for polygon in feature.geometry.polygons
        ]
        for feature in layer.features()
        if feature.geometry is not None and feature.properties[CODE] is not None
    }


def outlined(
    market: Market, rows: Sequence[Row], area_by: GroupBy, outlines: Outlines | None
) -> tuple[MapLayer, list[str]]:
    """A layer of the areas that rows describe, and what to say of its polygons."""
    name = str(area_by)
    notes = []
    if outlines is None:
        what = "properties" if "properties" in joining.tables(market.database) else "sales"
        outlines = _hulls(market, area_by, what)
        notes.append(HULL_NOTE.format(area=name.replace("_", " "), what=what))
    missing = [row[name] for row in rows if row[name] not in outlines]
    if missing:
        notes.append(f"Without a polygon: {', '.join(missing[:10])}{', …' if len(missing) > 10 else ''}.")
    columns = {key: [row[key] for row in rows] for key in rows[0]}
    return MapLayer(f"{name}s", Geometry.MULTI_POLYGON, columns, [outlines.get(row[name]) for row in rows]), notes


def _hulls(market: Market, area_by: GroupBy, what: str) -> Outlines:
    source = "properties" if what == "properties" else "market"
    found = market.database.execute(
        f"""SELECT trim({area_by}::VARCHAR) AS area, list(lon) AS lon, list(lat) AS lat
        FROM {source} WHERE {area_by} IS NOT NULL AND lon IS NOT NULL AND lat IS NOT NULL GROUP BY 1"""  # noqa: S608
    ).fetchall()
    hulls = {area: hull(np.array(lon), np.array(lat)) for area, lon, lat in found}
    return {area: shape for area, shape in hulls.items() if shape is not None}
