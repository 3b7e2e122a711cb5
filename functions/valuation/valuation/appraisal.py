"""The value of one property with its reasons: each approach, the grid, what the characteristics contribute.

Logs become dollars by the logarithmic mean (LMDI; Ang 2004): a change from V0 to V1 whose log is a sum of parts is the
sum of (V1 - V0)/(ln V1 - ln V0) times each part, whatever their order, and nothing is left over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from valuation import cost
from valuation.adjustments import PLACE, adjustments, groups_of
from valuation.approaches import Approach
from valuation.confidence import Confidence, Factor, adjusted_comparables, judge, unlike_comparables
from valuation.features import Feature, Kind
from valuation.market import Market, Values, year_of
from valuation.reconciliation import APPROACHES
from valuation.records import Floats, Records

NAMES = {
    Approach.COMPARABLE_SALES: "the comparable sales",
    Approach.AVM: "the model",
    Approach.COST: "the cost approach",
}
REASONS = {
    Factor.MET: "of comparable calibration sales sold within 20 % of their value",
    Factor.MISSING: "characteristics are missing",
    Factor.EXTRAPOLATION: "characteristics are outside of what was sold",
    Factor.TIME: "the valuation date is after the last sale",
    Factor.CONSTRUCTION: "the building is of a later year than the valuation date",
    Factor.COMPARABLES: "comparables are few, little alike or much adjusted",
    Factor.AGREEMENT: "the approaches disagree",
}
UNTESTED = "too few sales tell how far such values are off"


@dataclass(frozen=True, slots=True)
class Appraisal:
    """One property's values, and what else its document tells."""

    market: Market
    values: Values
    confidence: Confidence
    day: date

    @classmethod
    def of(cls, market: Market, records: Records, day: date) -> "Appraisal":
        """Value the first of some records as of a day."""
        values = market.value(records.take(np.array([0])), np.array([np.datetime64(day, "D").astype(np.int64)]))
        return cls(market, values, judge(market, values), day)

    def dollars(self, approach: Approach) -> float | None:
        """An approach's value in USD, to the cent."""
        value = float(np.exp(self.values.by[approach][0]))
        return round(value, 2) if np.isfinite(value) and value > 0 else None

    def document(self, method: Approach) -> dict[str, Any]:
        """The result's document, with the value of a method that has one."""
        comparables = self.comparables()
        return {
            "estimated_value": self.dollars(method),
            "confidence_score": round(float(self.confidence.score[0]), 4),
            "valuation_method_used": method.value,
            "comparables_used": [comparable["property_id"] for comparable in comparables],
            "valuation_date": self.day.isoformat(),
            "value_range": self._range(method),
            "range_unavailable": self._why_no_range(method),
            "approaches": self.approaches(comparables),
            "comparables": comparables,
            "contributions": self.contributions(),
            "confidence_factors": self.confidence_factors(),
            "notes": self.notes(),
            "model_version": self.market.model.version,
        }

    def approaches(self, comparables: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Each approach with its value and what it stands on."""
        least = self.market.model.settings.min_comparables
        few = None if len(comparables) >= least else self._why_no_comparables(len(comparables))
        made: dict[Approach, dict[str, Any]] = {
            Approach.COMPARABLE_SALES: {"comparables": len(comparables), "unavailable": few},
            Approach.AVM: {"trees": self.market.boosted.trees, "unavailable": None},
            Approach.COST: self._cost(),
        }
        for approach in APPROACHES:
            made[approach] = {"value": self.dollars(approach), "value_range": self._range(approach)} | made[approach]
        made[Approach.RECONCILED] = {
            "value": self.dollars(Approach.RECONCILED),
            "value_range": self._range(Approach.RECONCILED),
            "weights": self._weights(),
        }
        return {approach.value: part for approach, part in made.items()}

    def comparables(self) -> list[dict[str, Any]]:
        """The grid: each comparable's sale, adjustments (USD) that add up to its adjusted price, and weight."""
        found = self.values.comparables
        rows = found.sales[0][found.sales[0] >= 0]
        if not len(rows):
            return []
        search = self.market.evidence.properties
        features = self.market.model.features
        parts = adjustments(self.market.boosted, features, self.values.subjects.known[0], search.known[rows])
        weights = _rounded_shares(found.weights[0][: len(rows)])
        return [self._comparable(at, int(row), parts[at], weights[at]) for at, row in enumerate(rows)]

    def contributions(self) -> list[dict[str, Any]]:
        """What each characteristic adds (USD) to the value of the average sale; sums to the AVM's value."""
        shap = self.market.boosted.contributions(self.values.subjects.known[:1])[0]
        base = float(shap[-1] + self.values.growth[0])
        groups = groups_of(self.market.model.features)
        has = self._has(self.values.subjects.known[0])
        value = float(np.exp(self.values.by[Approach.AVM][0]))
        spread = _logarithmic_mean(float(np.exp(base)), value)
        rows: list[dict[str, Any]] = [
            {"feature": name, "property_has": has[name], "amount": round(spread * float(shap[inputs].sum()), 2)}
            for name, inputs in groups.items()
        ]
        rows.sort(key=lambda row: (-abs(row["amount"]), row["feature"]))
        total = self.dollars(Approach.AVM) or 0.0
        start = round(total - sum(row["amount"] for row in rows), 2)
        return [{"feature": "Average sale", "property_has": None, "amount": start}, *rows]

    def confidence_factors(self) -> list[dict[str, Any]]:
        """What the score is the product of, with words where one is below 1."""
        told = []
        for factor, values in self.confidence.factors.items():
            value = float(values[0])
            reason = REASONS[factor] if value < 1 or factor is Factor.MET else None
            told.append({"factor": factor.value, "value": round(value, 4), "reason": reason})
        return told

    def notes(self) -> list[str]:
        """What a reader must know of this value."""
        told = []
        named = {feature.name: feature for feature in self.market.model.features}
        absurd = [named[name].label for name, rows in self.confidence.absurd.items() if rows[0]]
        missing = [named[name].label for name, rows in self.confidence.lacking.items() if rows[0]]
        lacking = [name for name in missing if name not in absurd]
        outside = [named[name].label for name, rows in self.confidence.outside.items() if rows[0]]
        if absurd:
            told.append(f"Recorded with a value that cannot be, and taken as missing: {', '.join(absurd)}.")
        if lacking:
            told.append(f"Not recorded: {', '.join(lacking)}.")
        if outside:
            told.append(f"Beyond what was sold: {', '.join(outside)}.")
        if self.confidence.not_yet_built[0]:
            year = int(self.values.subjects.records.numbers("year_built")[0])
            told.append(f"Built in {year}, after the valuation date: what stood there then is not recorded.")
        last = np.datetime64(self.market.model.time_index.last, "D").item()
        if self.day > last:
            told.append(f"The last sale known is of {last.isoformat()}; prices are extended by the damped trend.")
        if unlike_comparables(self.market, self.values)[0]:
            told.append("The comparables are few, or less alike than usual.")
        if adjusted_comparables(self.values)[0]:
            net = float(self.values.comparables.net_adjustment(self.values.growth)[0])
            told.append(
                f"The comparables' prices are adjusted by {net:.0%} in the mean (net), and should be explained."
            )
        strays = [NAMES[a] for at, a in enumerate(APPROACHES) if self.values.weights.strays[0, at]]
        if strays:
            told.append(f"Too far from the other approaches to have any weight: {', '.join(strays)}.")
        return told

    def _comparable(self, at: int, row: int, parts: Floats, weight: float) -> dict[str, Any]:
        evidence, found = self.market.evidence, self.values.comparables
        sales = evidence.sales
        price = float(sales.prices[row])
        growth = float(evidence.log_price[row] - np.log(price) + self.values.growth[0])
        at_day = price * float(np.exp(growth))
        adjusted = float(np.exp(found.adjusted[0, at] + self.values.growth[0]))
        spread = _logarithmic_mean(at_day, adjusted)
        mine, theirs = self._has(self.values.subjects.known[0]), self._has(evidence.properties.known[row])
        rows: list[dict[str, Any]] = [
            _line("Market time", self.day.isoformat(), str(sales.dates[row]), at_day - price),
            *(
                _line(name, mine[name], theirs[name], spread * float(part))
                for name, part in zip(mine, parts, strict=True)
            ),
        ]
        total = round(price + sum(line["amount"] for line in rows), 2)
        gross = sum(abs(line["amount"]) for line in rows)
        located = self.market.model.places.located
        return {
            "property_id": str(sales.property_ids[row]),
            "sale_id": str(sales.sale_ids[row]),
            "sale_date": str(sales.dates[row]),
            "sale_price": round(price, 2),
            "distance_km": round(float(found.distance[0, at]), 3) if located else None,
            "similarity": round(float(found.similarity[0, at]), 4),
            "adjustments": rows,
            "net_adjustment_percent": round(100 * (total - price) / price, 2),
            "gross_adjustment_percent": round(100 * gross / price, 2),
            "adjusted_price": total,
            "weight": weight,
        }

    def _has(self, known: Floats) -> dict[str, str | float | None]:
        """What a property has, by what people call it; a place is too much for one word."""
        features = self.market.model.features
        shown = {feature.label: _shown(feature, float(known[at])) for at, feature in enumerate(features)}
        return {name: None if name == PLACE else shown[name] for name in groups_of(features)}

    def _range(self, approach: Approach) -> dict[str, float] | None:
        bands = self.market.model.bands.get(approach)
        if bands is None or self.dollars(approach) is None:
            return None
        low, high = (float(np.exp(end[0])) for end in self.values.interval(self.market.model, approach))
        return {"low": round(low, 2), "high": round(high, 2), "level": bands.level}

    def _why_no_range(self, approach: Approach) -> str | None:
        there = self.dollars(approach) is not None
        return UNTESTED if there and approach not in self.market.model.bands else None

    def _cost(self) -> dict[str, Any]:
        model = self.market.model.cost
        if model is None:
            return {"unavailable": "The county keeps no cost tables, and too few sales tell of living area and age."}
        subjects = self.values.subjects
        year, growth = year_of(self.values.days), self.values.growth
        parts = cost.parts(model, subjects.records, subjects.areas, year, growth)
        if parts is None:
            return {"unavailable": cost.why_not(model, subjects.records, subjects.areas), "source": model.source}
        if self.dollars(Approach.COST) is None:
            return {"unavailable": "Living area and year built are not recorded.", "source": model.source}
        money = {"land_value", "replacement_cost_new", "building_value"}
        shown = parts.model_dump(exclude={"value"})
        return {
            "unavailable": None,
            "source": model.source,
            **{name: round(value, 2 if name in money else 4) for name, value in shown.items()},
        }

    def _weights(self) -> list[dict[str, Any]]:
        shares = self.values.weights.shares[0]
        return [
            {"approach": approach.value, "weight": round(float(shares[at]), 4), "reason": self._weight_reason(at)}
            for at, approach in enumerate(APPROACHES)
        ]

    def _weight_reason(self, at: int) -> str:
        weights, bands = self.values.weights, self.market.model.bands.get(APPROACHES[at])
        if bands is not None and weights.strays[0, at]:
            times = float(np.exp(weights.apart[0, at]))
            return (
                f"no weight: {times:.2f} times the middle approach's value, while its errors are "
                f"{100 * bands.spread:.1f} % (robust standard deviation)"
            )
        if bands is None and self.dollars(APPROACHES[at]) is not None:
            return UNTESTED
        if bands is None or weights.shares[0, at] == 0:
            return "no value"
        return (
            f"errors of {100 * bands.spread:.1f} % (robust standard deviation) on {bands.count:,} sales that the "
            f"model did not know; quality {float(weights.quality[0, at]):.2f} for this property"
        )

    def _why_no_comparables(self, count: int) -> str:
        least = self.market.model.settings.min_comparables
        candidates = int(self.values.comparables.candidates[0])
        return (
            f"{count} comparable sale(s), and at least {least} are wanted: of the sales of its kind nearby "
            f"{candidates} were earlier, another property's, and within a factor of two of its value."
        )


def _line(feature: str, subject: str | float | None, comparable: str | float | None, amount: float) -> dict[str, Any]:
    """A line of the grid; what is the same is not adjusted for, and not by minus nothing either."""
    return {"feature": feature, "subject": subject, "comparable": comparable, "amount": round(amount, 2) + 0.0}


def _shown(feature: Feature, value: float) -> str | float | None:
    if np.isnan(value):
        return None
    return feature.levels[int(value)] if feature.kind is Kind.CATEGORY else round(value, 4)


def _logarithmic_mean(a: float, b: float) -> float:
    return a if abs(b - a) < 1e-9 * a else (b - a) / float(np.log(b / a))


def _rounded_shares(shares: Floats) -> list[float]:
    """Shares to six digits that still add up to 1; the largest takes what rounding left."""
    rounded = [round(float(share), 6) for share in shares]
    rounded[0 if not rounded else int(np.argmax(shares))] += round(1 - sum(rounded), 6)
    return [round(share, 6) for share in rounded]
