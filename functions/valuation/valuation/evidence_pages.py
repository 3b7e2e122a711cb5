"""What a packet shows beside the value's document: the subject, where comparables are, and market time."""

from typing import Any

import numpy as np

from valuation.appraisal import Appraisal
from valuation.features import sane
from valuation.records import Ints, Records

MONTHS_SHOWN = 120


def property_pages(appraisal: Appraisal, card: dict[str, Any]) -> dict[str, Any]:
    """Data of the packet's pages, as JSON."""
    return {
        "subject": _subject(appraisal),
        "places": _places(appraisal),
        "market_time": _market_time(appraisal),
        "tested": {
            "from": card["hold_out"]["from"],
            "to": card["hold_out"]["to"],
            "approaches": card["hold_out"]["approaches"],
        },
        "sales": card["data"],
        "screening": card["screening"],
    }


def _subject(appraisal: Appraisal) -> dict[str, Any]:
    records = appraisal.values.subjects.records
    rows = [row for row in appraisal.contributions()[1:] if row["property_has"] is not None]
    return {
        "property_id": str(records.texts("property_id")[0]),
        "address": str(records.texts("situs_address_full")[0]) or None,
        "neighborhood": str(records.texts("neighborhood")[0]) or None,
        "characteristics": [[row["feature"], row["property_has"]] for row in rows],
        "value_on_roll": _number(records, "current_assessed_value_total"),
    }


def _places(appraisal: Appraisal) -> dict[str, Any]:
    """Longitudes and latitudes of the subject and of its comparables, in the grid's order; None where not known."""
    found = appraisal.values.comparables.sales[0]
    sales = appraisal.market.evidence.sales.records.take(found[found >= 0])
    return {"subject": _positions(appraisal.values.subjects.records)[0], "comparables": _positions(sales)}


def _positions(records: Records) -> list[list[float] | None]:
    lon, lat = (sane(name, records.numbers(name)) for name in ("lon", "lat"))
    return [None if np.isnan([x, y]).any() else [float(x), float(y)] for x, y in zip(lon, lat, strict=True)]


def _market_time(appraisal: Appraisal) -> dict[str, Any]:
    """The index by month, 100 at the valuation date, and the day of the last sale."""
    index, day = appraisal.market.model.time_index, int(appraisal.values.days[0])
    end = max(index.last, day)
    start = max(index.first, end - MONTHS_SHOWN * 30)
    days: Ints = np.unique(np.r_[np.arange(start, end, 30), index.last, end])
    level = 100 * np.exp(index.level(days) - index.level(np.array([day])))
    return {
        "days": [str(np.datetime64(int(one), "D")) for one in days],
        "level": [round(float(one), 3) for one in level],
        "last_sale": str(np.datetime64(index.last, "D")),
        "yearly_change": round(index.yearly_change, 4),
    }


def _number(records: Records, name: str) -> float | None:
    value = float(records.numbers(name)[0])
    return None if np.isnan(value) else value
