"""The cost model against sums done by hand from the price pages."""

import json

import pytest

from cli.cost import USUAL, alarm_metrics, as_deployed
from cli.costs.prices import price_list
from cli.costs.usage import Deployment, Kind, Path, Usage, of_jobs, of_platform, of_plugin
from local.template import load_yaml
from tests.conftest import ROOT
from tests.e2e.support import terrafusion

HERE = Deployment(counties=39)
EXPORT = Kind("gis_export", 1000, Path.WORKFLOW, seconds=10, memory_gb=2, result_mb=15, disk_gb=10)


def cost_of(usage: Usage, *names: str) -> float:
    return price_list().cost({name: usage[name] for name in names or usage})


@pytest.mark.parametrize(
    ("names", "usd"),
    [
        # 1000 exports x (9 requests) = 9,000 at $1.00 a million
        (("http_api_request",), 0.009),
        # 1000 x 3 transitions at $25 a million
        (("workflow_transition",), 0.075),
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


def test_a_county_dimension_costs_a_metric_for_each_county_and_series() -> None:
    without = of_plugin(EXPORT, HERE)["metric_month"]
    with_it = of_plugin(EXPORT, Deployment(39, county_dimension=True))["metric_month"]

    # 5 metrics x 39 counties at $0.30
    assert price_list().cost({"metric_month": with_it - without}) == pytest.approx(58.50)
    # 5 x (1 + 8 formats) at $0.30
    assert price_list().cost({"metric_month": without}) == pytest.approx(13.50)


def test_a_queue_costs_its_pollers() -> None:
    usage = of_plugin(Kind("valuation", 0, Path.QUEUE, seconds=1, memory_gb=2, result_mb=0), HERE)

    # two queues x 15 a minute x 43,200 minutes = 1,296,000 at $0.40 a million
    assert cost_of(usage, "queue_request") == pytest.approx(0.5184)


def test_the_platform_for_39_counties_and_50_metrics_under_alarm() -> None:
    usage = of_platform(Deployment(39, alarm_metrics=50))

    # key 1 + 19.5 GB x 0.023 + table 0.25 + 0.20 + 12 metrics x 0.30 + 50 x 0.10 + composite 0.50 + dashboard 3
    assert cost_of(usage) == pytest.approx(1 + 0.4485 + 0.45 + 3.60 + 5.00 + 0.50 + 3.00)


def test_everything_that_is_used_has_a_price_and_every_price_is_used() -> None:
    used = set(of_platform(HERE)) | set(of_jobs(EXPORT, Deployment(1, architecture="x86_64")))
    for kind in USUAL.values():
        used |= set(of_jobs(kind, HERE)) | set(of_plugin(kind, HERE))

    assert used == set(price_list().prices)


def test_alarms_and_workers_are_the_template_s() -> None:
    template = load_yaml(ROOT / "template.yaml")

    exports = as_deployed(USUAL["exports"], template)
    assert exports is not None
    assert (exports.disk_gb, exports.path) == (10, Path.WORKFLOW)
    worker = {"Handler": "valuation.worker.handler", "MemorySize": 3072, "Events": {"Jobs": {"Type": "SQS"}}}
    shared = {"Function": {"MemorySize": 512}}
    valuations = as_deployed(USUAL["valuations"], {"Globals": shared, "Resources": {"W": {"Properties": worker}}})
    assert valuations is not None
    assert (valuations.memory_gb, valuations.path) == (3, Path.QUEUE)
    assert as_deployed(USUAL["reports"], {"Globals": shared, "Resources": {}}) is None
    assert alarm_metrics(template) > 20
    math = {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {"Metrics": [{"Expression": "a+b"}, {"MetricStat": 1}, {"MetricStat": 2}]},
    }
    plain = {"Type": "AWS::CloudWatch::Alarm", "Properties": {"MetricName": "x"}}
    assert alarm_metrics({"Resources": {"A": math, "B": plain}}) == 3


def test_the_command_s_total_is_the_sum_of_its_parts() -> None:
    document = json.loads(terrafusion("cost", "--counties", "39", "--exports", "1000", "--json").stdout)

    assert document["total_usd"] == pytest.approx(sum(document["usd"].values()))
    assert terrafusion("cost", "--architecture", "riscv", check=False).returncode == 2
