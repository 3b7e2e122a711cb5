"""Quantiles and tails that intervals need, without scipy: normal, Student's t, and the fair coin's binomial."""

from functools import lru_cache
from math import ceil, comb, exp, fsum, lgamma, log, log1p, sqrt
from statistics import NormalDist

_NORMAL = NormalDist()
_ITERATIONS = 500
_EPSILON = 1e-16
MANY_DEGREES = 5_000


@lru_cache(maxsize=64)
def normal_quantile(p: float) -> float:
    """The standard normal's quantile."""
    return _NORMAL.inv_cdf(p)


def normal_cdf(z: float) -> float:
    """The standard normal's distribution function."""
    return _NORMAL.cdf(z)


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b), by Lentz's continued fraction (DLMF 8.17.22)."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(b, a, 1 - x)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
    return front * _fraction(a, b, x)


def _fraction(a: float, b: float, x: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1.0 / ((1 - (a + b) * x / (a + 1)) or tiny)
    result = d
    for m in range(1, _ITERATIONS):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / ((1 + numerator * d) or tiny)
            c = (1 + numerator / c) or tiny
            result *= c * d
        if abs(c * d - 1) < _EPSILON * 10:
            return result
    return result


def t_cdf(t: float, degrees: float) -> float:
    """Student's distribution function."""
    tail = 0.5 * incomplete_beta(degrees / 2, 0.5, degrees / (degrees + t * t))
    return 1 - tail if t > 0 else tail


@lru_cache(maxsize=4096)
def t_quantile(p: float, degrees: int) -> float:
    """Student's quantile, to 1e-9 relative from p = 0.75 up.

    By bisection on the upper tail; for many degrees by the expansion around the normal's quantile, Abramowitz and
    Stegun 26.7.5, whose error then is below 1e-10.

    Parameters
    ----------
    p
        Between 0 and 1.
    degrees
        Degrees of freedom, at least 1.
    """
    if not 0 < p < 1 or degrees < 1:
        raise ValueError(f"no t quantile for p = {p} with {degrees} degrees of freedom")
    if p < 0.5:
        return -t_quantile(1 - p, degrees)
    if p == 0.5:
        return 0.0
    z = normal_quantile(p)
    if degrees > MANY_DEGREES:
        second = (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
        return z + (z**3 + z) / (4 * degrees) + second
    tail = 2 * (1 - p)
    low, high = z * 0.999, 2.0
    while incomplete_beta(degrees / 2, 0.5, degrees / (degrees + high * high)) > tail:
        low, high = max(low, high / 2), high * 2
    for _ in range(200):
        middle = (low + high) / 2
        if incomplete_beta(degrees / 2, 0.5, degrees / (degrees + middle * middle)) > tail:
            low = middle
        else:
            high = middle
        if high - low <= 1e-14 * high:
            break
    return (low + high) / 2


@lru_cache(maxsize=1024)
def coin_tail(k: int, n: int) -> float:
    """P(X ≤ k) for X binomial(n, ½), exact for n to 1,000."""
    return fsum(comb(n, i) for i in range(k + 1)) / 2.0**n


def half_width_rank(n: int, level: float) -> int:
    """How many ranks the median's interval reaches from the middle (IAAO 2013, App. D): `ceil(z·√n/2 [+ ½])`."""
    reach = normal_quantile(0.5 + level / 2) * sqrt(n) / 2
    return ceil(reach if n % 2 else reach + 0.5)
