"""The cost model against sums done by hand from the price pages."""

import json
from collections.abc import Mapping
from pathlib import Path as File
from typing import Any

import pytest
import yaml

from cli.cost import USUAL
from cli.costs.deployed import DeployedTemplate, transitions
from cli.costs.prices import price_list
from cli.costs.usage import Deployment, Kind, Path, Usage, of_jobs, of_platform, of_plugin
from terrafusion.metrics import FILE_SIZE_KB, GIS_EXPORT, RECORD_COUNT, VALUATION
from tests.conftest import ROOT
from tests.e2e.support import terrafusion

HERE = Deployment(counties=39)
EXPORT = Kind(
    "gis_export",
    1000,
    Path.WORKFLOW,
    seconds=10,
    memory_gb=2,
    result_mb=15,
    disk_gb=10,
    specs=(*GIS_EXPORT.specs, FILE_SIZE_KB, RECORD_COUNT),
    transitions=6,
)
VALUE = Kind("valuation", 0, Path.QUEUE, seconds=1, memory_gb=2, result_mb=0, types=0, specs=VALUATION.specs)


def cost_of(usage: Usage, *names: str) -> float:
    return price_list().cost({name: usage[name] for name in names or usage})


@pytest.mark.parametrize(
    ("names", "usd"),
    [
        # 1000 exports x (9 requests) = 9,000 at $1.00 a million
        (("http_api_request",), 0.009),
        # 1000 x 6 transitions at $25 a million
        (("workflow_transition",), 0.15),
        # 1000 x (9 x 0.5 GB x 0.05 s + 0.25 GB x 0.03 s + 2 GB x 10 s) = 20,232.5 GB-s at $0.0000133334
        (("lambda_gb_second_arm64",), 0.26976801550),
        # 1000 x 9.5 GB x 10 s = 95,000 GB-s at $0.0000000309
        (("lambda_disk_gb_second",), 0.0029355),
        # 1000 x (11 + 6 x 14 + 2) = 97,000 write units at $0.625 a million
        (("dynamodb_write_unit",), 0.060625),
        # 1000 x 15 MB = 15 GB out at $0.09, and 15 GB for 7 of 30 days at $0.023
        (("transfer_out_gb", "s3_gb_month"), 1.35 + 0.0805),
        # 1000 x (4 x $0.005 + 60 x $0.0004) / 1000
        (("s3_write", "s3_read"), 0.044),
    ],
)
def test_a_thousand_exports(names: tuple[str, ...], usd: float) -> None:
    assert cost_of(of_jobs(EXPORT, HERE), *names) == pytest.approx(usd)


def test_a_message_costs_three_requests_and_no_transition() -> None:
    usage = of_jobs(Kind("valuation", 1_000_000, Path.QUEUE, seconds=1, memory_gb=2, result_mb=0), HERE)

    # 3 million at $0.40 a million
    assert cost_of(usage, "queue_request") == pytest.approx(1.20)
    assert "workflow_transition" not in usage


def test_a_plugin_s_metrics_are_those_of_its_jobs_its_requests_and_its_sweep() -> None:
    # 7 x (1 + 8 formats) = 63; requests, durations, faults 3; sweeps, silent jobs, longest silence 3; swept 1 + 3
    assert of_plugin(EXPORT, HERE)["metric_month"] == 73
    # 5, as a valuation has no types, and the same 10
    assert of_plugin(VALUE, HERE)["metric_month"] == 15


def test_a_county_dimension_costs_a_metric_for_each_county_and_metric_of_the_jobs() -> None:
    by_county = Deployment(39, county_dimension=True)

    # 7 metrics x 39 counties at $0.30, and 5 x 39
    more = {kind.name: of_plugin(kind, by_county) - of_plugin(kind, HERE) for kind in (EXPORT, VALUE)}
    assert cost_of(more["gis_export"]) == pytest.approx(81.90)
    assert cost_of(more["valuation"]) == pytest.approx(58.50)


def test_a_queue_costs_its_pollers() -> None:
    usage = of_plugin(VALUE, HERE)

    # two queues x 15 a minute x 43,200 minutes = 1,296,000 at $0.40 a million
    assert cost_of(usage, "queue_request") == pytest.approx(0.5184)


def test_the_platform_for_39_counties_and_50_metrics_under_alarm() -> None:
    usage = of_platform(Deployment(39, alarm_metrics=50, shared_services=2))

    # requests, durations and faults of two services 6; verdicts 1 + 2 outcomes; the faults of all services 1
    assert usage["metric_month"] == 10
    # key 1 + 19.5 GB x 0.023 + table 0.25 + 0.20 + 10 metrics x 0.30 + 50 x 0.10 + composite 0.50 + dashboard 3
    assert cost_of(usage) == pytest.approx(1 + 0.4485 + 0.45 + 3.00 + 5.00 + 0.50 + 3.00)


def test_everything_that_is_used_has_a_price_and_every_price_is_used() -> None:
    used = set(of_platform(HERE)) | set(of_jobs(EXPORT, Deployment(1, architecture="x86_64")))
    for kind in USUAL.values():
        used |= set(of_jobs(kind, HERE)) | set(of_plugin(kind, HERE))

    assert used == set(price_list().prices)


def test_a_workflow_s_transitions_are_its_start_its_end_and_what_is_between() -> None:
    def read(plugin: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = json.loads((ROOT / f"functions/{plugin}/workflow.asl.json").read_text())
        return found

    # start, Export, WhatNext, IsSomebodyTold, Done, end
    assert transitions(read("gis_export")) == 6
    # start, Report, end
    assert transitions(read("reporting")) == 3


def test_alarms_workers_and_metrics_are_the_template_s() -> None:
    template = DeployedTemplate(ROOT / "template.yaml")

    exports = template.as_deployed(USUAL["exports"])
    assert exports is not None
    assert (exports.disk_gb, exports.path, exports.transitions) == (10, Path.WORKFLOW, 6)
    assert exports.specs == EXPORT.specs
    assert template.shared_services == 2  # counties, audit
    assert template.alarm_metrics > 20


def test_a_worker_that_a_queue_calls_passes_no_states(tmp_path: File) -> None:
    worker = {"Handler": "valuation.worker.handler", "MemorySize": 3072, "Events": {"Jobs": {"Type": "SQS"}}}
    template = _template(tmp_path, W={"Type": "AWS::Serverless::Function", "Properties": worker})

    valuations = template.as_deployed(USUAL["valuations"])
    assert valuations is not None
    assert (valuations.memory_gb, valuations.path, valuations.transitions) == (3, Path.QUEUE, 0)
    assert template.as_deployed(USUAL["reports"]) is None


def test_an_alarm_has_as_many_metrics_as_its_queries_read(tmp_path: File) -> None:
    queries = [{"Expression": "a+b"}, {"MetricStat": 1}, {"MetricStat": 2}]
    alarms = {"A": {"Metrics": queries}, "B": {"MetricName": "x"}}
    typed = {name: {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm} for name, alarm in alarms.items()}

    assert _template(tmp_path, **typed).alarm_metrics == 3


def _template(folder: File, **resources: Mapping[str, Any]) -> DeployedTemplate:
    """Some resources, with our plugins' code beside them."""
    path = folder / "template.yaml"
    path.write_text(yaml.safe_dump({"Globals": {"Function": {"MemorySize": 512}}, "Resources": resources}))
    (folder / "functions").symlink_to(ROOT / "functions")
    return DeployedTemplate(path)


def test_the_command_s_total_is_the_sum_of_its_parts() -> None:
    document = json.loads(terrafusion("cost", "--counties", "39", "--exports", "1000", "--json").stdout)

    assert document["total_usd"] == pytest.approx(sum(document["usd"].values()))
    assert terrafusion("cost", "--architecture", "riscv", check=False).returncode == 2


def test_a_template_without_its_code_is_said(tmp_path: File) -> None:
    (tmp_path / "template.yaml").write_bytes((ROOT / "template.yaml").read_bytes())

    done = terrafusion("cost", "--template", str(tmp_path / "template.yaml"), check=False)

    assert (done.returncode, "no plugin gis_export" in done.stderr) == (2, True)


def test_the_documentation_shows_what_the_command_prints() -> None:
    page = (ROOT / "docs/operations.md").read_text()
    command, shown = page.partition("$ terrafusion cost ")[2].partition("```")[0].split("\n", 1)

    printed = terrafusion("cost", *command.split()).stdout

    assert [line.rstrip() for line in printed.splitlines()] == shown.splitlines()
