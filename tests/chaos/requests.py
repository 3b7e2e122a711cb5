"""What clients ask for, and what they must get."""

import hashlib
import json
import sqlite3
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind of request: its plugin, its body without the county, and the layer whose rows a GeoPackage must have.

    `in_parts`: what is downloaded is the manifest of several files, which are the same whenever they are made.
    """

    name: str
    plugin: str
    body: Mapping[str, Any]
    table: str | None = None
    in_parts: bool = False


def _export(export_format: str, layer: str, **more: Any) -> Kind:
    body = {"export_format": export_format, "layers": [layer], **more}
    table = layer if export_format == "GPKG" else None
    return Kind(f"{export_format} of {layer}", "gis-export", body, table)


AREA = {"type": "bbox", "coordinates": [-119.35, 46.2, -119.25, 46.3]}
KINDS = (
    _export("GeoJSON", "zoning"),
    _export("GPKG", "parcels"),
    _export("CSV", "parcels"),
    _export("FlatGeobuf", "roads"),
    _export("KML", "parcels", area_of_interest=AREA),
    Kind(
        "FlatGeobuf of parcels in parts",
        "gis-export",
        {"export_format": "FlatGeobuf", "layers": ["parcels"], "parameters": {"features_per_part": 300}},
        in_parts=True,
    ),
    Kind("digest of parcels", "layer-digest", {"layer": "parcels", "passes": 100}),
    Kind("digest of zoning", "layer-digest", {"layer": "zoning", "passes": 500}),
)


def fingerprint(kind: Kind, content: bytes) -> str:
    """What two right results have in common: their bytes, those of the parts, or a GeoPackage's rows, as it holds the
    time of writing.
    """
    if kind.in_parts:
        parts = json.loads(content)["parts"]
        content = json.dumps([(part["number"], part["record_count"], part["sha256"]) for part in parts]).encode()
    if kind.table is None:
        return hashlib.sha256(content).hexdigest()
    with tempfile.NamedTemporaryFile(suffix=".gpkg") as file:
        Path(file.name).write_bytes(content)
        with sqlite3.connect(file.name) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            rows = database.execute(f'SELECT * FROM "{kind.table}"').fetchall()
    return hashlib.sha256(repr(sorted(rows, key=repr)).encode()).hexdigest()
