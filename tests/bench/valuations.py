"""Values of sales that came after what a model knew, beside peers on the same split: `-m tests.bench.valuations`.

The peers are what one would reach for: gradient boosting on the same columns with the day of the sale as one more, and
ordinary least squares. The table goes into docs/methods/valuation.md, speeds into docs/benchmarks.md.
"""

import csv
import math
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from pathlib import Path

import duckdb
import httpx
import numpy as np

from local.sample import write
from terrafusion.ratios import Measure, RatioSample, study
from tests.bench import ROOT
from tests.bench.page import machine, put_section
from tests.e2e.support import Client, LocalCloud, load_sample
from valuation import features, training
from valuation.appraisal import Appraisal
from valuation.approaches import Approach
from valuation.batch import Review, table
from valuation.boosting import Boosted, lightgbm
from valuation.features import Kind
from valuation.records import Records
from valuation.screening import Reason, Sales, join, screen

TARGET = ROOT / "docs" / "methods" / "valuation.md"
MARKERS = re.compile(r"(<!-- measured -->\n).*(<!-- /measured -->)", re.DOTALL)
LUCAS = ROOT.parent / "shared" / "data" / "lucas_oh_sales.csv"
STANDARD = (
    "parcel_no AS property_id, TLA AS living_area_sqft, yrbuilt AS year_built, lotsize AS land_area_sqft, "
    "beds AS bedrooms, baths AS bathrooms, garagesqft AS garage_area_sqft"
)
HEAD = """| {name} | n | median | COD | PRD | PRB | VEI | MdAPE % | R² | in 90 % interval |
|---|---|---|---|---|---|---|---|---|---|"""
SEEDS = range(1, 9)
SINGLES = 100
Peer = Callable[[np.ndarray, np.ndarray, np.ndarray, list[int]], np.ndarray]


@dataclass(frozen=True, slots=True)
class Speed:
    """How long something took: by the clock, and of this process' processor time; its peak of memory."""

    what: str
    seconds: float
    cpu_seconds: float = math.nan
    peak_mb: float = math.nan


@dataclass(frozen=True)
class County:
    """Tables, the last day that models know, and the day on which the data were published."""

    name: str
    sales: Records
    properties: Records
    until: date
    published: date


def main() -> None:
    """Measure, print, and write the table."""
    with tempfile.TemporaryDirectory(prefix="terrafusion-bench-") as folder:
        counties = list(_counties(Path(folder)))
        page = "\n\n".join(_county(county, PEERS) for county in counties) + "\n\n" + _coverages(Path(folder))
        sys.stdout.write(f"{page}\n\n")
        put_section("Valuation", _section(list(_speeds(Path(folder), counties))))
    text = MARKERS.sub(lambda found: f"{found[1]}\n{page}\n\n{found[2]}", TARGET.read_text(encoding="utf-8"))
    TARGET.write_text(text, encoding="utf-8")


def _counties(folder: Path) -> list[County]:
    files = write(folder / "sample")
    sample = [_read(f"SELECT * FROM read_csv('{file}')") for file in (files.sales, files.properties)]
    counties = [County("Sample county, 2025", sample[0], sample[1], date(2024, 12, 31), date(2026, 1, 2))]
    if LUCAS.exists():
        sales = _read(
            "SELECT parcel_no AS property_id, parcel_no AS sale_id, sale_date, price::DOUBLE AS sale_price, lon, lat "
            f"FROM read_csv('{LUCAS}')"
        )
        properties = _read(f"SELECT * EXCLUDE (price, sale_date) RENAME ({STANDARD}) FROM read_csv('{LUCAS}')")
        counties.insert(0, County("Lucas County, 1998", sales, properties, date(1997, 12, 31), date(1999, 1, 1)))
    return counties


def _read(query: str) -> Records:
    return Records.of(duckdb.sql(query).fetchnumpy())


def _county(county: County, peers: Mapping[str, Peer]) -> str:
    made = training.train(county.sales, county.properties, published=county.published, known_until=county.until)
    market = training.open_market(made.model, made.boosted, county.sales, county.properties)
    joined, found = join(county.sales, county.properties)
    reasons = screen(county.sales, joined, found, county.published, None)
    usable = np.isin(reasons, ("", Reason.BEFORE_CONSTRUCTION.value))
    later = joined.take(np.flatnonzero(usable & (joined.dates > np.datetime64(county.until))))
    earlier = joined.take(np.flatnonzero(usable & (joined.dates <= np.datetime64(county.until))))
    values = market.value(later.records, later.days)
    rows = [HEAD.format(name=county.name)]
    for approach in (Approach.RECONCILED, Approach.AVM, Approach.COMPARABLE_SALES, Approach.COST):
        low, high = values.interval(made.model, approach)
        covered = (np.log(later.prices) >= low) & (np.log(later.prices) <= high)
        rows.append(_row(approach.value.replace("_", " "), values.by[approach], later.prices, covered))
    rows.append(_row("hedonic challenger", values.hedonic, later.prices, None))
    for name, peer in peers.items():
        rows.append(_row(name, _by_peer(peer, earlier, later, county), later.prices, None))
    return "\n".join(rows)


def _coverages(folder: Path) -> str:
    """How far the coverage of 90 % intervals moves from county to county: each generated with another seed."""
    found = []
    for seed in SEEDS:
        files = write(folder / f"seed {seed}", seed=seed)
        sales, properties = (_read(f"SELECT * FROM read_csv('{file}')") for file in (files.sales, files.properties))
        row = _county(County("", sales, properties, date(2024, 12, 31), date(2026, 1, 2)), peers={}).splitlines()[2]
        found.append(float(row.split("|")[-2]))
    return (
        f"Of {len(found)} more sample counties (seeds {SEEDS[0]} to {SEEDS[-1]}) the reconciled values' 90 % intervals "
        f"held {min(found):.3f} to\n{max(found):.3f} of next year's prices, {sum(found) / len(found):.3f} in the mean."
    )


def _by_peer(peer: Peer, earlier: Sales, later: Sales, county: County) -> np.ndarray:
    """A peer sees the same columns, and the day of the sale."""
    choice = features.choose(earlier.records, tuple(county.properties), np.log(earlier.prices))
    known, asked = (
        np.column_stack([features.matrix(some.records, choice.features), some.days]) for some in (earlier, later)
    )
    categories = [at for at, feature in enumerate(choice.features) if feature.kind is Kind.CATEGORY]
    return peer(known, np.log(earlier.prices), asked, categories)


def _lightgbm(known: np.ndarray, wanted: np.ndarray, asked: np.ndarray, categories: list[int]) -> np.ndarray:
    gbm = lightgbm()
    options = {"verbose": -1, "seed": 1, "num_threads": 1}
    data = gbm.Dataset(known, wanted, categorical_feature=categories, params=options)
    return np.asarray(gbm.train(options, data, 300).predict(asked))


def _hist(known: np.ndarray, wanted: np.ndarray, asked: np.ndarray, categories: list[int]) -> np.ndarray:
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(max_iter=300, categorical_features=categories, random_state=1)
    return np.asarray(model.fit(known, wanted).predict(asked))


def _ols(known: np.ndarray, wanted: np.ndarray, asked: np.ndarray, categories: list[int]) -> np.ndarray:
    """Logs of what is never negative and skewed, dummies, a line through time."""
    middle = np.nanmedian(known, axis=0)

    def design(rows: np.ndarray) -> np.ndarray:
        columns = [np.ones(len(rows))]
        for at in range(rows.shape[1]):
            values = np.where(np.isnan(rows[:, at]), middle[at], rows[:, at])
            if at in categories:
                columns += [values == level for level in np.unique(known[:, at][~np.isnan(known[:, at])])[1:]]
            else:
                skewed = np.nanmin(known[:, at]) >= 0 and np.nanquantile(known[:, at], 0.995) > 2.5 * max(middle[at], 1)
                columns.append(np.log1p(values) if skewed else values - middle[at])
        return np.column_stack(columns).astype(float)

    return design(asked) @ np.linalg.lstsq(design(known), wanted, rcond=1e-10)[0]


PEERS: Mapping[str, Peer] = {"plain LightGBM": _lightgbm, "HistGradientBoosting": _hist, "plain OLS": _ols}


def _row(name: str, log_value: np.ndarray, prices: np.ndarray, covered: np.ndarray | None) -> str:
    there = ~np.isnan(log_value)
    values, paid = np.exp(log_value[there]), prices[there]
    found = study(RatioSample.of(values, paid))
    r2 = 1 - ((values - paid) ** 2).sum() / ((paid - paid.mean()) ** 2).sum()
    figures = [
        f"{there.sum():,}",
        f"{float(found[Measure.MEDIAN]):.3f}",
        f"{float(found[Measure.COD]):.2f}",
        f"{float(found[Measure.PRD]):.3f}",
        f"{float(found[Measure.PRB]):.3f}",
        f"{float(found[Measure.VEI]):.1f}",
        f"{100 * float(np.median(np.abs(values / paid - 1))):.2f}",
        f"{r2:.3f}",
        "" if covered is None else f"{covered[there].mean():.3f}",
    ]
    return f"| {name} | {' | '.join(figures)} |"


def _section(speeds: list[Speed]) -> str:
    rows = "\n".join(f"| {s.what} | {s.seconds:.2f} | {s.cpu_seconds:.2f} | {s.peak_mb:,.0f} |" for s in speeds)
    return f"""## Valuation

In one process, files and tables in memory; then jobs of the local cloud, from the worker's claim to the end, with all
that is read and written. CPU s are the process' own, MB its peak so far; of jobs neither is told.
{machine()}

| what | s | CPU s | MB |
|---|---|---|---|
{rows}
""".replace("| nan | nan |", "| - | - |")


def _speeds(folder: Path, counties: list[County]) -> Iterator[Speed]:
    """Training, opening a model, one property, a roll of 100,000; and jobs of one property."""
    for county in counties:
        name = county.name.split(",")[0]
        clock = _Clock()
        made = training.train(county.sales, county.properties, published=county.published)
        yield clock.read(f"{name}: training on {made.model.sales_used:,} sales")
        clock = _Clock()
        model = type(made.model).model_validate_json(made.model.model_dump_json())
        market = training.open_market(model, Boosted(made.boosted.text), county.sales, county.properties)
        yield clock.read(f"{name}: opening the model")
        day = np.datetime64(model.time_index.last, "D").item()
        clock = _Clock()
        for at in range(SINGLES):
            Appraisal.of(market, county.properties.take(np.array([20 * at])), day).document(Approach.RECONCILED)
        yield clock.read(f"{name}: one property, the mean of {SINGLES}", SINGLES)
    files = write(folder / "roll", parcels=100_000)
    sales, properties = (_read(f"SELECT * FROM read_csv('{file}')") for file in (files.sales, files.properties))
    made = training.train(sales, properties, published=date(2026, 1, 2))
    market = training.open_market(made.model, made.boosted, sales, properties)
    clock = _Clock()
    for at in range(0, len(properties), 25_000):
        rows = properties.take(np.arange(at, min(at + 25_000, len(properties))))
        days = np.full(len(rows), made.model.time_index.last)
        table(market, rows, days, Review(0.75, Approach.RECONCILED), workers=2)
    yield clock.read(f"a roll of {len(properties):,} properties")
    yield from _jobs(folder)


def _jobs(folder: Path) -> Iterator[Speed]:
    """Jobs of one property of the sample county: the first after a start, when the model is there, and warm ones."""
    files = write(folder / "sample")
    with files.properties.open(encoding="utf-8") as lines:
        wanted = [row["property_id"] for row in islice(csv.DictReader(lines), 0, 20 * SINGLES, 20)]
    cloud = LocalCloud(folder / "state")
    for first in ("a job of one property, its model trained first", "a cold job: libraries, tables and model"):
        cloud.start()
        try:
            if not (folder / "loaded").exists():
                load_sample(cloud, "sample", files.sales.parent, ("properties", "sales"))
                (folder / "loaded").touch()
            headers = {"authorization": f"Bearer {cloud.token('ValuationStaff', 'sample')}"}
            with httpx.Client(base_url=cloud.url, headers=headers, timeout=60) as http:
                seconds = [_job_seconds(Client(http, "sample"), property_id) for property_id in wanted]
        finally:
            cloud.stop()
        yield Speed(first, seconds[0])
    yield Speed(f"a warm job, the median of {SINGLES - 1}", float(np.median(seconds[1:])))


def _job_seconds(client: Client, property_id: str) -> float:
    """From the worker's claim to the job's end."""
    ended = client.wait(client.run("valuation", {"property_id": property_id}))
    begun, done = (datetime.fromisoformat(ended[name]) for name in ("started_at", "completed_at"))
    return (done - begun).total_seconds()


class _Clock:
    """The clock, and what this process has of the processors: a busy machine shows in the first alone."""

    def __init__(self) -> None:
        self._wall, self._work = time.perf_counter(), time.process_time()

    def read(self, what: str, times: int = 1) -> Speed:
        wall, work = time.perf_counter() - self._wall, time.process_time() - self._work
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return Speed(what, wall / times, work / times, peak)


if __name__ == "__main__":
    main()
