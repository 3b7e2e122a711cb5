"""One million EMF lines through `terrafusion metrics convert`, as a process of its own."""

import io
import random
from pathlib import Path

from terrafusion.metrics import CATALOGUE, EmfSink, MetricKind
from tests.bench.processes import Run, measure
from tests.e2e.support import COMMAND

LINES = 1_000_000
KINDS = 5_000
NOISE = 3
"""Of so many lines one is no metric, as in a log."""


def section(run: Run) -> str:
    """What the page says of it."""
    return f"""
## Metrics

`terrafusion metrics convert` on {LINES:,} lines of a log, each third of them no metric: all of the catalogue, forty
counties, two or three lines for an event. Each event is remembered, so that a line that comes twice counts once.

| figure | value |
|---|---|
| lines a second of one core's time | {LINES / run.cpu_seconds:,.0f} |
| lines a second of the clock | {LINES / run.seconds:,.0f} |
| peak memory (MB), the command's libraries included | {run.peak_mb:,.0f} |
"""


def convert_a_million(folder: Path) -> Run:
    """Write lines of all metrics, 40 counties and as many events as jobs have, and convert them."""
    chance = random.Random(2927)
    specs = list(CATALOGUE.values())
    made = []
    for _ in range(KINDS):
        spec = chance.choice(specs)
        labels = {label: f"{label}-{chance.randrange(40 if label == 'county_id' else 6)}" for label in spec.labels}
        stream = io.StringIO()
        value = chance.expovariate(1 / 30) if spec.kind is MetricKind.HISTOGRAM else 1
        EmfSink("bench", stream=stream).record(spec, value, labels, "EVENT")
        made.append(stream.getvalue())
    path = folder / "lines.log"
    with path.open("w", encoding="utf-8") as file:
        for number in range(LINES):
            if number % NOISE == 0:
                file.write('2026-11-25T23:00:00.000Z {"level":"INFO","message":"job completed"}\n')
            else:
                file.write(made[number % KINDS].replace("EVENT", f"{number // 4:032x}:ended"))
    run = measure([*COMMAND, "metrics", "convert", str(path)])
    path.unlink()
    return run
