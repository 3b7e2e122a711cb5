"""What the engines must not forget, in SQLite: items, messages, executions. Each call is on disk when it returns."""

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from local.aws.database import connect, transaction

NAME_TAKEN_SECONDS = 90 * 86_400
"""For so long an ended execution is known, and its name cannot serve again, as on AWS."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS items (
    table_name TEXT NOT NULL, key TEXT NOT NULL, item TEXT NOT NULL, PRIMARY KEY (table_name, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
    id TEXT PRIMARY KEY, queue TEXT NOT NULL, request TEXT NOT NULL, sent INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS executions (
    arn TEXT PRIMARY KEY, machine TEXT NOT NULL, name TEXT NOT NULL, input TEXT NOT NULL,
    started REAL NOT NULL, ended REAL, status TEXT);
CREATE INDEX IF NOT EXISTS open_executions ON executions (arn) WHERE ended IS NULL;
"""


@dataclass(frozen=True, slots=True)
class Execution:
    """A started execution; `ended` and the status it ended with are None while it runs."""

    arn: str
    machine: str
    name: str
    input: str
    started: float
    ended: float | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True)
class End:
    """How and when (seconds since the epoch) an execution ended."""

    arn: str
    status: str
    moment: float


class Journal:
    """The durable side of the engines, which keep everything in memory."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._db = connect(path, _SCHEMA)
        with suppress(sqlite3.OperationalError):  # it is there, unless the folder is from before it was
            self._db.execute("ALTER TABLE executions ADD COLUMN status TEXT")
        self._write("DELETE FROM executions WHERE ended < ?", [(time.time() - NAME_TAKEN_SECONDS,)])

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.close()

    def put_items(self, items: Iterable[tuple[str, Mapping[str, Any], Mapping[str, Any] | None]]) -> None:
        """Keep the state of items, given as table, key and item; no item is a deleted one. All or none."""
        kept, gone = [], []
        for table, key, item in items:
            if item is None:
                gone.append((table, _text(key)))
            else:
                kept.append((table, _text(key), json.dumps(item)))
        if not kept and not gone:
            return
        with self._lock, transaction(self._db):
            self._db.executemany("INSERT OR REPLACE INTO items VALUES (?, ?, ?)", kept)
            self._db.executemany("DELETE FROM items WHERE table_name = ? AND key = ?", gone)

    def items(self, table: str) -> Iterator[dict[str, Any]]:
        """A table's items."""
        for (text,) in self._read("SELECT item FROM items WHERE table_name = ?", (table,)):
            yield json.loads(text)

    def item(self, table: str, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """One item, or None when there is none."""
        rows = self._read("SELECT item FROM items WHERE table_name = ? AND key = ?", (table, _text(key)))
        return dict(json.loads(rows[0][0])) if rows else None

    def delete_items(self, table: str) -> None:
        """Forget a table's items."""
        self._write("DELETE FROM items WHERE table_name = ?", [(table,)])

    def put_messages(self, queue: str, messages: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Keep messages, given as id and the request that sends them, until they are deleted. All or none."""
        rows = [(identifier, queue, json.dumps(request), time.time_ns()) for identifier, request in messages]
        self._write("INSERT OR REPLACE INTO messages VALUES (?, ?, ?, ?)", rows)

    def move_messages(self, identifiers: Iterable[str], queue: str) -> None:
        """Note that messages are in another queue now, such as a dead-letter queue."""
        rows = [(queue, identifier, queue) for identifier in identifiers]
        self._write("UPDATE messages SET queue = ? WHERE id = ? AND queue != ?", rows)

    def delete_messages(self, identifiers: Iterable[str]) -> None:
        """Forget messages."""
        self._write("DELETE FROM messages WHERE id = ?", [(identifier,) for identifier in identifiers])

    def empty_queue(self, queue: str) -> None:
        """Forget a queue's messages."""
        self._write("DELETE FROM messages WHERE queue = ?", [(queue,)])

    def messages(self, queue: str) -> list[tuple[str, dict[str, Any]]]:
        """A queue's messages in the order they were sent, as id and the request that sent them."""
        rows = self._read("SELECT id, request FROM messages WHERE queue = ? ORDER BY sent", (queue,))
        return [(identifier, json.loads(text)) for identifier, text in rows]

    def put_execution(self, execution: Execution) -> None:
        """Keep an execution."""
        self._write("INSERT OR REPLACE INTO executions VALUES (?, ?, ?, ?, ?, ?, ?)", [astuple(execution)])

    def delete_execution(self, arn: str) -> None:
        """Forget an execution that did not come to be."""
        self._write("DELETE FROM executions WHERE arn = ?", [(arn,)])

    def end_executions(self, ends: Iterable[End]) -> None:
        """Note that executions have ended; the first end of each is the one that counts."""
        self._write(
            "UPDATE executions SET ended = ?, status = ? WHERE arn = ? AND ended IS NULL",
            [(end.moment, end.status, end.arn) for end in ends],
        )

    def execution(self, arn: str) -> Execution | None:
        """An execution, running or ended."""
        rows = self._read("SELECT * FROM executions WHERE arn = ?", (arn,))
        return Execution(*rows[0]) if rows else None

    def open_executions(self) -> list[Execution]:
        """Executions that have not ended, oldest first."""
        return [Execution(*row) for row in self._read("SELECT * FROM executions WHERE ended IS NULL ORDER BY started")]

    def _write(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        rows = list(rows)
        if rows:
            with self._lock, transaction(self._db):
                self._db.executemany(statement, rows)

    def _read(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(query, values).fetchall()


def _text(key: Mapping[str, Any]) -> str:
    return json.dumps(key, sort_keys=True)
