"""The appeal packet: one property's value with its reasons, as a board reads it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from terrafusion.documents import Pdf, pdf
from valuation.pictures import comparables_map, contributions_chart, time_chart
from valuation.surroundings import Surroundings

TEMPLATE = Path(__file__).with_name("packet.typ")
NAMES = {
    "comparable_sales": "Comparable sales",
    "avm": "Automated valuation model",
    "cost": "Cost",
    "reconciled": "Reconciled",
    "hedonic_ols": "Hedonic regression (challenger)",
}
NOTHING, MINUS = "\u2013", "\u2212"
ACROSS = 4
"""So many comparables stand beside one another in a grid."""
LIMITS = tuple(
    """\
The value is an estimate of the market value of the property as it is recorded. Nobody inspected it for this estimate; \
where the record is wrong, so is the value.
Characteristics are those of the county's current record, also for valuation dates in the past. Sales after the \
valuation date were not known to the model.
The property's own sales are not used: sold and unsold properties are treated alike.
Adjustments are what the model, trained on the county's sales, says that buyers paid for each difference. They are \
averages; a single sale can differ for reasons that no record tells.""".splitlines()
)


def packet_pdf(
    result: Mapping[str, Any], pages: Mapping[str, Any], around: Surroundings, *, office: str, made_at: datetime
) -> Pdf:
    """Set the packet of a property's result document."""
    pictures = {
        "time.svg": time_chart(pages["market_time"], result["valuation_date"]),
        "contributions.svg": contributions_chart(result["contributions"]),
    }
    drawn = comparables_map(around)
    if drawn is not None:
        pictures["map.svg"] = drawn
    data = packet_data(result, pages, office=office, made_at=made_at, has_map=drawn is not None)
    return pdf(TEMPLATE, data, made_at=made_at, pictures=pictures)


def packet_data(
    result: Mapping[str, Any], pages: Mapping[str, Any], *, office: str, made_at: datetime, has_map: bool
) -> dict[str, Any]:
    """What the template shows, as texts."""
    subject = pages["subject"]
    ends = result["value_range"]
    return {
        "title": f"Valuation of {subject['address'] or subject['property_id']}",
        "subtitle": f"Property {subject['property_id']}",
        "office": office,
        "date": made_at.date().isoformat(),
        "inputs": f"Data {result['dataset_version']}, model {result['model_version']}",
        "value": money(result["estimated_value"]),
        "range": f"{money(ends['low'])} to {money(ends['high'])}" if ends else None,
        "level": f"{ends['level']:.0%}" if ends else None,
        "valuation_date": result["valuation_date"],
        "method": NAMES[result["valuation_method_used"]],
        "confidence": f"{result['confidence_score']:.2f}",
        "review": result["review_reason"],
        "factors": _factors(result["confidence_factors"]),
        "notes": list(result["notes"]),
        "subject": _subject(subject),
        "approaches": _approaches(result["approaches"]),
        "comparables": _comparables(result["comparables"]),
        "grids": _grids(result["comparables"]),
        "cost": _cost(result["approaches"]["cost"]),
        "contributions": [[row["feature"], shown(row["property_has"]), signed(row["amount"])] for row in _rows(result)],
        "contributions_total": money(result["approaches"]["avm"]["value"]),
        "has_map": has_map,
        "yearly_change": f"{pages['market_time']['yearly_change']:+.1%}",
        "last_sale": pages["market_time"]["last_sale"],
        "tested": tested_rows(pages["tested"]["approaches"]),
        "tested_from": pages["tested"]["from"],
        "tested_to": pages["tested"]["to"],
        "screening": [[row["explanation"], f"{row['count']:,}"] for row in pages["screening"]],
        "sales_read": f"{pages['sales']['sales_read']:,}",
        "sales_used": f"{pages['sales']['sales_used']:,}",
        "limits": list(LIMITS),
    }


def tested_rows(approaches: Mapping[str, Any]) -> list[list[str]]:
    """One row for each approach: how it did on the hold-out sales."""
    return [
        [
            NAMES[name],
            f"{found['n']:,}",
            _figure(found.get("median_ratio"), ".3f"),
            _figure(found.get("cod"), ".1f"),
            _figure(found.get("prd"), ".3f"),
            _figure(found.get("prb"), ".3f"),
            _figure(found.get("mdape_percent"), ".1f"),
            _figure(found.get("interval_coverage"), ".1%"),
        ]
        for name, found in approaches.items()
    ]


def money(amount: float | None) -> str:
    """Whole dollars."""
    return NOTHING if amount is None else f"${amount:,.0f}"


def signed(amount: float) -> str:
    """Whole dollars with their sign; nothing is 0."""
    return "0" if abs(amount) < 0.5 else f"{'+' if amount > 0 else MINUS}{abs(amount):,.0f}"


def shown(value: Any) -> str:
    """A characteristic as text."""
    if value is None:
        return NOTHING
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 3000 else f"{value:,.6g}"
    return str(value)


def _rows(result: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return list(result["contributions"])


def _figure(value: float | None, form: str) -> str:
    return NOTHING if value is None else format(value, form)


def _factors(factors: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    return [[f["factor"].capitalize(), f"{f['value']:.2f}", f["reason"] or "nothing the matter"] for f in factors]


def _subject(subject: Mapping[str, Any]) -> list[list[str]]:
    place = [["Neighborhood", subject["neighborhood"]]] if subject["neighborhood"] else []
    roll = [["Value on the current roll", money(subject["value_on_roll"])]] if subject["value_on_roll"] else []
    return [*place, *([name, shown(value)] for name, value in subject["characteristics"]), *roll]


def _approaches(approaches: Mapping[str, Any]) -> list[list[str]]:
    weights = {row["approach"]: row for row in approaches["reconciled"]["weights"]}
    rows = []
    for name in ("comparable_sales", "avm", "cost", "reconciled"):
        part, weight = approaches[name], weights.get(name)
        ends = part["value_range"]
        rows.append(
            [
                NAMES[name],
                money(part["value"]),
                f"{money(ends['low'])} to {money(ends['high'])}" if ends else NOTHING,
                f"{weight['weight']:.0%}" if weight else "",
                part.get("unavailable") or (weight["reason"] if weight else "the weighted mean"),
            ]
        )
    return rows


def _comparables(comparables: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    return [
        [
            str(number),
            one["property_id"],
            one["sale_date"],
            money(one["sale_price"]),
            NOTHING if one["distance_km"] is None else f"{one['distance_km']:.2f} km",
            f"{one['similarity']:.0%}",
            f"{one['net_adjustment_percent']:+.1f}%".replace("-", MINUS),
            f"{one['gross_adjustment_percent']:.1f}%",
            money(one["adjusted_price"]),
            f"{one['weight']:.0%}",
        ]
        for number, one in enumerate(comparables, 1)
    ]


def _grids(comparables: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Adjustment grids of a few comparables each: a row for each line, a column for each comparable."""
    grids = []
    for start in range(0, len(comparables), ACROSS):
        some = comparables[start : start + ACROSS]
        rows: list[list[Any]] = [["Sale price", "", *(_cell(money(one["sale_price"])) for one in some)]]
        for at, line in enumerate(some[0]["adjustments"]):
            cells = [_adjustment(one["adjustments"][at]) for one in some]
            rows.append([line["feature"], shown(line["subject"]), *cells])
        rows.append(["Adjusted price", "", *(_cell(money(one["adjusted_price"])) for one in some)])
        titles = [f"Sale {number}" for number in range(start + 1, start + 1 + len(some))]
        grids.append({"titles": titles, "rows": rows})
    return grids


def _adjustment(line: Mapping[str, Any]) -> dict[str, str]:
    """What a comparable has, and what is added to its price for it."""
    return _cell(signed(line["amount"]), "" if line["comparable"] is None else shown(line["comparable"]))


def _cell(amount: str, has: str = "") -> dict[str, str]:
    return {"amount": amount, "has": has}


def _cost(cost: Mapping[str, Any]) -> list[list[str]]:
    if cost.get("unavailable") or cost.get("value") is None:
        return [["Not available", str(cost.get("unavailable"))]]
    return [
        ["Land", money(cost["land_value"])],
        ["Replacement cost new", money(cost["replacement_cost_new"])],
        ["Local multiplier", f"{cost['local_multiplier']:.3f}"],
        [f"Age {cost['effective_age_years']:.0f} years: {cost['good']:.0%} left", money(cost["building_value"])],
        ["Value by cost, land and building", money(cost["value"])],
        ["Source", cost["source"]],
    ]
