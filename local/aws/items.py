"""DynamoDB's items: each request one step, and in memory only what is on disk."""

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from local.aws.journal import Journal
from local.aws.moto_engine import EngineAnswer, MotoEngine, Table
from local.aws.signatures import SignedRequest

FORGETFUL = {"ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"}
"""Operations whose writes cannot be told from the request, so they would be lost at the next start."""


Located = tuple[str, Table, Mapping[str, Any]]
"""An item by its table's name, the table, and its key."""


class Items:
    """The tables' items."""

    def __init__(self, engine: MotoEngine, journal: Journal) -> None:
        self._engine = engine
        self._journal = journal
        self._lock = threading.Lock()

    def call(self, operation: str, request: SignedRequest, body: bytes) -> EngineAnswer:
        """Answer a request; what could not be kept has not happened."""
        with self._lock:  # moto's check and write are not one step
            if operation == "DeleteTable":
                return self._delete_table(request, body)
            answer = self._engine.call(request, body)
            if answer.status == 200:
                self._keep(self._located(operation, body))
            elif operation == "TransactWriteItems":
                self._take_back(self._located(operation, body))
            return answer

    def tally(self, name: str, where: str, by: Sequence[str]) -> Mapping[tuple[str, ...], int]:
        """Number of a table's items that have an attribute, by the values of others."""
        table = self._engine.table(name)
        with self._lock:
            return table.tally(where, by) if table else {}

    def restore(self, name: str) -> None:
        """Fill a table that was just created with the items it had."""
        table = self._engine.table(name)
        if table is None:
            return
        with self._lock:
            for item in self._journal.items(name):
                table.put(table.key_of(item), item)

    def _located(self, operation: str, body: bytes) -> list[Located]:
        """The items that a request writes; none of a request that cannot be understood, as none was written."""
        try:
            written = [(name, self._engine.table(name), item) for name, item in _written(operation, json.loads(body))]
            return [(name, table, table.key_of(item)) for name, table, item in written if table is not None]
        except (KeyError, TypeError, AttributeError, ValueError):
            return []

    def _keep(self, located: Sequence[Located]) -> None:
        """Bring items to the disk or, where that fails, back to what they are there."""
        try:
            self._journal.put_items((name, key, table.get(key)) for name, table, key in located)
        except BaseException:
            self._take_back(located)
            raise

    def _take_back(self, located: Sequence[Located]) -> None:
        for name, table, key in located:
            table.put(key, self._journal.item(name, key))

    def _delete_table(self, request: SignedRequest, body: bytes) -> EngineAnswer:
        name = json.loads(body)["TableName"]
        put_back = self._engine.keep_table(name)
        answer = self._engine.call(request, body)
        if answer.status == 200:
            try:
                self._journal.delete_items(name)
            except BaseException:
                put_back()
                raise
        return answer


def _written(operation: str, request: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Tables and keys (or whole items) that a request writes."""
    if operation == "PutItem":
        yield request["TableName"], request["Item"]
    elif operation in {"UpdateItem", "DeleteItem"}:
        yield request["TableName"], request["Key"]
    elif operation == "BatchWriteItem":
        for table, entries in request["RequestItems"].items():
            for entry in entries:
                yield table, entry["PutRequest"]["Item"] if "PutRequest" in entry else entry["DeleteRequest"]["Key"]
    elif operation == "TransactWriteItems":
        for entry in request["TransactItems"]:
            for kind, action in entry.items():
                if kind != "ConditionCheck":
                    yield action["TableName"], action["Item"] if kind == "Put" else action["Key"]
