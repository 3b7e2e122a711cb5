"""A transition as DynamoDB's conditional update."""

import re
import uuid
from collections.abc import Mapping
from typing import Any

from terrafusion.jobs.items import attribute, job_key
from terrafusion.jobs.model import JobEvent, JobStatus, now
from terrafusion.jobs.transitions import Guard, Transition

NAMES = re.compile(r"#(\w+)")

GUARDS: Mapping[Guard, str] = {
    Guard.FREE: "",
    Guard.OWN: " AND #attempt = :attempt",
    Guard.EARLIER: " AND #attempt < :attempt",
    Guard.LEASE_OVER: " AND #lease_until < :moment",
    Guard.UNCHANGED: " AND #version = :version",
}


def update_of(
    table: str,
    job_id: str,
    transition: Transition,
    changes: Mapping[str, Any],
    *,
    attempt: str | None = None,
    version: int | None = None,
    forward: bool = False,
) -> dict[str, Any]:
    """The write that makes a transition, on the condition that it is legal.

    It also adds one to the job's version, and notes an end as not yet counted. With `forward` the progress must grow.
    """
    moment = now()
    changes = {**changes, "status": transition.target, "updated_at": moment, "write_id": uuid.uuid4().hex}
    added = "ADD #version :one"
    values: dict[str, Any] = {":one": {"N": "1"}}
    if transition.target.is_terminal:
        changes["completed_at"] = moment
        added += ", #uncounted :ended"
        values[":ended"] = {"SS": [JobEvent.ENDED]}
    assignments = [f"#{name} = :{name}" for name in changes]
    if transition.target is JobStatus.RUNNING:
        assignments.append("#started_at = if_not_exists(#started_at, :updated_at)")
    values |= {f":{name}": attribute(value) for name, value in changes.items()}
    cases = []
    for number, (state, guard) in enumerate(transition.sources.items()):
        values[f":from{number}"] = {"S": state}
        cases.append(f"#status = :from{number}{GUARDS[guard]}")
    condition = f"attribute_exists(pk) AND ({' OR '.join(cases)})"
    if forward:
        condition += " AND #progress < :progress"
    asked = {":attempt": attempt, ":version": version, ":moment": moment}
    values |= {name: attribute(value) for name, value in asked.items() if name in condition}
    expression = f"SET {', '.join(assignments)} {added}"
    return {
        "TableName": table,
        "Key": job_key(job_id),
        "UpdateExpression": expression,
        "ConditionExpression": condition,
        "ExpressionAttributeNames": {f"#{name}": name for name in NAMES.findall(expression + condition)},
        "ExpressionAttributeValues": values,
    }
