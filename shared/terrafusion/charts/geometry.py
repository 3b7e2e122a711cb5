"""Shapes as path data, in whole tenths of a pixel and steps from point to point: the smallest that is exact enough."""

from collections.abc import Sequence

from terrafusion.charts.layers import MultiLine, MultiPolygon, Polygon, Ring
from terrafusion.charts.projection import Bounds, Projection

TENTHS = 10
"""Path data is in tenths; the group that holds it is scaled back."""


class Pen:
    """Writes shapes that touch the frame."""

    def __init__(self, projection: Projection, frame: Bounds) -> None:
        self._kx, self._ky = projection.scale_x * TENTHS, -projection.scale_y * TENTHS
        self._dx, self._dy = projection.left * TENTHS, projection.top * TENTHS
        self._frame = tuple(TENTHS * side for side in frame)

    def area(self, polygons: MultiPolygon) -> str:
        """Path data of a feature; "" when it lies outside of the frame."""
        return "".join(self._polygon(polygon) for polygon in polygons)

    def lines(self, lines: MultiLine) -> str:
        """Path data of lines; "" when they lie outside of the frame."""
        rounded = [self._rounded(line) for line in lines]
        return "".join(_steps(line) + ("h0" if len(line) == 1 else "") for line in rounded if self._shows(line))

    def _polygon(self, polygon: Polygon) -> str:
        if not polygon:
            return ""
        outer = self._rounded(polygon[0])
        if not self._shows(outer):
            return ""
        if len(outer) == 1:  # smaller than a tenth of a pixel: a dot, as it is there
            x, y = outer[0]
            return f"M{x} {y}h2v2h-2z"
        holes = (self._rounded(ring) for ring in polygon[1:])
        return _steps(_open(outer)) + "z" + "".join(_steps(_open(h)) + "z" for h in holes if len(h) > 2)

    def _rounded(self, ring: Ring) -> list[tuple[int, int]]:
        """Points in tenths of a pixel without consecutive duplicates."""
        kx, ky, dx, dy = self._kx, self._ky, self._dx, self._dy
        points = [(round(at[0] * kx + dx), round(at[1] * ky + dy)) for at in ring]
        return [point for index, point in enumerate(points) if not index or point != points[index - 1]]

    def _shows(self, points: Sequence[tuple[int, int]]) -> bool:
        if not points:
            return False
        xs, ys = [x for x, _ in points], [y for _, y in points]
        left, top, right, bottom = self._frame
        return max(xs) >= left and min(xs) <= right and max(ys) >= top and min(ys) <= bottom


def _open(ring: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return ring[:-1] if ring[0] == ring[-1] else ring


def _steps(points: Sequence[tuple[int, int]]) -> str:
    x, y = points[0]
    steps = [f"M{x} {y}"]
    for next_x, next_y in points[1:]:
        if next_y == y:
            steps.append(f"h{next_x - x}")
        elif next_x == x:
            steps.append(f"v{next_y - y}")
        else:
            steps.append(f"l{next_x - x} {next_y - y}")
        x, y = next_x, next_y
    return "".join(steps)


def middle(polygons: MultiPolygon) -> tuple[float, float] | None:
    """Centroid of the largest outer ring, for a label; None for an empty shape."""
    best: tuple[float, float, float] | None = None
    for polygon in polygons:
        found = _centroid(polygon[0]) if polygon and polygon[0] else None
        if found and (best is None or found[0] > best[0]):
            best = found
    return None if best is None else best[1:]


def _centroid(ring: Ring) -> tuple[float, float, float]:
    x0, y0 = ring[0]
    twice = cx = cy = 0.0
    for (xa, ya), (xb, yb) in zip(ring, [*ring[1:], ring[0]], strict=True):
        cross = (xa - x0) * (yb - y0) - (xb - x0) * (ya - y0)
        twice += cross
        cx += (xa + xb - 2 * x0) * cross
        cy += (ya + yb - 2 * y0) * cross
    if twice == 0:
        return 0.0, x0, y0
    return abs(twice) / 2, x0 + cx / (3 * twice), y0 + cy / (3 * twice)
