"""Time: how ratios drift while prices move and values stand still, and prices adjusted for it (IAAO 2013, App. A.5)."""

from dataclasses import dataclass
from math import exp, sqrt

import numpy as np
from numpy.typing import ArrayLike

from terrafusion.ratios.distributions import t_quantile
from terrafusion.ratios.sample import Floats, RatioSample
from terrafusion.ratios.statistic import Interval, too_few

MINIMUM = 12


@dataclass(frozen=True, slots=True)
class PriceTrend:
    """Change of prices per month as a share: the slope of log(price / value) on months, with its 95 % interval."""

    n: int
    per_month: float | None
    interval: Interval | None
    reason: str | None = None

    @property
    def significant(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.interval is not None and not self.interval.low <= 0 <= self.interval.high

    def adjust(self, price: Floats, months: Floats, to: float) -> Floats:
        """Prices as of month `to`: price · exp(log(1 + rate) · (to - month)). Shapes (n,)."""
        if self.per_month is None:
            raise ValueError(f"no trend to adjust by: {self.reason}")
        return np.asarray(price * np.exp(np.log1p(self.per_month) * (to - months)))


def price_trend(sample: RatioSample, months: ArrayLike, *, level: float = 0.95) -> PriceTrend:
    """The monthly change of prices against values, by least squares; values of 0 are passed over.

    Parameters
    ----------
    months
        When each sale was, in months from any origin, fractions too; shape (n,).
    """
    month = np.asarray(months, dtype=np.float64)
    known = sample.assessed > 0
    x, y = month[known], -np.log(sample.ratio[known])
    n = int(x.size)
    if reason := too_few(n, MINIMUM):
        return PriceTrend(n, None, None, reason)
    x, y = x - x.mean(), y - y.mean()
    spread = float(x @ x)
    if spread <= 1e-9:
        return PriceTrend(n, None, None, "all sales are of one time")
    slope = float(x @ y) / spread
    residual = y - slope * x
    reach = t_quantile(0.5 + level / 2, n - 2) * sqrt(float(residual @ residual) / (n - 2) / spread)
    ends = (exp(slope - reach) - 1, exp(slope + reach) - 1)
    return PriceTrend(n, exp(slope) - 1, Interval(*ends, level, "OLS, t"))
