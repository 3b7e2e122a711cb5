"""Whether sold properties were valued by their prices: the part of a ratio study that looks for sales chasing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb
import numpy as np

from reporting.analysis import Analysis
from reporting.content import Block, Facts, Section, Text
from reporting.context import Context
from reporting.plan import FILTER_FIELDS
from terrafusion.ratios import NearOne, SoldUnsold, ratios_near_one, sold_against_unsold
from terrafusion.ratios.sample import Floats


@dataclass(frozen=True, slots=True)
class RollChanges:
    """Changes of value as shares, (current - prior) / prior, of the properties studied and of those never sold.

    `others` counts the properties that are neither: their valid sales are not in the study.
    """

    sold: Floats
    unsold: Floats
    others: int

    @property
    def text(self) -> str:
        """Which properties are compared."""
        told = f" {self.others:,} with only other sales, of other days or left out, are neither." if self.others else ""
        return (
            "Sold are the properties of the sales studied; unsold are those of the roll, within the same class, "
            f"neighborhood and zip where these select, that have no valid sale of any date.{told}"
        )


def chasing_section(context: Context, analysis: Analysis) -> Section:
    """The two tests, or why one could not be made."""
    near = ratios_near_one(analysis.sample)
    blocks: list[Block] = [Facts("near_one", "Ratios within 2 % of 1", _near_facts(near))]
    changes = _changes(context, analysis)
    if isinstance(changes, str):
        blocks.append(Text(f"Changes of sold and unsold properties were not compared: {changes}."))
    else:
        found = sold_facts(sold_against_unsold(changes.sold, changes.unsold))
        blocks += [Facts("sold_unsold", "Changes of sold and unsold properties", found), Text(changes.text)]
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


def _changes(context: Context, analysis: Analysis) -> RollChanges | str:
    layer = context.snapshot.layers.get("properties")
    present = {field.name for field in layer.fields} if layer else set()
    if "prior_assessed_value_total" not in present:
        return "the county keeps no prior values"
    filters = {name: terms for name in FILTER_FIELDS if (terms := getattr(context.plan.parameters, name))}
    if absent := [name for name in filters if name not in present]:
        return f"the sales are selected by {', '.join(absent)}, which the roll does not have"
    ids = [one for one in analysis.sales.property_id.tolist() if one]
    return changes_by_property(context.database, ids, filters)


def changes_by_property(
    database: duckdb.DuckDBPyConnection, sold: Sequence[str], filters: Mapping[str, Sequence[str]]
) -> RollChanges:
    """Changes of value of the roll's properties, within the filters, that have both values above 0.

    Parameters
    ----------
    sold
        The properties of the sales studied.
    filters
        Terms by field of the roll; a property must have one of each.
    """
    conditions = "".join(f" AND list_contains(?, p.{name})" for name in filters)
    rows = database.execute(
        f"""
        WITH studied AS (SELECT DISTINCT unnest(?::VARCHAR[]) AS property_id),
             sold AS (SELECT DISTINCT property_id FROM sales
                      WHERE is_valid IS NOT FALSE AND isfinite(sale_price) AND sale_price > 0
                        AND property_id IS NOT NULL)
        SELECT current_assessed_value_total / prior_assessed_value_total - 1 AS change,
               p.property_id IN (SELECT property_id FROM studied) AS is_studied,
               p.property_id IN (SELECT property_id FROM sold) AS is_sold
        FROM properties p
        WHERE prior_assessed_value_total > 0 AND current_assessed_value_total > 0
          AND p.property_id IS NOT NULL{conditions}
        """,  # noqa: S608  fields are the standard's, values are bound
        [list(sold), *map(list, filters.values())],
    ).fetchnumpy()
    change = np.asarray(rows["change"], dtype=np.float64)
    studied, any_sale = (np.asarray(rows[name], dtype=np.bool_) for name in ("is_studied", "is_sold"))
    return RollChanges(change[studied], change[~studied & ~any_sale], int(np.count_nonzero(any_sale & ~studied)))


def sold_between(database: duckdb.DuckDBPyConnection, first: date, last: date, *, from_sales: bool) -> list[str]:
    """Properties sold within a period, both days included: by the table of sales, or by their own last sale's date."""
    query = (
        "SELECT DISTINCT property_id FROM sales WHERE CAST(sale_date AS DATE) BETWEEN ? AND ? AND is_valid IS NOT FALSE"
        if from_sales
        else "SELECT DISTINCT property_id FROM properties WHERE CAST(last_sale_date AS DATE) BETWEEN ? AND ?"
    )
    return [row[0] for row in database.execute(query, [first, last]).fetchall() if row[0]]
