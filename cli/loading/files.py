"""The files a source consists of: their checksum, and whether they are whole.

GDAL reads some broken files without a word (half a Shapefile's attributes, the first part of a CSV), so what a
format tells of its own length is checked here.
"""

import csv
import hashlib
import json
import sqlite3
import struct
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cli.loading.errors import LoadError

ARCHIVES = frozenset({".zip", ".shz"})
SIBLINGS = {
    ".shp": (".shp", ".shx", ".dbf", ".prj", ".cpg"),
    ".csv": (".csv", ".csvt", ".prj"),
    ".tsv": (".tsv", ".csvt", ".prj"),
    ".tab": (".tab", ".dat", ".map", ".id"),
    ".mif": (".mif", ".mid"),
}
LINES_OF_JSON = frozenset({".geojsonl", ".geojsons", ".jsonl", ".ndjson"})
CHUNK = 1 << 20
TAIL = 1 << 18


@dataclass(frozen=True, slots=True)
class Content:
    """What a source holds: SHA-256 of its files' content and their size in bytes."""

    sha256: str
    size_bytes: int


def examine(file: Path) -> Content:
    """Check that a source is there and whole, and sum it up.

    A single file's checksum is its plain SHA-256; that of a folder or a set of siblings covers the sorted names
    (without the stem, so that renaming a Shapefile changes nothing) and the contents.

    Raises
    ------
    LoadError
        When the file is missing, empty or cut short.
    """
    if not file.exists():
        raise LoadError(f"{file} does not exist; check the path.")
    members = _members(file)
    size = sum(path.stat().st_size for path in members.values())
    if not size:
        raise LoadError(f"{file.name} is empty (0 bytes); get the file again.")
    _check_whole(file, members)
    return Content(_checksum(members), size)


def _members(file: Path) -> dict[str, Path]:
    if file.is_dir():
        paths = (path for path in file.rglob("*") if path.is_file() and path.suffix != ".lock")
        return {path.relative_to(file).as_posix(): path for path in sorted(paths)}
    endings = SIBLINGS.get(file.suffix.lower())
    if endings is None:
        log = file.with_name(file.name + "-wal")
        return {"": file, **({"-wal": log} if log.exists() and log.stat().st_size else {})}
    beside = {path.suffix.lower(): path for path in file.parent.iterdir() if path.stem == file.stem}
    return {ending: beside[ending] for ending in endings if ending in beside}


def _checksum(members: dict[str, Path]) -> str:
    digest = hashlib.sha256()
    for name, path in sorted(members.items()):
        if len(members) > 1:
            digest.update(f"{name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def _check_whole(file: Path, members: dict[str, Path]) -> None:
    suffix = file.suffix.lower()
    if file.is_dir():
        for path in file.glob("*.[sS][hH][pP]"):
            _check_whole(path, _members(path))
    elif suffix in ARCHIVES or suffix == ".xlsx":
        _check_archive(file)
    elif suffix == ".shp":
        _check_shapefile(
            file.name, lambda ending: members[ending].open("rb") if ending in members else None, _size_of(members)
        )
    elif suffix in {".csv", ".tsv"}:
        _check_last_row(file)
    elif suffix in LINES_OF_JSON:
        _check_last_line(file)
    else:
        _check_database(file)


def _size_of(members: dict[str, Path]) -> Callable[[str], int]:
    return lambda ending: members[ending].stat().st_size


def _cut_short(name: str, why: str) -> LoadError:
    return LoadError(f"{name} is damaged or cut short: {why}. Get the file again from its source.")


def _check_archive(file: Path) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            if broken := archive.testzip():
                raise _cut_short(file.name, f"its member {broken} does not match its checksum")
            for name in archive.namelist():
                if name.lower().endswith(".shp"):
                    _check_shapefile_in(archive, name)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise _cut_short(file.name, f"it is no whole zip archive ({error})") from error
    except RuntimeError as error:  # so says zipfile of a password
        raise LoadError(f"{file.name} is encrypted; unpack it first.") from error


def _check_shapefile_in(archive: zipfile.ZipFile, name: str) -> None:
    stem = name[:-4]
    beside = {info.filename[-4:].lower(): info for info in archive.infolist() if info.filename[:-4] == stem}

    def opened(ending: str) -> BinaryIO | None:
        return archive.open(beside[ending]) if ending in beside else None  # type: ignore[return-value]

    _check_shapefile(name, opened, lambda ending: beside[ending].file_size)


def _check_shapefile(name: str, opened: Callable[[str], BinaryIO | None], size: Callable[[str], int]) -> None:
    """Compare the three parts' headers with their sizes (ESRI Shapefile Technical Description, 1998; dBASE III)."""
    headers: dict[str, bytes] = {}
    for ending in (".dbf", ".shx", ".shp"):
        stream = opened(ending)
        if stream is None:
            raise LoadError(f"{name} lacks its {ending} file; a Shapefile needs .shp, .shx and .dbf side by side.")
        with stream:
            headers[ending] = stream.read(100)
        if len(headers[ending]) < (32 if ending == ".dbf" else 100):
            raise _cut_short(name, f"the {ending} file has no whole header")
    for ending in (".shp", ".shx"):
        declared = 2 * struct.unpack(">i", headers[ending][24:28])[0]
        if size(ending) < declared:
            raise _cut_short(name, f"the {ending} file has {size(ending):,} of its {declared:,} bytes")
    rows, offset, width = struct.unpack("<IHH", headers[".dbf"][4:12])
    if size(".dbf") < offset + rows * width:
        raise _cut_short(name, f"the .dbf file has {size('.dbf'):,} of its {offset + rows * width:,} bytes")
    shapes = (2 * struct.unpack(">i", headers[".shx"][24:28])[0] - 100) // 8
    if shapes != rows:
        raise _cut_short(name, f"it has {shapes:,} shapes and {rows:,} rows of attributes")


def _check_last_row(file: Path) -> None:
    """A file that ends with a line's end may be whole; any other is read through to see how its last row ends."""
    with file.open("rb") as stream:
        stream.seek(-1, 2)
        if stream.read() in (b"\n", b"\r"):
            return
    limit = csv.field_size_limit(sys.maxsize)  # a WKT geometry may be long
    try:
        with file.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            separator = max(",;\t|", key=stream.readline().count)
            stream.seek(0)
            rows = csv.reader(stream, delimiter=separator, strict=True)
            header = last = next(rows)
            for row in rows:
                last = row or last
    except csv.Error as error:
        if "end of data" not in str(error):
            return  # quotes that GDAL is more patient with
        raise _cut_short(file.name, "its last row ends inside quotes") from error
    finally:
        csv.field_size_limit(limit)
    if len(last) < len(header):
        raise _cut_short(file.name, f"its last row has {len(last)} of {len(header)} columns")


def _check_last_line(file: Path) -> None:
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - TAIL))
        tail = stream.read().decode("utf-8", "replace")
    last = tail.strip().rsplit("\n", 1)[-1].strip("\x1e")
    if len(last) >= TAIL - 2:
        return  # the line begins before the tail: GDAL's own reading has to do
    try:
        json.loads(last)
    except ValueError as error:
        raise _cut_short(file.name, "its last line is no whole JSON feature") from error


def _check_database(file: Path) -> None:
    with file.open("rb") as stream:
        if stream.read(16) != b"SQLite format 3\0":
            return
    connection = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)
    try:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        raise _cut_short(file.name, str(error)) from error
    finally:
        connection.close()
    if verdict != "ok":
        raise _cut_short(file.name, verdict)
