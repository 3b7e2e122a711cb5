"""`make bench`: speed and memory beside a peer, in one run, written to docs/benchmarks.md; values beside peers' too.

Options: `--parcels N` (100,000), `--runs N` (3).
"""

import argparse
import datetime as dt
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(path) for path in sorted(ROOT.glob("functions/*"))]
os.environ["PYTHONPATH"] = os.pathsep.join([*sys.path[: len(list(ROOT.glob("functions/*")))], str(ROOT / "shared")])

from cli.loading import prepare  # noqa: E402
from gis_export.formats import ExportFormat  # noqa: E402
from local.sample import write  # noqa: E402
from tests.bench import market, peers, valuations  # noqa: E402
from tests.bench.adapter import convert_a_million, section  # noqa: E402
from tests.bench.processes import Run, measure, median  # noqa: E402
from tests.e2e.support import Client, LocalCloud, terrafusion  # noqa: E402

TARGET = ROOT / "docs" / "benchmarks.md"
SUBMITS = 100
CLIENTS = 4


def main() -> None:
    """Measure everything and write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parcels", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="terrafusion-bench-") as folder:
        exports = list(_exports(Path(folder), options.parcels, options.runs))
        cloud = _cloud(Path(folder))
        sys.stderr.write("metrics\n")
        converted = convert_a_million(Path(folder))
    page = (
        _page(options.parcels, options.runs, exports, cloud) + section(converted) + "\n" + market.section(options.runs)
    )
    TARGET.write_text(page, encoding="utf-8")
    sys.stdout.write(page)
    valuations.main()


def _exports(folder: Path, parcels: int, runs: int) -> Iterator[tuple[str, Run, Run | None, Run]]:
    """Each format: the engine, ogr2ogr where it has the driver, geopandas; in turn, `runs` times."""
    sys.stderr.write(f"making {parcels:,} parcels\n")
    files = write(folder, parcels=parcels)
    prepared = prepare(files.geopackage, "parcels", folder / "layer", key="property_id")
    source = prepared.directory / "data.fgb"
    contenders: tuple[Callable[[Path, Path, ExportFormat], list[str] | None], ...]
    contenders = (peers.ours, peers.ogr2ogr, peers.geopandas)
    for export_format in peers.FORMATS_WITH_PEERS:
        sys.stderr.write(f"{export_format}\n")
        measured: list[list[Run]] = [[], [], []]
        for _ in range(runs):
            for contender, seen in zip(contenders, measured, strict=True):
                with tempfile.TemporaryDirectory(dir=folder) as target:
                    command = contender(source, Path(target), export_format)
                    if command:
                        seen.append(measure(command))
        ours, ogr, pandas = (median(seen) if seen else None for seen in measured)
        assert ours is not None
        assert pandas is not None
        yield export_format.value, ours, ogr, pandas


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


def _page(parcels: int, runs: int, exports: list[tuple[str, Run, Run | None, Run]], cloud: dict[str, float]) -> str:
    rows = "\n".join(_row(*measured) for measured in exports)
    figures = "\n".join(f"| {name} | {value:,.1f} |" for name, value in cloud.items())
    return f"""# Benchmarks

Written by `make bench` on {dt.datetime.now(dt.UTC):%Y-%m-%d}: {os.cpu_count()} cores, {_memory_gb():.0f} GB,
{platform.system()} {platform.machine()}, Python {platform.python_version()}, {_version()}. Shared machines are noisy:
the ratios count, not the seconds.

## Exports

{parcels:,} generated parcels with 26 attributes, FlatGeobuf in EPSG:2927 to each format in EPSG:4326; whole processes,
interpreter start included; medians of {runs}, the contenders in turn. Ratios below 1 are in the engine's favour.

| format | engine s | MB | ogr2ogr s | MB | geopandas s | MB | wall, to ogr2ogr | wall, to geopandas |
|---|---|---|---|---|---|---|---|---|
{rows}

Shapefile and FileGDB end in a zip, from the engine and from ogr2ogr (which zips a Shapefile itself; its FileGDB is
zipped after it, as the engine does). geopandas zips neither. MB is the peak of the largest process.

## The local cloud

{SUBMITS} requests; submits by {CLIENTS} clients at once, while the submitted exports run on the same cores.

| figure | value |
|---|---|
{figures}
"""


def _row(name: str, ours: Run, ogr: Run | None, pandas: Run) -> str:
    other = ("-", "-", "-")
    if ogr:
        other = (f"{ogr.seconds:.2f}", f"{ogr.peak_mb:.0f}", f"{ours.seconds / ogr.seconds:.2f}")
    return (
        f"| {name} | {ours.seconds:.2f} | {ours.peak_mb:.0f} | {other[0]} | {other[1]} | {pandas.seconds:.2f} | "
        f"{pandas.peak_mb:.0f} | {other[2]} | {ours.seconds / pandas.seconds:.2f} |"
    )


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def _version() -> str:
    done = subprocess.run(["ogr2ogr", "--version"], capture_output=True, text=True)
    return done.stdout.split(",")[0].strip() + " as the peer" if done.returncode == 0 else "no ogr2ogr"


if __name__ == "__main__":
    main()
