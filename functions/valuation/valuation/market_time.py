"""Market time: how prices of the same property move, and how far that may be carried beyond the last sale.

The log price level is a line of yearly pieces, estimated together with the characteristics and market areas of what
was sold (a time-dummy hedonic index, IAAO Standard on Mass Appraisal 5.6, with a spline in place of the dummies).
Changes of slope are held near zero (ridge), so that thin years borrow from their neighbors. Beyond the last sale the
last slope is damped (Gardner & McKenzie 1985): it goes on, and fades within a few years.
"""

import numpy as np

from valuation.places import sizes, within
from valuation.records import Floats, Ints
from valuation.settings import ModelSettings, Spec

DAYS = 365.25
SHORTEST_PIECE = 0.75
"""Years that the last piece has at least, so that its slope is not a season's."""
HUBER = 1.345
ROUNDS = 6


class TimeIndex(Spec):
    """Log price level by day: `first` and `last` are days since 1970, `knots` years after the first, slopes a year."""

    first: int
    last: int
    knots: tuple[float, ...]
    slopes: tuple[float, ...]
    damping: float

    def level(self, days: Ints) -> Floats:
        """Log price level; 0 at the first sale, constant before it. A day's is the same to the bit among any others."""
        end = (self.last - self.first) / DAYS
        years = (np.asarray(days) - self.first) / DAYS
        inside = (_pieces(np.clip(years, 0, end), self.knots) * np.array(self.slopes)).sum(axis=1)
        beyond = np.maximum(years - end, 0)
        faded = self.damping * (1 - np.exp(-beyond / self.damping))
        return np.asarray(inside + sum(self.slopes) * faded, np.float64)

    def growth(self, since: Ints, until: Ints) -> Floats:
        """Log change of prices between days."""
        return self.level(until) - self.level(since)

    @property
    def yearly_change(self) -> float:
        """Relative change of prices over the last year before the last sale."""
        end = np.array([self.last])
        return float(np.expm1(self.growth(end - 365, end))[0])


def fit(
    days: Ints, log_price: Floats, design: Floats, areas: Ints, area_count: int, settings: ModelSettings
) -> TimeIndex:
    """Estimate the index from sales.

    Parameters
    ----------
    days, log_price
        Day since 1970 and log price of each sale (n).
    design
        Characteristics (n, k) without a constant.
    areas, area_count
        Market area of each sale (-1 for none), and how many there are: their levels are taken out.
    """
    first, last = int(days.min()), int(days.max())
    years = (days - first) / DAYS
    knots = tuple(float(at) for at in np.arange(1.0, years.max() - SHORTEST_PIECE + 1e-9, 1.0))
    counts = sizes(areas, area_count)
    pieces = _pieces(years, knots)
    known = within(np.column_stack([design, pieces]), areas, counts)
    wanted = within(log_price, areas, counts)
    weights: Floats = np.ones(len(days))
    penalty = np.zeros(known.shape[1])
    penalty[: design.shape[1]] = 1e-6 * len(days)
    coefficients: Floats = np.zeros(known.shape[1])
    for _ in range(ROUNDS):
        weighted = known * weights[:, None]
        coefficients = np.asarray(
            np.linalg.solve(known.T @ weighted + np.diag(penalty + 1e-9), weighted.T @ wanted), np.float64
        )
        error = wanted - known @ coefficients
        spread = max(1.4826 * float(np.median(np.abs(error))), 1e-6)
        weights = np.asarray(np.minimum(1.0, HUBER * spread / np.maximum(np.abs(error), 1e-9)), np.float64)
        penalty[design.shape[1] + 1 :] = (spread / settings.trend_change) ** 2
    slopes = tuple(float(one) for one in coefficients[design.shape[1] :])
    return TimeIndex(first=first, last=last, knots=knots, slopes=slopes, damping=settings.trend_damping)


def _pieces(years: Floats, knots: tuple[float, ...]) -> Floats:
    return np.column_stack([years, *(np.maximum(years - knot, 0) for knot in knots)])
