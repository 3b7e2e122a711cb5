"""Gradient-boosted trees on log price: LightGBM, monotone where economics demand it, the same to the byte each time."""

import ctypes
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from valuation.features import Feature, Kind
from valuation.records import Floats
from valuation.settings import ModelSettings

LAGS = ("price_per_area_near", "price_per_area_wide", "against_characteristics_near", "against_characteristics_wide")
"""What is paid around a place, for the 15 and the 60 nearest sales: per living area, and against characteristics."""
SMALL = 2_000
"""Below so many sales trees may have smaller leaves."""


@cache
def lightgbm() -> Any:
    """LightGBM, which needs a `libgomp.so.1`: the system's, the layer's, or else the one in scikit-learn's wheel."""
    try:
        import lightgbm
    except OSError:
        spec = find_spec("sklearn")
        found = (
            sorted(Path(spec.origin).parent.parent.glob("scikit_learn.libs/libgomp*")) if spec and spec.origin else []
        )
        if not found:
            raise
        ctypes.CDLL(str(found[0]), ctypes.RTLD_GLOBAL)
        import lightgbm
    return lightgbm


class Boosted:
    """A trained model; inputs are encoded rows (n, features + lags)."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._booster = lightgbm().Booster(model_str=text)
        self.trees = int(self._booster.num_trees())

    def predict(self, known: Floats, threads: int = 1) -> Floats:
        """Log value of each row."""
        return np.asarray(self._booster.predict(known, num_threads=threads), np.float64)

    def leaves(self, known: Floats, threads: int = 1) -> np.ndarray:
        """The leaf in which each row ends, in each tree (n, trees), as small integers."""
        step = 10_000
        parts = [
            self._booster.predict(known[at : at + step], pred_leaf=True, num_threads=threads).astype(np.uint8)
            for at in range(0, max(len(known), 1), step)
        ]
        return np.concatenate(parts).reshape(len(known), -1)

    def importance(self, names: Sequence[str]) -> dict[str, float]:
        """Each input's share of what the splits gained."""
        gains = np.asarray(self._booster.feature_importance("gain"), np.float64)
        shares = gains / gains.sum() if gains.sum() else gains
        return dict(zip((*names, *LAGS), np.round(shares, 6).tolist(), strict=True))

    def contributions(self, known: Floats) -> Floats:
        """SHAP values (n, features + lags + 1): the last column is the mean; each row adds up to its log value."""
        return np.asarray(self._booster.predict(known, pred_contrib=True, num_threads=1), np.float64)


def fit(
    features: Sequence[Feature],
    known: Floats,
    wanted: Floats,
    settings: ModelSettings,
    *,
    trees: int | None = None,
    test: tuple[Floats, Floats] | None = None,
) -> Boosted:
    """Train on encoded rows and log prices of one time; with a `test` as many trees as serve it best."""
    gbm = lightgbm()
    options: dict[str, Any] = {}
    data = gbm.Dataset(
        known,
        wanted,
        feature_name=[*(f"f{at}" for at in range(len(features))), *LAGS],
        categorical_feature=[at for at, feature in enumerate(features) if feature.kind is Kind.CATEGORY],
        params={"verbose": -1},
        free_raw_data=False,
    )
    if test is not None:
        options = {
            "valid_sets": [gbm.Dataset(*test, reference=data)],
            "callbacks": [gbm.early_stopping(settings.patience, verbose=False)],
        }
    booster = gbm.train(_parameters(features, len(wanted), settings), data, trees or settings.max_trees, **options)
    used = booster.best_iteration if test is not None else booster.num_trees()
    return Boosted(booster.model_to_string(num_iteration=max(used, 1)))


def _parameters(features: Sequence[Feature], count: int, settings: ModelSettings) -> dict[str, Any]:
    small = count < SMALL
    return {
        "objective": "regression",
        "metric": "l1",
        "learning_rate": settings.rate,
        "num_leaves": min(settings.leaves, max(4, count // 40)),
        "min_data_in_leaf": 10 if small else 20,
        "feature_fraction": settings.feature_share,
        "bagging_fraction": settings.row_share,
        "bagging_freq": 1,
        "lambda_l2": settings.ridge,
        "monotone_constraints": [*(feature.monotone for feature in features), *(0 for _ in LAGS)],
        "cat_smooth": 20.0,
        "cat_l2": 20.0,
        "seed": settings.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbose": -1,
    }
