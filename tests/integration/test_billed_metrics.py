"""The cost model's number of metrics is that of the sets of dimensions which the code really writes."""

import asyncio
import io
import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from cli.costs.usage import Deployment, Kind, Path, of_platform, of_plugin
from gis_export.plugin import PLUGIN
from terrafusion.errors import FailureReason
from terrafusion.http import create_app
from terrafusion.jobs import Job, JobStatus, JobStore
from terrafusion.jobs.counting import JobCounter
from terrafusion.jobs.dispatch import Handover
from terrafusion.jobs.model import JobEvent, now
from terrafusion.jobs.sweep import Finding, Sweep
from terrafusion.metrics import CATALOGUE, MARKET_ANALYSIS, REPORT, VALUATION, EmfSink
from tests.integration.job_world import Handovers
from tests.integration.test_job_store import make
from tests.unit.test_authorizer import Issuer, authorizer_handler, claims, token

COUNTIES, FORMATS = ("benton", "franklin"), ("GPKG", "CSV")


def test_every_metric_that_is_written_is_in_the_model_and_no_other(
    store: JobStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = replace(PLUGIN, slug=f"exports-{uuid.uuid4().hex}")
    lines = io.StringIO()
    counter = JobCounter(plugin, store, EmfSink(plugin.slug, stream=lines, county_dimension=True))

    for job in _jobs_of_every_end(plugin.slug):
        store.create(job)
        counter.count(job, JobEvent.SUBMITTED)
        counter.count(job, JobEvent.ENDED)
    _sweep_what_it_may_find(counter)
    for service in (plugin.slug, "counties", "audit"):
        _answer_and_fail(service)
    _judge_good_and_bad_tokens(monkeypatch)

    metrics = set(_metrics_of(lines.getvalue() + capsys.readouterr().out))
    others = {spec.name for family in (VALUATION, REPORT, MARKET_ANALYSIS) for spec in family.specs}
    assert {name for name, _ in metrics} == set(CATALOGUE) - others

    here = Deployment(len(COUNTIES), county_dimension=True, shared_services=2)
    specs = (*plugin.metrics.specs, *plugin.samples)
    kind = Kind("gis_export", 0, Path.WORKFLOW, 1, 1, 1, types=len(FORMATS), specs=specs)
    assert len(metrics) == of_plugin(kind, here)["metric_month"] + of_platform(here)["metric_month"]


def _metrics_of(lines: str) -> Iterator[tuple[str, frozenset[tuple[str, str]]]]:
    """What CloudWatch makes of EMF lines: a metric for each name and set of dimensions' values."""
    for line in lines.splitlines():
        document = json.loads(line)
        for directive in document.get("_aws", {}).get("CloudWatchMetrics", ()):
            for metric in directive["Metrics"]:
                for names in directive["Dimensions"]:
                    yield metric["Name"], frozenset((name, document[name]) for name in names)


def _jobs_of_every_end(slug: str) -> Iterator[Job]:
    both = frozenset({JobEvent.SUBMITTED, JobEvent.ENDED})
    samples = {spec.name: 1.0 for spec in PLUGIN.samples}
    for county, label in zip(COUNTIES, FORMATS, strict=True):
        for status in (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED):
            reason = FailureReason.WORKER_CRASHED if status is JobStatus.FAILED else None
            yield make(
                county,
                slug,
                status=status,
                failure_reason=reason,
                type_label=label,
                uncounted=both,
                samples=samples,
                started_at=now(),
                completed_at=now(),
            )


def _sweep_what_it_may_find(counter: JobCounter) -> None:
    """A job that nobody counted, one that was never handed over, and one whose work vanished."""
    handovers, slug = Handovers(), counter.plugin.slug
    uncounted = make(COUNTIES[0], slug)
    lost, vanished = (make(COUNTIES[0], slug, uncounted=frozenset()) for _ in range(2))
    for job in (uncounted, lost, vanished):
        counter.store.create(job)
    handovers.given[vanished.job_id] = Handover.ENDED

    found = Sweep(counter.store, handovers, counter).run(now() + timedelta(seconds=90))

    assert set(found) == set(Finding) - {Finding.LEFT}


def _answer_and_fail(service: str) -> None:
    app = create_app("Test", service)

    @app.get("/fails")
    def fails() -> None:
        raise RuntimeError

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client:
            return await client.get("/fails")

    with ThreadPoolExecutor(1) as aside:  # in this thread it would drop the event loop that others have opened
        assert aside.submit(asyncio.run, ask()).result().status_code == 500


def _judge_good_and_bad_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = Issuer()
    try:
        judge = authorizer_handler(issuer, monkeypatch)
        verdicts = [judge({"headers": {"authorization": f"Bearer {t}"}}) for t in (token(claims()), "x")]
    finally:
        issuer.stop()
    assert [verdict["isAuthorized"] for verdict in verdicts] == [True, False]
