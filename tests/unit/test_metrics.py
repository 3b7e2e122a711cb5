"""The catalogue is the contract's, and the sink writes what CloudWatch reads."""

import io
import json

import pytest

from terrafusion.metrics import (
    CATALOGUE,
    GIS_EXPORT,
    HTTP_REQUESTS,
    VALUATION,
    EmfSink,
    MetricKind,
)

CONTRACT = {
    "valuation": (None, (0.1, 0.5, 1, 2.5, 5, 10, 30, 60)),
    "report": ("report_type", (0.5, 1, 5, 10, 30, 60, 120, 300)),
    "market_analysis": ("analysis_type", (1, 5, 10, 30, 60, 120, 300, 600)),
    "gis_export": ("export_format", (5, 10, 30, 60, 120, 300, 600, 1800, 3600)),
}


@pytest.mark.parametrize("prefix", CONTRACT)
def test_each_prefix_has_the_four_metrics_of_the_contract(prefix: str) -> None:
    label, buckets = CONTRACT[prefix]
    base = ("county_id",) if label is None else ("county_id", label)

    assert CATALOGUE[f"{prefix}_jobs_submitted_total"].labels == (*base, "status_on_submit")
    assert CATALOGUE[f"{prefix}_jobs_completed_total"].labels == base
    assert CATALOGUE[f"{prefix}_jobs_failed_total"].labels == (*base, "failure_reason")
    duration = CATALOGUE[f"{prefix}_processing_duration_seconds"]
    assert (duration.labels, duration.buckets, duration.kind) == (base, buckets, MetricKind.HISTOGRAM)


def test_a_record_is_one_emf_line_with_every_label_at_the_root() -> None:
    stream = io.StringIO()
    sink = EmfSink("gis-export", stream=stream, clock=lambda: 1_700_000_000.5)

    sink.record(GIS_EXPORT.failed, 1, {"county_id": "a", "export_format": "GPKG", "failure_reason": "timeout"})

    (line,) = stream.getvalue().splitlines()
    assert json.loads(line) == {
        "_aws": {
            "Timestamp": 1_700_000_000_500,
            "CloudWatchMetrics": [
                {
                    "Namespace": "TerraFusion",
                    "Dimensions": [["service"], ["service", "export_format"]],
                    "Metrics": [{"Name": "gis_export_jobs_failed_total", "Unit": "Count"}],
                }
            ],
        },
        "service": "gis-export",
        "county_id": "a",
        "export_format": "GPKG",
        "failure_reason": "timeout",
        "gis_export_jobs_failed_total": 1,
    }


def test_two_counties_are_two_lines() -> None:
    stream = io.StringIO()
    sink = EmfSink("valuation", stream=stream)

    for county in ("a", "b"):
        sink.record(VALUATION.completed, 1, {"county_id": county})

    assert [json.loads(line)["county_id"] for line in stream.getvalue().splitlines()] == ["a", "b"]


def test_the_county_is_a_dimension_only_when_that_is_asked_for() -> None:
    stream = io.StringIO()

    EmfSink("valuation", stream=stream, county_dimension=True).record(VALUATION.completed, 1, {"county_id": "a"})

    assert json.loads(stream.getvalue())["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [
        ["service"],
        ["service", "county_id"],
    ]


@pytest.mark.parametrize("labels", [{}, {"method": "GET"}, {"method": "GET", "endpoint": "/", "status": "200"}])
def test_other_labels_than_the_catalogue_s_are_refused(labels: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="takes labels"):
        EmfSink("x", stream=io.StringIO()).record(HTTP_REQUESTS, 1, labels)
