"""EMF lines in, the contract's series out."""

import io
import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from local.emf import Sample
from local.prometheus import Adapter
from local.series import SeriesStore
from terrafusion.metrics import CATALOGUE, GIS_EXPORT, SILENT_JOBS, EmfSink, MetricSpec
from tests.conftest import ROOT

LABELS = {"county_id": "king", "export_format": "GPKG"}


def emf(spec: MetricSpec, value: float, labels: Mapping[str, str], event: str | None = None) -> str:
    stream = io.StringIO()
    EmfSink("test", stream=stream).record(spec, value, labels, event)
    return stream.getvalue()


def samples(adapter: Adapter) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(adapter.text().decode())
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


@pytest.fixture
def adapter() -> Iterator[Adapter]:
    with closing(Adapter(CATALOGUE)) as made:
        yield made


def test_every_metric_is_described_under_its_exact_name_before_it_has_a_sample(adapter: Adapter) -> None:
    text = adapter.text().decode()

    for name, spec in CATALOGUE.items():
        assert f"# HELP {name} {spec.help}\n# TYPE {name} {spec.kind}\n" in text
    assert "_created" not in text


@given(st.lists(st.floats(0, 5000, allow_nan=False), max_size=30))
def test_buckets_are_rebuilt_from_raw_values(values: list[float]) -> None:
    with closing(Adapter(CATALOGUE)) as adapter:
        for value in values:
            assert adapter.feed(emf(GIS_EXPORT.duration, value, LABELS))

        found = samples(adapter)

    for bound in GIS_EXPORT.duration.buckets:
        key = ("gis_export_processing_duration_seconds_bucket", frozenset({**LABELS, "le": str(float(bound))}.items()))
        assert found.get(key, 0) == sum(value <= bound for value in values)


def test_counters_are_kept_apart_by_all_their_labels(adapter: Adapter) -> None:
    for reason, count in (("timeout", 2), ("engine_error", 1)):
        for _ in range(count):
            adapter.feed(emf(GIS_EXPORT.failed, 1, {**LABELS, "failure_reason": reason}))

    found = samples(adapter)

    for reason, count in (("timeout", 2), ("engine_error", 1)):
        key = frozenset({**LABELS, "failure_reason": reason}.items())
        assert found["gis_export_jobs_failed_total", key] == count


def test_a_list_of_values_counts_each(adapter: Adapter) -> None:
    document = json.loads(emf(GIS_EXPORT.completed, 1, LABELS)) | {GIS_EXPORT.completed.name: [1, 1, 3]}

    assert adapter.feed(json.dumps(document))

    assert samples(adapter)["gis_export_jobs_completed_total", frozenset(LABELS.items())] == 5


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"_aws": {"Timestamp": 1, "CloudWatchMetrics": [{"Metrics": [{"Name": "other_total"}]}]}}, "unknown_metric"),
        ({"_aws": {"Timestamp": 1, "CloudWatchMetrics": [{"Metrics": [{"Name": [1]}]}]}}, "not_emf"),
        ({"_aws": {"CloudWatchMetrics": [{"Metrics": [{"Name": GIS_EXPORT.completed.name}]}]}}, "not_emf"),
        ({"_aws": 1}, "not_emf"),
        ({"county_id": None}, "missing_label"),
        ({"county_id": 5}, "bad_label"),
        ({"county_id": "x" * 251}, "bad_label"),
        ({GIS_EXPORT.completed.name: [1] * 101}, "bad_value"),
        ({GIS_EXPORT.completed.name: []}, "bad_value"),
        ({GIS_EXPORT.completed.name: "1"}, "bad_value"),
        ({GIS_EXPORT.completed.name: -1}, "bad_value"),
        ({GIS_EXPORT.completed.name: [1, True]}, "bad_value"),
        ({"county_id": "\ud800"}, "bad_label"),
        ({"event_id": "\ud800"}, "bad_label"),
    ],
)
def test_a_line_that_cannot_be_counted_is_counted_as_such_and_changes_nothing_else(
    adapter: Adapter, change: dict[str, object], reason: str
) -> None:
    document = {**json.loads(emf(GIS_EXPORT.completed, 1, LABELS)), **change}

    assert not adapter.feed(json.dumps({k: v for k, v in document.items() if v is not None}))

    found = samples(adapter)
    assert found == {("terrafusion_emf_rejected_lines_total", frozenset({("reason", reason)})): 1}


@pytest.mark.parametrize("value", [-5, [3, -0.1]])
def test_nothing_takes_less_than_no_time(adapter: Adapter, value: object) -> None:
    document = json.loads(emf(GIS_EXPORT.duration, 1, LABELS)) | {GIS_EXPORT.duration.name: value}

    assert not adapter.feed(json.dumps(document))

    assert samples(adapter) == {("terrafusion_emf_rejected_lines_total", frozenset({("reason", "bad_value")})): 1}


def test_a_gauge_may_be_below_zero(adapter: Adapter) -> None:
    assert adapter.feed(emf(SILENT_JOBS, -1, {"plugin": "x"}))


def test_other_lines_are_not_its_business(adapter: Adapter) -> None:
    assert not adapter.feed("START")
    assert not adapter.feed('{"message": "ok"}')
    assert not adapter.feed('{"_aws" half a line')

    assert samples(adapter) == {("terrafusion_emf_rejected_lines_total", frozenset({("reason", "not_json")})): 1}


def count_of(adapter: Adapter, spec: MetricSpec, suffix: str = "") -> float:
    return sum(value for (name, _), value in samples(adapter).items() if name == spec.name + suffix)


@contextmanager
def reopened(path: Path) -> Iterator[Adapter]:
    with closing(Adapter(CATALOGUE, path)) as adapter:
        yield adapter


def test_what_was_counted_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "metrics.sqlite"
    with reopened(path) as adapter:
        for value in (3, 0.1, 4000):
            adapter.feed(emf(GIS_EXPORT.duration, value, LABELS))
        adapter.feed(emf(GIS_EXPORT.completed, 2, {**LABELS, "county_id": 'o"h,\n'}))
        adapter.feed('{"_aws"')
        before = adapter.text()

    with reopened(path) as adapter:
        assert adapter.text() == before
        adapter.feed(emf(GIS_EXPORT.duration, 1, LABELS))
        assert count_of(adapter, GIS_EXPORT.duration, "_count") == 4


def test_what_was_counted_survives_kill_9(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path\n"
        "from local.prometheus import Adapter; from terrafusion.metrics import CATALOGUE\n"
        "adapter = Adapter(CATALOGUE, Path(sys.argv[1]))\n"
        "assert all(adapter.feed(sys.argv[2]) for _ in range(100))\n"
        "os.kill(os.getpid(), 9)"
    )
    path = tmp_path / "metrics.sqlite"
    line = emf(GIS_EXPORT.completed, 1, LABELS)

    done = subprocess.run([sys.executable, "-c", script, str(path), line], cwd=ROOT)

    assert done.returncode == -signal.SIGKILL
    with reopened(path) as adapter:
        assert count_of(adapter, GIS_EXPORT.completed) == 100


def test_an_event_that_comes_again_counts_once_of_each_metric(tmp_path: Path) -> None:
    path = tmp_path / "metrics.sqlite"
    lines = [emf(GIS_EXPORT.completed, 1, LABELS, "job-1"), emf(GIS_EXPORT.duration, 3, LABELS, "job-1")]
    for _ in range(2):
        with reopened(path) as adapter:
            assert all(adapter.feed(line) for line in lines * 2)
            assert adapter.feed(emf(GIS_EXPORT.completed, 1, LABELS, "job-2"))

    with reopened(path) as adapter:
        assert count_of(adapter, GIS_EXPORT.completed) == 2
        assert count_of(adapter, GIS_EXPORT.duration, "_count") == 1
        assert count_of(adapter, GIS_EXPORT.duration, "_sum") == 3


def test_an_event_is_forgotten_when_nothing_can_repeat_it_any_more(tmp_path: Path) -> None:
    day = 86_400.0
    now = [0.0]
    sample = Sample(GIS_EXPORT.completed, ("king", "GPKG"), (1,))
    with closing(SeriesStore([GIS_EXPORT.completed], tmp_path / "metrics.sqlite", lambda: now[0])) as store:
        for now[0] in (0.0, 7 * day, 9 * day):
            for event in (f"at {now[0]}", "old"):
                store.count([sample], event)
                store.write()

        assert store.of(GIS_EXPORT.completed.name)["king", "GPKG"] == [5]


def test_series_of_a_metric_whose_buckets_have_changed_begin_anew(tmp_path: Path) -> None:
    path = tmp_path / "metrics.sqlite"
    with reopened(path) as adapter:
        adapter.feed(emf(GIS_EXPORT.duration, 3, LABELS))
        adapter.feed(emf(GIS_EXPORT.completed, 1, LABELS))
    changed = {**CATALOGUE, GIS_EXPORT.duration.name: replace(GIS_EXPORT.duration, buckets=(1, 2))}

    with closing(Adapter(changed, path)) as adapter:
        assert count_of(adapter, GIS_EXPORT.duration, "_count") == 0
        assert count_of(adapter, GIS_EXPORT.completed) == 1
        adapter.feed(emf(GIS_EXPORT.duration, 1.5, LABELS))

    with closing(Adapter(changed, path)) as adapter:
        assert count_of(adapter, GIS_EXPORT.duration, "_sum") == 1.5


def test_a_metric_has_only_so_many_series(adapter: Adapter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.series.MOST_SERIES", 3)

    taken = [adapter.feed(emf(GIS_EXPORT.completed, 1, {**LABELS, "county_id": str(n)})) for n in (1, 2, 3, 4, 3)]

    assert taken == [True, True, True, False, True]
    found = samples(adapter)
    assert found["terrafusion_emf_rejected_lines_total", frozenset({("reason", "too_many_series")})] == 1


def test_while_the_disk_is_full_counting_goes_on_and_is_kept_later(tmp_path: Path) -> None:
    path = tmp_path / "metrics.sqlite"
    with reopened(path) as adapter:
        database = adapter._store._db
        (pages,) = database.execute("PRAGMA page_count").fetchone()
        database.execute(f"PRAGMA max_page_count = {pages}")
        for number in range(200):
            line = emf(GIS_EXPORT.completed, 1, {**LABELS, "county_id": str(number)}, f"{number}" * 50)
            assert adapter.feed(line)
            assert adapter.feed(line)
        assert count_of(adapter, GIS_EXPORT.completed) == 200
        assert database.execute("SELECT count(*) FROM series").fetchone()[0] < 200
        database.execute("PRAGMA max_page_count = 1000000")
        adapter.feed(emf(GIS_EXPORT.completed, 1, LABELS, "last"))

    with reopened(path) as adapter:
        assert adapter.feed(line)
        assert count_of(adapter, GIS_EXPORT.completed) == 201


def test_lines_after_the_end_do_no_harm(adapter: Adapter) -> None:
    adapter.close()

    assert adapter.feed(emf(GIS_EXPORT.completed, 1, LABELS, "late"))
