"""Counties for the tests of market analysis: the real one, the generated one, and small ones made up on the spot."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from market_analysis.analyses import analyze
from market_analysis.analysis import Analysis
from market_analysis.analysis_types import AnalysisType
from market_analysis.job import document
from market_analysis.market import Market
from market_analysis.models import AnalysisParameters
from market_analysis.plan import EVERY, OWN, AnalysisPlan
from terrafusion.tables import connect

LUCAS = """
    SELECT parcel_no AS sale_id, parcel_no AS property_id, sale_date::DATE AS sale_date, price::DOUBLE AS sale_price,
        avalue::DOUBLE AS assessed_value, tla::DOUBLE AS living_area_sqft, lotsize::DOUBLE AS land_area_sqft,
        yrbuilt::INTEGER AS year_built, beds AS bedrooms, baths + halfbaths / 2 AS bathrooms,
        garagesqft::DOUBLE AS garage_area_sqft, lon, lat
    FROM read_csv('{source}')
"""


def lucas_tables(source: Path, folder: Path) -> dict[str, Path]:
    """The sales of Lucas County under standard names, as a loader would write them."""
    target = folder / "sales.parquet"
    with duckdb.connect() as database:
        database.execute(f"COPY ({LUCAS.format(source=source)}) TO '{target}'")
    return {"sales": target}


def tables_of(folder: Path, **tables: Mapping[str, list[Any]]) -> dict[str, Path]:
    """Small tables as Parquet files."""
    files = {name: folder / f"{name}.parquet" for name in tables}
    for name, columns in tables.items():
        pq.write_table(pa.table(dict(columns)), files[name])
    return files


def plan_of(kind: AnalysisType, years: int | None = None, **parameters: Any) -> AnalysisPlan:
    """A plan with its defaults; grouped by the county unless said."""
    defaults = {**EVERY, **OWN[kind]}
    if defaults.get("group_by", "") is None:
        defaults["group_by"] = "county"
    return AnalysisPlan(kind, AnalysisParameters.model_validate({**defaults, **parameters}), years)


def answer(
    files: Mapping[str, Path],
    kind: AnalysisType,
    years: int | None = None,
    published: date = date(2100, 1, 1),
    **parameters: Any,
) -> tuple[Market, Analysis, dict[str, Any]]:
    """Ask something of tables; gives the result's document too. The market's connection stays open."""
    plan = plan_of(kind, years, **parameters)
    market, analysis = analyze(connect(files), plan, None, published)
    return market, analysis, document(plan, market, analysis, "version")
