"""`make bench`: speed and memory beside peers, written to docs/benchmarks.md section by section.

Options: `--parcels N` (1,000,000), `--runs N` (3), `--geopandas-runs N` (1). Each section can be measured alone:
`python -m tests.bench.exports`, `market`, `valuations`, `cold_starts`, `newcomer`.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.bench import cold_starts, exports, market, newcomer, valuations
from tests.bench.adapter import convert_a_million, section
from tests.bench.page import machine, put_section
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
    put_section("Exports", exports.section(options.parcels, options.runs, options.geopandas_runs))
    with tempfile.TemporaryDirectory(prefix="terrafusion-bench-") as folder:
        put_section("The local cloud", _section(_cloud(Path(folder))))
        put_section("Metrics", section(convert_a_million(Path(folder))))
    put_section("Market analysis", market.section(options.runs))
    valuations.main()
    cold_starts.main()
    newcomer.main()


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


def _section(cloud: dict[str, float]) -> str:
    figures = "\n".join(f"| {name} | {value:,.1f} |" for name, value in cloud.items())
    return f"""## The local cloud

{SUBMITS} requests; submits by {CLIENTS} clients at once, while the submitted exports run on the same cores. {machine()}

| figure | value |
|---|---|
{figures}
"""


if __name__ == "__main__":
    main()
