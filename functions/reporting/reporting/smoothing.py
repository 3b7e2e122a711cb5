"""A smooth line through many points, for pictures."""

import numpy as np

from terrafusion.ratios.sample import Floats

MOST_BINS = 400


def smooth(x: Floats, y: Floats, span: float = 0.4, places: int = 40) -> tuple[Floats, Floats]:
    """A local linear fit with tricube weights (Cleveland 1979, without robustness), at `places` quantiles of x.

    Parameters
    ----------
    x, y
        Shape (n,). More than 400 points are first averaged in as many groups of equal size along x.
    span
        Share of the points that each local fit sees.
    """
    order = np.lexsort((y, x))
    x, y = x[order], y[order]
    if x.size > MOST_BINS:
        edges = np.linspace(0, x.size, MOST_BINS + 1).astype(int)
        sizes = np.diff(edges)
        x, y = (np.add.reduceat(v, edges[:-1]) / sizes for v in (x, y))
    at = np.unique(np.quantile(x, np.linspace(0.01, 0.99, places)))
    reach = max(3, int(np.ceil(span * x.size)))
    fitted = np.array([_local(x, y, place, reach) for place in at])
    return at, fitted


def _local(x: Floats, y: Floats, place: float, reach: int) -> float:
    away = np.abs(x - place)
    bandwidth = max(float(np.partition(away, min(reach, x.size) - 1)[min(reach, x.size) - 1]), 1e-12)
    weight = np.clip(1 - (away / bandwidth) ** 3, 0, None) ** 3
    total = float(weight.sum())
    if total <= 0:
        return float(y[np.argmin(away)])
    mean_x, mean_y = float(weight @ x) / total, float(weight @ y) / total
    spread = float(weight @ (x - mean_x) ** 2)
    slope = float(weight @ ((x - mean_x) * (y - mean_y))) / spread if spread > 1e-12 else 0.0
    return mean_y + slope * (place - mean_x)
