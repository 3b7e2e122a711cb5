"""Where areas lie: the county's own polygons when it has a layer of them, else hulls around what lies there."""

from collections.abc import Mapping, Sequence

import numpy as np

from market_analysis import joining
from market_analysis.analysis import Row
from market_analysis.analysis_types import GroupBy
from market_analysis.market import Market
from market_analysis.shapes import Geometry, MapLayer, MultiPolygon, hull

Outlines = Mapping[str, MultiPolygon]
"""Polygons in degrees (EPSG:4326) by the area's code."""

HULL_NOTE = "The county has no layer of {area}s; polygons are convex hulls around {what}, which may overlap."


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
        f"""SELECT trim({area_by}::VARCHAR) AS area, list(TRY_CAST(lon AS DOUBLE)) AS lon,
            list(TRY_CAST(lat AS DOUBLE)) AS lat
        FROM {source} WHERE {area_by} IS NOT NULL AND lon IS NOT NULL AND lat IS NOT NULL GROUP BY 1"""  # noqa: S608
    ).fetchall()
    hulls = {area: hull(np.array(lon), np.array(lat)) for area, lon, lat in found}
    return {area: shape for area, shape in hulls.items() if shape is not None}
