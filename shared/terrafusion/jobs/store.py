"""Jobs in DynamoDB: every change is one conditional write, and says which transition it is."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from terrafusion.errors import FailureReason, JobSuperseded, NotFound
from terrafusion.jobs import transitions
from terrafusion.jobs.items import (
    COUNTY_PLUGIN,
    CREATED_JOB,
    OPEN_PLUGIN,
    SHARE,
    attribute,
    from_item,
    job_key,
    to_item,
)
from terrafusion.jobs.model import Job, JobEvent, JobStatus, now, timestamp
from terrafusion.jobs.transitions import Transition
from terrafusion.jobs.updates import update_of
from terrafusion.paging import LOWEST, Item, merged, newest_first, read_cursor
from terrafusion.storage import Storage
from terrafusion.transactions import ConditionFailed, transact

COUNTY_INDEX = "by_county"
OPEN_INDEX = "by_open"
INLINE_PARAMETERS_BYTES = 8_000


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

    def create(self, job: Job, also: Sequence[dict[str, Any]] = ()) -> None:
        """Record a new job, and with it, or not at all, other writes of a transaction.

        Raises
        ------
        ConditionFailed
            When one of the writes' conditions does not hold; `index` 0 is the job's: its id is taken.
        """
        item = {**to_item(job), **self._parameters(job)}
        item["expires_at"] = {"N": str(int((job.created_at + self._keep).timestamp()))}
        put = {"TableName": self._table, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}
        transact(self._client, [{"Put": put}, *also])

    def get(self, job_id: str) -> Job:
        """Read a job, consistently.

        Raises
        ------
        NotFound
            When there is none, or its time is over.
        """
        response = self._client.get_item(TableName=self._table, Key=job_key(job_id), ConsistentRead=True)
        item = response.get("Item")
        if item is None or int(item["expires_at"]["N"]) <= now().timestamp():
            raise NotFound(f"There is no job {job_id}.")
        return self._job(item)

    def claim(
        self,
        job_id: str,
        attempt: str,
        lease_until: datetime,
        transition: Transition = transitions.CLAIM,
        *,
        goes_on: bool = False,
    ) -> Job | None:
        """Take a job for an attempt of its worker, which will not run longer than the lease.

        One that `goes_on` from what others did keeps their progress.

        Returns
        -------
        The job, now RUNNING, or None when it is over or somebody else's.
        """
        changes = {"attempt": attempt, "lease_until": lease_until}
        if not goes_on:
            changes |= {"message": "Running", "progress": 0}
        try:
            return self._apply(job_id, transition, changes, attempt=attempt)
        except JobSuperseded:
            return None

    def report(self, job_id: str, attempt: str, progress: int, message: str) -> None:
        """Note how far an attempt has come, in percent.

        Raises
        ------
        JobSuperseded
            When the job is no longer this attempt's: cancelled, closed or taken over.
        """
        self._apply(job_id, transitions.REPORT, {"progress": progress, "message": message}, attempt=attempt)

    def owned(self, job_id: str, attempt: str) -> Job:
        """A job that an attempt has; see `report` for errors."""
        job = self.get(job_id)
        if job.status is not JobStatus.RUNNING or job.attempt != attempt:
            raise JobSuperseded(f"Job {job_id} is not attempt {attempt}'s.")
        return job

    def note_share(self, job_id: str, attempt: str, share: int, percent: int) -> Job:
        """Note how far a share of the work is, by its number; see `report` for errors."""
        return self._apply(job_id, transitions.REPORT, {f"{SHARE}{share:05}": percent}, attempt=attempt)

    def report_forward(self, job_id: str, attempt: str, progress: int, message: str) -> None:
        """Note how far an attempt has come, unless it has been noted that it was further; see `report` for errors."""
        changes = {"progress": progress, "message": message}
        try:
            self._apply(job_id, transitions.REPORT, changes, attempt=attempt, forward=True)
        except JobSuperseded:
            self.owned(job_id, attempt)

    def complete(
        self, job_id: str, attempt: str, result_key: str, message: str, samples: Mapping[str, float] | None = None
    ) -> Job:
        """Finish an attempt's job with its result; see `report` for errors."""
        changes = {"progress": 100, "message": message, "result_key": result_key, "samples": dict(samples or {})}
        return self._apply(job_id, transitions.COMPLETE, changes, attempt=attempt)

    def fail_attempt(self, job_id: str, attempt: str, reason: FailureReason, message: str) -> Job:
        """Finish an attempt's job without a result; see `report` for errors."""
        changes = {"failure_reason": reason.value, "message": message}
        return self._apply(job_id, transitions.FAIL, changes, attempt=attempt)

    def close(self, job_id: str, reason: FailureReason, message: str, version: int | None = None) -> Job | None:
        """End a job from outside its worker as FAILED; with a `version` only while nobody wrote since.

        Returns
        -------
        The job as ended now, or None when it had ended (or changed) before.
        """
        transition = transitions.CLOSE if version is None else transitions.CLOSE_STALE
        changes = {"failure_reason": reason.value, "message": message}
        try:
            return self._apply(job_id, transition, changes, version=version)
        except JobSuperseded:
            return None

    def touch(self, job: Job, message: str) -> bool:
        """Note that a waiting job was handed over again; False when somebody wrote since it was read."""
        try:
            self._apply(job.job_id, transitions.DISPATCH_AGAIN, {"message": message}, version=job.version)
        except JobSuperseded:
            return False
        return True

    def cancel(self, job_id: str, message: str, also: Sequence[dict[str, Any]] = ()) -> Job | None:
        """End a job as CANCELLED together with other writes; None when it had ended before."""
        update = update_of(self._table, job_id, transitions.CANCEL, {"message": message})
        try:
            transact(self._client, [{"Update": update}, *also])
        except ConditionFailed:
            return None
        return self.get(job_id)

    def settle(self, job: Job, event: JobEvent) -> None:
        """Note that the metrics have counted an event; a job that is over and counted leaves the open ones."""
        done = job.status.is_terminal and job.uncounted == {event}
        if done and self._forget_open(job.job_id, "#version = :version", {":version": attribute(job.version)}):
            return
        response = self._client.update_item(
            TableName=self._table,
            Key=job_key(job.job_id),
            UpdateExpression="DELETE #uncounted :event ADD #version :one",
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeNames={"#uncounted": "uncounted", "#version": "version"},
            ExpressionAttributeValues={":event": {"SS": [event]}, ":one": {"N": "1"}},
            ReturnValues="ALL_NEW",
        )
        self.close_if_counted(self._job(response["Attributes"]))

    def close_if_counted(self, job: Job) -> None:
        """Take a job that is over, and whose events are all counted, from the open ones."""
        if job.status.is_terminal and not job.uncounted:
            self._forget_open(job.job_id, "attribute_not_exists(#uncounted)", {})

    def open_jobs(self, plugin: str, silent_since: datetime) -> Iterator[Job]:
        """Jobs of a plugin that are not over, or not counted, and that nobody wrote since; the longest silent first."""
        query = {
            "TableName": self._table,
            "IndexName": OPEN_INDEX,
            "KeyConditionExpression": f"{OPEN_PLUGIN} = :plugin AND updated_at < :since",
            "ExpressionAttributeValues": {":plugin": {"S": plugin}, ":since": attribute(silent_since)},
        }
        for page in self._client.get_paginator("query").paginate(**query):
            for keys in page["Items"]:
                key = {"pk": keys["pk"], "sk": keys["sk"]}
                item = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
                if item is not None and item["updated_at"]["S"] < str(timestamp(silent_since)):
                    yield self._job(item)

    def before(self, job: Job) -> int:
        """How many jobs of the plugin that are not over were silent for longer than a waiting one: those before it.

        A job that runs reports once a second, so that it does not count for long.
        """
        answer = self._client.query(
            TableName=self._table,
            IndexName=OPEN_INDEX,
            Select="COUNT",
            KeyConditionExpression=f"{OPEN_PLUGIN} = :plugin AND updated_at < :since",
            ExpressionAttributeValues={":plugin": {"S": job.plugin}, ":since": attribute(job.updated_at)},
        )
        return int(answer["Count"])

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
        low, high = f"{timestamp(created_after)}$" if created_after else LOWEST, read_cursor(cursor)
        streams = [self._newest_first(plugin, county, status, low, high) for county in county_ids]
        items, next_cursor = merged(streams, CREATED_JOB, limit)
        return Page(tuple(self._job(item) for item in items), next_cursor)

    def _newest_first(self, plugin: str, county: str, status: JobStatus | None, low: str, high: str) -> Iterator[Item]:
        values = {":partition": {"S": f"{county}#{plugin}"}, ":now": {"N": str(int(now().timestamp()))}}
        query: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": COUNTY_INDEX,
            "KeyConditionExpression": f"{COUNTY_PLUGIN} = :partition AND {CREATED_JOB} BETWEEN :low AND :high",
            "FilterExpression": "expires_at > :now",
            "ExpressionAttributeValues": values,
        }
        if status:
            query["FilterExpression"] += " AND #status = :status"
            query["ExpressionAttributeNames"] = {"#status": "status"}
            values[":status"] = {"S": status}
        return newest_first(self._client, CREATED_JOB, low, high, query)

    def _apply(self, job_id: str, transition: Transition, changes: Mapping[str, Any], **asks: Any) -> Job:
        """Make a transition, asked by an `attempt` or for a `version`; see `update_of` for more that may be asked.

        A write whose answer was lost is sent again by the SDK and then fails its own condition; it is known by its
        `write_id`, and counts as done.
        """
        update = update_of(self._table, job_id, transition, changes, **asks)
        try:
            response = self._client.update_item(
                **update, ReturnValues="ALL_NEW", ReturnValuesOnConditionCheckFailure="ALL_OLD"
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            found: Item = dict(error.response.get("Item") or {})  # type: ignore[call-overload]
            if found.get("write_id") == update["ExpressionAttributeValues"][":write_id"]:
                return self._job(found)
            raise JobSuperseded(f"Job {job_id} does not allow '{transition.name}' now.") from error
        return self._job(response["Attributes"])

    def _forget_open(self, job_id: str, condition: str, values: Mapping[str, Any]) -> bool:
        names = {"#open": OPEN_PLUGIN, "#uncounted": "uncounted", "#version": "version"}
        try:
            self._client.update_item(
                TableName=self._table,
                Key=job_key(job_id),
                UpdateExpression="REMOVE #open, #uncounted ADD #version :one",
                ConditionExpression=f"attribute_exists(pk) AND {condition}",
                ExpressionAttributeNames=names,
                ExpressionAttributeValues={**values, ":one": {"N": "1"}},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _parameters(self, job: Job) -> Item:
        text = json.dumps(job.parameters, separators=(",", ":"), allow_nan=False)
        if len(text) <= INLINE_PARAMETERS_BYTES:
            return {"parameters": {"S": text}}
        key = f"{job.folder}/request.json"
        self._results.write(key, text.encode(), "application/json")
        return {"parameters_key": {"S": key}}

    def _job(self, item: Item) -> Job:
        if "parameters_key" in item:
            return from_item(item, self._results.read_json(item["parameters_key"]["S"]))
        return from_item(item, json.loads(item["parameters"]["S"]))
