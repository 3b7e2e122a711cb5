"""A map of median ratios: by the county's neighborhoods where it has their outlines, else by squares of the map."""

from collections.abc import Sequence
from math import cos, radians

import numpy as np

from reporting.analysis import Analysis
from reporting.content import Figure
from reporting.context import Context
from reporting.kinds import Stratum
from reporting.outlines import MultiPolygon, metres, outlines
from terrafusion.charts import Areas, Graduated, MapDrawing, Unit
from terrafusion.ratios import Measure
from terrafusion.ratios.sample import median_of_sorted

LEAST_SALES = 5
SQUARES_ACROSS = 36
OUTLINES_LAYER = "neighborhoods"

Ring = list[tuple[float, float]]


def ratio_map(context: Context, analysis: Analysis) -> Figure | None:
    """The map, or None where the county's data have neither outlines nor places."""
    grouped = analysis.grouped.get(Stratum.NEIGHBORHOOD)
    layer = context.maps.get(OUTLINES_LAYER)
    if grouped is not None and layer is not None:
        medians = {
            name: study[Measure.MEDIAN].value
            for name, study in zip(grouped.grouping.names, grouped.studies, strict=True)
            if study.n >= LEAST_SALES
        }
        found = outlines(layer, "neighborhood")
        if found:
            shapes = [shape for _, shape in found]
            values = [medians.get(name or "") for name, _ in found]
            unit = metres(context.snapshot.layers[OUTLINES_LAYER])
            return _drawn(analysis, shapes, values, "neighborhood", unit)
    return _by_squares(analysis)


def _by_squares(analysis: Analysis) -> Figure | None:
    sales = analysis.sales
    placed = np.flatnonzero(np.isfinite(sales.lon) & np.isfinite(sales.lat))
    if placed.size < 10 * LEAST_SALES:
        return None
    lon, lat, ratio = sales.lon[placed], sales.lat[placed], analysis.sample.ratio[placed]
    west, east = np.percentile(lon, [0.1, 99.9])
    south, north = np.percentile(lat, [0.1, 99.9])
    width = max(east - west, 1e-6) / SQUARES_ACROSS
    height = width * cos(radians(float((south + north) / 2)))
    inside = (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
    column = ((lon[inside] - west) / width).astype(int)
    row = ((lat[inside] - south) / height).astype(int)
    order = np.lexsort((ratio[inside], column, row))
    keys = np.stack((row[order], column[order]), axis=1)
    ordered = ratio[inside][order]
    starts = np.flatnonzero(np.r_[True, (keys[1:] != keys[:-1]).any(axis=1)])
    shapes: list[MultiPolygon] = []
    values: list[float] = []
    for start, end in zip(starts, [*starts[1:], ordered.size], strict=True):
        if end - start >= LEAST_SALES:
            r, c = keys[start]
            shapes.append([[_square(west + c * width, south + r * height, width, height)]])
            values.append(median_of_sorted(ordered[start:end]))
    return _drawn(analysis, shapes, values, "square of the map", None) if len(shapes) > 1 else None


def _square(west: float, south: float, width: float, height: float) -> Ring:
    east, north = west + width, south + height
    return [(west, south), (east, south), (east, north), (west, north), (west, south)]


def _drawn(
    analysis: Analysis, shapes: Sequence[MultiPolygon], values: Sequence[float | None], what: str, unit: float | None
) -> Figure:
    middle = analysis.sample.median
    breaks = [round(middle * share, 3) for share in (0.9, 0.95, 1.0, 1.05, 1.1)]
    known = [value for value in values if value is not None]
    without = len(values) - len(known)
    note = f"At least {LEAST_SALES} sales each." + (f" {without} have fewer, and no value." if without else "")
    drawing = MapDrawing(
        f"Median ratio by {what}",
        [Areas("Median ratio", shapes, values=values, fills=Graduated(breaks, Unit.RATIO, middle=breaks[2]))],
        metres=unit,
        note=note,
    )
    alt = (
        f"Map of median ratios by {what}: {len(known)} areas from {min(known):.3f} to {max(known):.3f}."
        if known
        else note
    )
    return Figure(drawing.title, drawing.svg(), alt)
