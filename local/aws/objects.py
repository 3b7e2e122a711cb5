"""The object store: each object a file, what is known of it a row; written whole and synced, or not at all."""

import hashlib
import json
import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from local.aws.database import connect, transaction
from local.aws.incoming import Incoming

SMALLEST_PART = 5 * 1024 * 1024
"""Bytes that every part but the last must have."""
UPLOAD_SECONDS = 86_400
"""Uploads that nobody finished are dropped after this, as the buckets' lifecycle rules have it."""
HIGHEST = "\U0010ffff"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS buckets (name TEXT PRIMARY KEY, created REAL NOT NULL);
CREATE TABLE IF NOT EXISTS objects (
    bucket TEXT NOT NULL, key TEXT NOT NULL, file TEXT NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL,
    modified REAL NOT NULL, headers TEXT NOT NULL, PRIMARY KEY (bucket, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY, bucket TEXT NOT NULL, key TEXT NOT NULL, headers TEXT NOT NULL, started REAL NOT NULL);
CREATE TABLE IF NOT EXISTS parts (
    upload TEXT NOT NULL, number INTEGER NOT NULL, file TEXT NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL,
    PRIMARY KEY (upload, number)) WITHOUT ROWID;
"""


class StoreError(Exception):
    """An S3 error: its code, its HTTP status, its text."""

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object's row; `headers` are those it was stored with and is served with."""

    bucket: str
    key: str
    file: str
    size: int
    etag: str
    modified: datetime
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold for a write: no object there, or the one with this tag."""

    absent: bool = False
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an upload."""

    number: int
    file: str
    size: int
    etag: str


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of keys; `prefixes` are those cut at the delimiter, `next_after` continues."""

    objects: list[StoredObject]
    prefixes: list[str]
    next_after: str | None


class ObjectStore:
    """Buckets below one folder. A row is written after its file is on disk, so a crash leaves at most a stray file."""

    def __init__(self, folder: Path) -> None:
        self._files = folder / "objects"
        self._files.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._db = connect(folder / "objects.sqlite", _SCHEMA)
        try:
            self._sweep()
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the rows' database."""
        with self._lock:
            self._db.close()

    def create_bucket(self, name: str) -> None:
        """Create a bucket; one that is there already is no error."""
        with self._lock:
            self._db.execute("INSERT OR IGNORE INTO buckets VALUES (?, ?)", (name, _now()))

    def buckets(self) -> list[tuple[str, datetime]]:
        """Names of the buckets, and when they were made."""
        with self._lock:
            rows = self._db.execute("SELECT name, created FROM buckets ORDER BY name").fetchall()
        return [(name, datetime.fromtimestamp(created, UTC)) for name, created in rows]

    def check_bucket(self, name: str) -> None:
        """Refuse a bucket that is not there."""
        with self._lock:
            if not self._db.execute("SELECT 1 FROM buckets WHERE name = ?", (name,)).fetchone():
                raise StoreError("NoSuchBucket", 404, f"There is no bucket {name}.")

    @contextmanager
    def receiving(self) -> Iterator[Incoming]:
        """A file to write a body to; gone again unless it is kept."""
        incoming = Incoming(self._files)
        try:
            yield incoming
        finally:
            incoming.drop_unless_kept()

    def put(
        self, bucket: str, key: str, incoming: Incoming, headers: dict[str, str], condition: Condition
    ) -> StoredObject:
        """Store a received body as an object."""
        incoming.sync()
        return self._put_row(bucket, key, incoming, incoming.md5, headers, condition)

    def get(self, bucket: str, key: str) -> StoredObject:
        """An object's row."""
        self.check_bucket(bucket)
        with self._lock:
            row = self._db.execute("SELECT * FROM objects WHERE bucket = ? AND key = ?", (bucket, key)).fetchone()
        if row is None:
            raise StoreError("NoSuchKey", 404, "The specified key does not exist.")
        return _object(row)

    def open(self, bucket: str, key: str) -> tuple[StoredObject, BinaryIO]:
        """An object and its body, which stays readable when the object is replaced meanwhile."""
        with self._lock:  # a file goes only after its row
            stored = self.get(bucket, key)
            return stored, (self._files / stored.file).open("rb")

    def delete(self, bucket: str, key: str) -> None:
        """Delete an object; none there is no error."""
        self.check_bucket(bucket)
        with self._lock, transaction(self._db):
            gone = self._db.execute(
                "DELETE FROM objects WHERE bucket = ? AND key = ? RETURNING file", (bucket, key)
            ).fetchall()
        self._unlink(name for (name,) in gone)

    def page(self, bucket: str, prefix: str, delimiter: str, after: str, limit: int) -> Listing:
        """Keys in order, after a key, with common prefixes folded."""
        self.check_bucket(bucket)
        objects: list[StoredObject] = []
        prefixes: list[str] = []
        while len(objects) + len(prefixes) < limit:
            row = self._next(bucket, prefix, after)
            if row is None:
                return Listing(objects, prefixes, None)
            cut = row.key.find(delimiter, len(prefix)) if delimiter else -1
            if cut < 0:
                objects.append(row)
                after = row.key
            else:
                prefixes.append(row.key[: cut + len(delimiter)])
                after = prefixes[-1] + HIGHEST
        return Listing(objects, prefixes, after if limit and self._next(bucket, prefix, after) else None)

    def start_upload(self, bucket: str, key: str, headers: dict[str, str]) -> str:
        """Begin an upload in parts."""
        self.check_bucket(bucket)
        upload = uuid.uuid4().hex
        with self._lock:
            self._db.execute(
                "INSERT INTO uploads VALUES (?, ?, ?, ?, ?)", (upload, bucket, key, json.dumps(headers), _now())
            )
        return upload

    def put_part(self, upload: str, number: int, incoming: Incoming) -> str:
        """Store a part; one of that number is replaced."""
        incoming.sync()
        with self._lock:
            self._upload(upload)
            old = self._db.execute(
                "SELECT file FROM parts WHERE upload = ? AND number = ?", (upload, number)
            ).fetchall()
            self._db.execute(
                "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?)",
                (upload, number, incoming.name, incoming.size, incoming.md5),
            )
            incoming.keep()
        self._unlink(name for (name,) in old)
        return incoming.md5

    def parts(self, upload: str) -> list[Part]:
        """An upload's parts, in order."""
        with self._lock:
            self._upload(upload)
            rows = self._db.execute(
                "SELECT number, file, size, etag FROM parts WHERE upload = ? ORDER BY number", (upload,)
            ).fetchall()
        return [Part(*row) for row in rows]

    def finish_upload(self, upload: str, wanted: list[tuple[int, str]], condition: Condition) -> StoredObject:
        """Join the wanted parts, given as number and tag, to an object."""
        with self._lock:
            bucket, key, headers = self._upload(upload)
        stored = {part.number: part for part in self.parts(upload)}
        chosen = [stored.get(number) for number, _ in wanted]
        if not wanted or any(part is None or part.etag != etag for part, (_, etag) in zip(chosen, wanted, strict=True)):
            raise StoreError("InvalidPart", 400, "A part is missing, or is not the one that was uploaded.")
        parts = [part for part in chosen if part is not None]
        if any(before.number >= after.number for before, after in pairwise(parts)):
            raise StoreError("InvalidPartOrder", 400, "The parts are not in ascending order.")
        if any(part.size < SMALLEST_PART for part in parts[:-1]):
            raise StoreError("EntityTooSmall", 400, "A part other than the last is smaller than 5 MiB.")
        with self.receiving() as incoming:
            for part in parts:
                with (self._files / part.file).open("rb") as body:
                    incoming.fill(body, part.size)
            incoming.sync()
            joined = hashlib.md5(b"".join(bytes.fromhex(p.etag) for p in parts), usedforsecurity=False)
            etag = f"{joined.hexdigest()}-{len(parts)}"
            made = self._put_row(bucket, key, incoming, etag, headers, condition, upload)
        self._unlink(part.file for part in stored.values())
        return made

    def drop_upload(self, upload: str) -> None:
        """Forget an upload and its parts."""
        with self._lock:
            self._upload(upload)
            files = [row[0] for row in self._db.execute("SELECT file FROM parts WHERE upload = ?", (upload,))]
            with transaction(self._db):
                self._delete_upload(upload)
        self._unlink(files)

    def _upload(self, upload: str) -> tuple[str, str, dict[str, str]]:
        row = self._db.execute("SELECT bucket, key, headers FROM uploads WHERE id = ?", (upload,)).fetchone()
        if row is None:
            raise StoreError("NoSuchUpload", 404, "There is no such upload.")
        return row[0], row[1], json.loads(row[2])

    def _delete_upload(self, upload: str) -> None:
        self._db.execute("DELETE FROM parts WHERE upload = ?", (upload,))
        self._db.execute("DELETE FROM uploads WHERE id = ?", (upload,))

    def _put_row(
        self,
        bucket: str,
        key: str,
        incoming: Incoming,
        etag: str,
        headers: dict[str, str],
        condition: Condition,
        upload: str = "",
    ) -> StoredObject:
        """Make a received body an object, and end in the same step the upload that it came by."""
        self.check_bucket(bucket)
        with self._lock, transaction(self._db):
            row = self._db.execute(
                "SELECT file, etag FROM objects WHERE bucket = ? AND key = ?", (bucket, key)
            ).fetchone()
            if condition.absent and row:
                raise StoreError("PreconditionFailed", 412, "There is an object already.")
            if condition.etag and row is None:
                raise StoreError("NoSuchKey", 404, "The specified key does not exist.")
            if condition.etag and row and row[1] != condition.etag:
                raise StoreError("PreconditionFailed", 412, "The object is not in the state that was named.")
            moment = _now()
            self._db.execute(
                "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?)",
                (bucket, key, incoming.name, incoming.size, etag, moment, json.dumps(headers)),
            )
            self._delete_upload(upload)
        incoming.keep()
        if row:
            self._unlink([row[0]])
        return StoredObject(
            bucket, key, incoming.name, incoming.size, etag, datetime.fromtimestamp(moment, UTC), headers
        )

    def _next(self, bucket: str, prefix: str, after: str) -> StoredObject | None:
        query = "SELECT * FROM objects WHERE bucket = ? AND key > ? AND key >= ? AND key < ? ORDER BY key LIMIT 1"
        with self._lock:
            row = self._db.execute(query, (bucket, after, prefix, prefix + HIGHEST)).fetchone()
        return _object(row) if row else None

    def _unlink(self, names: Iterable[str]) -> None:
        for name in names:
            (self._files / name).unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Remove uploads that nobody finished, and files that a crash left without a row."""
        stale = self._db.execute("SELECT id FROM uploads WHERE started < ?", (_now() - UPLOAD_SECONDS,)).fetchall()
        for (upload,) in stale:
            self.drop_upload(upload)
        known = {row[0] for row in self._db.execute("SELECT file FROM objects UNION SELECT file FROM parts")}
        for folder in self._files.iterdir():
            for path in folder.iterdir():
                if f"{folder.name}/{path.name}" not in known:
                    path.unlink()


def _object(row: tuple[str, str, str, int, str, float, str]) -> StoredObject:
    bucket, key, file, size, etag, modified, headers = row
    return StoredObject(bucket, key, file, size, etag, datetime.fromtimestamp(modified, UTC), json.loads(headers))


def _now() -> float:
    return datetime.now(UTC).timestamp()
