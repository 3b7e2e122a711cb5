"""A ratio study of many sales in many strata, from Parquet to each format, as a process of its own; statistics alone.

`python -m tests.bench.reports`, with `--sales N` (100,000), `--strata N` (40), `--runs N` (3).
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(path) for path in sorted(ROOT.glob("functions/*"))]
os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "functions" / "reporting"), str(ROOT / "shared"), str(ROOT)])

from terrafusion import ratios  # noqa: E402
from tests.bench.processes import measure, median  # noqa: E402

REPORT = """
import pyarrow.parquet as pq, pathlib, sys
from reporting.job import MAKERS, write
from tests.counties import context
folder, output = pathlib.Path(sys.argv[1]), sys.argv[2]
tables = {"sales": pq.read_table(folder / "source.parquet")}
here = context(folder, tables, "sales_ratio_study", output_format=output, stratify=["neighborhood"])
report = MAKERS[here.plan.report_type](here)
write(report, here.line(), here.plan.output_format, folder / f"report.{output}")
"""
"""What the worker does once it has the table; reading it to write it again comes on top."""


def sales(count: int, strata: int) -> pa.Table:
    """Sales with values around 0.95 of their prices, in so many neighborhoods."""
    rng = np.random.default_rng(40)
    price = np.round(rng.lognormal(12.6, 0.55, count), -2)
    days = np.datetime64("2021-01-01") + rng.integers(0, 1_460, count)
    return pa.table(
        {
            "sale_id": [f"S{i:07d}" for i in range(count)],
            "property_id": [f"P{i:07d}" for i in range(count)],
            "sale_date": pa.array(days, pa.date32()),
            "sale_price": price,
            "assessed_value": np.round(price**0.98 * rng.lognormal(0.2, 0.13, count), -2),
            "neighborhood": [f"N-{i:03d}" for i in rng.integers(0, strata, count)],
            "lon": rng.uniform(-119.4, -119.1, count),
            "lat": rng.uniform(46.1, 46.3, count),
        }
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sales", type=int, default=100_000)
    parser.add_argument("--strata", type=int, default=40)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    table = sales(options.sales, options.strata)
    sys.stdout.write(f"{options.sales:,} sales in {options.strata} strata, medians of {options.runs}\n")
    sys.stdout.write(f"statistics alone: {_alone(table, options.runs):.2f} s\n")
    with tempfile.TemporaryDirectory(prefix="terrafusion-bench-") as name:
        folder = Path(name)
        import pyarrow.parquet as pq

        pq.write_table(table, folder / "source.parquet")
        for output in ("pdf", "html", "xlsx", "csv", "json"):
            runs = [measure([sys.executable, "-c", REPORT, name, output]) for _ in range(options.runs)]
            seen = median(runs)
            size = (folder / f"report.{output}").stat().st_size / 1e6
            sys.stdout.write(f"{output:5} {seen.seconds:6.2f} s {seen.peak_mb:6.0f} MB, a file of {size:.1f} MB\n")


def _alone(table: pa.Table, runs: int) -> float:
    """Every measure with its interval, of all sales and of each stratum."""
    assessed, price = (table[name].to_numpy() for name in ("assessed_value", "sale_price"))
    _, labels = np.unique(table["neighborhood"].to_numpy(zero_copy_only=False).astype(str), return_inverse=True)
    seen = []
    for _ in range(runs):
        started = time.perf_counter()
        sample = ratios.RatioSample.of(assessed, price)
        ratios.study(sample)
        ratios.strata(sample, labels, int(labels.max()) + 1)
        seen.append(time.perf_counter() - started)
    return statistics.median(seen)


if __name__ == "__main__":
    main()
