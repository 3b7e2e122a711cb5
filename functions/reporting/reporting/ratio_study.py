"""The sales ratio study: level, uniformity and vertical equity, overall and by group, judged by a standard."""

from typing import Any

import numpy as np

from reporting import figures
from reporting.analysis import Analysis, analyse
from reporting.chasing import chasing_section
from reporting.content import Block, Cell, Column, Figure, Report, Section, Table, Text, Unit, written
from reporting.content import Verdict as Callout
from reporting.context import Context
from reporting.grouping import TITLES
from reporting.kinds import Stratum
from reporting.measures import NAMES, group_table, measures_section, printed_groups, sales_table, verdict_table
from reporting.neighborhoods import ratio_map
from reporting.selection import Sales, day
from terrafusion.ratios import Measure, Outcome, Verdict, overall

MOST_OUTLIERS = 50


def sales_ratio_study(context: Context) -> Report:
    """Make the report."""
    strata = [Stratum(s) for s in context.plan.parameters.stratify or ()]
    analysis = analyse(context, strata)
    context.progress(0.55, "Drawing")
    sections = [
        summary(context, analysis),
        measures_section(analysis),
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
    blocks: list[Block] = [
        Callout(verdict.value, f"{context.standard.title}: {verdict.value}", _finding(analysis.verdicts)),
        verdict_table(analysis.verdicts, analysis.study),
    ]
    if analysis.adjustment is not None:
        blocks.append(Text(analysis.adjustment.text))
    blocks.append(Text(_outlier_text(analysis)))
    return Section("Findings", blocks)


def _finding(verdicts: tuple[Verdict, ...]) -> str:
    """Which measures fail, or are outside without the interval confirming it."""
    named = {o: [NAMES[v.measure].rstrip(", %") for v in verdicts if v.outcome is o] for o in Outcome}
    fails, warnings = ", ".join(named[Outcome.FAIL]), ", ".join(named[Outcome.WARNING])
    parts = [f"Failing: {fails}."] if fails else []
    parts += [f"To be watched: {warnings}."] if warnings else []
    if not parts and named[Outcome.PASS]:
        parts = ["All measures that could be judged are within their limits."]
    return " ".join(parts) or "There are too few sales for a verdict."


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
        table = printed_groups(context, analysis, stratum, grouped)
        blocks: list[Block] = [table, *([figure] if figure else [])]
        sections.append(Section(f"By {TITLES[stratum].lower()}", blocks))
    return sections


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
    rows: list[tuple[Cell, ...]] = [
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
        ("Rows of the roll passed over, as another stands for their property", f"{selection.repeats:,}"),
        ("Value compared with the price", source[selection.value_source]),
        ("Standard", f"{context.standard.title}. {context.standard.source}"),
    ]
    notes = [
        "Statistics follow the IAAO Standard on Ratio Studies (2013); VEI and MKI its exposure draft of May 2026.",
    ]
    return context.section(counts, notes)
