"""The work of an analysis job: from its plan and the county's snapshot to a result and its files."""

from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from market_analysis import files, maps
from market_analysis.analyses import analyze
from market_analysis.analysis import Analysis
from market_analysis.analysis_types import AnalysisType, Period
from market_analysis.captions import Caption
from market_analysis.charts import charts
from market_analysis.market import Market
from market_analysis.outlines import Outlines, read_outlines
from market_analysis.plan import AnalysisPlan
from terrafusion.counties import Catalogue, CountySnapshot
from terrafusion.errors import FailureReason, JobFailure, NotFound
from terrafusion.jobs.model import Job
from terrafusion.jobs.work import Outcome, Progress, ResultFile, Work
from terrafusion.storage import Storage
from terrafusion.tables import connect, fetch

OUTLINE_LAYER = "neighborhoods"
DRAWN = frozenset({AnalysisType.NEIGHBORHOOD_SUMMARY, AnalysisType.COMPARABLE_MARKET_AREA, AnalysisType.HOTSPOTS})
"""Analyses whose maps show neighborhoods."""
MEMORY_MB = 1024
"""What DuckDB may take; beyond it goes to disk."""


def analysis_job(catalogue: Catalogue, data: Storage) -> Work:
    """Make the function that does a job's work."""

    def work(job: Job, directory: Path, progress: Progress) -> Outcome:
        plan = AnalysisPlan.of(job)
        try:
            snapshot = catalogue.snapshot(job.county_id, job.dataset_version)
        except NotFound as error:
            raise JobFailure(FailureReason.DATASET_CHANGED, error.message) from error
        progress(0.05, "Fetching the county's tables")
        found = fetch(catalogue, data, snapshot, directory)
        outlines = _outlines(catalogue, data, snapshot) if plan.analysis_type in DRAWN else None
        county = catalogue.configuration(job.county_id).name or f"{job.county_id.replace('_', ' ').title()} County"
        progress(0.3, "Analyzing sales")
        with connect(found, memory_limit_mb=MEMORY_MB) as database:
            market, analysis = analyze(database, plan, outlines, snapshot.published_at.date())
            progress(0.8, "Writing files")
            stem = f"{job.county_id}_{plan.analysis_type}"
            caption = Caption(county, _note(market, analysis))
            made = write_files(database, plan, analysis, outlines, caption, directory, stem)
        return Outcome(
            message=analysis.key_finding,
            document=document(plan, market, analysis, snapshot.version),
            file=made[0],
            attachments=tuple(made[1:]),
        )

    return work


def document(plan: AnalysisPlan, market: Market, analysis: Analysis, dataset_version: str) -> dict[str, Any]:
    """The result as clients see it."""
    used = plan.document["parameters"] | {"date_from": market.first.isoformat(), "date_to": market.last.isoformat()}
    return {
        "analysis_type": plan.analysis_type.value,
        "result_summary": {
            "key_finding": analysis.key_finding,
            "data_points_analyzed": analysis.points,
            "parameters_used": used,
        },
        "trends": list(analysis.trends),
        **analysis.details,
        "sales_considered": market.considered,
        "left_out": [{"reason": reason, "sales": count} for reason, count in market.excluded.items()],
        "notes": [*market.notes, *analysis.notes],
        "dataset_version": dataset_version,
    }


def write_files(
    database: duckdb.DuckDBPyConnection,
    plan: AnalysisPlan,
    analysis: Analysis,
    outlines: Outlines | None,
    caption: Caption,
    directory: Path,
    stem: str,
) -> list[ResultFile]:
    """Write the data, pictures and map layers of an analysis; the data come first."""
    made = list(files.tables(database, analysis.tables, directory, stem))
    kind, period = plan.analysis_type, plan.parameters.period or Period.QUARTER
    pictures = {name: chart.svg() for name, chart in charts(kind, analysis, period, caption).items()}
    drawing = maps.draw(kind, analysis, outlines, caption)
    if drawing:
        pictures["map" if "chart" in pictures else "chart"] = drawing.svg()
    for name, svg in pictures.items():
        made += files.picture(svg, directory, stem, name)
    if analysis.layer:
        made += files.map_layer(analysis.layer, directory, stem)
    return made


def _outlines(catalogue: Catalogue, data: Storage, snapshot: CountySnapshot) -> Outlines | None:
    """The county's own neighborhoods, when it has a layer of them that can be brought to degrees."""
    layer = snapshot.layers.get(OUTLINE_LAYER)
    if layer is None or not layer.has_geometry or layer.crs_wkt is None:
        return None
    key = catalogue.file_key(snapshot.county_id, layer, "data.fgb")
    return read_outlines(partial(data.read_range, key), layer.crs_wkt)


def _note(market: Market, analysis: Analysis) -> str:
    """What stands below each picture."""
    left = sum(market.excluded.values())
    return (
        f"{analysis.points:,} data points, sales of {market.first} to {market.last}; {left:,} of "
        f"{market.considered:,} sales left out, as the result says."
    )
