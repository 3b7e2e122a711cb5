"""The sales ratio study: level, uniformity and vertical equity, overall and by group, judged by a standard."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from reporting import figures
from reporting.analysis import Analysis, analyse
from reporting.chasing import chasing_section
from reporting.content import (
    Block,
    Cell,
    Column,
    Facts,
    Figure,
    Report,
    Section,
    Table,
    Text,
    Unit,
    with_interval,
    written,
)
from reporting.content import Verdict as Callout
from reporting.context import Context
from reporting.grouping import TITLES, GroupedStudy
from reporting.kinds import Stratum
from reporting.neighborhoods import ratio_map
from reporting.selection import Sales, day
from terrafusion.ratios import MEASURES, Measure, Outcome, RatioStudy, Verdict, judge, overall
from terrafusion.standards import PropertyType

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
MOST_OUTLIERS = 50


def sales_ratio_study(context: Context) -> Report:
    """Make the report."""
    strata = [Stratum(s) for s in context.plan.parameters.stratify or ()]
    analysis = analyse(context, strata)
    context.progress(0.55, "Drawing")
    sections = [
        summary(context, analysis),
        _measures(analysis),
        _pictures(context, analysis),
        *_groups(context, analysis),
        chasing_section(context, analysis),
        _outlier_section(analysis),
        inputs(context, analysis),
    ]
    return Report(
        title=context.title,
        subtitle=subtitle(context, analysis),
        county=context.county,
        made=context.made,
        sections=sections,
        main=group_table("statistics", "Statistics by group", context, analysis, every=True),
        sheets=(sales_table(analysis),),
        summary=headline(analysis),
        document=document(context, analysis),
        message=f"{len(analysis.sales):,} sales, median ratio {written(analysis.study[Measure.MEDIAN], Unit.RATIO)}",
    )


def subtitle(context: Context, analysis: Analysis) -> str:
    """What the report is of, in a line."""
    days = analysis.sales.sale_date[~np.isnat(analysis.sales.sale_date)]
    first, last = (day(days.min()), day(days.max())) if days.size else (None, None)
    when = f", sold {first} to {last}" if first and last else ""
    return f"{len(analysis.sales):,} sales{when}, judged by {context.standard.title}"


def headline(analysis: Analysis) -> dict[str, Any]:
    """What the job's result says of the study."""
    return {
        "sales_used": len(analysis.sales),
        "outcome": overall(analysis.verdicts).value,
        "statistics": analysis.study.document,
        "verdicts": {v.measure.value: v.outcome.value for v in analysis.verdicts},
        "outliers": analysis.outliers.count,
    }


def document(context: Context, analysis: Analysis) -> dict[str, Any]:
    """What the JSON file says beyond the tables."""
    outliers, adjustment = analysis.outliers, analysis.adjustment
    return {
        "inputs": context.stated(),
        "selection": analysis.selection.document,
        "time_adjustment": None
        if adjustment is None
        else {"applied": adjustment.applied, "per_month": adjustment.trend.per_month, "to": adjustment.to.isoformat()},
        "with_outliers": analysis.whole.document,
        "without_outliers": analysis.without.document,
        "outliers": {
            "count": outliers.count,
            "low": outliers.low,
            "high": outliers.high,
            "factor": outliers.factor,
            "not_applied": outliers.skipped,
            "trimmed": analysis.trimmed,
        },
        "standard": context.standard.model_dump(mode="json"),
        "verdicts": [
            {"measure": v.measure.value, "outcome": v.outcome.value, "limits": v.limits, "why": v.why}
            for v in analysis.verdicts
        ],
    }


def summary(context: Context, analysis: Analysis) -> Section:
    """The verdicts, and what they were reached from."""
    verdict = overall(analysis.verdicts)
    texts = {
        Outcome.PASS: "All measures that the standard limits are within their limits.",
        Outcome.WARNING: "No measure fails, but some are outside of their limits without the interval confirming it.",
        Outcome.FAIL: "At least one measure fails the standard.",
        Outcome.NOT_JUDGED: "There are too few sales for a verdict.",
    }
    blocks: list[Block] = [
        Callout(verdict.value, f"{context.standard.title}: {verdict.value}", texts[verdict]),
        _verdict_table(analysis.verdicts, analysis.study),
    ]
    if analysis.adjustment is not None:
        blocks.append(Text(analysis.adjustment.text))
    blocks.append(Text(_outlier_text(analysis)))
    return Section("Findings", blocks)


def _verdict_table(verdicts: Sequence[Verdict], study: RatioStudy) -> Table:
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


def _measures(analysis: Analysis) -> Section:
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
        statistic, other, unit = analysis.whole[measure], analysis.without[measure], UNITS[measure]
        interval = statistic.interval
        ends: tuple[Cell, Cell, Cell] = (
            (interval.low, interval.high, f"{interval.method}, {interval.level:.0%}")
            if interval
            else (None, None, statistic.interval_reason or statistic.text)
        )
        value: Cell = statistic.text if statistic.value is None else statistic.value
        rows.append((NAMES[measure], statistic.n, value, *ends, written(other, unit)))
    table = Table("measures", "Level, uniformity and vertical equity", columns, rows)
    return Section("Statistics", [table, Facts("meanings", "What the measures mean", MEANINGS)])


def _pictures(context: Context, analysis: Analysis) -> Section:
    made: list[Figure | None] = [
        figures.distribution(analysis.sample),
        figures.by_price(analysis.sample, context.standard),
        figures.by_time(analysis.sample, analysis.sales, context.standard),
        ratio_map(context, analysis),
    ]
    return Section("Pictures", [figure for figure in made if figure is not None])


def _groups(context: Context, analysis: Analysis) -> list[Section]:
    if not analysis.grouped:
        return []
    sections = []
    for number, (stratum, grouped) in enumerate(analysis.grouped.items()):
        context.progress(0.6 + 0.2 * number / len(analysis.grouped), f"Drawing groups by {stratum}")
        figure = figures.by_group(grouped, context.standard, analysis.study[Measure.MEDIAN])
        table = _printed_groups(context, analysis, stratum, grouped)
        blocks: list[Block] = [table, *([figure] if figure else [])]
        sections.append(Section(f"By {TITLES[stratum].lower()}", blocks))
    return sections


def _printed_groups(context: Context, analysis: Analysis, stratum: Stratum, grouped: GroupedStudy) -> Table:
    columns = (
        Column("group", TITLES[stratum], width=28),
        Column("n", "Sales", Unit.COUNT),
        *(Column(m.value, NAMES[m], UNITS[m], interval=m is Measure.MEDIAN) for m in SHOWN),
        Column("outcome", "Verdict", width=12),
    )
    rows: list[Sequence[Cell]] = [
        (name, study.n, *(study[m] for m in SHOWN), _outcome(context, study, kind))
        for name, study, kind in _rows(analysis, stratum, grouped)
    ]
    note = f"{grouped.grouping.without:,} sales have no {TITLES[stratum].lower()}." if grouped.grouping.without else ""
    return Table(f"by_{stratum.value}", f"Sales by {TITLES[stratum].lower()}", columns, rows, note)


def _rows(
    analysis: Analysis, stratum: Stratum, grouped: GroupedStudy
) -> list[tuple[str, RatioStudy, PropertyType | None]]:
    kinds = analysis.group_kinds[stratum]
    return list(zip(grouped.grouping.names, grouped.studies, kinds, strict=True))


def _outcome(context: Context, study: RatioStudy, kind: PropertyType | None) -> str:
    return overall(judge(study, context.standard, kind)).value


def group_table(key: str, title: str, context: Context, analysis: Analysis, *, every: bool) -> Table:
    """One row for all sales and for each group, with every measure and its interval."""
    measures = tuple(MEASURES) if every else SHOWN
    columns = (
        Column("stratum", "Grouped by", width=18),
        Column("group", "Group", width=28),
        Column("n", "Sales", Unit.COUNT),
        *(Column(m.value, NAMES[m], UNITS[m], interval=m is not Measure.KI) for m in measures),
        Column("outcome", "Verdict", width=12),
    )
    rows: list[Sequence[Cell]] = [
        ("all", "all sales", analysis.study.n, *(analysis.study[m] for m in measures), overall(analysis.verdicts).value)
    ]
    for stratum, grouped in analysis.grouped.items():
        rows += [
            (stratum.value, name, study.n, *(study[m] for m in measures), _outcome(context, study, kind))
            for name, study, kind in _rows(analysis, stratum, grouped)
        ]
    return Table(key, title, columns, rows)


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


def _outlier_text(analysis: Analysis) -> str:
    found = analysis.outliers
    if found.skipped:
        return f"The rule for outliers was not applied: {found.skipped}."
    rule = f"beyond {found.factor:g} interquartile ranges from the quartiles ({found.low:.4f} to {found.high:.4f})"
    told = (
        "left out of this report's statistics" if analysis.trimmed else "kept; the statistics without them are beside"
    )
    return f"{found.count:,} ratios lie {rule}; they are {told}." if found.count else f"No ratio lies {rule}."


def _outlier_section(analysis: Analysis) -> Section:
    return Section("Outliers", [Text(_outlier_text(analysis)), *_outlier_rows(analysis.outlying)])


def _outlier_rows(sales: Sales) -> list[Table]:
    if not len(sales):
        return []
    order = np.argsort(sales.assessed / sales.price, kind="stable")
    shown = sales.take(order[:MOST_OUTLIERS])
    columns = (
        Column("sale_id", "Sale", width=16),
        Column("property_id", "Property", width=18),
        Column("sale_date", "Date", Unit.DATE, width=12),
        Column("assessed_value", "Assessed value", Unit.MONEY),
        Column("sale_price", "Sale price", Unit.MONEY),
        Column("ratio", "Ratio", Unit.RATIO),
    )
    rows: list[Sequence[Cell]] = [
        (sale, prop, day(when), float(a), float(s), float(a / s))
        for sale, prop, when, a, s in zip(
            shown.sale_id, shown.property_id, shown.sale_date, shown.assessed, shown.price, strict=True
        )
    ]
    note = f"The first {MOST_OUTLIERS} of {len(sales):,}." if len(sales) > MOST_OUTLIERS else ""
    return [Table("outliers", "Outlying sales", columns, rows, note)]


def inputs(context: Context, analysis: Analysis) -> Section:
    """What went in and what was left out, with reasons."""
    selection = analysis.selection
    source = {
        "sale": "the value recorded with the sale (sales.assessed_value)",
        "roll": "the property's current value (properties.current_assessed_value_total)",
    }
    counts = [
        ("Sales read", f"{selection.read:,}"),
        ("Filters", "; ".join(selection.filters) or "none"),
        ("Outside of the filters", f"{selection.read - selection.selected:,}"),
        *((f"Left out: {text}", f"{count:,}") for text, count in selection.excluded.items()),
        ("Outliers left out", f"{analysis.outliers.count if analysis.trimmed else 0:,}"),
        ("Sales studied", f"{len(analysis.sales):,}"),
        ("Value compared with the price", source[selection.value_source]),
        ("Standard", f"{context.standard.title}. {context.standard.source}"),
    ]
    notes = [
        "Statistics follow the IAAO Standard on Ratio Studies (2013); VEI and MKI its exposure draft of May 2026.",
    ]
    return context.section(counts, notes)
