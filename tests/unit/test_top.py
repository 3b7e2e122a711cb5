"""What `terrafusion top` reckons from two looks at a page of metrics."""

import io
from collections.abc import Mapping

import pytest
from rich.console import Console

from cli.series import Look, difference, newest_before, quantile
from cli.top import page
from gis_export.plugin import PLUGIN

INF = float("inf")
BEFORE = """
gis_export_jobs_completed_total{county_id="a",export_format="GPKG"} 10
gis_export_processing_duration_seconds_bucket{county_id="a",export_format="GPKG",le="5.0"} 10
gis_export_processing_duration_seconds_bucket{county_id="a",export_format="GPKG",le="300.0"} 10
gis_export_processing_duration_seconds_bucket{county_id="a",export_format="GPKG",le="+Inf"} 10
gateway_http_requests_total{http_status="200"} 100
"""
NOW = """
terrafusion_open_jobs{plugin="gis-export",status="PENDING"} 3
terrafusion_open_jobs{plugin="gis-export",status="RUNNING"} 2
gis_export_jobs_completed_total{county_id="a",export_format="GPKG"} 14
gis_export_jobs_completed_total{county_id="b",export_format="KML"} 2
gis_export_jobs_failed_total{county_id="b",export_format="KML",failure_reason="timeout"} 7
gis_export_processing_duration_seconds_bucket{county_id="a",export_format="GPKG",le="5.0"} 10
gis_export_processing_duration_seconds_bucket{county_id="a",export_format="GPKG",le="300.0"} 14
gis_export_processing_duration_seconds_bucket{county_id="a",export_format="GPKG",le="+Inf"} 14
gateway_http_requests_total{http_status="200"} 150
gateway_http_requests_total{http_status="404"} 10
terrafusion_queue_messages{queue="work-dlq"} 1
terrafusion_queue_oldest_message_seconds{queue="work-dlq"} 61
"""


@pytest.mark.parametrize(
    ("buckets", "share", "value"),
    [
        ({1: 10, 2: 20, INF: 20}, 0.5, 1.0),
        ({1: 10, 2: 20, INF: 20}, 0.75, 1.5),
        ({1: 0, 2: 20, INF: 20}, 0.95, 1.95),
        ({1: 0, 2: 1, INF: 20}, 0.95, 2.0),  # all that is known is that it is beyond the last bound
        ({1: 0, INF: 0}, 0.95, None),
        ({}, 0.95, None),
    ],
)
def test_quantiles_are_prometheus(buckets: Mapping[float, float], share: float, value: float | None) -> None:
    assert quantile(buckets, share) == (None if value is None else pytest.approx(value))


def test_the_page_tells_of_the_time_between_the_looks() -> None:
    looks = [Look.of(BEFORE, 0), Look.of(NOW, 30)]
    console = Console(file=io.StringIO(), width=140)

    console.print(page(looks, [PLUGIN], "here"))

    text = console.file.getvalue()  # type: ignore[attr-defined]
    (row,) = (line.split() for line in text.splitlines() if line.startswith("gis-export"))
    # pending, running, completed, failed, cancelled, jobs a minute: 6 in half a minute
    assert row[1:7] == ["3", "2", "16", "7", "0", "12.0"]
    # p95 of the four new ones, all between 5 and 300 s: 5 + 295 x 0.95; the budget
    assert " ".join(row[7:11]) == "5 min 2 min"
    (requests,) = (line.split() for line in text.splitlines() if line.startswith("API"))
    assert requests[1:5] == ["160", "10", "0", "2.0"]
    assert "work-dlq" in text
    assert "61.0 s" in text


def test_one_look_is_over_all_time() -> None:
    console = Console(file=io.StringIO(), width=140)

    console.print(page([Look.of(NOW, 5)], [PLUGIN], "here"))

    assert "all time" in console.file.getvalue()  # type: ignore[attr-defined]


def test_the_look_before_is_the_newest_that_is_old_enough() -> None:
    looks = [Look(at) for at in (0.0, 10.0, 20.0)]

    assert newest_before(looks, 15).at == 10
    assert newest_before(looks, -5).at == 0
    assert difference({1: 5, INF: 9}, {1: 2}) == {1: 3, INF: 9}
