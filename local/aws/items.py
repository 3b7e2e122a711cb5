"""DynamoDB's items: each request one step, and in memory only what is on disk."""

import json
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from local.aws.journal import Journal
from local.aws.moto_engine import EngineAnswer, MotoEngine
from local.aws.signatures import SignedRequest

FORGETFUL = {"ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"}
"""Operations whose writes cannot be told from the request, so they would be lost at the next start."""


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
            touched = list(_written(operation, json.loads(body or b"{}"))) if answer.status == 200 else []
            if touched:
                self._keep(touched)
            return answer

    def restore(self, name: str) -> None:
        """Fill a table that was just created with the items it had."""
        table = self._engine.table(name)
        if table is None:
            return
        with self._lock:
            for item in self._journal.items(name):
                table.put(table.key_of(item), item)

    def _keep(self, touched: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Bring the items that were touched to the disk or, where that fails, back to what they are there."""
        found = []
        for name, item in touched:
            table = self._engine.table(name)
            if table is not None:
                found.append((name, table, table.key_of(item)))
        try:
            self._journal.put_items((name, key, table.get(key)) for name, table, key in found)
        except BaseException:
            for name, table, key in found:
                table.put(key, self._journal.item(name, key))
            raise

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
