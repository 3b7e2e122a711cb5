"""Changes of value: prior against current, sold against unsold, their distribution, the largest movers."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np

from reporting.chasing import sold_between, sold_facts
from reporting.content import Block, Cell, Column, Facts, Figure, Report, Section, Table, Text, Unit
from reporting.context import Context
from reporting.roll import GROUPS, Roll, open_roll
from reporting.selection import MOST_MONEY
from terrafusion.charts import Axis, Chart, Histogram, Rule
from terrafusion.charts import Unit as ChartUnit
from terrafusion.errors import FailureReason, JobFailure
from terrafusion.ratios import SoldUnsold, sold_against_unsold
from terrafusion.ratios.sample import Floats

FENCE = 4.0
"""The histogram ends so many interquartile ranges beyond the quartiles: new buildings would flatten all else."""
SOLD_DAYS = 730
"""Without dates in the request, properties sold within so many days up to the last known sale count as sold; one dated
after the data were published is none."""


def value_change(context: Context) -> Report:
    """Make the report.

    Raises
    ------
    JobFailure
        INSUFFICIENT_DATA when no property has both values.
    """
    context.progress(0.1, "Comparing values")
    roll = open_roll(context)
    roll.database.execute(
        """CREATE TEMP TABLE changed AS
           SELECT *, current_value - prior_value AS change,
                  current_value::DOUBLE / prior_value::DOUBLE - 1 AS share
           FROM roll WHERE prior_value > 0 AND current_value IS NOT NULL"""
    )
    compared, prior, current = roll.query("SELECT count(*), sum(prior_value), sum(current_value) FROM changed")[0]
    if not compared:
        raise JobFailure(
            FailureReason.INSUFFICIENT_DATA,
            f"None of {roll.rows:,} properties has a current value and a prior value above 0.",
        )
    shares = np.asarray(roll.database.execute("SELECT share FROM changed ORDER BY share").fetchnumpy()["share"])
    sold, when = _sold_unsold(context, roll)
    by_class = _tables(context, roll)
    movers = _movers(roll, context.plan.parameters.movers or 0)
    median = float(np.median(shares))
    headline: dict[str, Any] = {
        "properties_compared": compared,
        "prior_value": f"{prior:f}",
        "current_value": f"{current:f}",
        "change": f"{current - prior:f}",
        "change_percent": 100 * (float(current) / float(prior) - 1),
        "median_change_percent": 100 * median,
        "sold_unsold": _sold_document(sold),
    }
    sections = [
        Section(
            "Totals", [Facts("totals", "Prior and current values", _facts(roll, compared, prior, current, median))]
        ),
        Section("Distribution", [_distribution_table(shares), _histogram(shares)]),
        Section("Sold and unsold", [Text(when), Facts("sold_unsold", "Changes by whether sold", sold_facts(sold))]),
        *(Section(f"By {table.columns[0].title.lower()}", [table]) for table in by_class),
        *([Section("Largest movers", movers)] if movers else []),
        context.section(_counts(roll, compared)),
    ]
    return Report(
        title=context.title,
        subtitle=f"{compared:,} properties with both values, {headline['change_percent']:+.2f} % in all",
        county=context.county,
        made=context.made,
        sections=sections,
        main=by_class[0] if by_class else _distribution_table(shares),
        sheets=(_every(roll),),
        summary=headline,
        document={"inputs": context.stated(), "totals": headline},
        message=f"{compared:,} properties, {headline['change_percent']:+.2f} % in all",
    )


def _facts(roll: Roll, compared: int, prior: Any, current: Any, median: float) -> list[tuple[str, str]]:
    up, down, same = roll.query(
        "SELECT count(*) FILTER (change > 0), count(*) FILTER (change < 0), count(*) FILTER (change = 0) FROM changed"
    )[0]
    return [
        ("Properties with both values", f"{compared:,}"),
        ("Prior value, dollars", f"{prior:,.2f}"),
        ("Current value, dollars", f"{current:,.2f}"),
        ("Change, dollars", f"{current - prior:+,.2f}"),
        ("Change", f"{float(current) / float(prior) - 1:+.2%}"),
        ("Median change", f"{median:+.2%}"),
        ("Raised, lowered, unchanged", f"{up:,}, {down:,}, {same:,}"),
    ]


def _counts(roll: Roll, compared: int) -> list[tuple[str, str]]:
    no_current, no_prior, zero, too_large = roll.query(
        """SELECT count(*) FILTER (current_value IS NULL),
                  count(*) FILTER (current_value IS NOT NULL AND prior_value IS NULL),
                  count(*) FILTER (current_value IS NOT NULL AND prior_value <= 0),
                  count(*) FILTER (is_total_too_large) FROM roll"""
    )[0]
    return [
        ("Properties read", f"{roll.read:,}"),
        ("Filters", "; ".join(roll.filters) or "none"),
        (f"With a value of {MOST_MONEY:,.0f} dollars or more, read as missing", f"{too_large:,}"),
        ("Left out: no current value", f"{no_current:,}"),
        ("Left out: no prior value", f"{no_prior:,}"),
        ("Left out: prior value of 0 or below", f"{zero:,}"),
        ("Properties compared", f"{compared:,}"),
    ]


def _distribution_table(shares: Floats) -> Table:
    points = (1, 5, 10, 25, 50, 75, 90, 95, 99)
    columns = (
        Column("percentile", "Percentile", Unit.COUNT),
        Column("change_percent", "Change, %", Unit.PERCENT, width=14),
    )
    rows = [(p, 100 * float(np.percentile(shares, p))) for p in points]
    return Table("distribution", "Distribution of changes", columns, rows)


def _histogram(shares: Floats) -> Figure:
    least, lower, upper, most = np.percentile(shares, [1, 25, 75, 99])
    reach = FENCE * (upper - lower)
    low, high = min(float(max(least, lower - reach)), -0.02), max(float(min(most, upper + reach)), 0.02)
    edges = np.linspace(low, high, 41)
    counts, _ = np.histogram(np.clip(shares, low, high), edges)
    median = float(np.median(shares))
    chart = Chart(
        "Distribution of changes",
        [Histogram("Properties", edges.tolist(), counts.tolist()), Rule(median, f"Median {median:+.1%}", upright=True)],
        x=Axis("Change from the prior to the current value", unit=ChartUnit.PERCENT),
        y=Axis("Properties", include=(0,)),
        note=f"{shares.size:,} properties. Those beyond the axis' ends are counted in the outermost bars.",
    )
    return Figure(chart.title, chart.svg(), f"Histogram of {shares.size:,} changes around the median of {median:+.2%}.")


def _sold_unsold(context: Context, roll: Roll) -> tuple[SoldUnsold, str]:
    """The comparison, and a sentence on which properties count as sold."""
    parameters = context.plan.parameters
    from_sales = "sales" in context.snapshot.layers
    field = "the table of sales" if from_sales else "the properties' last_sale_date"
    published = context.snapshot.published_at.date()
    latest, later = _last_sale(roll, published, from_sales=from_sales)
    passed = f" Passed over, as dated after the data were published: {later:,}." if later else ""
    last = parameters.sold_to or latest
    if last is None:
        none = SoldUnsold(0, 0, None, None, None, None, None, "no sale has a date")
        return none, f"Dates of sale are looked for in {field}.{passed}"
    first = parameters.sold_from or last - timedelta(days=SOLD_DAYS)
    ids = sold_between(context.database, first, min(last, published), from_sales=from_sales)
    rows = context.database.execute(
        "SELECT share, coalesce(property_id IN (SELECT unnest(?::VARCHAR[])), FALSE) AS sold FROM changed", [ids]
    ).fetchnumpy()
    share, sold = np.asarray(rows["share"], dtype=np.float64), np.asarray(rows["sold"], dtype=np.bool_)
    text = f"Sold are properties with a sale from {first.isoformat()} to {last.isoformat()} in {field}.{passed}"
    return sold_against_unsold(share[sold], share[~sold]), text


def _last_sale(roll: Roll, published: date, *, from_sales: bool) -> tuple[date | None, int]:
    """The last day of a sale, and how many are dated later than the data were published, which is a mistake."""
    table, field = ("sales", "sale_date") if from_sales else ("properties", "last_sale_date")
    latest, later = roll.query(
        f"""SELECT max(day) FILTER (day <= $1), count(*) FILTER (day > $1)
            FROM (SELECT CAST({field} AS DATE) AS day FROM {table})""",  # noqa: S608  names are the standard's
        [published],
    )[0]
    return latest, later


def _sold_document(found: SoldUnsold) -> dict[str, Any]:
    return {
        "sold": found.sold,
        "unsold": found.unsold,
        "sold_median_change": found.sold_change,
        "unsold_median_change": found.unsold_change,
        "tolerance": found.tolerance,
        "p_value": found.p_value,
        "suspected": found.suspected,
        "not_computed": found.reason,
    }


def _tables(context: Context, roll: Roll) -> list[Table]:
    present = {field.name for field in context.snapshot.layers["properties"].fields}
    return [_by(roll, field, title) for field, title in GROUPS if field in present]


def _by(roll: Roll, field: str, title: str) -> Table:
    measures = """count(*), sum(prior_value), sum(current_value), sum(change),
                  100 * (sum(current_value)::DOUBLE / sum(prior_value)::DOUBLE - 1), 100 * median(share),
                  100 * quantile_cont(share, 0.05), 100 * quantile_cont(share, 0.95)"""
    rows = roll.query(f"SELECT coalesce({field}, '(none)'), {measures} FROM changed GROUP BY 1 ORDER BY 1")  # noqa: S608
    total: Sequence[Cell] = ("Total", *roll.query(f"SELECT {measures} FROM changed")[0])  # noqa: S608
    columns = (
        Column("group", title, width=30),
        Column("properties", "Properties", Unit.COUNT, width=12),
        Column("prior_value", "Prior value", Unit.CENTS, width=22),
        Column("current_value", "Current value", Unit.CENTS, width=22),
        Column("change", "Change", Unit.CENTS, width=20),
        Column("change_percent", "Change, %", Unit.PERCENT, width=12),
        Column("median_change_percent", "Median, %", Unit.PERCENT, width=12),
        Column("p5", "5th, %", Unit.PERCENT, width=10),
        Column("p95", "95th, %", Unit.PERCENT, width=10),
    )
    return Table(
        f"by_{field}",
        f"Changes by {title.lower()}",
        columns,
        [*rows, total],
        total=True,
        sums=True,
        formulas={"change": "={current_value}{row}-{prior_value}{row}"},
    )


MOVERS = (
    Column("property_id", "Property", width=18),
    Column("address", "Address", width=30),
    Column("property_class", "Class", width=16),
    Column("prior_value", "Prior value", Unit.CENTS, width=18),
    Column("current_value", "Current value", Unit.CENTS, width=18),
    Column("change", "Change", Unit.CENTS, width=18),
    Column("change_percent", "Change, %", Unit.PERCENT, width=12),
)
_FIELDS = "property_id, situs_address_full, property_class, prior_value, current_value, change, 100 * share"
_FORMULAS = {
    "change": "={current_value}{row}-{prior_value}{row}",
    "change_percent": "=100*({current_value}{row}/{prior_value}{row}-1)",
}


def _movers(roll: Roll, count: int) -> list[Block]:
    if not count:
        return []
    made: list[Block] = []
    for key, title, order, sign in (
        ("raised", "Raised the most", "change DESC", ">"),
        ("lowered", "Lowered the most", "change", "<"),
    ):
        rows = roll.query(
            f"SELECT {_FIELDS} FROM changed WHERE change {sign} 0 ORDER BY {order}, property_id LIMIT ?",  # noqa: S608
            [count],
        )
        made.append(Table(key, title, MOVERS, rows, formulas=_FORMULAS))
    return made


def _every(roll: Roll) -> Table:
    rows = roll.query(f"SELECT {_FIELDS} FROM changed ORDER BY property_id, current_value, prior_value")  # noqa: S608
    return Table("properties", "Properties compared", MOVERS, rows, formulas=_FORMULAS)
