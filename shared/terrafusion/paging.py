"""Lists that are read newest first from several partitions, a page at a time."""

import base64
import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from terrafusion.errors import InvalidRequest

PAGE_ITEMS = 100
LOWEST, HIGHEST = " ", "~"

Item = Mapping[str, Any]


def newest_first(client: Any, sort_key: str, low: str, high: str, query: Mapping[str, Any]) -> Iterator[Item]:
    """A partition's items with a sort key between two, both excluded, from the highest down.

    Parameters
    ----------
    query
        The table, and what else the query says; its key condition names `:low` and `:high`.
    """
    if low > high:  # DynamoDB refuses an empty range
        return
    values = {**query["ExpressionAttributeValues"], ":low": {"S": low}, ":high": {"S": high}}
    request = {**query, "ExpressionAttributeValues": values, "ScanIndexForward": False, "Limit": PAGE_ITEMS}
    while True:
        response = client.query(**request)
        for item in response["Items"]:
            if item[sort_key]["S"] not in {low, high}:
                yield item
        if "LastEvaluatedKey" not in response:
            return
        request["ExclusiveStartKey"] = response["LastEvaluatedKey"]


def merged(streams: Iterable[Iterator[Item]], sort_key: str, limit: int) -> tuple[Sequence[Item], str | None]:
    """The newest items of all streams, and the cursor that continues after them."""

    def key(item: Item) -> str:
        return str(item[sort_key]["S"])

    items = [item for item, _ in zip(heapq.merge(*streams, key=key, reverse=True), range(limit + 1), strict=False)]
    return items[:limit], _write_cursor(key(items[limit - 1])) if len(items) > limit else None


def read_cursor(cursor: str | None) -> str:
    """The sort key that a page ended with; above all others without a cursor.

    Raises
    ------
    InvalidRequest
        When it is not one that a page gave.
    """
    if cursor is None:
        return HIGHEST
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        datetime.strptime(text.partition("#")[0], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    except ValueError:
        raise InvalidRequest("The cursor is not one that a page of this list gave.") from None
    return text


def _write_cursor(sort_key: str) -> str:
    return base64.urlsafe_b64encode(sort_key.encode()).decode().rstrip("=")
