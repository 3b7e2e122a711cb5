"""Runs the chaos, judges it, prints the table; ends with 1 when anything was lost, wrong, doubled or stuck."""

import argparse
import hashlib
import json
import signal
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from terrafusion.storage import Storage
from tests.chaos.clients import CLIENTS, Clients, Submitted
from tests.chaos.monkey import Monkey
from tests.chaos.requests import KINDS, Kind, fingerprint
from tests.chaos.truth import claimed, expected, jobs_in_table
from tests.e2e.support import LocalCloud, load_sample, terrafusion
from tests.integration.engines import project_template, running
from tests.integration.job_world import World
from tests.integration.races import CLIENTS as RACERS
from tests.integration.races import race
from tests.plugins.with_layer_digest import template_with_layer_digest

END_SECONDS = 420
ALLOWED_REASONS = {"worker_crashed", "timeout"}
"""A job may fail when its workers were killed again and again; nothing else is an excuse."""
RESTARTS = {0.2: signal.SIGTERM, 0.45: signal.SIGKILL, 0.7: signal.SIGINT, 0.9: signal.SIGKILL}
SWEEPS = ("GisExportSweepFunction", "LayerDigestSweepFunction")

console = Console(width=110)


def main() -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--races", type=int, default=1000)
    options = parser.parse_args()
    console.print(f"chaos: {options.jobs} jobs, seed {options.seed}")
    _race(options.races, options.seed)
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        cloud = _cloud(Path(folder))
        try:
            problems = _run(cloud, options.jobs, options.seed)
        finally:
            if cloud.is_running:
                cloud.stop()
        for problem in problems:
            console.print(f"[red]{problem}[/red]")
        if problems:
            console.print(cloud.log[-3000:], markup=False)
    console.print("[red]FAILED[/red]" if problems else "[green]all jobs ended, once, right, and counted[/green]")
    return 1 if problems else 0


def _race(count: int, seed: int) -> None:
    with tempfile.TemporaryDirectory(prefix="races-") as folder, running(Path(folder)) as endpoint:
        names = {name: bucket.name for name, bucket in project_template().buckets.items()}
        data = Storage(endpoint.client("s3"), names["DataBucket"])
        ends = race(World(endpoint, names["ResultsBucket"], data), count, seed)
    told = ", ".join(f"{n} {status}" for status, n in sorted(ends.items()))
    console.print(f"{count} races of {RACERS} clients who cancel and complete: one outcome each ({told})")


def _cloud(folder: Path) -> LocalCloud:
    terrafusion("sample", "--parcels", "1500", "--output", str(folder / "files"))
    cloud = LocalCloud(folder / "state", template_with_layer_digest(folder / "project"))
    cloud.start()
    load_sample(cloud, "sample", folder / "files", ("parcels", "zoning", "roads"))
    return cloud


def _run(cloud: LocalCloud, count: int, seed: int) -> list[str]:
    clients = Clients(cloud, seed)
    right = _calm(clients)
    monkey = Monkey(cloud, seed, clients.known)
    due = dict(RESTARTS)

    def on_progress(done: int) -> None:
        for share in [share for share in due if done >= share * count]:
            monkey.restart(due.pop(share))

    monkey.start()
    clients.submit_all(count, on_progress)
    deadline = time.monotonic() + END_SECONDS
    jobs = clients.submitted[len(KINDS) :]
    with ThreadPoolExecutor(CLIENTS) as pool:
        half = pool.map(lambda s: clients.wait(s, time.monotonic() + 20), jobs[: len(jobs) // 2])
        list(half)
    monkey.stop()
    with ThreadPoolExecutor(CLIENTS) as pool:
        ends = list(pool.map(lambda s: clients.wait(s, deadline), jobs))
    _settle(cloud, deadline)
    _print_ends(jobs, ends, monkey.done, clients.refusals)
    problems = _judge(clients, jobs, ends, right)
    return problems + _compare(cloud)


def _calm(clients: Clients) -> dict[Kind, str]:
    """One job of each kind before the chaos begins: what is right."""
    right = {}
    for kind in KINDS:
        response = clients.ask("POST", f"/api/v1/{kind.plugin}/run", json={"county_id": "sample", **kind.body})
        made = Submitted(kind, response.json()["job_id"], frozenset({response.json()["job_id"]}))
        clients.submitted.append(made)
        assert clients.wait(made, time.monotonic() + 60)["status"] == "COMPLETED"
        right[kind] = fingerprint(kind, _download(clients, made))
    return right


def _download(clients: Clients, submitted: Submitted) -> bytes:
    """What is downloaded; of an export in parts its manifest, once each part has been found to be what that says."""
    content = _downloaded(clients, submitted, "")
    for part in json.loads(content)["parts"] if submitted.kind.in_parts else ():
        found = hashlib.sha256(_downloaded(clients, submitted, f"?file={part['file']}")).hexdigest()
        assert found == part["sha256"], f"{part['file']} is not what its manifest says"
    return content


def _downloaded(clients: Clients, submitted: Submitted, query: str) -> bytes:
    answer = clients.ask("GET", f"/api/v1/{submitted.kind.plugin}/download/{submitted.job_id}{query}")
    assert answer.status_code == 302, f"{answer.status_code} {answer.text}"
    file = httpx.get(answer.headers["location"], timeout=60)
    assert file.status_code == 200, file.text
    return file.content


def _settle(cloud: LocalCloud, deadline: float) -> None:
    """Let the sweeps count what dead processes left."""
    while time.monotonic() < deadline and any("open_plugin" in job for job in jobs_in_table(cloud)):
        for sweep in SWEEPS:
            cloud.client("lambda").invoke(FunctionName=sweep, Payload=json.dumps({}))
        time.sleep(5)


def _judge(clients: Clients, jobs: list[Submitted], ends: list[dict[str, Any]], right: dict[Kind, str]) -> list[str]:
    problems = [f"one key, several jobs: {sorted(job.answers)}" for job in jobs if len(job.answers) > 1]
    for job, end in zip(jobs, ends, strict=True):
        problems += [f"{job.kind.name} {job.job_id}: {what}" for what in _wrong(clients, job, end, right)]
    return problems


def _wrong(clients: Clients, job: Submitted, end: dict[str, Any], right: dict[Kind, str]) -> list[str]:
    if end["status"] == "COMPLETED":
        return [] if fingerprint(job.kind, _download(clients, job)) == right[job.kind] else ["another result"]
    if end["status"] not in {"FAILED", "CANCELLED"}:
        return [f"still {end['status']}"]
    if end["status"] == "FAILED" and end["failure_reason"] not in ALLOWED_REASONS:
        return [f"failed with {end['failure_reason']}: {end['message']}"]
    answer = clients.ask("GET", f"/api/v1/{job.kind.plugin}/download/{job.job_id}")
    return [] if answer.status_code == 409 else [f"{end['status']}, and its download answers {answer.status_code}"]


def _compare(cloud: LocalCloud) -> list[str]:
    table, metrics = expected(jobs_in_table(cloud)), claimed(cloud)
    shown = Table("metric", "label", "reason or status", "table", "metrics", title="the table's truth and the metrics")
    for claim in sorted(table | metrics):
        prefix, event, label, detail = claim
        shown.add_row(f"{prefix}_jobs_{event}_total", label, detail, str(table[claim]), str(metrics[claim]))
    console.print(shown)
    return [
        f"{claim}: table {table[claim]}, metrics {metrics[claim]}"
        for claim in table | metrics
        if table[claim] != metrics[claim]
    ]


def _print_ends(
    jobs: list[Submitted], ends: list[dict[str, Any]], deeds: Counter[str], refusals: dict[str, int]
) -> None:
    counts = Counter((job.kind.name, end["status"]) for job, end in zip(jobs, ends, strict=True))
    states = ("COMPLETED", "FAILED", "CANCELLED", "RUNNING", "PENDING")
    shown = Table("jobs", *states, title="ends")
    for kind in KINDS:
        shown.add_row(kind.name, *(str(counts[kind.name, state]) for state in states))
    shown.add_row("all", *(str(sum(counts[kind.name, state] for kind in KINDS)) for state in states), style="bold")
    console.print(shown)
    console.print("broken: " + ", ".join(f"{deed} {times}" for deed, times in sorted(deeds.items())))
    console.print(
        "sent again by clients: " + (", ".join(f"{why} {n}" for why, n in sorted(refusals.items())) or "none")
    )


if __name__ == "__main__":
    sys.exit(main())
