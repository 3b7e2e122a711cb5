"""Property record cards: situs, characteristics, values, sales, and a sketch of the parcel."""

from collections.abc import Mapping, Sequence
from datetime import date
from difflib import get_close_matches
from math import isfinite
from typing import Any

from reporting.content import Block, Cell, Column, Facts, Report, Section, Table, Text, Unit, written
from reporting.context import Context
from reporting.sketches import sketch
from terrafusion.errors import FailureReason, JobFailure

SITUS = (
    ("property_id", "Property", Unit.TEXT),
    ("situs_address_full", "Situs address", Unit.TEXT),
    ("property_class", "Property class", Unit.TEXT),
    ("neighborhood", "Neighborhood", Unit.TEXT),
    ("zip_code", "Zip code", Unit.TEXT),
    ("lon", "Longitude", Unit.NUMBER),
    ("lat", "Latitude", Unit.NUMBER),
)
CHARACTERISTICS = (
    ("land_area_sqft", "Land area, sq ft", Unit.COUNT),
    ("living_area_sqft", "Living area, sq ft", Unit.COUNT),
    ("year_built", "Year built", Unit.YEAR),
    ("stories", "Stories", Unit.NUMBER),
    ("bedrooms", "Bedrooms", Unit.NUMBER),
    ("bathrooms", "Bathrooms", Unit.NUMBER),
    ("quality", "Quality", Unit.TEXT),
    ("condition", "Condition", Unit.TEXT),
    ("garage_area_sqft", "Garage, sq ft", Unit.COUNT),
)
VALUES = (
    ("assessed_land_value", "Land", Unit.CENTS),
    ("assessed_improvement_value", "Improvements", Unit.CENTS),
    ("current_assessed_value_total", "Current total", Unit.CENTS),
    ("prior_assessed_value_total", "Prior total", Unit.CENTS),
)
STANDARD = frozenset(name for part in (SITUS, CHARACTERISTICS, VALUES) for name, _, _ in part)
LAST_SALE = frozenset({"last_sale_date", "last_sale_price"})
MOST_OTHERS = 40

Row = Mapping[str, Any]


def property_record_card(context: Context) -> Report:
    """Make a card for each property asked for.

    Raises
    ------
    JobFailure
        PROPERTY_NOT_FOUND, naming which, with ids that come near.
    """
    parameters = context.plan.parameters
    wanted = list(
        dict.fromkeys([*(parameters.property_ids or ()), *([parameters.property_id] if parameters.property_id else ())])
    )
    context.progress(0.1, "Looking up properties")
    found = _rows(context, wanted)
    sections, documents = [], []
    for number, name in enumerate(wanted):
        context.progress(0.15 + 0.6 * number / len(wanted), f"Card {number + 1} of {len(wanted)}")
        rows = found[name]
        sales = _sales(context, name)
        sections.append(_card(context, rows, sales))
        documents.append({"property_id": name, "rows": [_plain(r) for r in rows], "sales": [_plain(s) for s in sales]})
    table = _index(wanted, found)
    one = len(wanted) == 1
    return Report(
        title=context.title,
        subtitle=f"Property {wanted[0]}" if one else f"{len(wanted):,} properties",
        county=context.county,
        made=context.made,
        sections=[*sections, context.section([("Properties asked for", f"{len(wanted):,}")])],
        main=table,
        sheets=(),
        summary={"properties": len(wanted), "property_ids": wanted[:20]},
        document={"inputs": context.stated(), "cards": documents},
        message=f"{len(wanted):,} record card{'' if one else 's'}",
    )


def _rows(context: Context, wanted: Sequence[str]) -> dict[str, list[Row]]:
    cursor = context.database.execute(
        "SELECT * FROM properties WHERE property_id IN (SELECT unnest(?::VARCHAR[])) ORDER BY property_id, "
        "current_assessed_value_total DESC NULLS LAST, situs_address_full",
        [list(wanted)],
    )
    names = [column[0] for column in cursor.description]
    rows = [dict(zip(names, map(_finite, row), strict=True)) for row in cursor.fetchall()]
    found: dict[str, list[Row]] = {name: [row for row in rows if row["property_id"] == name] for name in wanted}
    missing = [name for name, those in found.items() if not those]
    if missing:
        raise JobFailure(FailureReason.PROPERTY_NOT_FOUND, _not_found(context, missing))
    return found


def _not_found(context: Context, missing: Sequence[str]) -> str:
    query = "SELECT DISTINCT property_id FROM properties WHERE property_id IS NOT NULL"
    known = [row[0] for row in context.database.execute(query).fetchall()]
    near = get_close_matches(missing[0], known, n=3, cutoff=0.75)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    names = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
    return f"The roll has no property {names}.{hint}"


def _sales(context: Context, property_id: str) -> list[Row]:
    if "sales" not in context.snapshot.layers:
        return []
    cursor = context.database.execute(
        """SELECT sale_id, CAST(sale_date AS DATE) AS sale_date, sale_price, assessed_value, is_valid FROM sales
           WHERE property_id = ? ORDER BY sale_date DESC NULLS LAST, sale_id""",
        [property_id],
    )
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, map(_finite, row), strict=True)) for row in cursor.fetchall()]


def _card(context: Context, rows: Sequence[Row], sales: Sequence[Row]) -> Section:
    row = rows[0]
    name = str(row["property_id"])
    place = (row["lon"], row["lat"]) if row["lon"] is not None and row["lat"] is not None else None
    blocks: list[Block] = []
    if len(rows) > 1:
        blocks.append(Text(f"{len(rows)} rows of the roll have this id; the card shows the first."))
    blocks += [
        Facts(f"situs_{name}", "Situs", _facts(row, SITUS)),
        sketch(context, name, place) or Text("The county's data have no outline of this parcel."),
        Facts(f"characteristics_{name}", "Characteristics", _facts(row, CHARACTERISTICS)),
        Facts(f"values_{name}", "Assessed values, dollars", [*_facts(row, VALUES), *_change(row)]),
        _sales_table(name, row, sales),
    ]
    others = [
        (key, _text(value)) for key, value in row.items() if key not in STANDARD | LAST_SALE and value is not None
    ]
    if others:
        blocks.append(Facts(f"others_{name}", "The county's other fields", others[:MOST_OTHERS]))
    address = row["situs_address_full"]
    return Section(f"Property {name}" + (f", {address}" if address else ""), blocks, own_page=True)


def _facts(row: Row, fields: Sequence[tuple[str, str, Unit]]) -> list[tuple[str, str]]:
    return [
        (title, f"{row[name]:.6f}" if name in {"lon", "lat"} and row[name] is not None else written(row[name], unit))
        for name, title, unit in fields
    ]


def _change(row: Row) -> list[tuple[str, str]]:
    current, prior = row["current_assessed_value_total"], row["prior_assessed_value_total"]
    if current is None or not prior:
        return []
    return [("Change", f"{current / prior - 1:+.2%}")]


def _sales_table(name: str, row: Row, sales: Sequence[Row]) -> Table:
    columns = (
        Column("sale_date", "Date", Unit.DATE),
        Column("sale_price", "Price", Unit.MONEY),
        Column("assessed_value", "Value then", Unit.MONEY),
        Column("ratio", "Ratio", Unit.RATIO),
        Column("is_valid", "Valid"),
    )
    rows: list[Sequence[Cell]] = [
        (s["sale_date"], s["sale_price"], s["assessed_value"], _ratio(s), {True: "yes", False: "no"}.get(s["is_valid"]))
        for s in sales
    ]
    note = ""
    if not rows:
        last, price = row["last_sale_date"], row["last_sale_price"]
        rows = [(last, price, None, None, None)] if last or price else []
        note = "From the roll." if rows else "No sale is known."
    return Table(f"sales_{name}", "Sales", columns, rows, note)


def _ratio(sale: Row) -> float | None:
    price, value = sale["sale_price"], sale["assessed_value"]
    return value / price if price and price > 0 and value is not None else None


def _index(wanted: Sequence[str], found: Mapping[str, Sequence[Row]]) -> Table:
    fields = (*SITUS, *CHARACTERISTICS, *VALUES)
    columns = tuple(Column(name, title, unit) for name, title, unit in fields)
    return Table("cards", "Properties", columns, [tuple(found[n][0][f] for f, _, _ in fields) for n in wanted])


def _plain(row: Row) -> dict[str, Any]:
    return {
        key: value.isoformat() if isinstance(value, date) else value for key, value in row.items() if value is not None
    }


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not isfinite(value) else value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.6g}" if isinstance(value, float) else str(value)
