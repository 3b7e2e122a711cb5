"""The tables of ratio studies: measures, verdicts, groups, and the sales themselves."""

from collections.abc import Sequence

from reporting.analysis import Analysis
from reporting.content import Cell, Column, Facts, Section, Table, Unit, with_interval
from reporting.context import Context
from reporting.grouping import TITLES, GroupedStudy
from reporting.kinds import Stratum
from reporting.selection import day
from terrafusion.ratios import MEASURES, Measure, Outcome, RatioStudy, Statistic, Verdict, judge, overall

UNITS = {
    Measure.MEDIAN: Unit.RATIO,
    Measure.MEAN: Unit.RATIO,
    Measure.WEIGHTED_MEAN: Unit.RATIO,
    Measure.COD: Unit.PERCENT,
    Measure.COV: Unit.PERCENT,
    Measure.PRD: Unit.RATIO,
    Measure.PRB: Unit.RATIO,
    Measure.VEI: Unit.PERCENT,
    Measure.MKI: Unit.RATIO,
    Measure.KI: Unit.RATIO,
}
NAMES = {
    Measure.MEDIAN: "Median ratio",
    Measure.MEAN: "Mean ratio",
    Measure.WEIGHTED_MEAN: "Weighted mean ratio",
    Measure.COD: "COD, %",
    Measure.COV: "COV, %",
    Measure.PRD: "PRD",
    Measure.PRB: "PRB",
    Measure.VEI: "VEI, %",
    Measure.MKI: "MKI",
    Measure.KI: "KI",
}
MEANINGS = (
    ("Median, mean, weighted mean", "The level of assessment; the weighted mean is all values by all prices."),
    ("COD", "Coefficient of dispersion: the average distance of ratios from their median, in percent of it."),
    ("COV", "Coefficient of variation: the standard deviation of ratios in percent of their mean."),
    ("PRD", "Price-related differential: mean by weighted mean; above 1.03 dear properties are assessed lower."),
    ("PRB", "Price-related bias: the share by which ratios change when value doubles; below 0 is regressive."),
    ("VEI", "Vertical equity indicator: median ratio of the dearest less that of the cheapest group, in percent."),
    ("MKI", "Modified Kakwani index: Gini of values by Gini of prices; below 1 is regressive."),
)
SHOWN = (Measure.MEDIAN, Measure.WEIGHTED_MEAN, Measure.COD, Measure.PRD, Measure.PRB, Measure.VEI)
"""Measures that the printed tables of groups have room for; files for machines have all."""
VERDICT = (Column("outcome", "Verdict", width=12), Column("because_of", "Because of", wraps=True, width=24))
"""Columns of groups' tables: the worst verdict on a group's measures, and the measures that have it."""
CUT_BY_VALUE = "Groups are cut by value, so that PRD, PRB, VEI and MKI within them are not judged."


def verdict_table(verdicts: Sequence[Verdict], study: RatioStudy) -> Table:
    """Each measure that the standard limits, and what it says of it."""
    columns = (
        Column("measure", "Measure", width=16),
        Column("value", "Value and interval", wraps=True, width=34),
        Column("limits", "Limits", width=22),
        Column("outcome", "Verdict", width=12),
        Column("why", "Why", wraps=True, width=48),
    )
    rows = [
        (NAMES[v.measure], with_interval(study[v.measure], UNITS[v.measure]), v.limits, v.outcome.value, v.why)
        for v in verdicts
    ]
    return Table("verdicts", "Measures against the standard", columns, rows)


def measures_section(analysis: Analysis) -> Section:
    """Every measure with and without outliers, and what each means."""
    columns = (
        Column("measure", "Measure", width=24),
        Column("n", "Sales", Unit.COUNT),
        Column("value", "Value", Unit.RATIO),
        Column("low", "Low", Unit.RATIO),
        Column("high", "High", Unit.RATIO),
        Column("method", "Interval by", width=24),
        Column("without_outliers", "Without outliers", Unit.RATIO),
    )
    rows: list[Sequence[Cell]] = []
    for measure in MEASURES:
        statistic = analysis.whole[measure]
        interval = statistic.interval
        ends: tuple[Cell, Cell, Cell] = (
            (interval.low, interval.high, f"{interval.method}, {interval.level:.0%}")
            if interval
            else (None, None, statistic.interval_reason or statistic.text)
        )
        value, without = (_number_or_reason(s) for s in (statistic, analysis.without[measure]))
        rows.append((NAMES[measure], statistic.n, value, *ends, without))
    table = Table("measures", "Level, uniformity and vertical equity", columns, rows)
    return Section("Statistics", [table, Facts("meanings", "What the measures mean", MEANINGS)])


def _number_or_reason(statistic: Statistic) -> Cell:
    return statistic.text if statistic.value is None else statistic.value


def printed_groups(context: Context, analysis: Analysis, stratum: Stratum, grouped: GroupedStudy) -> Table:
    """The groups of one kind, with the measures that a page has room for."""
    columns = (
        Column("group", TITLES[stratum], width=28),
        Column("n", "Sales", Unit.COUNT),
        *(Column(m.value, NAMES[m], UNITS[m], interval=m is Measure.MEDIAN) for m in SHOWN),
        *VERDICT,
    )
    rows: list[Sequence[Cell]] = [
        (name, study.n, *(study[m] for m in SHOWN), *_verdict(verdicts))
        for name, study, verdicts in _rows(context, analysis, stratum, grouped)
    ]
    note = f"{grouped.grouping.without:,} sales have no {TITLES[stratum].lower()}." if grouped.grouping.without else ""
    if stratum is Stratum.VALUE:
        note = f"{note} {CUT_BY_VALUE}".strip()
    return Table(f"by_{stratum.value}", f"Sales by {TITLES[stratum].lower()}", columns, rows, note)


def _rows(
    context: Context, analysis: Analysis, stratum: Stratum, grouped: GroupedStudy
) -> list[tuple[str, RatioStudy, tuple[Verdict, ...]]]:
    by_value = stratum is Stratum.VALUE
    return [
        (name, study, judge(study, context.standard, kind, cut_by_value=by_value))
        for name, study, kind in zip(
            grouped.grouping.names, grouped.studies, analysis.group_kinds[stratum], strict=True
        )
    ]


def _verdict(verdicts: tuple[Verdict, ...]) -> tuple[Cell, Cell]:
    """The cells of `VERDICT`; no measure is named where none is outside of its limits."""
    worst = overall(verdicts)
    named = [v.measure for v in verdicts if v.outcome is worst] if worst in {Outcome.FAIL, Outcome.WARNING} else []
    return worst.value, ", ".join(NAMES[measure].removesuffix(", %") for measure in named) or None


def group_table(key: str, title: str, context: Context, analysis: Analysis, *, every: bool) -> Table:
    """One row for all sales and for each group, with every measure and its interval."""
    measures = tuple(MEASURES) if every else SHOWN
    columns = (
        Column("stratum", "Grouped by", width=18),
        Column("group", "Group", width=28),
        Column("n", "Sales", Unit.COUNT),
        *(Column(m.value, NAMES[m], UNITS[m], interval=True) for m in measures),
        *VERDICT,
    )
    rows: list[Sequence[Cell]] = [
        ("all", "all sales", analysis.study.n, *(analysis.study[m] for m in measures), *_verdict(analysis.verdicts))
    ]
    for stratum, grouped in analysis.grouped.items():
        rows += [
            (stratum.value, name, study.n, *(study[m] for m in measures), *_verdict(verdicts))
            for name, study, verdicts in _rows(context, analysis, stratum, grouped)
        ]
    return Table(key, title, columns, rows, CUT_BY_VALUE if Stratum.VALUE in analysis.grouped else "")


def sales_table(analysis: Analysis) -> Table:
    """Every sale that was studied, for a workbook that computes the ratios itself."""
    sales, sample = analysis.sales, analysis.sample
    columns = (
        Column("sale_id", "Sale", width=16),
        Column("property_id", "Property", width=18),
        Column("sale_date", "Date", Unit.DATE, width=12),
        Column("property_class", "Class", width=16),
        Column("neighborhood", "Neighborhood", width=16),
        Column("assessed_value", "Assessed value", Unit.MONEY, width=16),
        Column("sale_price", "Sale price", Unit.MONEY, width=16),
        Column("ratio", "Ratio", Unit.RATIO, width=10),
    )
    days = [day(d) for d in sales.sale_date]
    rows: list[Sequence[Cell]] = list(
        zip(
            sales.sale_id.tolist(),
            sales.property_id.tolist(),
            days,
            sales.property_class.tolist(),
            sales.neighborhood.tolist(),
            sample.assessed.tolist(),
            sample.price.tolist(),
            sample.ratio.tolist(),
            strict=True,
        )
    )
    note = "Prices are adjusted for time." if analysis.adjustment and analysis.adjustment.applied else ""
    return Table(
        "sales",
        "Sales studied",
        columns,
        rows,
        note,
        formulas={"ratio": "={assessed_value}{row}/{sale_price}{row}"},
        totals=(
            ("Median ratio", "=MEDIAN({ratio}{first}:{ratio}{last})", analysis.study[Measure.MEDIAN].value),
            ("Mean ratio", "=AVERAGE({ratio}{first}:{ratio}{last})", analysis.study[Measure.MEAN].value),
            (
                "Weighted mean ratio",
                "=SUM({assessed_value}{first}:{assessed_value}{last})/SUM({sale_price}{first}:{sale_price}{last})",
                analysis.study[Measure.WEIGHTED_MEAN].value,
            ),
        ),
    )
