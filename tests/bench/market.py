"""Market analyses of a county with two million sales, each in a process of its own; some beside pandas.

`python -m tests.bench.market make FOLDER` writes the county, `… ours TYPE FOLDER` and `… pandas TYPE FOLDER` run one,
`… section RUNS` measures all and prints what `make bench` puts into its page.
"""

import os
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

from tests.bench.page import machine, put_section
from tests.bench.processes import Run, measure, median

ROOT = Path(__file__).resolve().parent.parent.parent

SALES, PROPERTIES = 2_000_000, 800_000
PROPERTY = f"""
    SELECT 'P' || i AS property_id, 'N-' || lpad((i % 240)::VARCHAR, 3, '0') AS neighborhood,
        (99000 + i % 30)::VARCHAR AS zip_code,
        CASE WHEN i % 10 = 0 THEN 'commercial' ELSE 'residential' END AS property_class,
        round(1700 * exp(0.25 * sqrt(-2 * ln(h1)) * cos(6.283185307 * h2))) AS living_area_sqft,
        round(8500 * exp(0.4 * sqrt(-2 * ln(h2)) * cos(6.283185307 * h3))) AS land_area_sqft,
        (1930 + floor(90 * h3))::INTEGER AS year_built, (1 + floor(4 * h4))::DOUBLE AS bathrooms,
        round(300000 * exp(0.3 * sqrt(-2 * ln(h1)) * cos(6.283185307 * h2))) AS current_assessed_value_total,
        -119.8 + 0.05 * (i % 240 % 16) + 0.045 * h4 AS lon, 46.0 + 0.04 * (i % 240 // 16) + 0.035 * h1 AS lat
    FROM (SELECT i, (hash(i) % 999983 + 1) / 999984.0 AS h1, (hash(i + 7e9::BIGINT) % 999979 + 1) / 999980.0 AS h2,
        (hash(i + 3e10::BIGINT) % 999961 + 1) / 999962.0 AS h3, (hash(i + 5e11::BIGINT) % 999959 + 1) / 999960.0 AS h4
        FROM range({PROPERTIES}) r(i))
"""
SALE = f"""
    SELECT 'S' || s.i AS sale_id, property_id, DATE '2014-01-01' + (10.9 * 365 * u)::INTEGER AS sale_date,
        round(current_assessed_value_total
            * exp(0.003 * (10.9 * 12 * u - 130) + 0.12 * sqrt(-2 * ln(v)) * cos(6.283 * w))) AS sale_price,
        s.i % 25 <> 0 AS is_valid, current_assessed_value_total AS assessed_value
    FROM (SELECT i, 'P' || (hash(i + 9e12::BIGINT) % {PROPERTIES}) AS property_id,
            (hash(i + 1e13::BIGINT) % 999983) / 999983.0 AS u, (hash(i + 2e13::BIGINT) % 999979 + 1) / 999980.0 AS v,
            (hash(i + 3e13::BIGINT) % 999961) / 999961.0 AS w FROM range({SALES}) r(i)) s
    JOIN ({PROPERTY}) USING (property_id)
"""
LISTING = f"""
    SELECT 'L' || sale_id AS listing_id, property_id, begun AS list_date,
        CASE WHEN left_market <= DATE '2024-11-20' THEN left_market END AS off_market_date,
        CASE WHEN is_valid AND left_market + 30 <= DATE '2024-11-20' THEN left_market + 30 END AS close_date,
        round(1.02 * sale_price) AS list_price, CASE WHEN close_date IS NOT NULL THEN sale_price END AS close_price
    FROM (SELECT *, sale_date - 30 AS begun, begun + (hash(sale_id) % 61)::INTEGER AS left_market FROM ({SALE}))
"""
TABLES = {"properties": PROPERTY, "sales": SALE, "listings": LISTING}
ASKED: dict[str, dict[str, Any]] = {
    "price_trend_by_zip": {"group_by": "zip_code"},
    "price_per_sqft": {"group_by": "neighborhood"},
    "sales_velocity": {"group_by": "neighborhood"},
    "comparable_market_area": {"neighborhood": "N-017"},
    "market_valuation": {"property_id": "P4711"},
    "hedonic_index": {"period": "month"},
    "repeat_sales_index": {"period": "month"},
    "time_adjustment": {"group_by": "neighborhood"},
    "neighborhood_summary": {"group_by": "neighborhood"},
    "hotspots": {},
}
"""Every type, over all eleven years."""


BESIDE = ("price_trend_by_zip", "price_per_sqft")
"""Types that are tables alone, which pandas makes too."""


def section(runs: int) -> str:
    """Measure every type; gives the page's section."""
    os.environ["PYTHONPATH"] = os.pathsep.join(map(str, (ROOT, ROOT / "shared", ROOT / "functions/market_analysis")))
    with tempfile.TemporaryDirectory(prefix="terrafusion-market-") as name:
        folder = Path(name)
        make(folder)
        rows = [_row(kind, folder, runs) for kind in ASKED]
    return f"""## Market analysis

{SALES:,} generated sales, each with a listing, over eleven years of {PROPERTIES:,} properties in 240 neighborhoods,
medians of {runs}; whole processes with interpreter start, files and pictures of the result included. pandas reads the
same Parquet files and makes the table alone. Clusters are sought among a sample of 100,000 sales. CPU s are of all
cores together: what the work costs, however many others wait for the same cores.
{machine()}

| analysis | s | CPU s | MB | pandas s | CPU s | MB | CPU, to pandas |
|---|---|---|---|---|---|---|---|
{chr(10).join(rows)}
"""


def _row(kind: str, folder: Path, runs: int) -> str:
    def run(who: str) -> Run:
        command = [sys.executable, "-m", "tests.bench.market", who, kind, str(folder)]
        return median([measure(command) for _ in range(runs)])

    sys.stderr.write(f"{kind}\n")
    made = run("ours")
    figures = f"| {kind} | {made.seconds:.1f} | {made.cpu_seconds:.1f} | {made.peak_mb:,.0f} |"
    if kind not in BESIDE:
        return f"{figures} - | - | - | - |"
    peer = run("pandas")
    ratio = made.cpu_seconds / peer.cpu_seconds
    return f"{figures} {peer.seconds:.1f} | {peer.cpu_seconds:.1f} | {peer.peak_mb:,.0f} | {ratio:.2f} |"


def make(folder: Path) -> None:
    """Write the county's tables as a loader would."""
    import duckdb

    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as database:
        for name, query in TABLES.items():
            database.execute(f"COPY ({query}) TO '{folder / name}.parquet' (FORMAT parquet, COMPRESSION zstd)")


def ours(kind: str, folder: Path) -> None:
    """Analyze, and write every file of the result."""
    from market_analysis.analyses import analyze
    from market_analysis.analysis_types import AnalysisType
    from market_analysis.captions import Caption
    from market_analysis.job import MEMORY_MB, document, write_files
    from market_analysis.models import AnalysisParameters
    from market_analysis.plan import EVERY, OWN, AnalysisPlan
    from terrafusion.tables import connect

    which = AnalysisType(kind)
    parameters = {**EVERY, **OWN[which], "date_from": "2014-01-01", **ASKED[kind]}
    plan = AnalysisPlan(which, AnalysisParameters.model_validate(parameters), None)
    files = {name: folder / f"{name}.parquet" for name in TABLES}
    target = folder / kind
    target.mkdir(exist_ok=True)
    with connect(files, memory_limit_mb=MEMORY_MB) as database:
        started = time.perf_counter()
        market, analysis = analyze(database, plan, None, date(2024, 12, 31))
        document(plan, market, analysis, "1")
        analyzed = time.perf_counter()
        write_files(database, plan, analysis, None, Caption("Large County", "n"), target, kind)
        written = time.perf_counter()
    sys.stdout.write(f"{analysis.key_finding}\n{analyzed - started:.1f} {written - analyzed:.1f}\n")


def pandas(kind: str, folder: Path) -> None:
    """What an analyst would write with pandas, for those that are tables alone."""
    import pandas as pd

    started = time.perf_counter()
    sales, properties = (pd.read_parquet(folder / f"{name}.parquet") for name in ("sales", "properties"))
    sales = sales[sales.is_valid & (sales.sale_price > 0)].merge(properties, on="property_id", how="left")
    dates = pd.to_datetime(sales.sale_date)
    if kind == "price_trend_by_zip":
        keys, value = [sales.zip_code, dates.dt.to_period("M")], sales.sale_price
    else:
        keys, value = [sales.neighborhood, dates.dt.to_period("Q")], sales.sale_price / sales.living_area_sqft
    made = value.groupby(keys).agg(["count", "mean", "median"])
    sys.stdout.write(f"{len(made):,} rows\n{time.perf_counter() - started:.1f} 0\n")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["section", runs]:
            put_section("Market analysis", section(int(runs)))
        case ["make", folder]:
            make(Path(folder))
        case ["ours", kind, folder]:
            ours(kind, Path(folder))
        case ["pandas", kind, folder]:
            pandas(kind, Path(folder))
