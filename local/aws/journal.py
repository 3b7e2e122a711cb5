"""What the engines must not forget, in SQLite: items, messages, executions. Each call is on disk when it returns."""

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME_TAKEN_SECONDS = 90 * 86_400
"""For so long an ended execution's name cannot serve again, as on AWS."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS items (
    table_name TEXT NOT NULL, key TEXT NOT NULL, item TEXT NOT NULL, PRIMARY KEY (table_name, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
    id TEXT PRIMARY KEY, queue TEXT NOT NULL, request TEXT NOT NULL, sent INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS executions (
    arn TEXT PRIMARY KEY, machine TEXT NOT NULL, name TEXT NOT NULL, input TEXT NOT NULL,
    started REAL NOT NULL, ended REAL);
CREATE INDEX IF NOT EXISTS open_executions ON executions (arn) WHERE ended IS NULL;
"""


@dataclass(frozen=True, slots=True)
class Execution:
    """A started execution; `ended` is None while it runs."""

    arn: str
    machine: str
    name: str
    input: str
    started: float
    ended: float | None = None


class Journal:
    """The durable side of the engines, which keep everything in memory."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + _SCHEMA)
        self._write("DELETE FROM executions WHERE ended < ?", [(time.time() - NAME_TAKEN_SECONDS,)])

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.close()

    def put_items(self, items: Iterable[tuple[str, Mapping[str, Any], Mapping[str, Any] | None]]) -> None:
        """Keep the state of items, given as table, key and item; no item is a deleted one. All or none."""
        kept, gone = [], []
        for table, key, item in items:
            text = json.dumps(key, sort_keys=True)
            if item is None:
                gone.append((table, text))
            else:
                kept.append((table, text, json.dumps(item)))
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany("INSERT OR REPLACE INTO items VALUES (?, ?, ?)", kept)
                self._db.executemany("DELETE FROM items WHERE table_name = ? AND key = ?", gone)
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def items(self, table: str) -> Iterator[dict[str, Any]]:
        """A table's items."""
        for (text,) in self._read("SELECT item FROM items WHERE table_name = ?", (table,)):
            yield json.loads(text)

    def delete_items(self, table: str) -> None:
        """Forget a table's items."""
        self._write("DELETE FROM items WHERE table_name = ?", [(table,)])

    def put_message(self, identifier: str, queue: str, request: Mapping[str, Any]) -> None:
        """Keep a message until it is deleted."""
        row = (identifier, queue, json.dumps(request), time.time_ns())
        self._write("INSERT OR REPLACE INTO messages VALUES (?, ?, ?, ?)", [row])

    def move_messages(self, identifiers: Iterable[str], queue: str) -> None:
        """Note that messages are in another queue now, such as a dead-letter queue."""
        rows = [(queue, identifier, queue) for identifier in identifiers]
        self._write("UPDATE messages SET queue = ? WHERE id = ? AND queue != ?", rows)

    def delete_messages(self, identifiers: Iterable[str]) -> None:
        """Forget messages."""
        self._write("DELETE FROM messages WHERE id = ?", [(identifier,) for identifier in identifiers])

    def messages(self, queue: str) -> list[tuple[str, dict[str, Any]]]:
        """A queue's messages in the order they were sent, as id and the request that sent them."""
        rows = self._read("SELECT id, request FROM messages WHERE queue = ? ORDER BY sent", (queue,))
        return [(identifier, json.loads(text)) for identifier, text in rows]

    def put_execution(self, execution: Execution) -> None:
        """Keep a started execution."""
        row = (execution.arn, execution.machine, execution.name, execution.input, execution.started, None)
        self._write("INSERT OR REPLACE INTO executions VALUES (?, ?, ?, ?, ?, ?)", [row])

    def end_executions(self, arns: Iterable[str]) -> None:
        """Note that executions have ended."""
        self._write(
            "UPDATE executions SET ended = ? WHERE arn = ? AND ended IS NULL", [(time.time(), arn) for arn in arns]
        )

    def execution(self, machine: str, name: str) -> Execution | None:
        """An execution by its machine and name."""
        rows = self._read("SELECT * FROM executions WHERE machine = ? AND name = ?", (machine, name))
        return Execution(*rows[0]) if rows else None

    def open_executions(self) -> list[Execution]:
        """Executions that have not ended, oldest first."""
        return [Execution(*row) for row in self._read("SELECT * FROM executions WHERE ended IS NULL ORDER BY started")]

    def _write(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        rows = list(rows)
        if not rows:
            return
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany(statement, rows)
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _read(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(query, values).fetchall()
