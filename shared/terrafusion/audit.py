"""Who did what to which job: records that are added, and never changed.

One item a record: `county_id`, and `event` = `{moment}#{unique}`, so that a county's records are read in order. The
functions' roles may add to the table and nothing else; only the audit's own function may read it.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from terrafusion.jobs.model import now, timestamp
from terrafusion.paging import LOWEST, Item, merged, newest_first, read_cursor

COUNTY, EVENT = "county_id", "event"
FIELDS = ("actor", "action", "plugin", "job_id", "request_id", "address", "detail")


class Action(StrEnum):
    """What a record says was done."""

    SUBMITTED = "submitted"
    CANCELLED = "cancelled"
    RESULT_VIEWED = "result_viewed"
    DOWNLOADED = "downloaded"
    DENIED = "denied"
    EXPORTED = "exported"


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One thing that somebody did, or was not allowed to do; `detail` says what was denied, or
    what was exported.
    """

    county_id: str
    at: datetime
    actor: str
    action: Action
    plugin: str
    job_id: str | None = None
    request_id: str | None = None
    address: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some records, newest first, and the cursor that continues after them."""

    records: tuple[AuditRecord, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which records are wanted; what is None does not matter. The times are included."""

    job_id: str | None = None
    actor: str | None = None
    action: Action | None = None
    plugin: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class AuditLog:
    """The audit table of one deployment."""

    def __init__(self, client: Any, table: str, keep_days: int) -> None:
        self._client = client
        self._table = table
        self._keep = timedelta(days=keep_days)

    def add(self, record: AuditRecord) -> None:
        """Write a record."""
        self._client.put_item(**self.writing(record)["Put"])

    def writing(self, record: AuditRecord) -> dict[str, Any]:
        """The write of a record, as part of a transaction."""
        values = {name: {"S": str(getattr(record, name))} for name in FIELDS if getattr(record, name)}
        item = {
            COUNTY: {"S": record.county_id},
            EVENT: {"S": f"{timestamp(record.at)}#{uuid.uuid4().hex}"},
            "expires_at": {"N": str(int((record.at + self._keep).timestamp()))},
            **values,
        }
        condition = f"attribute_not_exists({EVENT})"
        return {"Put": {"TableName": self._table, "Item": item, "ConditionExpression": condition}}

    def page(self, county_ids: Iterable[str], query: AuditQuery, limit: int, cursor: str | None) -> AuditPage:
        """Records of some counties, newest first, at most `limit`.

        Raises
        ------
        InvalidRequest
            When the cursor is not one that a page gave.
        """
        low = str(timestamp(query.since)) if query.since else LOWEST
        high = min(read_cursor(cursor), f"{timestamp(query.until)}$" if query.until else "~")
        streams = [newest_first(self._client, EVENT, low, high, self._query(county, query)) for county in county_ids]
        items, next_cursor = merged(streams, EVENT, limit)
        return AuditPage(tuple(_record(item) for item in items), next_cursor)

    def _query(self, county_id: str, query: AuditQuery) -> dict[str, Any]:
        wanted = {name: getattr(query, name) for name in ("job_id", "actor", "action", "plugin")}
        filters = ["#expires_at > :now"] + [f"#{name} = :{name}" for name, value in wanted.items() if value]
        values = {f":{name}": {"S": str(value)} for name, value in wanted.items() if value}
        names = {f"#{name}": name for name, value in wanted.items() if value}
        return {
            "TableName": self._table,
            "KeyConditionExpression": f"{COUNTY} = :county AND {EVENT} BETWEEN :low AND :high",
            "FilterExpression": " AND ".join(filters),
            "ExpressionAttributeNames": {"#expires_at": "expires_at", **names},
            "ExpressionAttributeValues": {
                ":county": {"S": county_id},
                ":now": {"N": str(int(now().timestamp()))},
                **values,
            },
        }


def _record(item: Item) -> AuditRecord:
    at = datetime.strptime(item[EVENT]["S"].partition("#")[0], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    values = {name: item[name]["S"] for name in FIELDS if name in item}
    return AuditRecord(county_id=item[COUNTY]["S"], at=at, **{**values, "action": Action(values["action"])})
