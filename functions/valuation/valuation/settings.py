"""How models are made: every figure that was chosen rather than found. A model's version covers them all."""

from pydantic import BaseModel, ConfigDict

FORMAT = 3
"""Grows whenever the same sales and settings would give another model."""


class Spec(BaseModel):
    """A part of a model that is kept as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ModelSettings(Spec):
    """Settings of a model; `rate` to `smooth` are LightGBM's, shares are of 1, lengths of time in years."""

    min_sales: int = 100
    calibration_share: float = 0.15
    level: float = 0.90
    seed: int = 20220
    max_trees: int = 600
    patience: int = 40
    rate: float = 0.05
    leaves: int = 31
    feature_share: float = 0.6
    row_share: float = 0.8
    ridge: float = 5.0
    near: int = 15
    wide: int = 60
    comparables: int = 8
    min_comparables: int = 3
    candidates: int = 200
    search_years: float = 5.0
    trend_change: float = 0.03
    trend_damping: float = 2.0
