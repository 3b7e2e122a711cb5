"""A job of every plugin, from its sample event to files that open: what a new deployment must be able to do."""

import csv
import hashlib
import io
import json
import sqlite3
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import openpyxl
import pyarrow.parquet as pq
import pypdf
import pytest

from local.samples import TARGET
from tests.e2e.support import Client

RUNS = sorted(TARGET.glob("*/*.run.json"))


def _database(path: Path) -> Any:
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return database.execute("SELECT table_name FROM gpkg_contents").fetchall()


def _png(path: Path) -> bool:
    return path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def _zip(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return archive.namelist()


OPENERS: Mapping[str, Callable[[Path], Any]] = {
    ".json": lambda path: json.loads(path.read_text()),
    ".geojson": lambda path: json.loads(path.read_text())["features"],
    ".csv": lambda path: list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig")))),
    ".parquet": lambda path: pq.read_table(path).num_rows,
    ".pdf": lambda path: pypdf.PdfReader(path).pages,
    ".svg": lambda path: ET.fromstring(path.read_text()),
    ".html": lambda path: "<html" in path.read_text(),
    ".xlsx": lambda path: openpyxl.load_workbook(path).sheetnames,
    ".gpkg": _database,
    ".png": _png,
    ".zip": _zip,
}


@pytest.mark.parametrize("event", RUNS, ids=lambda path: path.parent.name)
def test_a_job_from_its_request_to_its_files(as_role: Callable[..., Client], event: Path, tmp_path: Path) -> None:
    client = as_role("Assessor")
    request = json.loads(event.read_text())
    plugin = request["rawPath"].split("/")[3]

    result = client.result(client.run(plugin, {**json.loads(request["body"]), "county_id": client.county}))

    assert result
    for file in result.get("files", ()):
        content = httpx.get(file["download_url"], timeout=60).content
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["size_bytes"], file["sha256"])
        path = tmp_path / file["name"]
        path.write_bytes(content)
        assert OPENERS[path.suffix](path) is not None, path.name


def test_every_plugin_has_a_sample_event() -> None:
    workers = {path.parent.name for path in TARGET.parent.glob("functions/*/*/worker.py")}
    assert {path.parent.name for path in RUNS} == workers
