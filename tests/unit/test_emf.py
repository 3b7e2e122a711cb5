"""What the code writes is EMF as AWS specifies it; what others write around or instead of it stops nobody."""

import io
import json
import random
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from local.plugins import metrics_of
from local.prometheus import Adapter
from terrafusion.metrics import CATALOGUE, GIS_EXPORT, EmfSink, JobMetrics, MetricSpec
from tests.conftest import ROOT
from tests.emf import problems

KNOWN = metrics_of(ROOT.glob("functions/*"))
LABELS = {"county_id": "king", "export_format": "GPKG"}
FUZZED = 100_000


def line_of(spec: MetricSpec, value: float = 1, *, county_dimension: bool = False) -> str:
    stream = io.StringIO()
    sink = EmfSink("gis-export", stream=stream, county_dimension=county_dimension)
    sink.record(spec, value, dict.fromkeys(spec.labels, "x"), "job:ended")
    return stream.getvalue()


@pytest.fixture
def adapter() -> Iterator[Adapter]:
    with closing(Adapter(CATALOGUE)) as made:
        yield made


def counted(adapter: Adapter) -> dict[str, float]:
    families = text_string_to_metric_families(adapter.text().decode())
    return {s.name: s.value for family in families for s in family.samples if not s.name.endswith("_bucket")}


@pytest.mark.parametrize("county_dimension", [False, True])
@pytest.mark.parametrize("spec", KNOWN.values(), ids=KNOWN)
def test_every_metric_s_line_is_as_aws_specifies(spec: MetricSpec, county_dimension: bool) -> None:
    assert problems(json.loads(line_of(spec, 0.5, county_dimension=county_dimension))) == []


@pytest.mark.parametrize(
    "change",
    [
        {"_aws": {"CloudWatchMetrics": []}},
        {"_aws": {"Timestamp": 1.5, "CloudWatchMetrics": []}},
        {"service": ""},
        {"service": 5},
        {"service": "x" * 1025},
        {GIS_EXPORT.completed.name: "1"},
        {GIS_EXPORT.completed.name: [1] * 101},
        {GIS_EXPORT.completed.name: True},
        {"note": "x" * 1_100_000},
    ],
)
def test_the_schema_refuses_what_cloudwatch_does(change: dict[str, object]) -> None:
    assert problems(json.loads(line_of(GIS_EXPORT.completed)) | change) != []


@pytest.mark.parametrize("member", ["Namespace", "Dimensions", "Metrics"])
def test_the_schema_refuses_directives_without(member: str) -> None:
    document = json.loads(line_of(GIS_EXPORT.completed))
    del document["_aws"]["CloudWatchMetrics"][0][member]

    assert problems(document) != []


def test_a_budget_is_a_bucket_s_bound() -> None:
    with pytest.raises(ValueError, match="none of the bounds"):
        JobMetrics.of("x", "x", None, (1, 2), budget=1.5)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("2026/11/25/[$LATEST]4f2a 2026-11-25T23:00:00.123000 ", "\n"),
        ("terrafusion-worker-1  | ", ""),
        ("\x1b[33m", "\x1b[0m\r\n"),
        ("START RequestId: 7 Version: $LATEST {not json} ", " "),
        ('2026-11-25T23:00:00Z {"level":"INFO"} ', ""),
    ],
)
def test_a_document_is_found_among_what_is_written_around_it(adapter: Adapter, before: str, after: str) -> None:
    assert adapter.feed(before + line_of(GIS_EXPORT.completed).strip() + after)

    assert counted(adapter) == {"gis_export_jobs_completed_total": 1}


@pytest.mark.parametrize("after", ["x", "}", " {}", '{"_aws"'])
def test_what_has_more_behind_it_is_no_document(adapter: Adapter, after: str) -> None:
    assert not adapter.feed(line_of(GIS_EXPORT.completed).strip() + after)

    assert counted(adapter) == {"terrafusion_emf_rejected_lines_total": 1}


def docker(line: str) -> str:
    return json.dumps({"log": line, "stream": "stdout", "time": "2026-11-25T23:00:00.1Z"}) + "\n"


def event(line: str) -> dict[str, object]:
    found = {"logStreamName": "2026/11/25/[$LATEST]4f2a", "timestamp": 1, "ingestionTime": 2, "eventId": "3"}
    return {**found, "message": line}


ABOUT = {
    "docker": docker,
    "docker, with attributes": lambda line: json.dumps({**json.loads(docker(line)), "attrs": {"tag": "worker"}}),
    "event": lambda line: json.dumps(event(line)),
    "events on a line": lambda line: json.dumps({"events": [event("START"), event(line)], "searchedLogStreams": []}),
    "events on many lines": lambda line: json.dumps({"events": [event("START"), event(line)]}, indent=4),
}


@pytest.mark.parametrize("form", ABOUT)
def test_a_document_about_lines_is_read_for_what_they_say(adapter: Adapter, form: str) -> None:
    good, bad = line_of(GIS_EXPORT.completed), line_of(GIS_EXPORT.duration, -5)

    for line in (good, bad):
        adapter.feed_all(ABOUT[form](f"2026-11-25 {line}").encode().splitlines(keepends=True))

    assert counted(adapter) == {"gis_export_jobs_completed_total": 1, "terrafusion_emf_rejected_lines_total": 1}


@pytest.mark.parametrize(
    "line",
    [
        {"level": "INFO", "timestamp": "now", "message": "asked for: {line}"},
        {"level": "INFO", "message": "{line}", "log": "{line}"},
        {"events": ["{line}", {"message": "{line}"}]},
        {"events": [{"log": ["{line}"], "stream": "stdout", "time": ""}]},
        ["{line}"],
    ],
)
def test_what_a_program_says_in_its_own_log_is_no_metric(adapter: Adapter, line: object) -> None:
    text = json.dumps(line).replace("{line}", json.dumps(line_of(GIS_EXPORT.completed))[1:-1])
    assert r"\"_aws\"" in text

    adapter.feed_all([text.encode()])
    adapter.feed_all([docker(text).encode()])

    assert counted(adapter) == {}


@given(
    st.dictionaries(st.text(), st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists), max_size=5)
)
def test_documents_of_any_shape_are_counted_or_rejected(more: dict[str, object]) -> None:
    document = {**json.loads(line_of(GIS_EXPORT.duration)), **more}

    with closing(Adapter(CATALOGUE)) as adapter:
        adapter.feed(json.dumps(document))

        assert sum(counted(adapter).values()) > 0


def test_a_hundred_thousand_broken_lines_stop_nobody(adapter: Adapter) -> None:
    lines = list(_fuzzed(FUZZED))

    for start in range(0, FUZZED, 1000):
        adapter.feed_all(lines[start : start + 1000])
    adapter.feed_all([line_of(GIS_EXPORT.completed).encode()])

    found = {
        (s.name, s.labels.get("reason")): s.value
        for family in text_string_to_metric_families(adapter.text().decode())
        for s in family.samples
    }
    rejected = {reason for name, reason in found if name == "terrafusion_emf_rejected_lines_total"}
    assert {"not_json", "not_emf", "unknown_metric", "missing_label", "bad_value", "bad_label"} <= rejected
    assert sum(value for (name, _), value in found.items() if name == "gis_export_jobs_completed_total") >= 1


def _fuzzed(count: int) -> Iterator[bytes]:
    """Good lines with bytes changed, cut, doubled and moved, and with members replaced."""
    chance = random.Random(2927)
    good = [line_of(spec).encode() for spec in CATALOGUE.values()]
    odd = [None, True, -1, "", "x" * 300, [], {}, [1, "a"], 1e308, "\ud800", 2**70]
    for _ in range(count):
        line = bytearray(chance.choice(good).strip())
        if chance.random() < 0.4:
            document = json.loads(line)
            where = chance.choice([document, document["_aws"], document["_aws"]["CloudWatchMetrics"][0]])
            where[chance.choice(list(where))] = chance.choice(odd)
            line = bytearray(json.dumps(document).encode())
        for _ in range(chance.randrange(4)):
            at = chance.randrange(len(line) + 1)
            match chance.randrange(4):
                case 0:
                    line[at : at + 1] = bytes([chance.randrange(256)])
                case 1:
                    del line[at : at + chance.randrange(20)]
                case 2:
                    line[at:at] = line[: chance.randrange(40)]
                case _:
                    line = line[at:] or line
        yield bytes(line)
