"""Requests that may be sent again: the same key and request find the job of the first."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from terrafusion.errors import Conflict
from terrafusion.jobs.model import now

KEPT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A caller's key for one request; others' keys are others, and so are those of other plugins."""

    owner: str
    request: str

    @classmethod
    def of(cls, plugin: str, subject: str, key: str, request: Mapping[str, Any]) -> "IdempotencyKey":
        """From the header's text and the request as it was understood."""
        body = json.dumps(request, sort_keys=True, separators=(",", ":"))
        return cls(_digest(f"{plugin}\n{subject}\n{key}"), _digest(body))


class IdempotencyKeys:
    """The keys in the job table, for a day each."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def job_id(self, key: IdempotencyKey) -> str | None:
        """The job that was submitted under a key, if any.

        Raises
        ------
        Conflict
            When another request was.
        """
        item = self._client.get_item(TableName=self._table, Key=_item_key(key), ConsistentRead=True).get("Item")
        if item is None or int(item["expires_at"]["N"]) <= now().timestamp():
            return None
        if item["request"]["S"] != key.request:
            raise Conflict("This Idempotency-Key was used for another request; take a new key for a new request.")
        return str(item["job"]["S"])

    def taking(self, key: IdempotencyKey, job_id: str) -> dict[str, Any]:
        """The write that takes a key for a job, as part of a transaction; it fails when the key is taken."""
        moment = now()
        item = {
            **_item_key(key),
            "job": {"S": job_id},
            "request": {"S": key.request},
            "expires_at": {"N": str(int((moment + KEPT).timestamp()))},
        }
        return {
            "Put": {
                "TableName": self._table,
                "Item": item,
                "ConditionExpression": "attribute_not_exists(pk) OR expires_at <= :now",
                "ExpressionAttributeValues": {":now": {"N": str(int(moment.timestamp()))}},
            }
        }

    def release(self, key: IdempotencyKey, job_id: str) -> None:
        """Let a key serve again: the job that had it could not be handed to a worker."""
        try:
            self._client.update_item(
                TableName=self._table,
                Key=_item_key(key),
                UpdateExpression="SET expires_at = :past",
                ConditionExpression="job = :job",
                ExpressionAttributeValues={":past": {"N": "0"}, ":job": {"S": job_id}},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return


def _item_key(key: IdempotencyKey) -> dict[str, Any]:
    return {"pk": {"S": f"KEY#{key.owner}"}, "sk": {"S": "KEY"}}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
