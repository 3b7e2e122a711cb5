"""`make bench`: speed and memory beside a peer, in one run, written to docs/benchmarks.md; values beside peers' too.

Options: `--parcels N` (1,000,000), `--runs N` (3), `--geopandas-runs N` (1). `python -m tests.bench.exports` measures
exports alone.
"""

import argparse
import datetime as dt
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.bench import exports, market, valuations
from tests.bench.adapter import convert_a_million, section
from tests.bench.page import PAGE
from tests.e2e.support import Client, LocalCloud, terrafusion

SUBMITS = 100
CLIENTS = 4


def main() -> None:
    """Measure everything and write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parcels", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--geopandas-runs", type=int, default=1)
    options = parser.parse_args()
    exported = exports.section(options.parcels, options.runs, options.geopandas_runs)
    with tempfile.TemporaryDirectory(prefix="terrafusion-bench-") as folder:
        cloud = _cloud(Path(folder))
        sys.stderr.write("metrics\n")
        converted = convert_a_million(Path(folder))
    page = _page(exported, cloud) + section(converted) + "\n" + market.section(options.runs)
    PAGE.write_text(page, encoding="utf-8")
    sys.stdout.write(page)
    valuations.main()


def _cloud(folder: Path) -> dict[str, float]:
    """The local cloud: start-up, a warm GET, and submits by several clients at once."""
    sys.stderr.write("local cloud\n")
    cloud = LocalCloud(folder / "state")
    terrafusion("sample", "--parcels", "2000", "--output", str(folder / "small"))
    started = time.perf_counter()
    cloud.start()
    figures = {"start-up to ready (s)": time.perf_counter() - started}
    try:
        terrafusion(
            "load", "sample", "parcels", str(folder / "small" / "sample_county.gpkg"), "--key", "property_id",
            "--state", str(cloud.state),
        )  # fmt: skip
        with _client(cloud) as client:
            client.result(client.submit())
            gets = [_timed(lambda: client.get("/counties")) for _ in range(SUBMITS)]
            with ThreadPoolExecutor(CLIENTS) as pool:
                submits = list(pool.map(lambda _: _timed(client.submit), range(SUBMITS)))
        for name, seen in (("GET /counties", gets), ("POST /run", submits)):
            cuts = statistics.quantiles(seen, n=20)
            figures[f"{name} p50 (ms)"] = statistics.median(seen) * 1000
            figures[f"{name} p95 (ms)"] = cuts[-1] * 1000
    finally:
        cloud.stop()
    return figures


@contextmanager
def _client(cloud: LocalCloud) -> Iterator[Client]:
    headers = {"authorization": f"Bearer {cloud.token('GISStaff', 'sample')}"}
    with httpx.Client(base_url=cloud.url, headers=headers, timeout=60) as http:
        yield Client(http, "sample")


def _timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _page(exported: str, cloud: dict[str, float]) -> str:
    figures = "\n".join(f"| {name} | {value:,.1f} |" for name, value in cloud.items())
    return f"""# Benchmarks

Written by `make bench` on {dt.datetime.now(dt.UTC):%Y-%m-%d}: {os.cpu_count()} cores, {_memory_gb():.0f} GB,
{platform.system()} {platform.machine()}, Python {platform.python_version()}. Shared machines are noisy: the ratios
count, not the seconds.

{exported}## The local cloud

{SUBMITS} requests; submits by {CLIENTS} clients at once, while the submitted exports run on the same cores.

| figure | value |
|---|---|
{figures}
"""


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


if __name__ == "__main__":
    main()
