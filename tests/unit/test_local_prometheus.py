"""EMF lines in, the contract's series out."""

import io
import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from local.prometheus import Adapter
from terrafusion.metrics import CATALOGUE, GIS_EXPORT, EmfSink, MetricSpec

LABELS = {"county_id": "king", "export_format": "GPKG"}


def emf(spec: MetricSpec, value: float, labels: Mapping[str, str]) -> str:
    stream = io.StringIO()
    EmfSink("test", stream=stream).record(spec, value, labels)
    return stream.getvalue()


def samples(adapter: Adapter) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(adapter.text().decode())
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def test_every_metric_is_described_under_its_exact_name_before_it_has_a_sample() -> None:
    text = Adapter(CATALOGUE).text().decode()

    for name, spec in CATALOGUE.items():
        assert f"# HELP {name} {spec.help}\n# TYPE {name} {spec.kind}\n" in text
    assert "_created" not in text


@given(st.lists(st.floats(0, 5000, allow_nan=False), max_size=30))
def test_buckets_are_rebuilt_from_raw_values(values: list[float]) -> None:
    adapter = Adapter(CATALOGUE)
    for value in values:
        assert adapter.feed(emf(GIS_EXPORT.duration, value, LABELS))

    found = samples(adapter)

    for bound in GIS_EXPORT.duration.buckets:
        key = ("gis_export_processing_duration_seconds_bucket", frozenset({**LABELS, "le": str(float(bound))}.items()))
        assert found.get(key, 0) == sum(value <= bound for value in values)


def test_counters_are_kept_apart_by_all_their_labels() -> None:
    adapter = Adapter(CATALOGUE)
    for reason, count in (("timeout", 2), ("engine_error", 1)):
        for _ in range(count):
            adapter.feed(emf(GIS_EXPORT.failed, 1, {**LABELS, "failure_reason": reason}))

    found = samples(adapter)

    for reason, count in (("timeout", 2), ("engine_error", 1)):
        key = frozenset({**LABELS, "failure_reason": reason}.items())
        assert found["gis_export_jobs_failed_total", key] == count


def test_a_list_of_values_counts_each() -> None:
    document = json.loads(emf(GIS_EXPORT.completed, 1, LABELS)) | {GIS_EXPORT.completed.name: [1, 1, 3]}
    adapter = Adapter(CATALOGUE)

    assert adapter.feed(json.dumps(document))

    assert samples(adapter)["gis_export_jobs_completed_total", frozenset(LABELS.items())] == 5


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"_aws": {"CloudWatchMetrics": [{"Metrics": [{"Name": "other_total"}]}]}}, "unknown_metric"),
        ({"_aws": 1}, "not_emf"),
        ({"county_id": None}, "missing_label"),
        ({GIS_EXPORT.completed.name: "1"}, "bad_value"),
        ({GIS_EXPORT.completed.name: -1}, "bad_value"),
        ({GIS_EXPORT.completed.name: [1, True]}, "bad_value"),
    ],
)
def test_a_line_that_cannot_be_counted_is_counted_as_such_and_changes_nothing_else(
    change: dict[str, object], reason: str
) -> None:
    document = {**json.loads(emf(GIS_EXPORT.completed, 1, LABELS)), **change}
    adapter = Adapter(CATALOGUE)

    assert not adapter.feed(json.dumps({k: v for k, v in document.items() if v is not None}))

    found = samples(adapter)
    assert found == {("terrafusion_emf_rejected_lines_total", frozenset({("reason", reason)})): 1}


def test_other_lines_are_not_its_business() -> None:
    adapter = Adapter(CATALOGUE)

    assert not adapter.feed("START")
    assert not adapter.feed('{"message": "ok"}')
    assert not adapter.feed('{"_aws" half a line')

    assert samples(adapter) == {("terrafusion_emf_rejected_lines_total", frozenset({("reason", "not_json")})): 1}
