"""The report on vertical equity: whether cheap and dear properties are assessed at one level."""

from collections.abc import Sequence

from reporting import figures
from reporting.analysis import Analysis, analyse
from reporting.content import Block, Cell, Column, Report, Section, Table, Text, Unit, written
from reporting.context import Context
from reporting.kinds import Stratum
from reporting.measures import NAMES, UNITS, group_table, sales_table
from reporting.ratio_study import document, headline, inputs, subtitle, summary
from terrafusion.ratios import Measure, ValueGroup, value_groups, vei_group_count, vei_significance

EQUITY = (Measure.PRD, Measure.PRB, Measure.VEI, Measure.MKI, Measure.KI)
DECILES = 10
DECILES_FROM = 50


def vertical_equity(context: Context) -> Report:
    """Make the report."""
    analysis = analyse(context, [Stratum(s) for s in context.plan.parameters.stratify or ()])
    context.progress(0.6, "Drawing")
    by_value = _groups_table(analysis)
    sections = [
        summary(context, analysis),
        Section("Value groups", [by_value, *_group_texts(analysis)]),
        Section("Bias by value", _pictures(context, analysis)),
        Section("Lorenz curves", _lorenz(analysis)),
        Section("By group", [_equity_table(context, analysis)]),
        inputs(context, analysis),
    ]
    return Report(
        title=context.title,
        subtitle=subtitle(context, analysis),
        county=context.county,
        made=context.made,
        sections=sections,
        main=by_value,
        sheets=(group_table("statistics", "Statistics by group", context, analysis, every=True), sales_table(analysis)),
        summary=headline(analysis),
        document=document(context, analysis),
        message=f"{len(analysis.sales):,} sales, PRB {written(analysis.study[Measure.PRB], Unit.RATIO)}",
    )


def _groups(analysis: Analysis) -> tuple[ValueGroup, ...]:
    count = DECILES if analysis.sample.n >= DECILES_FROM else vei_group_count(analysis.sample.n)
    return value_groups(analysis.sample, count) if count and analysis.sample.median > 0 else ()


def _groups_table(analysis: Analysis) -> Table:
    columns = (
        Column("group", "Group", Unit.COUNT),
        Column("n", "Sales", Unit.COUNT),
        Column("low", "Value from", Unit.MONEY, width=14),
        Column("high", "Value to", Unit.MONEY, width=14),
        Column("median", "Median ratio", Unit.RATIO, width=14),
        Column("interval_low", "90 % from", Unit.RATIO, width=12),
        Column("interval_high", "90 % to", Unit.RATIO, width=12),
        Column("against_median", "Against all, %", Unit.PERCENT, width=14),
    )
    middle = analysis.sample.median
    rows: list[Sequence[Cell]] = []
    for number, one in enumerate(_groups(analysis), 1):
        ends: tuple[Cell, Cell] = (one.interval.low, one.interval.high) if one.interval else (None, None)
        rows.append((number, one.n, one.low, one.high, one.median, *ends, 100 * (one.median / middle - 1)))
    note = (
        "Sales ordered by the value proxy, half the price and half the value by the median ratio."
        if rows
        else f"not computed (n = {analysis.sample.n} < 20)"
    )
    return Table("value_groups", "Ratios by value group", columns, rows, note)


def _group_texts(analysis: Analysis) -> list[Block]:
    statistic = analysis.study[Measure.VEI]
    count = vei_group_count(analysis.sample.n)
    if count is None:
        return [Text(f"The VEI is {statistic.text}.")]
    apart = vei_significance(statistic)
    told = "the 90 % intervals of the first and last group overlap" if apart is None else f"significance {apart:+.2f} %"
    return [
        Text(f"The VEI compares the first and last of {count} groups: {written(statistic, Unit.PERCENT)} %; {told}.")
    ]


def _pictures(context: Context, analysis: Analysis) -> list[Block]:
    made = [
        figures.bias(analysis.sample, analysis.study[Measure.PRB]),
        figures.by_price(analysis.sample, context.standard),
    ]
    if made[0] is None:
        return [Text(f"The PRB is {analysis.study[Measure.PRB].text}."), *(f for f in made if f is not None)]
    return [figure for figure in made if figure is not None]


def _lorenz(analysis: Analysis) -> list[Block]:
    figure = figures.lorenz_curves(analysis.sample, analysis.study[Measure.MKI])
    return [figure] if figure else [Text(f"The MKI is {analysis.study[Measure.MKI].text}.")]


def _equity_table(context: Context, analysis: Analysis) -> Table:
    columns = (
        Column("stratum", "Grouped by", width=18),
        Column("group", "Group", width=28),
        Column("n", "Sales", Unit.COUNT),
        *(Column(m.value, NAMES[m], UNITS[m]) for m in EQUITY),
    )
    every = group_table("all", "", context, analysis, every=True)
    place = {column.key: index for index, column in enumerate(every.columns)}
    rows = [tuple(row[place[column.key]] for column in columns) for row in every.rows]
    return Table("equity", "Measures of vertical equity by group", columns, rows, every.note)
