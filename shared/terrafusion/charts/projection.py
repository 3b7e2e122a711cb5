"""From a county's coordinates to pixels, and how long a mile is there."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from terrafusion.charts.layers import Areas, Layer, Paths, Places, Position

FOOT = 0.3048
US_SURVEY_FOOT = 1200 / 3937
DEGREE = math.pi / 180 * 6_371_008.8
"""Metres along a meridian, on the sphere of the Earth's mean radius."""

Bounds = tuple[float, float, float, float]


def positions(layer: Layer) -> Iterable[Position]:
    """Every position of a layer."""
    if isinstance(layer, Places):
        return layer.positions
    if isinstance(layer, Paths):
        return (at for lines in layer.shapes for line in lines for at in line)
    return (at for polygons in layer.shapes for polygon in polygons for ring in polygon[:1] for at in ring)


def bounds(layers: Sequence[Layer]) -> Bounds | None:
    """West, south, east, north of all layers; None when they are empty."""
    every = [at for layer in layers for at in positions(layer)]
    if not every:
        return None
    xs, ys = [at[0] for at in every], [at[1] for at in every]
    return min(xs), min(ys), max(xs), max(ys)


def finite(layers: Sequence[Layer]) -> None:
    """Refuse coordinates that are not finite.

    Raises
    ------
    ValueError
        Names the layer.
    """
    for layer in layers:
        if not all(math.isfinite(at[0]) and math.isfinite(at[1]) for at in _every(layer)):
            raise ValueError(f"{layer.name}: a coordinate is not a finite number")


def _every(layer: Layer) -> Iterable[Position]:
    if isinstance(layer, Areas):
        return (at for polygons in layer.shapes for polygon in polygons for ring in polygon for at in ring)
    return positions(layer)


@dataclass(frozen=True, slots=True)
class Projection:
    """Pixels of a position: `x * scale_x + left`, `top - y * scale_y`."""

    scale_x: float
    scale_y: float
    left: float
    top: float
    metres_per_pixel: float

    @classmethod
    def fit(cls, extent: Bounds, frame: Bounds, metres: float | None) -> Self:
        """Show an extent as large as it fits in the middle of a frame (left, top, right, bottom in pixels).

        Parameters
        ----------
        metres
            Length of the coordinates' unit; None for degrees, which are drawn equirectangular, true at the middle
            latitude.
        """
        west, south, east, north = extent
        left, top, right, bottom = frame
        squeeze = 1.0 if metres else math.cos(math.radians(max(-89.0, min(89.0, (south + north) / 2))))
        width, height = (east - west) * squeeze, north - south
        smallest = max(abs(west), abs(south), abs(east), abs(north), 1e-6) * 1e-6
        scale = min((right - left) / max(width, smallest), (bottom - top) / max(height, smallest))
        return cls(
            scale * squeeze,
            scale,
            (left + right) / 2 - (west + east) / 2 * scale * squeeze,
            (top + bottom) / 2 + (south + north) / 2 * scale,
            (metres or DEGREE) / scale,
        )

    def pixel(self, at: Position) -> tuple[float, float]:
        """Pixels of a position."""
        return at[0] * self.scale_x + self.left, self.top - at[1] * self.scale_y
