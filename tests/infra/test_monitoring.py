"""Everything that can break is watched, the same on a laptop and in the cloud, and what watches is not stale."""

import copy
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.monitoring import thresholds as limit
from local.monitoring.__main__ import HERE, documents
from local.monitoring.alarms import units_of
from local.monitoring.alerts import alert_rules
from local.monitoring.recording import recording_rules
from local.monitoring.section import TITLE, NoSection, watching, with_section
from local.plugins import plugins_of
from local.template import load_yaml
from terrafusion.metrics import CATALOGUE
from tests.conftest import ROOT
from tests.infra.deployed import deployed, references
from tests.plugins.with_layer_digest import template_with_layer_digest

PLUGINS = {folder.name: plugin for folder, plugin in plugins_of(ROOT.glob("functions/*")).items()}
TEMPLATE = load_yaml(ROOT / "template.yaml")
GUIDE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
ALARMS = {n: r["Properties"] for n, r in TEMPLATE["Resources"].items() if r["Type"] == "AWS::CloudWatch::Alarm"}
OF_PLUGINS = "|".join("".join(map(str.capitalize, name.split("_"))) for name in PLUGINS)
SAME = {
    "JobsFail": f"({OF_PLUGINS})FailuresAlarm",
    "JobsSlow": f"({OF_PLUGINS})SlowAlarm",
    "JobsStuck": f"({OF_PLUGINS})StuckAlarm",
    "JobsSwept": f"({OF_PLUGINS})SweptAlarm",
    "SweepStopped": f"({OF_PLUGINS})StuckAlarm",
    "Faults": "FaultsAlarm",
    "HttpFails": "ApiFailuresAlarm",
    "HttpSlow": "ApiLatencyAlarm",
    "QueueOld": ".*QueueAgeAlarm",
    "DeadLetters": ".*DlqDepthAlarm",
}
"""CloudWatch's alarms by the alerts that say the same."""
SLOW = {f"{name}SlowAlarm": limit.FEWEST_TIMED for name in OF_PLUGINS.split("|")} | {
    "ApiLatencyAlarm": limit.FEWEST_REQUESTS
}


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    """What SAM makes of the template."""
    return deployed(TEMPLATE)


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    return subprocess.run(["promtool", *arguments], cwd=HERE, capture_output=True, text=True)


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_what_watches_is_written_from_what_there_is(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == documents()[path], "`make monitoring` writes it again"


def test_a_plugin_more_is_watched_by_itself(tmp_path: Path) -> None:
    template = template_with_layer_digest(tmp_path / "p")
    found = {folder.name: plugin for folder, plugin in plugins_of((tmp_path / "p/functions").iterdir()).items()}

    made = watching(load_yaml(template), found)
    written = with_section(template, found)
    rules = recording_rules(found.values())["groups"][0]["rules"]

    assert {name for name in made if name.startswith("LayerDigest")} == {
        "LayerDigestErrorsAlarm",
        "LayerDigestThrottlesAlarm",
        "LayerDigestWorkerTimeAlarm",
        "LayerDigestFailuresAlarm",
        "LayerDigestSlowAlarm",
        "LayerDigestStuckAlarm",
        "LayerDigestSweptAlarm",
        "LayerDigestQueueAgeAlarm",
        "LayerDigestDlqDepthAlarm",
    }
    assert "layer_digest_jobs_failed_total" in written
    assert {rule["labels"]["plugin"] for rule in rules} == {p.slug for p in found.values()}


@pytest.mark.parametrize("plugin", PLUGINS.values(), ids=PLUGINS)
def test_a_plugin_s_metrics_have_alarms_and_recording_rules(plugin: Any) -> None:
    watched = {
        query.get("MetricStat", {}).get("Metric", {}).get("MetricName")
        for alarm in ALARMS.values()
        for query in alarm.get("Metrics", [])
    } | {alarm.get("MetricName") for alarm in ALARMS.values()}
    recorded = (HERE / "recording.rules.yml").read_text()

    assert {plugin.metrics.failed.name, plugin.metrics.completed.name, plugin.metrics.duration.name} <= watched
    assert all(spec.name in recorded for spec in plugin.metrics.specs)


def test_every_function_queue_workflow_and_table_has_an_alarm() -> None:
    watched = {name for alarm in ALARMS.values() for name in references(alarm)}
    kinds = {
        "AWS::Serverless::Function",
        "AWS::Serverless::StateMachine",
        "AWS::Serverless::HttpApi",
        "AWS::SQS::Queue",
        "AWS::DynamoDB::Table",
    }

    assert {name for name, r in TEMPLATE["Resources"].items() if r["Type"] in kinds} <= watched


def test_every_alarm_tells_somebody_itself_or_by_the_composite() -> None:
    summary = TEMPLATE["Resources"]["TicketAlarm"]["Properties"]
    told = [{"Ref": "AlarmTopic"}]
    direct = {name for name, alarm in ALARMS.items() if alarm.get("AlarmActions") == alarm.get("OKActions") == told}

    assert set(references(summary["AlarmRule"])) == set(ALARMS) - direct
    assert summary["AlarmActions"] == summary["OKActions"] == told
    assert len(summary["AlarmRule"]["Fn::Sub"]) < 10_240 - 40 * len(ALARMS)
    assert len(ALARMS) <= 100


@pytest.mark.parametrize(("alert", "alarm"), SAME.items())
def test_what_pages_on_a_laptop_tells_by_itself_in_the_cloud(alert: str, alarm: str) -> None:
    rules = {r["alert"]: r for group in alert_rules()["groups"] for r in group["rules"]}
    found = [properties for name, properties in ALARMS.items() if re.fullmatch(alarm, name)]

    assert found
    pages = rules[f"TerraFusion{alert}"]["labels"]["severity"] == "page"
    assert all(("AlarmActions" in properties) is pages for properties in found)


@pytest.mark.parametrize(("name", "fewest"), SLOW.items())
def test_slowness_is_judged_by_a_few_as_prometheus_does(name: str, fewest: int) -> None:
    metrics = {query["Id"]: query for query in ALARMS[name]["Metrics"]}

    assert metrics["total"]["Expression"] == f"IF(timed >= {fewest}, slow, 0)"
    assert {key: metrics[key]["MetricStat"]["Stat"] for key in ("slow", "timed")} == {
        "slow": "p95",
        "timed": "SampleCount",
    }
    assert metrics["slow"]["MetricStat"]["Metric"] == metrics["timed"]["MetricStat"]["Metric"]


def test_no_alarm_judges_a_quantile_of_any_number_of_things() -> None:
    plain = {n for n, p in ALARMS.items() if "ExtendedStatistic" in p}
    reckoned = {
        n for n, p in ALARMS.items() if any(q.get("MetricStat", {}).get("Stat") == "p95" for q in p.get("Metrics", []))
    }

    assert not plain
    assert reckoned == set(SLOW)


def test_throttles_are_watched_of_every_table_and_every_index() -> None:
    metrics = [query["MetricStat"]["Metric"] for query in ALARMS["TablesThrottledAlarm"]["Metrics"][1:]]
    watched = {
        (metric["MetricName"], places["TableName"]["Ref"], places.get("GlobalSecondaryIndexName"))
        for metric in metrics
        for places in [{place["Name"]: place["Value"] for place in metric["Dimensions"]}]
    }

    places = [
        (name, index)
        for name, resource in TEMPLATE["Resources"].items()
        if resource["Type"] == "AWS::DynamoDB::Table"
        for index in [None, *(i["IndexName"] for i in resource["Properties"].get("GlobalSecondaryIndexes", ()))]
    ]
    assert watched == {(event, *place) for event in ("ReadThrottleEvents", "WriteThrottleEvents") for place in places}
    assert len(places) == 4


def test_the_dashboard_is_json_and_names_what_there_is() -> None:
    body = TEMPLATE["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(body)["widgets"]

    assert all(plugin.metrics.failed.name in body for plugin in PLUGINS.values())
    known = {*TEMPLATE["Resources"], "Stage", "AWS::Region"}
    assert set(references({"Fn::Sub": body})) <= known
    places = [(w["x"], w["y"]) for w in widgets]
    assert len(set(places)) == len(places)
    assert all(w["x"] + w["width"] <= 24 for w in widgets)


def test_metrics_of_the_alarms_and_the_dashboard_are_the_catalogue_s() -> None:
    text = json.dumps([ALARMS, TEMPLATE["Resources"]["Dashboard"]])
    known = {*CATALOGUE, *(spec.name for plugin in PLUGINS.values() for spec in plugin.metrics.specs)}

    assert set(re.findall(r"\b[a-z]+(?:_[a-z]+)*_(?:total|seconds)\b", text)) <= known


def test_a_template_without_a_place_for_the_section_is_refused(tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text((ROOT / "template.yaml").read_text().replace(TITLE, "other"))

    with pytest.raises(NoSection, match="has no section"):
        with_section(template, PLUGINS)


def test_every_alert_s_runbook_is_in_the_guide() -> None:
    rules = [
        rule for group in yaml.safe_load((HERE / "alerts.rules.yml").read_text())["groups"] for rule in group["rules"]
    ]
    headings = {_anchor(line) for line in GUIDE.splitlines() if line.startswith("#")}

    assert {rule["annotations"]["runbook"].partition("#")[2] for rule in rules} <= headings


def _anchor(heading: str) -> str:
    return re.sub(r"[^a-z0-9 -]", "", heading.lstrip("# ").lower()).replace(" ", "-")


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "recording.rules.yml", "alerts.rules.yml"),
        ("test", "rules", "rules_test.yml"),
    ],
    ids=" ".join,
)
def test_promtool_finds_nothing(arguments: tuple[str, ...]) -> None:
    done = promtool(*arguments)

    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_would_find_a_rule_that_judges_wrongly(tmp_path: Path) -> None:
    for path in HERE.glob("*.yml"):
        shutil.copy(path, tmp_path)
    alerts = tmp_path / "alerts.rules.yml"
    alerts.write_text(alerts.read_text().replace("> 0.2 and", "> 0.7 and"))

    assert promtool("test", "rules", str(tmp_path / "rules_test.yml")).returncode == 1


def test_every_alert_has_a_case() -> None:
    rules = yaml.safe_load((HERE / "alerts.rules.yml").read_text())
    tests = yaml.safe_load((HERE / "rules_test.yml").read_text())["tests"]
    fired = {case["alertname"] for test in tests for case in test.get("alert_rule_test", []) if case["exp_alerts"]}

    assert {rule["alert"] for group in rules["groups"] for rule in group["rules"]} == fired


def test_every_function_is_called_by_its_alias(resources: Mapping[str, Any]) -> None:
    """But for the authorizer, whose alias `sam local` could not read."""
    functions = {name for name, r in resources.items() if r["Type"] == "AWS::Lambda::Function"}
    callers = {
        name: set(references(r)) & functions
        for name, r in resources.items()
        if r["Type"]
        not in {"AWS::Lambda::Alias", "AWS::Lambda::Version", "AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard"}
    }

    assert {name for name, called in callers.items() if called} == {"Api", "ApiTokenAuthorizerAuthorizerPermission"}
    assert callers["Api"] == {"AuthorizerFunction"}


def test_every_function_but_the_authorizer_is_taken_back_on_faults_and_crashes(resources: Mapping[str, Any]) -> None:
    functions = {name for name, r in resources.items() if r["Type"] == "AWS::Lambda::Function"}
    groups = {
        n.removesuffix("DeploymentGroup"): r["Properties"]
        for n, r in resources.items()
        if n.endswith("DeploymentGroup")
    }

    assert set(groups) == functions - {"AuthorizerFunction"}
    for name, group in groups.items():
        (unit,) = (unit for unit in units_of(TEMPLATE, PLUGINS) if name in unit.functions)
        alarms = ["ReleaseAlarm", "AuthorizerErrorsAlarm", f"{unit.prefix}ErrorsAlarm"]
        assert group["AlarmConfiguration"] == {"Enabled": True, "Alarms": [{"Name": {"Ref": a}} for a in alarms]}
        assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]


def test_nothing_waits_for_itself(resources: Mapping[str, Any]) -> None:
    graph = {name: {other for other in references(r) if other in resources} for name, r in resources.items()}

    assert len(list(TopologicalSorter(graph).static_order())) == len(resources) < 500


@pytest.mark.parametrize("change", ["layer", "variable"])
def test_a_change_of_a_layer_or_a_variable_is_a_new_version_of_every_function(
    resources: Mapping[str, Any], change: str
) -> None:
    template = copy.deepcopy(TEMPLATE)
    if change == "layer":
        template["Resources"]["PlatformLayer"]["Properties"]["ContentUri"] = "changed/"
    else:
        template["Globals"]["Function"]["Environment"]["Variables"]["NEW"] = "1"

    before, after = (
        {n for n, r in made.items() if r["Type"] == "AWS::Lambda::Version"} for made in (resources, deployed(template))
    )

    assert len(before) == len(after)
    assert before.isdisjoint(after)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_sam_local_guards_the_same_routes(monkeypatch: pytest.MonkeyPatch) -> None:
    """It serves a route open whose authorizer it cannot read, and only says so."""
    from samcli.lib.providers.api_provider import ApiProvider
    from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider

    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    values = {"JwtIssuer": "x", "JwksUrl": "http://x"}
    stacks, _ = SamLocalStackProvider.get_stacks(str(ROOT / "template.yaml"), parameter_overrides=values)

    routes = ApiProvider(stacks).routes
    open_routes = {route.path for route in routes if route.authorizer_object is None}
    assert open_routes == {"/api/v1/health", "/api/v1/openapi.json", "/api/v1/docs"}


def test_units_are_the_folders_that_deploy() -> None:
    assert {unit.name for unit in units_of(TEMPLATE, PLUGINS)} == {
        path.parent.name for path in ROOT.glob("functions/*/Makefile")
    }
