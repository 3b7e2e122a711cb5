"""CloudWatch's alarms, from the template's resources and the plugins' metrics: what is there is watched."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from local.monitoring import thresholds as limit
from local.monitoring.cloudformation import Tag, ref, sub
from local.monitoring.severities import Severity
from terrafusion.metrics import FAULTS, LONGEST_SILENCE, SWEPT
from terrafusion.plugins import Plugin

Resources = dict[str, dict[str, Any]]
NAMESPACE = sub("TerraFusion/${Stage}")
WINDOW_SECONDS = 60 * limit.WINDOW_MINUTES
MINUTE = 60
AROUND = frozenset({"api", "results", "closer", "notifier", "sweep", "handler"})
"""The modules of functions that answer, or look after jobs; all others work on them."""
MOST_METRICS = 10
"""That an alarm may reckon with."""
GUIDE = "See docs/operations.md."
TOPIC = "AlarmTopic"
TOLD = {"AlarmActions": [ref(TOPIC)], "OKActions": [ref(TOPIC)]}
"""Of an alarm that tells the topic itself."""
PAGE, TICKET = Severity.PAGE, Severity.TICKET

FUNCTION, QUEUE, TABLE = "AWS::Serverless::Function", "AWS::SQS::Queue", "AWS::DynamoDB::Table"
WORKFLOW, API = "AWS::Serverless::StateMachine", "AWS::Serverless::HttpApi"


@dataclass(frozen=True, slots=True)
class Unit:
    """What deploys from one folder: its functions by logical id, and its plugin where it is one."""

    name: str
    functions: Mapping[str, Mapping[str, Any]]
    plugin: Plugin | None = None

    @property
    def prefix(self) -> str:
        """How its resources' logical ids begin."""
        return "".join(word.capitalize() for word in self.name.split("_"))

    @property
    def workers(self) -> list[str]:
        """The functions that work on jobs."""
        return [
            name for name, function in self.functions.items() if str(function["Handler"]).split(".")[1] not in AROUND
        ]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of an alarm or a widget."""

    name: str
    dimensions: Mapping[str, Tag | str]
    statistic: str = "Sum"
    namespace: Tag | str = NAMESPACE

    def document(self, identifier: str, period: int) -> dict[str, Any]:
        """As an alarm that reckons takes it."""
        metric = {"Namespace": self.namespace, "MetricName": self.name, "Dimensions": _dimensions(self.dimensions)}
        return {
            "Id": identifier,
            "ReturnData": False,
            "MetricStat": {"Metric": metric, "Period": period, "Stat": self.statistic},
        }


@dataclass(frozen=True, slots=True)
class Alarms:
    """The alarms that were asked for so far."""

    resources: Resources = field(default_factory=dict)

    def on(
        self,
        severity: Severity,
        name: str,
        text: str,
        metric: Metric,
        threshold: float,
        period: int = WINDOW_SECONDS,
        **more: Any,
    ) -> None:
        """An alarm on one metric, at or above a threshold."""
        self._add(
            severity,
            name,
            text,
            {
                "Namespace": metric.namespace,
                "MetricName": metric.name,
                **({"Dimensions": _dimensions(metric.dimensions)} if metric.dimensions else {}),
                "Statistic": metric.statistic,
                "Period": period,
                "Threshold": threshold,
                **more,
            },
        )

    def on_all(
        self,
        severity: Severity,
        name: str,
        text: str,
        metrics: Mapping[str, Metric],
        expression: str,
        threshold: float,
        **more: Any,
    ) -> None:
        """An alarm on what is reckoned from several metrics."""
        if len(metrics) > MOST_METRICS:
            raise ValueError(f"{name}: CloudWatch reckons with {MOST_METRICS} metrics, not {len(metrics)}")
        period = more.pop("period", WINDOW_SECONDS)
        queries = [metric.document(identifier, period) for identifier, metric in metrics.items()]
        total = {"Id": "total", "Expression": expression, "ReturnData": True}
        self._add(severity, name, text, {"Metrics": [total, *queries], "Threshold": threshold, **more})

    def on_slowness(self, name: str, text: str, metric: Metric, fewest: int, threshold: float) -> None:
        """An alarm on a quantile of durations, once there are a few: that of one alone is the one."""
        slow = replace(metric, statistic=f"p{100 * limit.QUANTILE:.0f}")
        both = {"slow": slow, "timed": replace(metric, statistic="SampleCount")}
        self.on_all(TICKET, name, text, both, f"IF(timed >= {fewest}, slow, 0)", threshold, EvaluationPeriods=2)

    def _add(self, severity: Severity, name: str, text: str, properties: dict[str, Any]) -> None:
        words = "".join(f"-{c.lower()}" if c.isupper() else c for c in name.removesuffix("Alarm"))
        self.resources[name] = {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "AlarmName": sub(f"terrafusion-${{Stage}}{words}"),
                "AlarmDescription": f"{text} {GUIDE}",
                "ComparisonOperator": "GreaterThanOrEqualToThreshold",
                "EvaluationPeriods": 1,
                "TreatMissingData": "notBreaching",
                **properties,
                **(TOLD if severity is PAGE else {}),
            },
        }


def units_of(template: Mapping[str, Any], plugins: Mapping[str, Plugin]) -> list[Unit]:
    """What the template deploys, by folder; the plugins by their folder's name."""
    shared = template.get("Globals", {}).get("Function", {})
    folders: dict[str, dict[str, Any]] = {}
    for name, resource in template["Resources"].items():
        if resource["Type"] == FUNCTION:
            function = {**shared, **resource["Properties"]}
            folders.setdefault(str(function["CodeUri"]).strip("/").rsplit("/", 1)[-1], {})[name] = function
    return [Unit(folder, functions, plugins.get(folder)) for folder, functions in folders.items()]


def alarms(template: Mapping[str, Any], units: Iterable[Unit]) -> Resources:
    """Every alarm of a template."""
    made = Alarms()
    _of_platform(made, template)
    for unit in units:
        _of_functions(made, unit)
        if unit.plugin is not None:
            _of_plugin(made, unit, unit.plugin)
    for name in _named(template, QUEUE):
        _of_queue(made, name, template["Resources"][name]["Properties"])
    for name in _named(template, WORKFLOW):
        _of_workflow(made, name)
    return made.resources


def _of_platform(made: Alarms, template: Mapping[str, Any]) -> None:
    faults = Metric(FAULTS.name, {})
    made.on(PAGE, "FaultsAlarm", "Requests and jobs fail by the platform's own fault.", faults, limit.FAULTS)
    text = "There are faults, which take back a release that is under way."
    made.on(TICKET, "ReleaseAlarm", text, faults, limit.RELEASE_FAULTS, MINUTE * limit.RELEASE_MINUTES)
    for name in _named(template, API):
        of_api = {"ApiId": ref(name)}
        calls = {
            key: Metric(metric, of_api, "Sum", "AWS/ApiGateway")
            for key, metric in (("broken", "5xx"), ("requests", "Count"))
        }
        share = f"IF(FILL(requests, 0) >= {limit.FEWEST_REQUESTS}, 100 * FILL(broken, 0) / requests, 0)"
        text, broken = "The API answers 5xx.", 100 * limit.HTTP_FAILURE_SHARE
        made.on_all(PAGE, f"{name}FailuresAlarm", text, calls, share, broken)
        latency = Metric("Latency", of_api, namespace="AWS/ApiGateway")
        made.on_slowness(
            f"{name}LatencyAlarm", "The API is slow.", latency, limit.FEWEST_REQUESTS, 1000 * limit.HTTP_SECONDS
        )
    throttled = {
        f"m{index}": Metric(event, where, "Sum", "AWS/DynamoDB")
        for index, (where, event) in enumerate(
            (where, event) for where in _throttling(template) for event in ("ReadThrottleEvents", "WriteThrottleEvents")
        )
    }
    if throttled:
        text = "DynamoDB refuses requests."
        made.on_all(TICKET, "TablesThrottledAlarm", text, throttled, "SUM(METRICS())", 1, EvaluationPeriods=2)


def _throttling(template: Mapping[str, Any]) -> Iterator[Mapping[str, Tag | str]]:
    """Where throttles are counted: of a table without its indexes, and of each index by itself."""
    for table in _named(template, TABLE):
        yield {"TableName": ref(table)}
        for index in template["Resources"][table]["Properties"].get("GlobalSecondaryIndexes", ()):
            yield {"TableName": ref(table), "GlobalSecondaryIndexName": str(index["IndexName"])}


def _of_functions(made: Alarms, unit: Unit) -> None:
    """Crashes and timeouts of all; refusals of all but workers, for whom waiting their turn is nothing unusual."""
    text = f"Functions of {unit.name} crash or run out of time."
    crashes = _each(unit.functions, "Errors")
    made.on_all(PAGE, f"{unit.prefix}ErrorsAlarm", text, crashes, "SUM(METRICS())", limit.CRASHES)
    others = [name for name in unit.functions if name not in unit.workers]
    text = f"Functions of {unit.name} are refused for want of concurrency."
    made.on_all(
        TICKET, f"{unit.prefix}ThrottlesAlarm", text, _each(others, "Throttles"), "SUM(METRICS())", 1,
        period=MINUTE, EvaluationPeriods=5, DatapointsToAlarm=3,
    )  # fmt: skip
    for name in unit.workers:
        seconds = float(unit.functions[name]["Timeout"])
        longest = Metric("Duration", {"FunctionName": ref(name)}, "Maximum", "AWS/Lambda")
        text = f"A worker of {unit.name} nearly ran out of its time."
        made.on(TICKET, f"{name.removesuffix('Function')}TimeAlarm", text, longest, 1000 * seconds * limit.TIME_SHARE)


def _of_plugin(made: Alarms, unit: Unit, plugin: Plugin) -> None:
    own, metrics = {"service": plugin.slug}, plugin.metrics
    counted = {"failed": Metric(metrics.failed.name, own), "ended": Metric(metrics.completed.name, own)}
    both = "(FILL(failed, 0) + FILL(ended, 0))"
    share = f"IF({both} >= {limit.FEWEST_ENDED}, 100 * FILL(failed, 0) / {both}, 0)"
    text = f"Too many {plugin.title} jobs fail."
    made.on_all(PAGE, f"{unit.prefix}FailuresAlarm", text, counted, share, 100 * limit.FAILURE_SHARE)
    text = f"{plugin.title} jobs take longer than their budget."
    durations = Metric(metrics.duration.name, own)
    made.on_slowness(f"{unit.prefix}SlowAlarm", text, durations, limit.FEWEST_TIMED, metrics.budget_seconds)
    text = f"A {plugin.title} job is silent, or nobody looks."
    silent = Metric(LONGEST_SILENCE.name, own, "Maximum")
    made.on(PAGE, f"{unit.prefix}StuckAlarm", text, silent, limit.SILENCE_SECONDS, TreatMissingData="breaching")
    text = f"The sweep has to look after {plugin.title} jobs: something dies often."
    made.on(TICKET, f"{unit.prefix}SweptAlarm", text, Metric(SWEPT.name, own), limit.SWEPT_JOBS)


def _of_queue(made: Alarms, name: str, properties: Mapping[str, Any]) -> None:
    own = {"QueueName": Tag("GetAtt", f"{name}.QueueName")}
    if "RedrivePolicy" in properties:
        oldest = Metric("ApproximateAgeOfOldestMessage", own, "Maximum", "AWS/SQS")
        text = "Messages wait for long."
        made.on(PAGE, f"{name}AgeAlarm", text, oldest, limit.QUEUE_SECONDS, MINUTE, EvaluationPeriods=3)
    else:
        there = Metric("ApproximateNumberOfMessagesVisible", own, "Maximum", "AWS/SQS")
        text = "There are messages that nobody could work on."
        made.on(PAGE, f"{name}DepthAlarm", text, there, 1, MINUTE, EvaluationPeriods=3)


def _of_workflow(made: Alarms, name: str) -> None:
    own = {"StateMachineArn": ref(name)}
    ends = ("ExecutionsFailed", "ExecutionsTimedOut")
    failed = {f"m{index}": Metric(end, own, "Sum", "AWS/States") for index, end in enumerate(ends)}
    made.on_all(TICKET, f"{name}FailuresAlarm", "Executions fail.", failed, "SUM(METRICS())", limit.CRASHES)


def _named(template: Mapping[str, Any], kind: str) -> list[str]:
    return [name for name, resource in template["Resources"].items() if resource["Type"] == kind]


def _each(functions: Iterable[str], metric: str) -> dict[str, Metric]:
    return {
        f"m{index}": Metric(metric, {"FunctionName": ref(name)}, "Sum", "AWS/Lambda")
        for index, name in enumerate(functions)
    }


def _dimensions(dimensions: Mapping[str, Tag | str]) -> list[dict[str, Any]]:
    return [{"Name": name, "Value": value} for name, value in dimensions.items()]
