"""Recording rules: every plugin's metrics under names that all plugins share, so that no alert or panel lists plugins.

A counter that appears with its first event has no increase for Prometheus' `increase`, which also extrapolates. Here
the events in the window are counted exactly: a series that was there at all scrapes in the window counts from its
first value, one that appeared within it from zero.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from local.monitoring.thresholds import QUANTILE, WINDOW_MINUTES
from terrafusion.metrics import MetricSpec
from terrafusion.plugins import Plugin

WINDOW = f"{WINDOW_MINUTES}m"
Rule = dict[str, Any]


def count(series: str) -> str:
    """Events of a counter's series in the window, as a whole number."""
    was_there = f"count_over_time({series}[{WINDOW}]) >= on (instance, job) group_left () sum_over_time(up[{WINDOW}])"
    return f"{series} - ((min_over_time({series}[{WINDOW}]) and {was_there}) or 0 * {series})"


def recording_rules(plugins: Iterable[Plugin]) -> Mapping[str, Any]:
    """Prometheus' document of recording rules."""
    ordered = sorted(plugins, key=lambda plugin: plugin.slug)
    return {
        "groups": [
            {"name": "terrafusion_jobs", "rules": [rule for plugin in ordered for rule in _of_plugin(plugin)]},
            {"name": "terrafusion_judged", "rules": _judged()},
        ]
    }


def _of_plugin(plugin: Plugin) -> list[Rule]:
    metrics, label = plugin.metrics, plugin.metrics.label

    def by_type(expression: str, *more: str) -> str:
        """Summed up, the plugin's own label renamed."""
        if label is None:
            return f"sum by ({', '.join(('county_id', *more))}) ({expression})"
        renamed = f'label_replace({expression}, "type", "$1", "{label}", "(.*)")'
        return f"sum by ({', '.join(('county_id', 'type', *more))}) ({renamed})"

    def rule(name: str, expression: str) -> Rule:
        return {"record": f"terrafusion:{name}", "expr": expression, "labels": {"plugin": plugin.slug}}

    def counted(name: str, spec: MetricSpec, *more: str, suffix: str = "") -> Rule:
        return rule(f"{name}:count{WINDOW}", by_type(count(f"{spec.name}{suffix}"), *more))

    submitted = by_type(metrics.submitted.name)
    ended = [by_type(spec.name) for spec in (metrics.completed, metrics.failed, metrics.cancelled)]
    return [
        counted("jobs_submitted", metrics.submitted),
        counted("jobs_completed", metrics.completed),
        counted("jobs_failed", metrics.failed, "failure_reason"),
        counted("jobs_cancelled", metrics.cancelled),
        counted("processing_seconds_bucket", metrics.duration, "le", suffix="_bucket"),
        rule("jobs_in_flight", " - ".join([submitted, *(f"({one} or 0 * {submitted})" for one in ended)])),
        rule("processing_budget_seconds", f"vector({metrics.budget_seconds:g})"),
    ]


def _judged() -> list[Rule]:
    completed, failed = f"terrafusion:jobs_completed:count{WINDOW}", f"terrafusion:jobs_failed:count{WINDOW}"
    both = f"(sum by (plugin) ({completed}) or 0 * sum by (plugin) ({failed}))"
    failures = f"(sum by (plugin) ({failed}) or 0 * sum by (plugin) ({completed}))"
    bucket = f"terrafusion:processing_seconds_bucket:count{WINDOW}"
    return [
        {"record": f"terrafusion:jobs_ended:count{WINDOW}", "expr": f"{both} + {failures}"},
        {
            "record": f"terrafusion:failure_share:{WINDOW}",
            "expr": f"{failures} / (terrafusion:jobs_ended:count{WINDOW} > 0)",
        },
        {
            "record": f"terrafusion:processing_seconds:p{100 * QUANTILE:.0f}",
            "expr": f"histogram_quantile({QUANTILE}, sum by (plugin, type, le) ({bucket}))",
        },
        {
            "record": f"terrafusion:processing_seconds:timed{WINDOW}",
            "expr": f'sum by (plugin, type) ({bucket}{{le="+Inf"}})',
        },
    ]
