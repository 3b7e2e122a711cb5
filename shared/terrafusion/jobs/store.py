"""Jobs in DynamoDB: every change is one conditional write.

One item a job, `pk = JOB#{job_id}`, `sk = JOB`; the index `by_county` holds `{county_id}#{plugin}` and
`{created_at}#{job_id}`. Parameters are kept as JSON text, as DynamoDB has no floats; those too large for an item live
in the results bucket.
"""

import base64
import heapq
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from terrafusion.errors import Conflict, InvalidRequest, JobSuperseded, NotFound
from terrafusion.jobs.model import PREDECESSORS, Job, JobStatus, now, timestamp
from terrafusion.storage import Storage

COUNTY_INDEX = "by_county"
INLINE_PARAMETERS_BYTES = 8_000
PAGE_ITEMS = 100


@dataclass(frozen=True, slots=True)
class Page:
    """Some jobs, newest first, and the cursor that continues after them."""

    jobs: tuple[Job, ...]
    next_cursor: str | None


def dynamodb_client(region: str) -> Any:
    """A DynamoDB client; the endpoint comes from AWS_ENDPOINT_URL when that is set."""
    return boto3.client("dynamodb", region_name=region, config=Config(retries={"mode": "standard", "max_attempts": 5}))


class JobStore:
    """The job table of one deployment."""

    def __init__(self, client: Any, table: str, results: Storage, keep_days: int) -> None:
        self._client = client
        self._table = table
        self._results = results
        self._keep = timedelta(days=keep_days)

    def create(self, job: Job) -> None:
        """Record a new job.

        Raises
        ------
        Conflict
            When a job of that id exists already.
        """
        text = json.dumps(job.parameters, separators=(",", ":"), allow_nan=False)
        item = {**_keys(job.job_id), **_attributes(job), "expires_at": self._expiry(job.created_at)}
        if len(text) > INLINE_PARAMETERS_BYTES:
            key = f"requests/{job.plugin}/{job.county_id}/{job.job_id}.json"
            self._results.write(key, text.encode(), "application/json")
            item["parameters_key"] = {"S": key}
        else:
            item["parameters"] = {"S": text}
        item["county_plugin"] = {"S": f"{job.county_id}#{job.plugin}"}
        item["created_job"] = {"S": _sort_key(job)}
        try:
            self._client.put_item(TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(pk)")
        except self._client.exceptions.ConditionalCheckFailedException:
            raise Conflict(f"Job {job.job_id} exists already.") from None

    def get(self, job_id: str) -> Job:
        """Read a job, consistently.

        Raises
        ------
        NotFound
            When there is none, or its time is over.
        """
        response = self._client.get_item(TableName=self._table, Key=_keys(job_id), ConsistentRead=True)
        item = response.get("Item")
        if item is None or self._is_expired(item):
            raise NotFound(f"There is no job {job_id}.")
        return self._job(item)

    def claim(self, job_id: str, attempt: str) -> Job | None:
        """Take a job for an attempt of its worker: PENDING, or RUNNING under an earlier attempt that died.

        Returns
        -------
        The job, now RUNNING, or None when it is finished or this attempt or a later one has it already.
        """
        changes = {"status": JobStatus.RUNNING, "attempt": attempt, "message": "Running", "progress": 0}
        condition = "#status = :pending OR (#status = :running AND #attempt < :attempt)"
        values = {":pending": {"S": JobStatus.PENDING}, ":running": {"S": JobStatus.RUNNING}}
        try:
            return self._update(job_id, changes, condition, values, started=True)
        except JobSuperseded:
            return None

    def report(self, job_id: str, attempt: str, progress: int, message: str) -> None:
        """Note how far an attempt has come, in percent.

        Raises
        ------
        JobSuperseded
            When the job is no longer this attempt's: cancelled, closed or taken over.
        """
        self._update_own(job_id, attempt, {"progress": progress, "message": message})

    def complete(self, job_id: str, attempt: str, result_key: str, message: str) -> Job:
        """Finish an attempt's job with its result; see `report` for errors."""
        return self._update_own(
            job_id,
            attempt,
            {"status": JobStatus.COMPLETED, "progress": 100, "message": message, "result_key": result_key},
        )

    def fail_attempt(self, job_id: str, attempt: str, reason: str, message: str) -> Job:
        """Finish an attempt's job without a result; see `report` for errors."""
        return self._update_own(
            job_id, attempt, {"status": JobStatus.FAILED, "failure_reason": reason, "message": message}
        )

    def close(self, job_id: str, status: JobStatus, message: str, reason: str | None = None) -> Job | None:
        """End a job from outside its worker: cancelled, or failed because its worker cannot say so itself.

        Returns
        -------
        The job as ended now, or None when it had ended before.
        """
        changes = {"status": status, "message": message, **({"failure_reason": reason} if reason else {})}
        allowed = sorted(PREDECESSORS[status])
        names = {f":from{i}": {"S": state} for i, state in enumerate(allowed)}
        try:
            return self._update(job_id, changes, f"#status IN ({', '.join(names)})", names)
        except JobSuperseded:
            return None

    def page(
        self,
        plugin: str,
        county_ids: Iterable[str],
        *,
        status: JobStatus | None = None,
        created_after: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """Jobs of a plugin in some counties, newest first, at most `limit`.

        Raises
        ------
        InvalidRequest
            When the cursor is not one that a page gave.
        """
        before = _read_cursor(cursor) if cursor else None
        streams = [self._newest_first(plugin, county, status, created_after, before) for county in county_ids]
        merged = heapq.merge(*streams, key=lambda item: item["created_job"]["S"], reverse=True)
        items = [item for item, _ in zip(merged, range(limit + 1), strict=False)]
        cursor_after = items[limit - 1]["created_job"]["S"] if len(items) > limit else None
        return Page(
            tuple(self._job(item) for item in items[:limit]),
            _write_cursor(cursor_after) if cursor_after else None,
        )

    def _newest_first(
        self, plugin: str, county: str, status: JobStatus | None, after: datetime | None, before: str | None
    ) -> Iterator[dict[str, Any]]:
        values = {":partition": {"S": f"{county}#{plugin}"}, ":now": {"N": str(int(now().timestamp()))}}
        filters = ["expires_at > :now"]
        names = {}
        if status:
            filters.append("#status = :status")
            values[":status"] = {"S": status}
            names["#status"] = "status"
        low, high = (f"{timestamp(after)}$" if after else " "), before or "~"
        if low > high:  # DynamoDB refuses an empty range
            return
        values[":low"], values[":high"] = {"S": low}, {"S": high}
        query: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": COUNTY_INDEX,
            "KeyConditionExpression": "county_plugin = :partition AND created_job BETWEEN :low AND :high",
            "FilterExpression": " AND ".join(filters),
            "ExpressionAttributeValues": values,
            "ScanIndexForward": False,
            "Limit": PAGE_ITEMS,
        }
        if names:
            query["ExpressionAttributeNames"] = names
        while True:
            response = self._client.query(**query)
            for item in response["Items"]:
                if item["created_job"]["S"] != before:
                    yield item
            if "LastEvaluatedKey" not in response:
                return
            query["ExclusiveStartKey"] = response["LastEvaluatedKey"]

    def _update_own(self, job_id: str, attempt: str, changes: Mapping[str, Any]) -> Job:
        values = {":running": {"S": JobStatus.RUNNING}, ":mine": {"S": attempt}}
        return self._update(job_id, changes, "#status = :running AND #attempt = :mine", values)

    def _update(
        self,
        job_id: str,
        changes: Mapping[str, Any],
        condition: str,
        values: Mapping[str, Any],
        *,
        started: bool = False,
    ) -> Job:
        moment = timestamp(now())
        changes = {**changes, "updated_at": moment}
        status = changes.get("status")
        if status is not None and JobStatus(status).is_terminal:
            changes["completed_at"] = moment
        assignments = [f"#{name} = :{name}" for name in changes]
        if started:
            assignments.append("started_at = if_not_exists(started_at, :updated_at)")
        used = {name for name in ("status", "attempt") if f"#{name}" in condition}
        try:
            response = self._client.update_item(
                TableName=self._table,
                Key=_keys(job_id),
                UpdateExpression="SET " + ", ".join(assignments),
                ConditionExpression=f"attribute_exists(pk) AND ({condition})",
                ExpressionAttributeNames={f"#{name}": name for name in (*changes, *used)},
                ExpressionAttributeValues={
                    **{f":{name}": _value(v) for name, v in changes.items()},
                    **values,
                },
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            raise JobSuperseded(f"Job {job_id} is not in a state that allows this.") from error
        return self._job(response["Attributes"])

    def _job(self, item: Mapping[str, Any]) -> Job:
        values: dict[str, Any] = {
            name: _plain(item[name]) for name in Job.model_fields if name in item and name != "parameters"
        }
        if "parameters_key" in item:
            values["parameters"] = self._results.read_json(item["parameters_key"]["S"])
        else:
            values["parameters"] = json.loads(item["parameters"]["S"])
        return Job.model_validate(values)

    def _expiry(self, created_at: datetime) -> dict[str, str]:
        return {"N": str(int((created_at + self._keep).timestamp()))}

    def _is_expired(self, item: Mapping[str, Any]) -> bool:
        return int(item["expires_at"]["N"]) <= now().timestamp()


def _keys(job_id: str) -> dict[str, Any]:
    return {"pk": {"S": f"JOB#{job_id}"}, "sk": {"S": "JOB"}}


def _sort_key(job: Job) -> str:
    return f"{timestamp(job.created_at)}#{job.job_id}"


def _attributes(job: Job) -> dict[str, Any]:
    document = job.model_dump(exclude={"parameters"}, exclude_none=True)
    return {name: _value(timestamp(v) if isinstance(v, datetime) else v) for name, v in document.items()}


def _value(value: str | int | None) -> dict[str, str]:
    return {"N": str(value)} if isinstance(value, int) else {"S": str(value)}


def _plain(value: Mapping[str, str]) -> str | int:
    return int(value["N"]) if "N" in value else value["S"]


def _write_cursor(sort_key: str) -> str:
    return base64.urlsafe_b64encode(sort_key.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> str:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        datetime.strptime(text.partition("#")[0], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    except ValueError:
        raise InvalidRequest("The cursor is not one that a page of this list gave.") from None
    return text
