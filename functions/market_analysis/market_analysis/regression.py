"""Least squares with many dummy variables, through normal equations that never write the dummies out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

RANK_TOLERANCE = 1e-9
"""A column whose variance is explained by those before it to this share tells nothing of its own."""


@dataclass(frozen=True, slots=True)
class Factor:
    """A categorical variable: `codes` (n,) index `levels`; effects are relative to the level `base`."""

    name: str
    codes: Codes
    levels: Sequence[str]
    base: int = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A coefficient and its standard error."""

    value: float
    error: float


@dataclass(frozen=True, slots=True)
class Effects:
    """A factor's effects, one per level: NaN where no observation or no independent information has it; 0 at `base`."""

    levels: Sequence[str]
    values: Floats
    errors: Floats


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted equation; `dropped` names columns that others explain or that do not vary."""

    intercept: float
    slopes: dict[str, Estimate]
    effects: dict[str, Effects]
    residuals: Floats
    observations: int
    parameters: int
    r_squared: float
    dropped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Design:
    """Columns in the order constant, `columns` (n, k), each factor's levels; `keys` name them for the caller."""

    columns: Floats
    factors: Sequence[Factor]

    def gram(self, weights: Floats) -> Floats:
        """The symmetric matrix X' diag(weights) X, of all columns, those of the factors' bases included."""
        size = 1 + self.columns.shape[1] + sum(len(factor.levels) for factor in self.factors)
        matrix = np.zeros((size, size))
        numeric = slice(1, 1 + self.columns.shape[1])
        weighted = self.columns * weights[:, None]
        matrix[0, 0] = weights.sum()
        matrix[0, numeric] = weighted.sum(axis=0)
        matrix[numeric, numeric] = weighted.T @ self.columns
        for place, factor in self._places():
            levels = len(factor.levels)
            counts = np.bincount(factor.codes, weights, levels)
            matrix[0, place] = counts
            matrix[place, place] = np.diag(counts)
            for at in range(self.columns.shape[1]):
                matrix[1 + at, place] = np.bincount(factor.codes, weighted[:, at], levels)
            for other_place, other in self._places():
                if other_place.start > place.start:
                    pairs = factor.codes * len(other.levels) + other.codes
                    table = np.bincount(pairs, weights, levels * len(other.levels))
                    matrix[place, other_place] = table.reshape(levels, len(other.levels))
        return np.triu(matrix) + np.triu(matrix, 1).T

    def moment(self, y: Floats) -> Floats:
        """The vector X'y."""
        levels = [np.bincount(factor.codes, y, len(factor.levels)) for factor in self.factors]
        return np.concatenate([[y.sum()], self.columns.T @ y, *levels])

    def predict(self, coefficients: Floats) -> Floats:
        """The product X·coefficients."""
        fitted: Floats = coefficients[0] + self.columns @ coefficients[1 : 1 + self.columns.shape[1]]
        for place, factor in self._places():
            fitted += coefficients[place][factor.codes]
        return fitted

    def _places(self) -> Iterator[tuple[slice, Factor]]:
        start = 1 + self.columns.shape[1]
        for factor in self.factors:
            yield slice(start, start + len(factor.levels)), factor
            start += len(factor.levels)

    def bases(self) -> list[int]:
        """Positions of the factors' base levels."""
        return [place.start + factor.base for place, factor in self._places()]


def least_squares(y: Floats, columns: dict[str, Floats], factors: Sequence[Factor] = ()) -> Fit:
    """Ordinary least squares with a constant, and standard errors robust to unequal variance.

    Errors are White's in the version HC1: (X'X)⁻¹ X'diag(e²)X (X'X)⁻¹ · n/(n - p) (MacKinnon and White 1985).
    Work and memory grow with n·k² and with the squared number of levels, not with their product.

    Parameters
    ----------
    y
        The dependent variable (n,).
    columns
        Numeric variables (n,) by name.
    factors
        Categorical variables.

    Raises
    ------
    ValueError
        When there are no more observations than parameters.
    """
    centre, scale, stacked = _standardized(columns, y.size)
    design = _Design(stacked, factors)
    gram = design.gram(np.ones(y.size))
    kept = _independent(gram, skip=set(design.bases()))
    if y.size <= kept.size:
        raise ValueError(f"{y.size} observations for {kept.size} parameters")
    inverse = np.linalg.inv(gram[np.ix_(kept, kept)])
    coefficients = np.zeros(gram.shape[0])
    coefficients[kept] = inverse @ design.moment(y)[kept]
    residuals = y - design.predict(coefficients)
    # one step of refinement takes back what squaring the condition number cost
    coefficients[kept] += inverse @ design.moment(residuals)[kept]
    residuals = y - design.predict(coefficients)
    meat = design.gram(residuals**2)[np.ix_(kept, kept)]
    covariance = inverse @ meat @ inverse * (y.size / (y.size - kept.size))
    errors = np.full(gram.shape[0], np.nan)
    errors[kept] = np.sqrt(np.maximum(np.diag(covariance), 0))
    total = float(((y - y.mean()) ** 2).sum())
    numeric = {name: at for at, name in enumerate(columns)}
    slopes = {
        name: Estimate(float(coefficients[1 + at] / scale[at]), float(errors[1 + at] / scale[at]))
        for name, at in numeric.items()
        if 1 + at in kept
    }
    return Fit(
        intercept=float(coefficients[0] - sum(slopes[name].value * centre[numeric[name]] for name in slopes)),
        slopes=slopes,
        effects=dict(_effects(design, coefficients, errors, set(kept.tolist()))),
        residuals=residuals,
        observations=y.size,
        parameters=kept.size,
        r_squared=1 - float((residuals**2).sum()) / total if total > 0 else 0.0,
        dropped=tuple(name for name in columns if name not in slopes),
    )


def _standardized(columns: dict[str, Floats], count: int) -> tuple[Floats, Floats, Floats]:
    """Centres, scales, and the columns (n, k) brought to mean 0 and deviation 1; a constant becomes zeros."""
    stacked = np.empty((count, len(columns)), order="F")
    for at, values in enumerate(columns.values()):
        stacked[:, at] = values
    centre = stacked.mean(axis=0)
    stacked -= centre
    scale = np.sqrt((stacked**2).mean(axis=0))
    flat = scale <= 1e-12 * np.maximum(np.abs(centre), 1)
    scale = np.where(flat, 1.0, scale)
    stacked /= scale
    stacked[:, flat] = 0
    return centre, scale, stacked


def _independent(gram: Floats, skip: set[int]) -> Codes:
    """Positions of columns that those before them do not explain, by a Cholesky factorization that steps over them."""
    diagonal = np.diag(gram).copy()
    scale = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1))
    rest = gram * scale[:, None] * scale[None, :]
    kept = []
    for at in range(rest.shape[0]):
        if at in skip or rest[at, at] <= RANK_TOLERANCE:
            continue
        kept.append(at)
        row = rest[at, at:] / np.sqrt(rest[at, at])
        rest[at:, at:] -= np.outer(row, row)
    return np.array(kept, dtype=np.int64)


def _effects(design: _Design, coefficients: Floats, errors: Floats, kept: set[int]) -> Iterator[tuple[str, Effects]]:
    start = 1 + design.columns.shape[1]
    for factor in design.factors:
        place = slice(start, start + len(factor.levels))
        known = np.array([at in kept for at in range(place.start, place.stop)])
        values = np.where(known, coefficients[place], np.nan)
        spread = np.where(known, errors[place], np.nan)
        values[factor.base], spread[factor.base] = 0.0, 0.0
        yield factor.name, Effects(factor.levels, values, spread)
        start = place.stop
