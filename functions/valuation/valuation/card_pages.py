"""The model card as pages."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from terrafusion.documents import Pdf, pdf
from valuation.packet import NOTHING, shown, tested_rows

TEMPLATE = Path(__file__).with_name("card.typ")
MOST_GROUPS = 60


def card_pdf(card: Mapping[str, Any], *, office: str, made_at: datetime) -> Pdf:
    """Set a model's card."""
    return pdf(TEMPLATE, card_data(card, office=office, made_at=made_at), made_at=made_at)


def card_data(card: Mapping[str, Any], *, office: str, made_at: datetime) -> dict[str, Any]:
    """What the template shows, as texts."""
    data, hold_out = card["data"], card["hold_out"]
    return {
        "title": "Model card",
        "subtitle": f"Valuation model {card['model_version']}",
        "office": office,
        "date": made_at.date().isoformat(),
        "inputs": f"Model {card['model_version']}",
        "facts": [
            ["Sales read", f"{data['sales_read']:,}"],
            ["Sales used", f"{data['sales_used']:,}"],
            ["First and last sale", f"{data['first_sale']} to {data['last_sale']}"],
            ["Tested on sales from", hold_out["from"]],
            ["Market areas", f"{card['market_areas']['count']:,} ({card['market_areas']['kind'].replace('_', ' ')})"],
            ["Price change of the last year", f"{card['market_time']['yearly_change']:+.1%}"],
            ["Trees", f"{card['trees']:,}"],
            ["Nothing known after", card["known_until"] or "all sales are known"],
        ],
        "tested": tested_rows(hold_out["approaches"]),
        "groups": [
            {"title": name.replace("_", " "), "rows": _groups(part["groups"]), "rest": part["in_smaller_groups"]}
            for name, part in hold_out["by"].items()
        ],
        "screening": [[row["explanation"], f"{row['count']:,}"] for row in card["screening"]],
        "features": _features(card),
        "omitted": [[name, why] for name, why in card["omitted_columns"].items()],
        "cost": _cost(card["cost"]),
        "settings": [[name.replace("_", " "), shown(value)] for name, value in card["settings"].items()],
    }


def _groups(groups: Mapping[str, Any]) -> list[list[str]]:
    rows = tested_rows_of(groups)
    return rows[:MOST_GROUPS]


def tested_rows_of(groups: Mapping[str, Any]) -> list[list[str]]:
    """One row for each group of hold-out sales."""
    return [
        [
            name,
            f"{found['n']:,}",
            *(
                NOTHING if found.get(measure) is None else f"{found[measure]:{form}}"
                for measure, form in (
                    ("median_ratio", ".3f"),
                    ("cod", ".1f"),
                    ("prd", ".3f"),
                    ("mdape_percent", ".1f"),
                    ("interval_coverage", ".1%"),
                )
            ),
        ]
        for name, found in groups.items()
    ]


def _features(card: Mapping[str, Any]) -> list[list[str]]:
    importance = card["importance"]
    named = {feature["name"]: feature for feature in card["features"]}
    rows = []
    for name, share in sorted(importance.items(), key=lambda pair: (-pair[1], pair[0])):
        feature = named.get(name)
        kind = "what is paid around" if feature is None else feature["kind"]
        never = "never lowers the value" if feature and feature["monotone"] else ""
        missing = f"{feature['missing']:.1%}" if feature else NOTHING
        rows.append([name.replace("_", " "), kind, f"{share:.1%}", missing, never])
    return rows


def _cost(cost: Mapping[str, Any] | None) -> list[list[str]]:
    if cost is None:
        return [["Not available", "too few sales tell of living area and age"]]
    rates = ", ".join(f"{name.strip('|') or 'all'} ${rate:,.0f}" for name, rate in sorted(cost["rates"].items()))
    return [
        ["Source", cost["source"]],
        ["Cost new per sq ft", rates],
        ["Economic life", f"{cost['life']:.0f} years, at least {cost['residual']:.0%} left"],
        ["Land grows with area to the power of", f"{cost['land']['power']:.2f}"],
    ]
