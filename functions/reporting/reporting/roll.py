"""The assessment roll summarised: counts and values by class, zip and neighborhood; totals tie to the roll."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import duckdb

from reporting.content import Block, Cell, Column, Facts, Figure, Report, Section, Table, Text, Unit
from reporting.context import Context
from reporting.models import ReportParameters
from reporting.plan import FILTER_FIELDS
from reporting.selection import MOST_MONEY, check_terms
from terrafusion.charts import Axis, Bars, Chart, Scale
from terrafusion.charts import Unit as ChartUnit
from terrafusion.errors import FailureReason, JobFailure

GROUPS = (("property_class", "Property class"), ("zip_code", "Zip code"), ("neighborhood", "Neighborhood"))
MOST_BARS = 25
MONEY = "DECIMAL(18,2)"
"""Values as money: sums of these are exact, where sums of floating numbers depend on the order."""


@dataclass(frozen=True, slots=True)
class Roll:
    """The rows of the roll that a report is of, as the view `roll`, and how they were selected."""

    database: duckdb.DuckDBPyConnection
    read: int
    rows: int
    filters: Sequence[str]
    exempt_classes: Sequence[str]

    def query(self, text: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a query on `roll`."""
        return list(self.database.execute(text, list(values)).fetchall())


def open_roll(context: Context) -> Roll:
    """Select the properties that are wanted, with their values as money.

    Raises
    ------
    JobFailure
        INSUFFICIENT_DATA when no property is left, or a class, neighborhood or zip is none.
    """
    database = context.database
    where, values, words = _filters(database, context.plan.parameters)
    classes = _exempt_classes(database, context.configuration.reporting.exempt_classes)
    condition = " AND ".join(where)
    database.execute("CREATE TEMP TABLE exempt_classes AS SELECT unnest(?::VARCHAR[]) AS name", [list(classes)])
    database.execute(
        f"""CREATE TEMP TABLE roll AS
        SELECT property_id, situs_address_full, property_class, zip_code, neighborhood,
               {_money("current_assessed_value_total")} AS current_value,
               {_money("prior_assessed_value_total")} AS prior_value,
               {_money("assessed_land_value")} AS land_value,
               {_money("assessed_improvement_value")} AS improvement_value,
               {_is_too_large("current_assessed_value_total", "prior_assessed_value_total")} AS is_total_too_large,
               {_is_too_large("assessed_land_value", "assessed_improvement_value")} AS is_part_too_large,
               coalesce(property_class IN (SELECT name FROM exempt_classes), FALSE) AS is_exempt
        FROM properties WHERE {condition}""",  # noqa: S608  fields are the standard's, values are bound
        values,
    )
    read = context.snapshot.layers["properties"].count
    rows = int(database.execute("SELECT count(*) FROM roll").fetchall()[0][0])
    if not rows:
        raise JobFailure(
            FailureReason.INSUFFICIENT_DATA, f"No property of {read:,} is within {'; '.join(words) or 'the roll'}."
        )
    return Roll(database, read, rows, words, classes)


def _money(field: str) -> str:
    """A value as money; null where it is none, or too large to be money."""
    return f"CASE WHEN isfinite({field}) AND abs({field}) < {MOST_MONEY} THEN CAST({field} AS {MONEY}) END"


def _is_too_large(*fields: str) -> str:
    return " OR ".join(f"coalesce(NOT isnan({field}) AND abs({field}) >= {MOST_MONEY}, FALSE)" for field in fields)


def _filters(
    database: duckdb.DuckDBPyConnection, parameters: ReportParameters
) -> tuple[list[str], list[Any], list[str]]:
    where, values, words = ["TRUE"], [], []
    for name in FILTER_FIELDS:
        terms = getattr(parameters, name)
        if not terms:
            continue
        check_terms(database, "properties", name, terms, FailureReason.INSUFFICIENT_DATA)
        where.append(f"list_contains(?, {name})")
        values.append(list(terms))
        words.append(f"{name} {', '.join(terms)}")
    return where, values, words


def _exempt_classes(database: duckdb.DuckDBPyConnection, listed: Sequence[str]) -> list[str]:
    """The county's exempt classes: those that it lists, else those with `exempt` in their name."""
    if listed:
        return list(listed)
    query = "SELECT DISTINCT property_class FROM properties WHERE property_class ILIKE '%exempt%' ORDER BY 1"
    return [row[0] for row in database.execute(query).fetchall()]


def assessment_roll_summary(context: Context) -> Report:
    """Make the report."""
    context.progress(0.1, "Adding up the roll")
    roll = open_roll(context)
    totals = _totals(roll)
    present = {field.name for field in context.snapshot.layers["properties"].fields}
    tables = [
        group_totals(roll, field, title, totals) for field, title in GROUPS if field in present and _some(roll, field)
    ]
    context.progress(0.5, "Drawing")
    sections = [
        Section("Totals", [_totals_table(roll, totals), *_completeness(roll)]),
        *(Section(f"By {t.columns[0].title.lower()}", [t, *_bars(t)]) for t in tables),
        Section("Exempt and missing", [_missing(roll), *_exempt(roll)]),
        context.section(
            [
                ("Properties read", f"{roll.read:,}"),
                ("Filters", "; ".join(roll.filters) or "none"),
                ("Properties in this report", f"{roll.rows:,}"),
                ("Classes counted as exempt", ", ".join(roll.exempt_classes) or "none"),
            ],
            ["Sums are computed in cents, without rounding in between."],
        ),
    ]
    main = tables[0] if tables else _totals_table(roll, totals)
    return Report(
        title=context.title,
        subtitle=f"{roll.rows:,} properties, {totals['current_value']:,.2f} dollars",
        county=context.county,
        made=context.made,
        sections=sections,
        main=main,
        sheets=(),
        summary={"properties": roll.rows, **{name: _text(value) for name, value in totals.items()}},
        document={"inputs": context.stated(), "totals": {name: _text(value) for name, value in totals.items()}},
        message=f"{roll.rows:,} properties, {totals['current_value']:,.2f} dollars",
    )


def _text(value: Decimal | int) -> str | int:
    return value if isinstance(value, int) else f"{value:f}"


def _totals(roll: Roll) -> dict[str, Any]:
    names = ("properties", "current_value", "prior_value", "land_value", "improvement_value", "exempt_value")
    row = roll.query(
        f"""SELECT count(*), {_sum("current_value")}, {_sum("prior_value")}, {_sum("land_value")},
                   {_sum("improvement_value")}, {_sum("current_value", "is_exempt")} FROM roll"""  # noqa: S608
    )[0]
    return dict(zip(names, row, strict=True))


def _sum(field: str, only: str = "TRUE") -> str:
    return f"coalesce(sum({field}) FILTER (WHERE {only}), 0::{MONEY})"


def _totals_table(roll: Roll, totals: dict[str, Any]) -> Table:
    known = roll.query(
        """SELECT count(current_value), count(prior_value), count(land_value), count(improvement_value),
                  count(current_value) FILTER (WHERE is_exempt) FROM roll"""
    )[0]
    labels = {
        "current_value": "Current assessed value",
        "prior_value": "Prior assessed value",
        "land_value": "Land",
        "improvement_value": "Improvements",
        "exempt_value": "Of the current value: exempt",
    }
    rows = [
        (label, count, roll.rows - count if name != "exempt_value" else None, totals[name])
        for (name, label), count in zip(labels.items(), known, strict=True)
    ]
    columns = (
        Column("value", "Value", width=30),
        Column("properties", "Properties", Unit.COUNT, width=14),
        Column("missing", "Missing", Unit.COUNT, width=12),
        Column("total", "Total, dollars", Unit.CENTS, width=24),
    )
    return Table("totals", "Totals of the roll", columns, rows)


def group_totals(roll: Roll, field: str, title: str, totals: dict[str, Any]) -> Table:
    """Counts and values by a field, with a last row that is the roll's own total."""
    rows = roll.query(
        f"""SELECT coalesce({field}, '(none)') AS name, count(*), {_sum("current_value")}, {_sum("prior_value")},
                   {_sum("current_value")} - {_sum("prior_value")},
                   100 * ({_sum("current_value", "prior_value IS NOT NULL")}::DOUBLE
                          / nullif({_sum("prior_value", "current_value IS NOT NULL")}, 0)::DOUBLE - 1),
                   median(current_value)::DOUBLE
            FROM roll GROUP BY 1 ORDER BY 1"""  # noqa: S608
    )
    middle = roll.query("SELECT median(current_value)::DOUBLE FROM roll")[0][0]
    change = totals["current_value"] - totals["prior_value"]
    total: Sequence[Cell] = (
        "Total",
        roll.rows,
        totals["current_value"],
        totals["prior_value"],
        change,
        _overall_change(roll),
        middle,
    )
    columns = (
        Column("group", title, width=30),
        Column("properties", "Properties", Unit.COUNT, width=12),
        Column("current_value", "Current value", Unit.CENTS, width=22),
        Column("prior_value", "Prior value", Unit.CENTS, width=22),
        Column("change", "Change", Unit.CENTS, width=20),
        Column("change_percent", "Change, %", Unit.PERCENT, width=12),
        Column("median_value", "Median value", Unit.MONEY, width=16),
    )
    return Table(
        f"by_{field}",
        f"Values by {title.lower()}",
        columns,
        [*rows, total],
        "The change in percent is of properties with both values.",
        total=True,
        sums=True,
        formulas={"change": "={current_value}{row}-{prior_value}{row}"},
    )


def _overall_change(roll: Roll) -> float | None:
    value = roll.query(
        """SELECT 100 * (sum(current_value)::DOUBLE / nullif(sum(prior_value), 0)::DOUBLE - 1) FROM roll
           WHERE current_value IS NOT NULL AND prior_value IS NOT NULL"""
    )[0][0]
    return float(value) if value is not None else None


def _some(roll: Roll, field: str) -> bool:
    return bool(roll.query(f"SELECT count({field}) FROM roll")[0][0])  # noqa: S608


def _bars(table: Table) -> list[Figure]:
    """The largest groups' values; none for a table of one."""
    rows = sorted(table.rows[:-1], key=lambda row: (-float(row[2] or 0), str(row[0])))[:MOST_BARS]  # type: ignore[arg-type]
    if len(rows) < 2:
        return []
    names = [str(row[0]) for row in rows]
    values = [float(row[2] or 0) for row in rows]  # type: ignore[arg-type]
    chart = Chart(
        f"Assessed value by {table.columns[0].title.lower()}",
        [Bars("Current value", names, values, horizontal=True)],
        x=Axis("Current assessed value", unit=ChartUnit.MONEY, include=(0,)),
        y=Axis("", scale=Scale.CATEGORY, categories=tuple(names)),
        note=f"The {MOST_BARS} largest of {len(table.rows) - 1}." if len(table.rows) - 1 > MOST_BARS else "",
        height=130 + 20 * len(rows),
    )
    alt = f"Bars of assessed value; the largest is {names[0]} with {values[0]:,.0f} dollars."
    return [Figure(chart.title, chart.svg(), alt)]


def _completeness(roll: Roll) -> list[Block]:
    """Whether land and improvements add up to the total, where all three are known."""
    known, apart = roll.query(
        """SELECT count(*), count(*) FILTER (WHERE land_value + improvement_value <> current_value) FROM roll
           WHERE land_value IS NOT NULL AND improvement_value IS NOT NULL AND current_value IS NOT NULL"""
    )[0]
    if not known:
        return []
    same = "For all" if not apart else f"For {known - apart:,} of"
    return [Text(f"{same} {known:,} properties with both, land and improvements add up to the total.")]


def _missing(roll: Roll) -> Facts:
    row = roll.query(
        """SELECT count(*) FILTER (WHERE current_value IS NULL), count(*) FILTER (WHERE current_value = 0),
                  count(*) FILTER (WHERE current_value < 0), count(*) FILTER (WHERE prior_value IS NULL),
                  count(*) FILTER (WHERE is_total_too_large OR is_part_too_large),
                  count(*) FILTER (WHERE property_class IS NULL), count(*) FILTER (WHERE property_id IS NULL),
                  count(property_id) - count(DISTINCT property_id) FROM roll"""
    )[0]
    labels = (
        "Without a current value",
        "With a current value of 0",
        "With a current value below 0",
        "Without a prior value",
        f"With a value of {MOST_MONEY:,.0f} dollars or more, read as missing",
        "Without a property class",
        "Without a property id",
        "Rows beyond the first of a property id",
    )
    return Facts("missing", "What is missing", [(label, f"{n:,}") for label, n in zip(labels, row, strict=True)])


def _exempt(roll: Roll) -> list[Block]:
    if not roll.exempt_classes:
        return [Text("No class is counted as exempt: none is listed in the county's settings, none is so named.")]
    rows = roll.query(
        f"""SELECT property_class, count(*), {_sum("current_value")} FROM roll WHERE is_exempt GROUP BY 1 ORDER BY 1"""  # noqa: S608
    )
    columns = (
        Column("property_class", "Exempt class", width=30),
        Column("properties", "Properties", Unit.COUNT),
        Column("current_value", "Current value", Unit.CENTS, width=22),
    )
    return [Table("exempt", "Exempt properties", columns, rows)]
