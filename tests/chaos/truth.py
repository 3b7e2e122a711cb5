"""The table's truth, the metrics' claims, and whether they agree."""

from collections import Counter
from typing import Any

import httpx

from tests.e2e.support import LocalCloud

PREFIXES = {"gis-export": "gis_export", "layer-digest": "layer_digest"}
ENDS = {"COMPLETED": "completed", "FAILED": "failed", "CANCELLED": "cancelled"}
Claim = tuple[str, ...]


def jobs_in_table(cloud: LocalCloud) -> list[dict[str, Any]]:
    """Every job of the table, as plain values."""
    pages = cloud.client("dynamodb").get_paginator("scan").paginate(TableName=cloud.run["tables"]["JobsTable"])
    items = [item for page in pages for item in page["Items"] if item["sk"]["S"] == "JOB"]
    return [{name: next(iter(value.values())) for name, value in item.items()} for item in items]


def expected(jobs: list[dict[str, Any]]) -> Counter[Claim]:
    """What the counters must say."""
    counts: Counter[Claim] = Counter()
    for job in jobs:
        prefix, label, reason = PREFIXES[job["plugin"]], job.get("type_label", ""), job.get("failure_reason", "")
        counts[prefix, "submitted", label, "FAILED" if reason == "dispatch_failed" else "PENDING"] += 1
        counts[prefix, ENDS.get(job["status"], "open"), label, reason] += 1
    return counts


def claimed(cloud: LocalCloud) -> Counter[Claim]:
    """What the counters say."""
    counts: Counter[Claim] = Counter()
    for line in httpx.get(f"{cloud.url}/metrics").text.splitlines():
        name, _, rest = line.partition("{")
        for prefix in PREFIXES.values():
            if name.startswith(f"{prefix}_jobs_") and rest:
                labels = _labels(rest)
                event = name.removeprefix(f"{prefix}_jobs_").removesuffix("_total")
                detail = labels.get("failure_reason") or labels.get("status_on_submit") or ""
                counts[prefix, event, labels.get("export_format", ""), detail] += int(float(line.rsplit(" ", 1)[1]))
    return counts


def _labels(text: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in text.rsplit("}", 1)[0].split(","))
    return {name: value.strip('"') for name, _, value in pairs}
