"""Whether sold properties were valued by their prices: the part of a ratio study that looks for sales chasing."""

from datetime import date

import duckdb
import numpy as np

from reporting.analysis import Analysis
from reporting.content import Block, Facts, Section, Text
from reporting.context import Context
from terrafusion.ratios import NearOne, SoldUnsold, ratios_near_one, sold_against_unsold
from terrafusion.ratios.sample import Floats


def chasing_section(context: Context, analysis: Analysis) -> Section:
    """The two tests, or why one could not be made."""
    near = ratios_near_one(analysis.sample)
    blocks: list[Block] = [Facts("near_one", "Ratios within 2 % of 1", _near_facts(near))]
    changes = _changes(context, analysis)
    if isinstance(changes, str):
        blocks.append(Text(f"Changes of sold and unsold properties were not compared: {changes}."))
    else:
        blocks.append(Facts("sold_unsold", "Changes of sold and unsold properties", sold_facts(changes)))
    return Section("Sales chasing", blocks)


def _near_facts(near: NearOne) -> list[tuple[str, str]]:
    if near.share is None:
        return [("Test", f"not computed ({near.reason})")]
    return [
        ("Share of the sales", f"{near.share:.1f} %"),
        ("Suspicious from", f"{near.critical} %"),
        ("Finding", "suspected: more ratios lie near 1 than chance explains" if near.suspected else "not suspected"),
    ]


def sold_facts(found: SoldUnsold) -> list[tuple[str, str]]:
    """The comparison as a reader sees it."""
    if found.sold_change is None or found.unsold_change is None or found.tolerance is None:
        return [("Test", f"not computed ({found.reason})")]
    apart = found.sold_change - found.unsold_change
    return [
        ("Sold", f"{found.sold:,} properties, median change {found.sold_change:+.2%}"),
        ("Unsold", f"{found.unsold:,} properties, median change {found.unsold_change:+.2%}"),
        ("Difference", f"{apart:+.2%}; up to {found.tolerance:.0%} is tolerated"),
        ("Mann-Whitney test", _p_text(found.p_value)),
        ("Finding", "suspected: sold properties changed differently" if found.suspected else "not suspected"),
    ]


def _p_text(p_value: float | None) -> str:
    return "p < 0.0001" if p_value is not None and p_value < 0.0001 else f"p = {p_value:.4f}"


def _changes(context: Context, analysis: Analysis) -> SoldUnsold | str:
    layer = context.snapshot.layers.get("properties")
    if layer is None or "prior_assessed_value_total" not in {field.name for field in layer.fields}:
        return "the county keeps no prior values"
    ids = [one for one in analysis.sales.property_id.tolist() if one]
    sold, unsold = changes_by_property(context.database, ids)
    return sold_against_unsold(sold, unsold)


def changes_by_property(database: duckdb.DuckDBPyConnection, sold: list[str]) -> tuple[Floats, Floats]:
    """Changes of value as shares, of the properties named and of all others; needs both values above 0."""
    rows = database.execute(
        """
        WITH sold AS (SELECT DISTINCT unnest(?::VARCHAR[]) AS property_id)
        SELECT current_assessed_value_total / prior_assessed_value_total - 1 AS change,
               p.property_id IN (SELECT property_id FROM sold) AS is_sold
        FROM properties p
        WHERE prior_assessed_value_total > 0 AND current_assessed_value_total > 0 AND p.property_id IS NOT NULL
        """,
        [sold],
    ).fetchnumpy()
    change = np.asarray(rows["change"], dtype=np.float64)
    is_sold = np.asarray(rows["is_sold"], dtype=np.bool_)
    return change[is_sold], change[~is_sold]


def sold_between(database: duckdb.DuckDBPyConnection, first: date, last: date, *, from_sales: bool) -> list[str]:
    """Properties sold within a period, both days included: by the table of sales, or by their own last sale's date."""
    query = (
        "SELECT DISTINCT property_id FROM sales WHERE CAST(sale_date AS DATE) BETWEEN ? AND ? AND is_valid IS NOT FALSE"
        if from_sales
        else "SELECT DISTINCT property_id FROM properties WHERE CAST(last_sale_date AS DATE) BETWEEN ? AND ?"
    )
    return [row[0] for row in database.execute(query, [first, last]).fetchall() if row[0]]
