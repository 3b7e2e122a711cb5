"""The model card: what the model was made of, and how it did on sales that it did not know."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from terrafusion.ratios import Measure, RatioSample, study
from valuation.approaches import Approach
from valuation.boosting import LAGS
from valuation.reconciliation import APPROACHES
from valuation.records import Flags, Floats, Texts
from valuation.screening import EXPLANATIONS, Reason
from valuation.training import HoldOut, Trained

MEASURES = (Measure.MEDIAN, Measure.COD, Measure.PRD, Measure.PRB, Measure.VEI)
MIN_GROUP = 10
OLS = "hedonic_ols"
GROUPED_BY = Approach.RECONCILED


@dataclass(frozen=True, slots=True)
class Tested:
    """Values (USD), prices, and ends of the intervals where there are any, of one approach's hold-out sales."""

    values: Floats
    prices: Floats
    covered: Flags | None

    @property
    def statistics(self) -> dict[str, Any]:
        """Ratio statistics (values by prices), and how close values came; None where too few sales define one."""
        count = len(self.prices)
        if not count:
            return {"n": 0}
        found = study(RatioSample.of(self.values, self.prices))
        ratios = self.values / self.prices
        spread = float(((self.prices - self.prices.mean()) ** 2).sum())
        shown = {name.value: _rounded(found[name].value) for name in MEASURES}
        return {
            "n": count,
            "median_ratio": shown.pop(Measure.MEDIAN.value),
            **shown,
            "mdape_percent": _rounded(100 * float(np.median(np.abs(ratios - 1)))),
            "within_20_percent": _rounded(float(np.mean(np.abs(ratios - 1) <= 0.2))),
            "r2": _rounded(1 - float(((self.values - self.prices) ** 2).sum()) / spread) if spread > 0 else None,
            "interval_coverage": None if self.covered is None else _rounded(float(self.covered.mean())),
        }

    def take(self, rows: Flags) -> "Tested":
        """Some of the sales."""
        return Tested(self.values[rows], self.prices[rows], None if self.covered is None else self.covered[rows])


def model_card(trained: Trained) -> dict[str, Any]:
    """The card as JSON."""
    model = trained.model
    return {
        "model_version": model.version,
        "known_until": model.known_until,
        "data": _data(trained),
        "screening": screening(trained.reasons),
        "features": [feature.model_dump(exclude={"levels"}) for feature in model.features],
        "omitted_columns": model.omitted,
        "importance": model.importance,
        "lags": list(LAGS),
        "market_areas": {"kind": model.places.kind.value, "count": model.places.count},
        "market_time": model.time_index.model_dump() | {"yearly_change": round(model.time_index.yearly_change, 6)},
        "cost": model.cost.model_dump(exclude={"multipliers"}) if model.cost else None,
        "settings": model.settings.model_dump(),
        "trees": trained.boosted.trees,
        "intervals": {approach.value: bands.model_dump() for approach, bands in model.bands.items()},
        "hold_out": hold_out(trained.hold_out),
    }


def hold_out(held: HoldOut) -> dict[str, Any]:
    """Statistics of each approach on the hold-out sales; of the reconciled value also by group."""
    every = {approach.value: tested(held, approach) for approach in (*APPROACHES, Approach.RECONCILED)}
    statistics = {name: part.statistics for name, (part, _) in every.items()}
    rows = np.ones(len(held.sales), bool)
    statistics[OLS] = Tested(np.exp(held.values.hedonic), held.sales.prices[rows], None).statistics
    reconciled, there = every[GROUPED_BY.value]
    named = {name: labels for name, labels in GROUPS.items() if name != "market_area" or held.model.places.names}
    groups = {name: labels(held)[there] for name, labels in named.items()}
    return {
        "from": str(held.sales.dates[0]),
        "to": str(held.sales.dates[-1]),
        "approaches": statistics,
        "by": {name: _grouped(reconciled, labels) for name, labels in groups.items()},
    }


def tested(held: HoldOut, approach: Approach) -> tuple[Tested, Flags]:
    """An approach's hold-out sales, and which of all it could value."""
    log_value, prices = held.values.by[approach], held.sales.prices
    there = ~np.isnan(log_value)
    low, high = held.values.interval(held.model, approach)
    with np.errstate(invalid="ignore"):
        covered = (np.log(prices) >= low) & (np.log(prices) <= high)
    known = covered[there] if approach in held.model.bands else None
    return Tested(np.exp(log_value[there]), prices[there], known), there


def screening(reasons: Texts) -> list[dict[str, Any]]:
    """How many sales were left out or looked at, and for what."""
    counts = {reason: int((reasons == reason.value).sum()) for reason in Reason}
    return [
        {"reason": reason.value, "count": count, "explanation": EXPLANATIONS[reason]}
        for reason, count in counts.items()
        if count
    ]


def _data(trained: Trained) -> dict[str, Any]:
    first, slice_from, test_from = (day.isoformat() for day in trained.split)
    return {
        "sales_read": trained.model.sales_read,
        "sales_used": trained.model.sales_used,
        "first_sale": first,
        "last_sale": str(np.datetime64(trained.model.time_index.last, "D")),
        "calibration_from": slice_from,
        "hold_out_from": test_from,
    }


def _by_class(held: HoldOut) -> Texts:
    return held.sales.records.texts("property_class")


def _by_decile(held: HoldOut) -> Texts:
    """Decile of half the price and half the value by median ratio, as the VEI groups sales."""
    values = np.exp(held.values.by[GROUPED_BY])
    proxy = 0.5 * held.sales.prices + 0.5 * values / np.nanmedian(values / held.sales.prices)
    rank = np.argsort(np.argsort(proxy, kind="stable"), kind="stable")
    return np.char.zfill((rank * 10 // max(len(rank), 1) + 1).astype(str), 2)


def _by_quarter(held: HoldOut) -> Texts:
    months = held.sales.dates.astype("datetime64[M]").astype(np.int64)
    years, quarters = (months // 12 + 1970).astype(str), (months % 12 // 3 + 1).astype(str)
    return np.char.add(np.char.add(years, " Q"), quarters)


GROUPS: Mapping[str, Callable[[HoldOut], Texts]] = {
    "property_class": _by_class,
    "market_area": lambda held: held.areas,
    "value_decile": _by_decile,
    "quarter": _by_quarter,
}


def _grouped(part: Tested, labels: Texts) -> dict[str, Any]:
    """Statistics of each group of at least ten sales, and how many sales are in smaller ones."""
    names, counts = np.unique(labels, return_counts=True)
    shown = {str(name) or "not recorded": part.take(labels == name).statistics for name in names[counts >= MIN_GROUP]}
    return {"groups": shown, "in_smaller_groups": int(counts[counts < MIN_GROUP].sum())}


def _rounded(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(value, 4)
