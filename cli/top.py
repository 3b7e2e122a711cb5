"""`terrafusion top`: how the jobs stand, live."""

import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.connection import RunningCloud, state_directory
from cli.failures import UsageFailure
from cli.options import StateOption
from cli.output import console
from cli.series import Look, buckets_of, difference, newest_before, quantile
from local.cloud import TEMPLATE
from local.gauges import OPEN_JOBS, QUEUE_MESSAGES, QUEUE_OLDEST
from local.plugins import plugins_of
from terrafusion.metrics import FAULTS, HTTP_DURATION, HTTP_REQUESTS, LONGEST_SILENCE
from terrafusion.plugins import Plugin

WINDOW_SECONDS = 60
SHARE = 0.95


def top(
    url: Annotated[str | None, typer.Option("--url", help="A page of metrics; else the local cloud's.")] = None,
    every: Annotated[float, typer.Option("--every", min=0.2, help="Seconds between looks.")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Show it once, over all time, and end.")] = False,
    template: Annotated[Path, typer.Option("--template", help="Whose plugins are shown.")] = TEMPLATE,
    state: StateOption = None,
) -> None:
    """Show jobs by plugin and state, rates, durations, queues and faults, until Ctrl-C."""
    source = url or _local_page(state_directory(state))
    plugins = plugins_of(template.resolve().parent.glob("functions/*")).values()
    looks: deque[Look] = deque(maxlen=int(2 * WINDOW_SECONDS / every) + 2)
    looks.append(Look.at_url(source, time.monotonic()))
    if once:
        console.print(page(looks, plugins, source))
        return
    with (
        suppress(KeyboardInterrupt),
        Live(page(looks, plugins, source), console=console, screen=console.is_terminal, auto_refresh=False) as live,
    ):
        while True:
            time.sleep(every)
            looks.append(Look.at_url(source, time.monotonic()))
            live.update(page(looks, plugins, source), refresh=True)


def page(looks: Sequence[Look], plugins: Iterable[Plugin], source: str) -> RenderableType:
    """All of the status page."""
    now = looks[-1]
    before = newest_before(looks, now.at - WINDOW_SECONDS) if len(looks) > 1 else Look(now.at)
    seconds = now.at - before.at
    span = f"last {seconds:.0f} s" if len(looks) > 1 else "all time"
    title = Text.assemble(("TerraFusion", "bold"), f"  {source}  ", (span, "dim"))
    return Group(title, "", _jobs(now, before, plugins), "", _requests(now, before), "", _queues(now))


def _jobs(now: Look, before: Look, plugins: Iterable[Plugin]) -> Table:
    right = ("pending", "running", "completed", "failed", "cancelled", "jobs/min", "p95", "budget", "silent")
    table = _table("plugin", *right)
    for plugin in plugins:
        metrics = plugin.metrics
        ended = [now.total(spec.name) for spec in (metrics.completed, metrics.failed, metrics.cancelled)]
        recent = now.total(metrics.completed.name) - before.total(metrics.completed.name)
        taken = difference(buckets_of(now, metrics.duration.name), buckets_of(before, metrics.duration.name))
        usual = quantile(taken, SHARE)
        slow = usual is not None and usual > metrics.budget_seconds
        silence = now.total(LONGEST_SILENCE.name, plugin=plugin.slug)
        table.add_row(
            plugin.slug,
            *(f"{now.total(OPEN_JOBS, plugin=plugin.slug, status=s):.0f}" for s in ("PENDING", "RUNNING")),
            f"{ended[0]:,.0f}",
            _when(ended[1] > 0, f"{ended[1]:,.0f}", "red"),
            f"{ended[2]:,.0f}",
            f"{60 * recent / (now.at - before.at):.1f}" if now.at > before.at else "-",
            _when(slow, _seconds(usual), "red"),
            _seconds(metrics.budget_seconds),
            _when(silence > 0, _seconds(silence or None), "yellow"),
        )
    return table


def _requests(now: Look, before: Look) -> Table:
    table = _table("requests", "total", "4xx", "5xx", "a second", "p95", "faults")
    statuses = now.by(HTTP_REQUESTS.name, "http_status")
    count = sum(statuses.values())
    recent = count - before.total(HTTP_REQUESTS.name)
    taken = difference(buckets_of(now, HTTP_DURATION.name), buckets_of(before, HTTP_DURATION.name))
    refused, broken = (sum(v for status, v in statuses.items() if status.startswith(c)) for c in "45")
    faults = now.total(FAULTS.name)
    table.add_row(
        "API",
        f"{count:,.0f}",
        f"{refused:,.0f}",
        _when(broken > 0, f"{broken:,.0f}", "red"),
        f"{recent / (now.at - before.at):.1f}" if now.at > before.at else "-",
        _seconds(quantile(taken, SHARE)),
        _when(faults > 0, f"{faults:,.0f}", "red"),
    )
    return table


def _queues(now: Look) -> Table:
    table = _table("queue", "messages", "oldest")
    oldest = now.by(QUEUE_OLDEST, "queue")
    for queue, messages in sorted(now.by(QUEUE_MESSAGES, "queue").items()):
        dead = queue.endswith("-dlq") and messages > 0
        table.add_row(queue, _when(dead, f"{messages:,.0f}", "red"), _seconds(oldest.get(queue) or None))
    return table


def _table(first: str, *numbers: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first, min_width=16, no_wrap=True)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _when(wrong: bool, text: str, color: str) -> Text:
    return Text(text, style=color if wrong else "")


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    if value < 1:
        return f"{1000 * value:.0f} ms"
    return f"{value:.1f} s" if value < 100 else f"{value / 60:.0f} min"


def _local_page(state: Path) -> str:
    cloud = RunningCloud.find(state)
    if cloud is None:
        raise UsageFailure(f"No local cloud is running on {state}. Start one with `terrafusion up`, or give --url.")
    return cloud.metrics_url
