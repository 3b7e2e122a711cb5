"""Exports of a generated county beside ogr2ogr and geopandas, in one run: a section of the page, and its plot.

`python -m tests.bench.exports` measures, and writes the section anew and leaves the rest of the page as it is. Options:
`--parcels N` (1,000,000), `--runs N` (3), `--geopandas-runs N` (1), `--only FORMAT …`. Progress goes to stderr; files
go where TMPDIR says, 8 GB for a million parcels.
"""

import argparse
import datetime as dt
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.loading import prepare
from gis_export.formats import ExportFormat
from local.sample import write
from terrafusion.charts import Axis, Bars, Chart, Points, Scale
from tests.bench import ROOT, peers, stops
from tests.bench.page import put_section
from tests.bench.peers import Case, Layer
from tests.bench.processes import Run, measure, median

PICTURE = ROOT / "docs" / "images" / "exports.svg"
FORMATS = (
    ExportFormat.GPKG,
    ExportFormat.FILEGDB,
    ExportFormat.FLATGEOBUF,
    ExportFormat.GEOPARQUET,
    ExportFormat.SHAPEFILE,
    ExportFormat.CSV,
    ExportFormat.GEOJSON,
    ExportFormat.KML,
)
COLUMNS = (
    *("format", "engine s", "CPU s", "MB", "ogr2ogr s", "CPU s", "MB", "geopandas s", "MB"),
    *("wall, to ogr2ogr", "CPU, to ogr2ogr", "wall, to geopandas"),
)
SHARE = 0.05
WHERE = '"year_built" >= 1980'
GDAL = """
import time
from gis_export.gdal import load
started = time.perf_counter()
load()
print((time.perf_counter() - started) * 1000)
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """A case as each contender did it; None where one cannot."""

    case: Case
    ours: Run
    ogr2ogr: Run | None
    geopandas: Run | None


def main() -> None:
    """Measure, and write the section."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parcels", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--geopandas-runs", type=int, default=1)
    parser.add_argument("--only", nargs="*", type=ExportFormat.parse, default=FORMATS)
    options = parser.parse_args()
    text = section(options.parcels, options.runs, options.geopandas_runs, options.only)
    put_section("Exports", text)
    sys.stdout.write(text)


def section(parcels: int, runs: int, geopandas_runs: int, formats: Sequence[ExportFormat] = FORMATS) -> str:
    """Measure; gives the page's section, and writes its plot."""
    with tempfile.TemporaryDirectory(prefix="terrafusion-bench-") as name:
        folder = Path(name)
        _say(f"making {parcels:,} parcels")
        files = write(folder, parcels=parcels)
        _say("loading them")
        prepared = prepare(files.geopackage, "parcels", folder / "layer", key="property_id")
        layer = Layer(prepared.directory / "data.fgb", prepared.manifest)
        cases = [*map(Case, formats), Case(ExportFormat.GPKG, _middle(layer), WHERE)]
        measured = [_measured(case, layer, folder, runs, geopandas_runs) for case in cases]
        load_ms = _gdal_start()
        stopped = stops.seconds_to_stop(folder, files.geopackage, runs)
    PICTURE.write_text(_chart(measured, parcels).svg(), encoding="utf-8")
    return _section(measured, parcels, runs, geopandas_runs, load_ms, stopped)


def _middle(layer: Layer) -> tuple[float, float, float, float]:
    """A box in the county's middle, of that share of its area."""
    assert layer.manifest.bbox is not None
    west, south, east, north = layer.manifest.bbox
    x, y = (east - west) * SHARE**0.5 / 2, (north - south) * SHARE**0.5 / 2
    middle = (west + east) / 2, (south + north) / 2
    return (middle[0] - x, middle[1] - y, middle[0] + x, middle[1] + y)


def _measured(case: Case, layer: Layer, folder: Path, runs: int, geopandas_runs: int) -> Measured:
    """The contenders in turn, so that a busy minute meets all of them."""
    seen: dict[str, list[Run]] = {"ours": [], "ogr2ogr": [], "geopandas": []}
    for number in range(max(runs, geopandas_runs)):
        for who, wanted in (("ours", runs), ("ogr2ogr", runs), ("geopandas", geopandas_runs)):
            with tempfile.TemporaryDirectory(dir=folder) as target:
                command = getattr(peers, who)(layer, Path(target), case) if number < wanted else None
                if command:
                    seen[who].append(measure(command))
                    last = seen[who][-1]
                    _say(f"{case.name}: {who} {last.seconds:.1f} s, {last.peak_mb:.0f} MB")
    ours, ogr, pandas = (median(found) if found else None for found in seen.values())
    assert ours is not None
    return Measured(case, ours, ogr, pandas)


def _gdal_start() -> float:
    """Milliseconds that a worker takes to load GDAL, the median of five."""
    times = [
        float(subprocess.run([sys.executable, "-c", GDAL], capture_output=True, text=True, check=True).stdout)
        for _ in range(5)
    ]
    return sorted(times)[2]


def _chart(measured: Sequence[Measured], parcels: int) -> Chart:
    """Seconds by case: the engine as bars, the peers as points above or in them."""
    ogr = [one for one in measured if one.ogr2ogr]
    pandas = [one for one in measured if one.geopandas]
    return Chart(
        f"An export of {parcels:,} parcels",
        [
            Bars("TerraFusion", [_short(m) for m in measured], [m.ours.seconds for m in measured], width=0.5),
            Points("ogr2ogr", [_short(m) for m in ogr], [m.ogr2ogr.seconds for m in ogr if m.ogr2ogr], 5, 1),
            Points(
                "geopandas", [_short(m) for m in pandas], [m.geopandas.seconds for m in pandas if m.geopandas], 5, 1
            ),
        ],
        x=Axis(scale=Scale.CATEGORY),
        y=Axis("wall seconds, less is better", include=(0.0,)),
        subtitle="from EPSG:2927 to EPSG:4326, whole processes, medians",
        description="Wall seconds for each format: bars for the engine, points for ogr2ogr and geopandas.",
    )


def _short(measured: Measured) -> str:
    return measured.case.export_format.value if measured.case.box is None else "5 % as GPKG"


def _section(
    measured: Sequence[Measured],
    parcels: int,
    runs: int,
    geopandas_runs: int,
    load_ms: float,
    stopped: Sequence[stops.Stop],
) -> str:
    rows = "\n".join("| " + " | ".join(_row(one)) + " |" for one in measured)
    figures = "\n".join(f"| {stop.point} ({stop.export_format}) | {stop.seconds:.1f} |" for stop in stopped)
    pandas = f"geopandas {'once' if geopandas_runs == 1 else f'{geopandas_runs} times'}"
    return f"""## Exports

{parcels:,} generated parcels with 26 attributes, FlatGeobuf in EPSG:2927 to each format in EPSG:4326; whole processes,
interpreter start included; medians of {runs}, {pandas}, the contenders in turn. Ratios below 1 are in the engine's
favour; CPU is of all the processes together. {dt.datetime.now(dt.UTC):%Y-%m-%d}, {os.cpu_count()} cores,
Python {platform.python_version()}, {_peer()}; `python -m tests.bench.exports --parcels {parcels}` makes this section.

![Wall seconds by format](images/exports.svg)

| {" | ".join(COLUMNS)} |
|{"---|" * len(COLUMNS)}
{rows}

Shapefile and FileGDB end in a zip, from the engine and from ogr2ogr (which zips a Shapefile itself; its FileGDB is
zipped after it, as the engine does). geopandas zips neither. MB is the peak of the largest process. The engine also
hashes its file and counts what the format loses; ogr2ogr has no GeoParquet here. The last row is a box of {SHARE:.0%}
of the county's extent with `{WHERE.replace('"', "")}`; of so little, the interpreter's start is a good part, and
counting the selection before it is written (for limits, progress, and to miss no row) is another.

A worker loads GDAL in {load_ms:.0f} ms. From the cancel to the moment in which the worker has let go of the job's
files, in the local cloud, {parcels:,} parcels, medians of {runs}:

| cancelled while it is | seconds |
|---|---|
{figures}

"""


def _row(measured: Measured) -> Iterator[str]:
    ours, ogr, pandas = measured.ours, measured.ogr2ogr, measured.geopandas
    yield measured.case.name
    yield from (f"{ours.seconds:.2f}", f"{ours.cpu_seconds:.2f}", f"{ours.peak_mb:.0f}")
    yield from (f"{ogr.seconds:.2f}", f"{ogr.cpu_seconds:.2f}", f"{ogr.peak_mb:.0f}") if ogr else ("-",) * 3
    yield from (f"{pandas.seconds:.2f}", f"{pandas.peak_mb:,.0f}") if pandas else ("-",) * 2
    yield f"{ours.seconds / ogr.seconds:.2f}" if ogr else "-"
    yield f"{ours.cpu_seconds / ogr.cpu_seconds:.2f}" if ogr else "-"
    yield f"{ours.seconds / pandas.seconds:.2f}" if pandas else "-"


def _peer() -> str:
    try:
        done = subprocess.run(["ogr2ogr", "--version"], capture_output=True, text=True, check=True)
    except FileNotFoundError:
        return "no ogr2ogr"
    return f"ogr2ogr of {done.stdout.split(',')[0].strip()}"


def _say(text: str) -> None:
    sys.stderr.write(f"{dt.datetime.now(dt.UTC):%H:%M:%S} {text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
