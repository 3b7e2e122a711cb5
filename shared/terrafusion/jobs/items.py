"""A job as an item of the table.

`pk = JOB#{job_id}`, `sk = JOB`. The index `by_county` holds `{county_id}#{plugin}` and `{created_at}#{job_id}`; the
index `by_open` holds the plugin and `updated_at` of jobs that are not over, or not counted. Parameters are JSON text,
as DynamoDB has no floats.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from terrafusion.jobs.model import Job, timestamp

OPEN_PLUGIN = "open_plugin"
COUNTY_PLUGIN = "county_plugin"
CREATED_JOB = "created_job"
SHARE = "share_"
"""Begins the names of a job's shares, each of which is an attribute, so that they are written side by side."""
AS_JSON = frozenset({"parameters", "decided", "samples"})
NOT_AT_FIRST = frozenset({"parameters", "shares"})

Item = dict[str, Any]


def job_key(job_id: str) -> Item:
    """The primary key of a job."""
    return {"pk": {"S": f"JOB#{job_id}"}, "sk": {"S": "JOB"}}


def to_item(job: Job) -> Item:
    """A new job's item, its parameters left out."""
    item = {name: attribute(value) for name, value in job if value is not None and name not in NOT_AT_FIRST}
    return {
        **job_key(job.job_id),
        **item,
        OPEN_PLUGIN: {"S": job.plugin},
        COUNTY_PLUGIN: {"S": f"{job.county_id}#{job.plugin}"},
        CREATED_JOB: {"S": f"{timestamp(job.created_at)}#{job.job_id}"},
    }


def from_item(item: Mapping[str, Any], parameters: Mapping[str, Any]) -> Job:
    """The job of an item."""
    values = {name: _plain(item[name]) for name in Job.model_fields if name in item and name not in AS_JSON}
    values |= {name: json.loads(item[name]["S"]) for name in ("decided", "samples") if name in item}
    values.setdefault("uncounted", frozenset())
    values["shares"] = {int(name.removeprefix(SHARE)): _plain(item[name]) for name in item if name.startswith(SHARE)}
    return Job.model_validate({**values, "parameters": parameters})


def attribute(value: Any) -> dict[str, Any]:
    """A value as DynamoDB's attribute."""
    if isinstance(value, datetime):
        return {"S": str(timestamp(value))}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, Mapping):
        return {"S": json.dumps(value, allow_nan=False)}
    if isinstance(value, frozenset):
        return {"SS": sorted(value)}
    return {"S": str(value)}


def _plain(value: Mapping[str, Any]) -> Any:
    if "N" in value:
        return int(value["N"])
    return value["S"] if "S" in value else frozenset(value["SS"])
