"""CloudWatch's dashboard: alarms, the API, and a row for each plugin."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from local.monitoring.alarms import API, QUEUE, WORKFLOW, Unit
from terrafusion.metrics import FAULTS, HTTP_DURATION, LONGEST_SILENCE
from terrafusion.plugins import Plugin

NAMESPACE = "TerraFusion/${Stage}"
PERIOD = 300
WIDTH, HEIGHT, COLUMNS = 6, 6, 4
Metrics = Sequence[Sequence[Any]]


def dashboard_body(template: Mapping[str, Any], units: Iterable[Unit], alarms: Iterable[str]) -> str:
    """The dashboard's JSON, with the template's resources in `${}`; a widget a line."""
    kinds = {name: resource["Type"] for name, resource in template["Resources"].items()}
    names = {kind: [name for name, found in kinds.items() if found == kind] for kind in (API, QUEUE, WORKFLOW)}
    rows = [
        [_alarms(alarms), *(_api(name) for name in names[API]), _requests(), _faults()],
        *(_plugin(unit, unit.plugin) for unit in units if unit.plugin is not None),
        [_functions(unit) for unit in units],
        [_queues(names[QUEUE]), _workflows(names[WORKFLOW])],
    ]
    widgets, top = [], 0
    for row in rows:
        for index, widget in enumerate(row):
            line, column = divmod(index, COLUMNS)
            place = {"x": column * WIDTH, "y": top + line * HEIGHT, "width": WIDTH, "height": HEIGHT}
            widgets.append(json.dumps({**widget, **place}, separators=(",", ":")))
        top += HEIGHT * -(-len(row) // COLUMNS)
    return '{"widgets": [\n' + ",\n".join(widgets) + "\n]}\n"


def _graph(title: str, metrics: Metrics, statistic: str = "Sum", **more: Any) -> dict[str, Any]:
    return {
        "type": "metric",
        "properties": {
            "title": title,
            "region": "${AWS::Region}",
            "period": PERIOD,
            "stat": statistic,
            "metrics": metrics,
            **more,
        },
    }


def _alarms(names: Iterable[str]) -> dict[str, Any]:
    return {"type": "alarm", "properties": {"title": "Alarms", "alarms": [f"${{{name}.Arn}}" for name in names]}}


def _api(name: str) -> dict[str, Any]:
    own = ["ApiId", f"${{{name}}}"]
    counts = [["AWS/ApiGateway", metric, *own] for metric in ("Count", "4xx", "5xx")]
    latency = [
        ["AWS/ApiGateway", "Latency", *own, {"stat": quantile, "yAxis": "right", "label": quantile}]
        for quantile in ("p50", "p95")
    ]
    return _graph("API: requests, latency (ms)", [*counts, *latency])


def _requests() -> dict[str, Any]:
    return _graph("Requests: p95 by service (s)", [[_search("service", HTTP_DURATION.name, "p95")]])


def _faults() -> dict[str, Any]:
    return _graph("Faults", [[NAMESPACE, FAULTS.name], [_search("service", FAULTS.name, "Sum")]])


def _plugin(unit: Unit, plugin: Plugin) -> list[dict[str, Any]]:
    """Jobs, failures and durations by type, and what workers and sweep are about."""
    metrics, own = plugin.metrics, ["service", plugin.slug]
    events = {event: getattr(metrics, event).name for event in ("submitted", "completed", "failed", "cancelled")}
    dimensions = ",".join(["service", *([metrics.label] if metrics.label else [])])
    budget = {"horizontal": [{"label": "budget", "value": metrics.budget_seconds}]}
    worker = [["AWS/Lambda", "Duration", "FunctionName", f"${{{name}}}", {"stat": "Maximum"}] for name in unit.workers]
    silence = [
        NAMESPACE,
        LONGEST_SILENCE.name,
        *own,
        {"stat": "Maximum", "yAxis": "right", "label": "longest silence (s)"},
    ]
    return [
        _graph(f"{plugin.title}: jobs", [[NAMESPACE, name, *own, {"label": event}] for event, name in events.items()]),
        _graph(f"{plugin.title}: failed", [[_search(dimensions, events["failed"], "Sum", plugin.slug)]]),
        _graph(
            f"{plugin.title}: p95 (s)",
            [[_search(dimensions, metrics.duration.name, "p95", plugin.slug)]],
            annotations=budget,
        ),
        _graph(f"{plugin.title}: worker (ms), silence", [*worker, silence]),
    ]


def _functions(unit: Unit) -> dict[str, Any]:
    metrics = [
        [
            "AWS/Lambda",
            metric,
            "FunctionName",
            f"${{{name}}}",
            {"label": f"{name.removesuffix('Function')} {metric.lower()}"},
        ]
        for name in unit.functions
        for metric in ("Errors", "Throttles")
    ]
    return _graph(f"{unit.name}: errors and throttles", metrics)


def _queues(names: Iterable[str]) -> dict[str, Any]:
    found = [
        ["AWS/SQS", metric, "QueueName", f"${{{name}.QueueName}}", {"label": f"{name} {label}", "yAxis": axis}]
        for name in names
        for metric, label, axis in (
            ("ApproximateNumberOfMessagesVisible", "messages", "left"),
            ("ApproximateAgeOfOldestMessage", "oldest (s)", "right"),
        )
    ]
    return _graph("Queues", found, "Maximum")


def _workflows(names: Iterable[str]) -> dict[str, Any]:
    ends = ("ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut")
    found = [
        [
            "AWS/States",
            end,
            "StateMachineArn",
            f"${{{name}}}",
            {"label": f"{name} {end.removeprefix('Executions').lower()}"},
        ]
        for name in names
        for end in ends
    ]
    return _graph("Workflows", found)


def _search(dimensions: str, metric: str, statistic: str, service: str | None = None) -> dict[str, Any]:
    """All metrics of a name under some dimensions, found when the dashboard is looked at."""
    whose = f' service="{service}"' if service else ""
    return {
        "expression": f"SEARCH('{{{NAMESPACE},{dimensions}}} MetricName=\"{metric}\"{whose}', '{statistic}', {PERIOD})"
    }
