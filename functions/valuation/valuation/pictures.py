"""The pictures of a packet: the map of comparables, market time, what the characteristics contribute."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from terrafusion.charts import Areas, Axis, Bars, Chart, Line, MapDrawing, Paths, Places, Rule, Scale, Tone, Unit
from terrafusion.charts.style import Shape
from valuation.surroundings import Surroundings

MOST_BARS = 14
LABEL_SHARE = 0.15
MINUS = "\u2212"


def comparables_map(around: Surroundings) -> str | None:
    """The subject and its comparables, numbered as in the grid; None where nothing is located."""
    subject, *others = around.spots
    numbered = [(spot, str(number)) for number, spot in enumerate(others, 1) if spot is not None]
    numbered.reverse()  # the first is drawn last, on top
    if subject is None and not numbered:
        return None
    layers: list[Areas | Paths | Places] = []
    if around.parcels:
        layers.append(Areas("Parcels", around.parcels, outline="#C4CAD2", outline_width=0.4))
    if around.comparables:
        layers.append(Areas("Parcels of comparables", around.comparables, fill="#C9DCEB", outline="#12436D"))
    if around.subject:
        layers.append(Areas("Parcel of the subject", around.subject, fill="#F4C7A1", outline="#8A3B00"))
    if around.roads:
        layers.append(Paths("Roads", around.roads, colour="#8C96A3", width=0.8))
    layers.append(
        Places(
            "Comparable sales",
            [spot for spot, _ in numbered],
            signs=[number for _, number in numbered],
            radius=8,
            shape=Shape.CIRCLE,
        )
    )
    if subject is not None:
        layers.append(Places("Subject", [subject], colour="#8A3B00", radius=8, shape=Shape.DIAMOND, signs=["S"]))
    return MapDrawing(
        "The subject and its comparable sales",
        layers,
        metres=around.metres,
        extent=around.extent,
        subtitle="Numbers are those of the adjustment grid",
        description=f"Map of the subject (S) and {len(numbered)} comparable sales, numbered as in the grid.",
        height=480,
    ).svg()


def time_chart(market_time: Mapping[str, Any], valuation_date: str) -> str:
    """The price index by which comparables are brought to the valuation date."""
    days = [date.fromisoformat(day) for day in market_time["days"]]
    last = date.fromisoformat(market_time["last_sale"])
    known = [(day, level) for day, level in zip(days, market_time["level"], strict=True) if day <= last]
    beyond = [(day, level) for day, level in zip(days, market_time["level"], strict=True) if day >= last]
    marks: list[Any] = [Line("Index from sales", [day for day, _ in known], [level for _, level in known])]
    if len(beyond) > 1:
        marks.append(Line("Damped trend", [day for day, _ in beyond], [level for _, level in beyond]))
    marks.append(Rule(date.fromisoformat(valuation_date), "Valuation date", upright=True))
    return Chart(
        "Market time",
        marks,
        x=Axis(scale=Scale.TIME),
        y=Axis("Price level"),
        subtitle="Price of the same property, 100 at the valuation date",
        description="Line of the price level of the same property over time, 100 at the valuation date.",
        height=300,
    ).svg()


def contributions_chart(contributions: Sequence[Mapping[str, Any]]) -> str:
    """What each characteristic adds to the average sale, the largest first."""
    start, *parts = contributions
    shown, rest = parts[:MOST_BARS], parts[MOST_BARS:]
    steps = [(str(row["feature"]), float(row["amount"])) for row in shown]
    if rest:
        steps.append((f"{len(rest)} others", sum(float(row["amount"]) for row in rest)))
    total = float(start["amount"]) + sum(amount for _, amount in steps)
    bars = Bars(
        "Amount",
        [name for name, _ in steps],
        [amount for _, amount in steps],
        horizontal=True,
        tones=[Tone.GAIN if amount >= 0 else Tone.LOSS for _, amount in steps],
        labels=[f"{'+' if amount >= 0 else MINUS}${abs(amount):,.0f}" for _, amount in steps],
    )
    return Chart(
        "What makes up the model's value",
        [bars],
        x=Axis(unit=Unit.MONEY, include=_room([amount for _, amount in steps])),
        y=Axis(scale=Scale.CATEGORY),
        subtitle=f"From the average sale (${start['amount']:,.0f}) to ${total:,.0f}",
        description="Bars of what each characteristic adds to, or takes from, the price of the average sale.",
        legend=False,
        height=90 + 22 * len(steps),
    ).svg()


def _room(amounts: Sequence[float]) -> tuple[float, float]:
    """Ends of an axis that leave room for the labels at the bars' ends."""
    low, high = min([0.0, *amounts]), max([0.0, *amounts])
    return low - LABEL_SHARE * (high - low), high + LABEL_SHARE * (high - low)
