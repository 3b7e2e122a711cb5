"""What an analysis looks like on a map."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from market_analysis.analysis import Analysis
from market_analysis.analysis_types import AnalysisType, Unit
from market_analysis.captions import Caption
from market_analysis.hotspots import Spot
from market_analysis.outlines import Outlines
from market_analysis.shapes import MapLayer, MultiPolygon
from terrafusion import charts
from terrafusion.charts import Areas, Classes, Fill, Graduated, MapDrawing, Places

HOT, COLD, OTHER = "Hot spot", "Cold spot", "Not significant"
SPOTS = Classes({HOT: Fill("#B2182B"), COLD: Fill("#2166AC"), OTHER: Fill("#C9CED6")})
GRID = 450
"""Places are drawn once for each of so many steps along the map."""
STEPS = (20, 40, 60, 80)
"""Percentiles between which areas are coloured alike."""


def draw(kind: AnalysisType, analysis: Analysis, outlines: Outlines | None, caption: Caption) -> MapDrawing | None:
    """The map of an analysis; None where there is nothing to show on one."""
    if analysis.layer is None:
        return None
    if kind is AnalysisType.HOTSPOTS:
        return _spots(analysis, analysis.layer, outlines, caption)
    if kind is AnalysisType.MARKET_VALUATION:
        return _similar(analysis, analysis.layer, caption)
    return _areas(kind, analysis, analysis.layer, caption)


def _spots(analysis: Analysis, layer: MapLayer, outlines: Outlines | None, caption: Caption) -> MapDrawing:
    names = {str(Spot.HOT): HOT, str(Spot.COLD): COLD}
    spots = [names.get(one, OTHER) for one in layer.columns["spot"]]
    positions = cast("Sequence[tuple[float, float]]", layer.shapes)
    large = analysis.details["unit"] == Unit.NEIGHBORHOOD
    order = {OTHER: 0, COLD: 1, HOT: 2}
    shown = sorted(_thinned(positions, spots), key=lambda one: order[one[1]])
    below = [Areas("", list(outlines.values()), fill="none", outline="#8A94A1")] if outlines else []
    return MapDrawing(
        f"Where {analysis.details['measure']}s cluster, {caption.county}",
        [
            *below,
            Places(
                f"Getis-Ord Gi*, {analysis.details['false_discovery_rate']:.0%} false discoveries",
                [at for at, _ in shown],
                [spot for _, spot in shown],
                SPOTS,
                radius=6.0 if large else 2.2,
                outline="none",
            ),
        ],
        subtitle=f"Moran's I {analysis.details['global_moran']['value']:.3f}; {analysis.points:,} locations",
        note=caption.note,
        description=analysis.key_finding,
    )


def _thinned(positions: Sequence[tuple[float, float]], spots: Sequence[str]) -> list[tuple[tuple[float, float], str]]:
    """One place for each step of a fine grid and class."""
    points = np.array(positions)
    step = max(float(np.ptp(points, axis=0).max()) / GRID, 1e-9)
    cells = np.round((points - points.min(axis=0)) / step).astype(int).tolist()
    found = {(x, y, spot): at for (x, y), spot, at in zip(cells, spots, positions, strict=True)}
    return [(at, spot) for (_, _, spot), at in found.items()]


def _similar(analysis: Analysis, layer: MapLayer, caption: Caption) -> MapDrawing:
    positions = cast("list[tuple[float, float]]", list(layer.shapes))
    signs = [str(at) for at in range(1, len(positions))]
    return MapDrawing(
        f"Similar sales, {caption.county}",
        [
            Places("Similar sale, by likeness", positions[1:], signs=signs, radius=8.0),
            Places("Property", positions[:1], shape=charts.Shape.STAR, colour="#B2182B", radius=9.0),
        ],
        subtitle=f"{len(signs)} sales; the numbers are those of the data file's rows",
        note=caption.note,
        description=analysis.key_finding,
    )


def _areas(kind: AnalysisType, analysis: Analysis, layer: MapLayer, caption: Caption) -> MapDrawing | None:
    summary = kind is AnalysisType.NEIGHBORHOOD_SUMMARY
    member = "median_price" if summary else "dissimilarity"
    title = "Median price" if summary else "Dissimilarity"
    thin = layer.columns.get("thin", [False] * len(layer.shapes))
    rows = [
        (shape, None if thin[at] else layer.columns[member][at], next(iter(layer.columns.values()))[at])
        for at, shape in enumerate(layer.shapes)
        if shape is not None
    ]
    values: list[Any] = [value for _, value, _ in rows]
    if not rows:
        return None
    breaks = _breaks([value for value in values if value is not None])
    shapes = cast("list[MultiPolygon]", [shape for shape, _, _ in rows])
    unit = charts.Unit.MONEY if summary else charts.Unit.NUMBER
    names = [str(name) for _, _, name in rows]
    layers = [Areas(title, shapes, values, Graduated(breaks, unit), labels=names)]
    subject = None if summary else str(next(iter(analysis.details["area"].values())))
    if subject in names:
        own = [shapes[names.index(subject)]]
        layers.append(Areas(f"{subject}, the subject", own, fill="none", outline="#B2182B", outline_width=2.4))
    return MapDrawing(
        f"{title}{f' to {subject}' if subject else ''} by {_one_of(layer)}, {caption.county}",
        layers,
        subtitle="Areas with few sales have no value" if None in values else "",
        note=caption.note,
        description=analysis.key_finding,
    )


def _one_of(layer: MapLayer) -> str:
    """What one of the layer's areas is called."""
    return layer.name.removesuffix("s").replace("_", " ")


def _breaks(values: Sequence[float]) -> list[float]:
    """Round numbers near the values' percentiles."""
    spread = float(np.ptp(values)) if values else 0.0
    if spread <= 0:
        return []
    digits = 1 - int(np.floor(np.log10(spread)))
    return sorted({float(round(one, digits)) for one in np.percentile(values, STEPS).tolist()})
