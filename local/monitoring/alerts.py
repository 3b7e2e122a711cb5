"""Alert rules of Prometheus; their plugins are those that have series."""

from collections.abc import Mapping
from typing import Any

from local.gauges import QUEUE_MESSAGES, QUEUE_OLDEST
from local.monitoring import thresholds as limit
from local.monitoring.recording import WINDOW, count
from local.monitoring.severities import Severity
from local.prometheus import REJECTED
from terrafusion.metrics import FAULTS, HTTP_DURATION, HTTP_REQUESTS, LONGEST_SILENCE, SWEEPS, SWEPT

GUIDE = "docs/operations.md#"
PAGE, TICKET = Severity.PAGE, Severity.TICKET
P = f"p{100 * limit.QUANTILE:.0f}"
DLQ = 'queue=~".*-dlq"'
NO_DLQ = 'queue!~".*-dlq"'


def alert_rules() -> Mapping[str, Any]:
    """Prometheus' document of alert rules."""
    return {
        "groups": [
            {"name": "terrafusion_jobs_alerts", "rules": _jobs()},
            {"name": "terrafusion_platform_alerts", "rules": _platform()},
        ]
    }


def _alert(name: str, expression: str, wait: str, severity: Severity, summary: str, anchor: str) -> dict[str, Any]:
    return {
        "alert": f"TerraFusion{name}",
        "expr": expression,
        **({"for": wait} if wait else {}),
        "labels": {"severity": severity.value},
        "annotations": {"summary": summary, "runbook": f"{GUIDE}{anchor}"},
    }


def _jobs() -> list[dict[str, Any]]:
    share, ended = f"terrafusion:failure_share:{WINDOW}", f"terrafusion:jobs_ended:count{WINDOW}"
    timed = f"terrafusion:processing_seconds:timed{WINDOW} >= {limit.FEWEST_TIMED}"
    slow = f"terrafusion:processing_seconds:{P} > on (plugin) group_left () terrafusion:processing_budget_seconds"
    return [
        _alert(
            "JobsFail",
            f"{share} > {limit.FAILURE_SHARE} and on (plugin) {ended} >= {limit.FEWEST_ENDED}",
            "",
            PAGE,
            "{{ $value | humanizePercentage }} of the {{ $labels.plugin }} jobs of the last "
            f"{limit.WINDOW_MINUTES} minutes failed.",
            "jobs-fail",
        ),
        _alert(
            "JobsSlow",
            f"({slow}) and on (plugin, type) {timed}",
            "5m",
            TICKET,
            f"{P} of {{{{ $labels.plugin }}}} {{{{ $labels.type }}}} is {{{{ $value | humanizeDuration }}}}, "
            "beyond its budget.",
            "jobs-are-slow",
        ),
        _alert(
            "JobsStuck",
            f"{LONGEST_SILENCE.name} > {limit.SILENCE_SECONDS}",
            "",
            PAGE,
            "A {{ $labels.plugin }} job has been silent for {{ $value | humanizeDuration }}.",
            "jobs-are-stuck",
        ),
        _alert(
            "JobsSwept",
            f"sum by (plugin) ({count(SWEPT.name)}) >= {limit.SWEPT_JOBS}",
            "",
            TICKET,
            "The sweep had to look after {{ $value }} {{ $labels.plugin }} jobs: something dies often.",
            "jobs-are-stuck",
        ),
        _alert(
            "SweepStopped",
            f"changes({SWEEPS.name}[5m]) == 0",
            "2m",
            PAGE,
            "Nobody looks after silent {{ $labels.plugin }} jobs: its sweep does not run.",
            "jobs-are-stuck",
        ),
    ]


def _platform() -> list[dict[str, Any]]:
    requests = count(HTTP_REQUESTS.name)
    broken = count(f'{HTTP_REQUESTS.name}{{http_status=~"5.."}}')
    bucket = count(f"{HTTP_DURATION.name}_bucket")
    return [
        _alert(
            "NotScraped",
            'up{job="terrafusion"} == 0 or absent(up{job="terrafusion"})',
            "1m",
            PAGE,
            "Nobody serves /metrics: the cloud or the adapter is down.",
            "no-metrics",
        ),
        _alert(
            "Faults",
            f"sum ({count(FAULTS.name)}) >= {limit.FAULTS}",
            "",
            PAGE,
            "{{ $value }} requests and jobs failed by the platform's own fault.",
            "faults",
        ),
        _alert(
            "HttpFails",
            f"sum ({broken}) / sum ({requests}) > {limit.HTTP_FAILURE_SHARE} and "
            f"sum ({requests}) >= {limit.FEWEST_REQUESTS}",
            "",
            PAGE,
            "{{ $value | humanizePercentage }} of the requests are answered with 500 or more.",
            "faults",
        ),
        _alert(
            "HttpSlow",
            f"histogram_quantile({limit.QUANTILE}, sum by (le) ({bucket})) > {limit.HTTP_SECONDS} and "
            f"sum ({requests}) >= {limit.FEWEST_REQUESTS}",
            "5m",
            TICKET,
            f"{P} of the requests is {{{{ $value | humanizeDuration }}}}.",
            "the-api-is-slow",
        ),
        _alert(
            "QueueOld",
            f"{QUEUE_OLDEST}{{{NO_DLQ}}} > {limit.QUEUE_SECONDS}",
            "1m",
            PAGE,
            "A message has waited in {{ $labels.queue }} for {{ $value | humanizeDuration }}.",
            "a-queue-grows",
        ),
        _alert(
            "DeadLetters",
            f"{QUEUE_MESSAGES}{{{DLQ}}} > 0",
            "2m",
            PAGE,
            "Messages in {{ $labels.queue }} that nobody could work on: {{ $value }}.",
            "redrive-a-dead-letter-queue",
        ),
        _alert(
            "LinesRejected",
            f"sum by (reason) ({count(REJECTED.name)}) > 0",
            "",
            TICKET,
            "Lines of metrics that could not be counted ({{ $labels.reason }}): {{ $value }}.",
            "no-metrics",
        ),
    ]
