"""The Grafana dashboard, on the series that the recording rules give all plugins alike."""

from collections.abc import Mapping
from typing import Any

from local.gauges import OPEN_JOBS, QUEUE_MESSAGES, QUEUE_OLDEST
from local.monitoring.alerts import P
from local.monitoring.recording import WINDOW
from local.monitoring.thresholds import QUANTILE
from terrafusion.metrics import FAULTS, HTTP_DURATION, HTTP_REQUESTS, LONGEST_SILENCE

SOURCE = {"type": "prometheus", "uid": "prometheus"}
CHOSEN = 'plugin=~"$plugin", county_id=~"$county", type=~"$type"'
OF_PLUGIN = 'plugin=~"$plugin"'
SECONDS = f"{HTTP_DURATION.name}_bucket"
RATE = "$__rate_interval"
WIDTH, HEIGHT, COLUMNS = 8, 8, 3
ALL = {"includeAll": True, "allValue": ".*", "multi": True, "current": {"text": "All", "value": "$__all"}}
API = "http://127.0.0.1:3000/api/v1"


def grafana_dashboard() -> Mapping[str, Any]:
    """The dashboard's document, as Grafana provisions it."""
    panels = [_placed(index, panel) for index, panel in enumerate(_panels())]
    return {
        "uid": "terrafusion",
        "title": "TerraFusion",
        "tags": ["terrafusion"],
        "schemaVersion": 38,
        "timezone": "utc",
        "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [_variable(*pair) for pair in (("plugin", "plugin"), ("county", "county_id"), ("type", "type"))]
        },
        "panels": panels,
    }


def _variable(name: str, label: str) -> dict[str, Any]:
    query = f"label_values(terrafusion:jobs_in_flight, {label})"
    return {"name": name, "label": name, "type": "query", "datasource": SOURCE, "query": query, "refresh": 2, **ALL}


def _placed(index: int, panel: dict[str, Any]) -> dict[str, Any]:
    row, column = divmod(index, COLUMNS)
    return {"id": index + 1, "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT}, **panel}


def _series(
    title: str, queries: Mapping[str, str], unit: str = "short", kind: str = "timeseries", text: str = ""
) -> dict[str, Any]:
    return {
        "title": title,
        "type": kind,
        "description": text,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "expr": query, "legendFormat": legend, "datasource": SOURCE}
            for index, (legend, query) in enumerate(queries.items())
        ],
    }


def _panels() -> list[dict[str, Any]]:
    jobs = {
        event: f"terrafusion:jobs_{event}:count{WINDOW}{{{CHOSEN}}}"
        for event in ("submitted", "completed", "cancelled", "failed")
    }
    heat = _series(
        f"How long jobs take, ended in {WINDOW}",
        {"{{le}}": f"sum by (le) (terrafusion:processing_seconds_bucket:count{WINDOW}{{{CHOSEN}}})"},
        "s",
        "heatmap",
    )
    heat["targets"][0]["format"] = "heatmap"
    heat["options"] = {"calculate": False, "yAxis": {"unit": "s"}, "cellGap": 1, "color": {"scheme": "Oranges"}}
    return [
        _series(f"Jobs in {WINDOW}", {event: f"sum ({query})" for event, query in jobs.items()}),
        _series(f"Submitted in {WINDOW}, by plugin", {"{{plugin}}": f"sum by (plugin) ({jobs['submitted']})"}),
        _series("Open jobs", {"{{plugin}} {{status}}": f"{OPEN_JOBS}{{{OF_PLUGIN}}}"}),
        _failures(jobs["failed"]),
        _series(
            f"Share that failed in {WINDOW}",
            {"{{plugin}}": f"terrafusion:failure_share:{WINDOW}{{{OF_PLUGIN}}}"},
            "percentunit",
        ),
        _series(
            "In flight, by county",
            {"{{plugin}} {{county_id}}": f"sum by (plugin, county_id) (terrafusion:jobs_in_flight{{{CHOSEN}}})"},
        ),
        heat,
        _series(
            f"{P} and budget",
            {
                "{{plugin}} {{type}}": f'terrafusion:processing_seconds:{P}{{{OF_PLUGIN}, type=~"$type"}}',
                "{{plugin}} budget": f"terrafusion:processing_budget_seconds{{{OF_PLUGIN}}}",
            },
            "s",
        ),
        _series("Longest silence", {"{{plugin}}": f"{LONGEST_SILENCE.name}{{{OF_PLUGIN}}}"}, "s"),
        _series(
            "Requests a second",
            {"{{http_status}}": f"sum by (http_status) (rate({HTTP_REQUESTS.name}[{RATE}]))"},
            "reqps",
        ),
        _series(
            f"{P} of requests",
            {"{{endpoint}}": f"histogram_quantile({QUANTILE}, sum by (endpoint, le) (rate({SECONDS}[{RATE}])))"},
            "s",
        ),
        _series("Faults", {"{{kind}}": f"sum by (kind) ({FAULTS.name})"}),
        _series("Messages in queues", {"{{queue}}": QUEUE_MESSAGES}),
        _series("Oldest message", {"{{queue}}": QUEUE_OLDEST}, "s"),
        _series("Metrics", {"{{instance}}": 'up{job="terrafusion"}'}, kind="stat"),
    ]


def _failures(failed: str) -> dict[str, Any]:
    """Errors by reason; a click leads to the failed jobs themselves."""
    panel = _series(
        f"Failed in {WINDOW}, by reason",
        {"{{plugin}} {{failure_reason}}": f"sum by (plugin, failure_reason) ({failed})"},
        text="A series' link lists its failed jobs to holders of a token, as does `terrafusion jobs --status FAILED`.",
    )
    link = f"{API}/${{__field.labels.plugin}}/list?status=FAILED&created_after=${{__from:date:iso}}"
    panel["fieldConfig"]["defaults"]["links"] = [{"title": "Failed jobs", "url": link, "targetBlank": True}]
    return panel
