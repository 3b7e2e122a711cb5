"""Prometheus beside a local cloud: every series of every plugin answers, counters are the job table's, alerts fire."""

import contextlib
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import accumulate, cycle, islice
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from local.monitoring.__main__ import HERE
from local.plugins import plugins_of
from terrafusion.jobs.items import OPEN_PLUGIN
from terrafusion.plugins import Plugin
from tests.chaos.truth import jobs_in_table
from tests.e2e.support import COMMAND, Client, LocalCloud, load_sample, terrafusion, wait_until
from tests.e2e.test_permissions import BODIES
from tests.plugins.with_layer_digest import template_with_layer_digest

JOBS = int(os.environ.get("TERRAFUSION_TEST_JOBS", "60"))
"""`make counts` takes 500, after a change of how jobs are counted; fewer do in the suite, which has other work."""

CLIENTS = 4
ENDS = {"COMPLETED": "completed", "FAILED": "failed", "CANCELLED": "cancelled"}
Body = dict[str, Any]

RUN = re.compile(r"POST /api/v1/([a-z-]+)/run")
REQUESTS: dict[str, list[Body]] = {
    **{found[1]: [dict(body)] for route, body in BODIES.items() if (found := RUN.fullmatch(route))},
    "gis-export": [{"export_format": f, "layers": ["roads"]} for f in ("GPKG", "CSV", "GeoJSON")],
    "layer-digest": [{"layer": "roads"}],
}
"""What to ask a plugin for; a plugin that is not here is no reason to skip it, so its test fails."""

FAILING: Body = {"export_format": "KML", "layers": ["zoning"]}
"""The layer's file is taken away before."""


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A cloud with all plugins there are and one more, whose zoning cannot be read."""
    folder = tmp_path_factory.mktemp("watched")
    terrafusion("sample", "--parcels", "1500", "--output", str(folder / "files"))
    here = LocalCloud(folder / "state", template_with_layer_digest(folder / "project"))
    here.start()
    load_sample(here, "sample", folder / "files")
    store, bucket = here.client("s3"), here.run["buckets"]["DataBucket"]
    for item in store.list_objects_v2(Bucket=bucket, Prefix="counties/sample/layers/zoning/")["Contents"]:
        if item["Key"].endswith(".fgb"):
            store.delete_object(Bucket=bucket, Key=item["Key"])
    yield here
    here.stop()


@pytest.fixture(scope="module")
def plugins(watched: LocalCloud) -> dict[str, Plugin]:
    """By slug."""
    found = plugins_of((watched.state.parent / "project/functions").iterdir())
    return {plugin.slug: plugin for plugin in found.values()}


@pytest.fixture(scope="module")
def ask(watched: LocalCloud) -> Iterator[Client]:
    """Somebody who may do everything."""
    headers = {"authorization": f"Bearer {watched.token('ITAdmin', 'sample')}"}
    with httpx.Client(base_url=watched.url, headers=headers, timeout=120) as http:
        yield Client(http, "sample")


@pytest.fixture(scope="module")
def one_of_each(watched: LocalCloud, ask: Client, plugins: dict[str, Plugin]) -> list[Body]:
    """A job of each plugin, at its end; for all but ours the county may hold too little, and then it fails."""
    jobs = [ask.run(slug, REQUESTS[slug][0]) for slug in plugins]
    return [ask.wait(job) for job in jobs]


def samples(cloud: LocalCloud) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text = httpx.get(f"{cloud.url}/metrics", timeout=60).text
    found = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {(s.name, frozenset(s.labels.items())): s.value for s in found}


class Prometheus:
    """A Prometheus with our rules, which looks every three seconds."""

    def __init__(self, folder: Path, target: str) -> None:
        for path in HERE.glob("*.rules.yml"):
            shutil.copy(path, folder)
        text = (HERE / "prometheus.yml").read_text().replace("scrape_interval: 15s", "scrape_interval: 3s")
        text = text.replace("15s", "1s").replace("127.0.0.1:3000", target)
        (folder / "prometheus.yml").write_text(text)
        address = f"127.0.0.1:{_free_port()}"
        self.url = f"http://{address}"
        with (folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={folder / 'tsdb'}",
                    f"--web.listen-address={address}",
                ],
                stderr=log,
                stdout=log,
            )
        wait_until(self._is_ready)

    def get(self, path: str, **query: str) -> Any:
        return httpx.get(f"{self.url}/api/v1/{path}", params=query, timeout=30).json()["data"]

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)

    def _is_ready(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/-/ready").status_code == 200
        return False


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def prometheus(watched: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed (Debian: prometheus)")
    here = Prometheus(tmp_path_factory.mktemp("prometheus"), watched.url.removeprefix("http://"))
    yield here
    here.stop()


def test_every_plugin_is_asked_for_a_job(plugins: dict[str, Plugin]) -> None:
    assert set(plugins) <= set(REQUESTS), "say in REQUESTS what to ask it for"


def test_a_job_s_lines_are_known_by_its_request_from_the_api_to_the_worker(
    watched: LocalCloud, ask: Client, plugins: dict[str, Plugin]
) -> None:
    for slug in plugins:
        body = {"county_id": "sample", **REQUESTS[slug][0]}
        response = ask.post(f"/{slug}/run", body)
        job = ask.wait(response.json())

        told = json.loads(terrafusion("logs", job["job_id"], "--json", "--state", str(watched.state)).stdout)

        lines = [line for line in told if line.get("job_id") == job["job_id"]]
        functions = {line["function"] for line in lines}
        assert {name for name in functions if name.endswith("ApiFunction")} < functions
        keys = {(line["request_id"], line["county_id"], line["plugin"]) for line in lines}
        assert keys == {(response.headers["x-request-id"], "sample", slug)}
        assert [line["at"] for line in told] == sorted(line["at"] for line in told)


def test_a_job_that_nobody_knows_has_no_lines(watched: LocalCloud) -> None:
    done = terrafusion("logs", "nothing", "--state", str(watched.state), check=False)

    assert done.returncode == 2


def test_top_shows_every_plugin_live_until_it_is_interrupted(
    watched: LocalCloud, one_of_each: list[Body], plugins: dict[str, Plugin]
) -> None:
    template = str(watched.state.parent / "project/template.yaml")
    options = ["--state", str(watched.state), "--template", template]

    once = terrafusion("top", "--once", *options).stdout
    ours, theirs = pty.openpty()
    heeding = ("env", "--default-signal=INT")  # a suite in the background ignores it, and hands that on
    live = subprocess.Popen(
        [*heeding, *COMMAND, "top", "--every", "0.2", *options],
        stdout=theirs,
        env={**os.environ, "COLUMNS": "150", "LINES": "40"},
    )
    os.close(theirs)
    shown = b""
    with os.fdopen(ours, "rb", buffering=0) as screen:
        while not all(slug.encode() in shown for slug in plugins):
            shown += screen.read(4096)
        live.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):  # the terminal is gone
            while screen.read(4096):
                pass

    assert live.wait(timeout=30) == 0
    assert all(slug in once for slug in plugins)


def test_a_live_page_is_what_promtool_takes(watched: LocalCloud, one_of_each: list[Body]) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    page = httpx.get(f"{watched.url}/metrics", timeout=60).text

    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True)

    # the contract's own names, older than the convention that sizes are bytes and gauges no counts
    advice = {line.split(" ")[0] for line in (done.stdout + done.stderr).splitlines()}
    assert advice <= {"gis_export_file_size_kb", "gis_export_record_count"}, done.stderr


def test_counters_and_buckets_are_the_job_table_s(
    watched: LocalCloud, ask: Client, plugins: dict[str, Plugin], one_of_each: list[Body]
) -> None:
    mixed = [(slug, body) for slug in plugins for body in REQUESTS[slug]] + [("gis-export", FAILING)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        jobs = list(pool.map(lambda request: ask.run(*request), islice(cycle(mixed), JOBS)))
        for job in jobs[::10]:
            ask.post(f"/{job['plugin']}/cancel/{job['job_id']}")
        ends = list(pool.map(ask.wait, jobs))

    # whoever ends a job counts it next; what a dying process left to count, the sweep does within two minutes
    wait_until(lambda: not any(OPEN_PLUGIN in job for job in jobs_in_table(watched)), 150)
    found, table = samples(watched), jobs_in_table(watched)
    assert {end["status"] for end in ends} >= {"COMPLETED", "FAILED"}
    assert not [key for key in found if key[0] == "terrafusion_emf_rejected_lines_total"]
    assert len(table) >= len(jobs) + len(one_of_each)
    for plugin in plugins.values():
        own = [job for job in table if job["plugin"] == plugin.slug]
        names = {spec.name for spec in plugin.metrics.specs}
        expected = {**_counts(plugin, own), **_histograms(plugin, own)}
        families = {key: value for key, value in found.items() if re.sub("_(bucket|sum|count)$", "", key[0]) in names}
        sums = {key for key in families if key[0].endswith("_sum")}
        assert {k: v for k, v in families.items() if k not in sums} == {
            k: v for k, v in expected.items() if k not in sums
        }
        assert all(families[key] == pytest.approx(expected[key]) for key in sums)


def _labels(plugin: Plugin, job: Body, **more: str) -> frozenset[tuple[str, str]]:
    label = plugin.metrics.label
    kind = {label: job["type_label"]} if label else {}
    return frozenset({"county_id": job["county_id"], **kind, **more}.items())


def _counts(plugin: Plugin, jobs: list[Body]) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    counted: Counter[tuple[str, frozenset[tuple[str, str]]]] = Counter()
    prefix = plugin.metrics.prefix
    for job in jobs:
        reason = {"failure_reason": job["failure_reason"]} if job["status"] == "FAILED" else {}
        counted[f"{prefix}_jobs_submitted_total", _labels(plugin, job, status_on_submit="PENDING")] += 1
        counted[f"{prefix}_jobs_{ENDS[job['status']]}_total", _labels(plugin, job, **reason)] += 1
    return dict(counted)


def _histograms(plugin: Plugin, jobs: list[Body]) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """From the raw durations: the first claim to the end, of what was begun and not cancelled."""
    raw: dict[frozenset[tuple[str, str]], list[float]] = {}
    for job in jobs:
        if "started_at" in job and job["status"] != "CANCELLED":
            ended, begun = (datetime.fromisoformat(job[name]) for name in ("completed_at", "started_at"))
            raw.setdefault(_labels(plugin, job), []).append((ended - begun).total_seconds())
    name, bounds = plugin.metrics.duration.name, plugin.metrics.duration.buckets
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for labels, seconds in raw.items():
        counts = Counter(bisect_left(bounds, value) for value in seconds)
        for le, count in zip(
            (*map(float, bounds), "+Inf"), accumulate(counts[i] for i in range(len(bounds) + 1)), strict=True
        ):
            found[f"{name}_bucket", labels | {("le", str(le))}] = count
        found[f"{name}_count", labels] = len(seconds)
        found[f"{name}_sum", labels] = sum(seconds)
    return found


def test_prometheus_has_the_target_up_and_the_rules_loaded(prometheus: Prometheus, one_of_each: list[Body]) -> None:
    wait_until(lambda: [t["health"] for t in prometheus.get("targets")["activeTargets"]] == ["up"])

    groups = prometheus.get("rules")["groups"]
    assert len([rule for group in groups for rule in group["rules"]]) > 10
    healthy = {"ok"}
    wait_until(lambda: {r["health"] for g in prometheus.get("rules")["groups"] for r in g["rules"]} == healthy, 60)


def test_every_series_of_every_plugin_answers(
    prometheus: Prometheus, one_of_each: list[Body], plugins: dict[str, Plugin]
) -> None:
    for job in one_of_each:
        metrics = plugins[job["plugin"]].metrics
        ended = {"COMPLETED": metrics.completed, "FAILED": metrics.failed}[job["status"]]
        for name in (metrics.submitted.name, ended.name, f"{metrics.duration.name}_bucket"):
            query = f'{name}{{county_id="sample"}}'
            wait_until(lambda query=query: prometheus.get("query", query=query)["result"])


WORDS = {
    "absent", "and", "by", "changes", "count_over_time", "group_left", "histogram_quantile", "label_replace",
    "label_values", "min_over_time", "on", "or", "rate", "sum", "sum_over_time", "up", "vector",
}  # fmt: skip
"""All of PromQL that we use; whatever else an expression names must be a series."""


def names_in(expression: str) -> set[str]:
    """The series that an expression names."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\$\w+", "", bare)
    bare = re.sub(r"\b(by|on|group_left|ignoring|without)\s*\([^)]*\)", r" \1 ", bare)
    return set(re.findall(r"[a-zA-Z_:][\w:]*", bare)) - WORDS


def expressions() -> dict[str, list[str]]:
    """Every expression, by where it stands."""
    board = json.loads((HERE / "grafana/terrafusion.json").read_text())
    rules = {path.name: yaml.safe_load(path.read_text())["groups"] for path in HERE.glob("*.rules.yml")}
    return {
        "dashboard": [target["expr"] for panel in board["panels"] for target in panel["targets"]],
        "variables": [variable["query"].split(",")[0] + ")" for variable in board["templating"]["list"]],
        **{name: [rule["expr"] for group in groups for rule in group["rules"]] for name, groups in rules.items()},
    }


@pytest.mark.parametrize("where", expressions())
def test_every_expression_uses_series_that_are_there(watched: LocalCloud, one_of_each: list[Body], where: str) -> None:
    page = httpx.get(f"{watched.url}/metrics", timeout=60).text
    described = re.findall(r"^# TYPE (\S+) (\S+)$", page, re.MULTILINE)
    series = {name for name, _ in described} | {f"{name}_bucket" for name, kind in described if kind == "histogram"}
    rules = yaml.safe_load((HERE / "recording.rules.yml").read_text())["groups"]
    recorded = {rule["record"] for group in rules for rule in group["rules"]}

    used = {name for expression in expressions()[where] for name in names_in(expression)}
    assert used
    assert used <= series | recorded


def test_an_expression_with_another_name_would_be_found() -> None:
    assert names_in('sum by (a) (gis_export_jobs_total{b="c"}[5m]) > on (x) group_left () up') == {
        "gis_export_jobs_total"
    }


def test_a_burst_of_failing_jobs_fires_the_alert(prometheus: Prometheus, ask: Client) -> None:
    for job in [ask.run("gis-export", FAILING) for _ in range(6)]:
        assert ask.wait(job)["status"] == "FAILED"

    def firing() -> list[Body]:
        alerts = prometheus.get("alerts")["alerts"]
        return [a for a in alerts if a["labels"]["alertname"] == "TerraFusionJobsFail" and a["state"] == "firing"]

    found = wait_until(firing, 120)
    assert found[0]["labels"]["plugin"] == "gis-export"
    assert "of the gis-export jobs of the last 10 minutes failed" in found[0]["annotations"]["summary"]
