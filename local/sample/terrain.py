"""The ground: where the town lies in EPSG:2927, how its plan bends, and where the water is."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

EPSG = 2927
"""NAD83(HARN) / Washington South, in US survey feet."""

TOWN_CENTRE = (1_943_980.0, 336_580.0)
"""Easting and northing (ft) of the plan's origin: 119.3° W, 46.25° N, in Benton County, Washington."""

_WAVES = ((9_000.0, 160.0, 0.4), (14_500.0, 260.0, 1.9), (24_000.0, 420.0, 3.0))
"""Wavelength (ft), amplitude (ft) and bearing (rad) of the shears that bend the arterials."""


@dataclass(frozen=True, slots=True)
class Terrain:
    """The map from plan to State Plane.

    The plan is a flat grid in feet, x to the east and y to the north, its origin in the middle of the town. Bending it
    as a whole keeps what touches in the plan touching on the ground.

    Parameters
    ----------
    radius
        Radius (ft) of the built-up town.
    """

    radius: float

    def to_ground(self, plan: FloatArray) -> FloatArray:
        """State Plane coordinates (ft, to the thousandth) of plan points, both of shape (n, 2)."""
        x, y = plan[:, 0].copy(), plan[:, 1].copy()
        for length, amplitude, bearing in _WAVES:
            along = x * np.cos(bearing) + y * np.sin(bearing)
            shift = amplitude * np.sin(2 * np.pi * along / length + 3 * bearing)
            x, y = x - shift * np.sin(bearing), y + shift * np.cos(bearing)
        # The old town was platted square to the river: it is turned, and the turn fades outwards.
        reach = max(0.42 * self.radius, 3_500.0)
        turn = 0.05 - 0.36 * np.exp(-(x**2 + y**2) / reach**2)
        east = TOWN_CENTRE[0] + x * np.cos(turn) - y * np.sin(turn)
        north = TOWN_CENTRE[1] + x * np.sin(turn) + y * np.cos(turn)
        ground: FloatArray = np.round(np.column_stack([east, north]), 3).astype(np.float64)
        return ground

    def river(self) -> shapely.Polygon:
        """The river's surface on the ground (EPSG:2927), wider where it bends, right across the county."""
        reach = 2.6 * self.radius + 8_000
        s = np.arange(-reach, reach, 120.0)
        middle = -0.34 * self.radius + 0.11 * self.radius * np.sin(s / (0.33 * self.radius + 600))
        middle += 70 * np.sin(s / 640)
        half = (150 + 0.013 * self.radius) * (1 + 0.3 * np.sin(s / 1_500) + 0.12 * np.sin(s / 410))
        banks = np.vstack([np.column_stack([s, middle - half]), np.column_stack([s, middle + half])[::-1]])
        tilt = 0.30
        turned = banks @ np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
        return shapely.Polygon(self.to_ground(turned))

    def lake(self) -> shapely.Polygon:
        """The lake's surface on the ground (EPSG:2927), in the north-east of the town."""
        angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
        size = (0.085 * self.radius + 90) * (1 + 0.22 * np.sin(2 * angle + 0.5) + 0.10 * np.sin(5 * angle))
        middle = (0.47 * self.radius, 0.40 * self.radius)
        shore = np.column_stack([middle[0] + 1.35 * size * np.cos(angle), middle[1] + size * np.sin(angle)])
        return shapely.Polygon(self.to_ground(shore))

    def water(self) -> shapely.MultiPolygon:
        """River and lake as one geometry (EPSG:2927)."""
        return shapely.union_all([self.river(), self.lake()])
