"""A sample of sales: values and prices, and what several statistics derive from them, each derived once."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RatioSample:
    """Assessed (or estimated) values and sale prices of `n` sales, in the same currency.

    `assessed` and `price` have shape (n,), prices are positive, values are not negative, all are finite.
    """

    assessed: Floats
    price: Floats

    @classmethod
    def of(cls, assessed: ArrayLike, price: ArrayLike) -> "RatioSample":
        """Make a sample of two arrays of one length.

        Raises
        ------
        ValueError
            Saying how many values are missing, negative or not finite, or how many prices are not above 0: what to
            leave out is for the caller to say, and to report.
        """
        a = np.atleast_1d(np.asarray(assessed, dtype=np.float64))
        s = np.atleast_1d(np.asarray(price, dtype=np.float64))
        if a.ndim != 1 or a.shape != s.shape:
            raise ValueError(f"values and prices must be two arrays of one length, not {a.shape} and {s.shape}")
        wrong_value = int(a.size - np.count_nonzero(np.isfinite(a) & (a >= 0)))
        wrong_price = int(s.size - np.count_nonzero(np.isfinite(s) & (s > 0)))
        if wrong_value or wrong_price:
            raise ValueError(
                f"{wrong_value} of {a.size} values are missing, negative or not finite, and {wrong_price} prices are "
                "missing, not above 0 or not finite; leave these sales out first"
            )
        return cls(a, s)

    def take(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> "RatioSample":
        """A part of the sample."""
        return RatioSample(self.assessed[which], self.price[which])

    @property
    def n(self) -> int:
        """How many sales."""
        return int(self.price.size)

    @cached_property
    def ratio(self) -> Floats:
        """Value by price, in the sales' order; shape (n,)."""
        return self.assessed / self.price

    @cached_property
    def sorted_ratio(self) -> Floats:
        """The ratios from the lowest up; shape (n,)."""
        return np.sort(self.ratio)

    @cached_property
    def median(self) -> float:
        """The median ratio; NaN of no sales."""
        return median_of_sorted(self.sorted_ratio)

    @cached_property
    def mean(self) -> float:
        """The mean ratio. Summed from the lowest up, so that the sales' order makes no difference."""
        return float(self.sorted_ratio.mean()) if self.n else float("nan")

    @cached_property
    def weighted_mean(self) -> float:
        """All values by all prices."""
        return float(self.assessed.sum() / self.price.sum()) if self.n else float("nan")

    @cached_property
    def proxy(self) -> Floats:
        """The market value's proxy ½·S + ½·A/median, in currency; shape (n,). Biased neither way, as S or A alone is.

        Source: Gloudemans (2011), "The coefficient of price-related bias"; IAAO 2013, App. D.
        """
        return 0.5 * self.price + 0.5 * self.assessed / self.median

    @cached_property
    def by_proxy(self) -> NDArray[np.intp]:
        """The order from the lowest proxy up; equal proxies by their ratio, whatever the sales' own order."""
        return ordered_by(self.proxy, self.ratio)

    @cached_property
    def by_price(self) -> NDArray[np.intp]:
        """The order from the lowest price up; equal prices by their value."""
        return ordered_by(self.price, self.assessed)


Values = ArrayLike | RatioSample


def as_sample(assessed: Values, price: ArrayLike | None) -> RatioSample:
    """The sample of two arrays; or one that is there already, whose sorted arrays are then shared."""
    if isinstance(assessed, RatioSample):
        if price is not None:
            raise TypeError("a RatioSample has its prices already")
        return assessed
    if price is None:
        raise TypeError("give values and prices, or a RatioSample")
    return RatioSample.of(assessed, price)


def ordered_by(first: Floats, then: Floats) -> NDArray[np.intp]:
    """The order by one array, and by another where that one is equal; quick where it never is."""
    order = np.argsort(first)
    ordered = first[order]
    return np.lexsort((then, first)) if (ordered[1:] == ordered[:-1]).any() else order


def median_of_sorted(ordered: Floats) -> float:
    """The median of values that are sorted; NaN of none."""
    n = ordered.size
    if n == 0:
        return float("nan")
    middle = n // 2
    return float(ordered[middle] if n % 2 else (ordered[middle - 1] + ordered[middle]) / 2)
