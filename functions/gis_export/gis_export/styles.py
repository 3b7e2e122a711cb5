"""A layer's QGIS style with its export: a row of the GeoPackage by which QGIS opens it, or a file beside the data."""

import re
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from xml.sax.saxutils import escape, unescape

from gis_export.formats import ExportFormat, FormatSpec
from gis_export.order import LayerResult

TABLE = "layer_styles"
NAME = "County"
CREATE = f"""
CREATE TABLE {TABLE} (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256), f_table_schema TEXT(256),
    f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT,
    useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30),
    update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
INSERT INTO gpkg_contents (table_name, data_type, identifier) VALUES ('{TABLE}', 'attributes', '{TABLE}');
"""  # noqa: S608
"""The table as QGIS makes it."""
INSERT = f"""
INSERT INTO {TABLE}
    (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, styleQML, useAsDefault)
SELECT '', '', table_name, column_name, ?, ?, 1 FROM gpkg_geometry_columns WHERE table_name = ?
"""  # noqa: S608  # nosec B608  names of our own
TAG = re.compile(r"<([A-Za-z][\w.-]*)\b[^>]*>")
ATTRIBUTE = re.compile(r'([\w:.-]+)="([^"]*)"')
OWN_WORDS: Mapping[str, str] = {"Option": "name", "prop": "k"}
"""Attributes that hold words of QGIS's, by element: a column may be named as one of them."""
RENDERED_BY = re.compile(r'<renderer-v2\b[^>]*\battr="([^"]*)"')


def styled(
    work: Path,
    export_format: ExportFormat,
    spec: FormatSpec,
    layers: Sequence[LayerResult],
    styles: Mapping[str, str],
    *,
    packed: bool,
) -> tuple[LayerResult, ...]:
    """Put the styles to the layers' files in a folder; gives the layers, each with where its style is.

    A style that draws by a column which the file does not have would hide every feature: it is left out, and told.
    """
    texts = {layer.name: _renamed(styles[layer.name], layer) for layer in layers if _drawn(layer, spec, styles)}
    missing = {name: column for name, text in texts.items() if (column := _lacks(text, _named(layers, name)))}
    wanted = {name: text for name, text in texts.items() if name not in missing}
    places: dict[str, str] = {}
    if export_format is ExportFormat.GPKG and wanted:
        _embed(next(work.glob("*.gpkg")), wanted)
        places = dict.fromkeys(wanted, TABLE)
    elif packed:
        places = {name: f"{_stem(work, spec, layers, name)}.qml" for name in wanted}
        for name, place in places.items():
            (work / place).write_text(wanted[name], encoding="utf-8")
    return tuple(replace(_told(layer, missing.get(layer.name)), style=places.get(layer.name)) for layer in layers)


def _told(layer: LayerResult, column: str | None) -> LayerResult:
    if column is None:
        return layer
    text = f"the layer's style is left out: it draws by column '{column}', which is not exported"
    return replace(layer, warnings=(*layer.warnings, text))


def _drawn(layer: LayerResult, spec: FormatSpec, styles: Mapping[str, str]) -> bool:
    return layer.name in styles and not layer.error and spec.holds_geometry and spec.holds_attributes


def _named(layers: Sequence[LayerResult], name: str) -> Collection[str]:
    return next(layer.columns for layer in layers if layer.name == name)


def _stem(work: Path, spec: FormatSpec, layers: Sequence[LayerResult], name: str) -> str:
    """What QGIS looks for beside a file is the file's own name; in a file of several layers, each is told apart."""
    if spec.many_layers and len(layers) > 1:
        return name
    files = [path for path in work.iterdir() if path.suffix == spec.extension]
    return next((path.stem for path in files if path.stem == name), files[0].stem)


def _renamed(style: str, layer: LayerResult) -> str:
    """The style with the columns' names in the file: as whole attributes, and quoted in expressions."""
    names = {_escaped(old): _escaped(new) for old, new in layer.field_crosswalk.items()}
    if not names:
        return style

    def in_tag(tag: re.Match[str]) -> str:
        own = OWN_WORDS.get(tag[1])
        return ATTRIBUTE.sub(lambda m: m[0] if m[1] == own else f'{m[1]}="{names.get(m[2], m[2])}"', tag[0])

    quoted = f"&quot;({'|'.join(map(re.escape, names))})&quot;"
    return re.sub(quoted, lambda m: f"&quot;{names[m[1]]}&quot;", TAG.sub(in_tag, style))


def _escaped(name: str) -> str:
    return escape(name, {'"': "&quot;"})


def _lacks(style: str, columns: Collection[str]) -> str | None:
    """The column that the renderer asks for and the file does not have; an expression's columns are in quotes."""
    found = RENDERED_BY.search(style)
    asked = unescape(found[1], {"&quot;": '"'}) if found else ""
    named = re.findall(r'"([^"]+)"', asked) if '"' in asked else [asked] if asked.isidentifier() else []
    return next((name for name in named if name not in columns), None)


def _embed(path: Path, styles: Mapping[str, str]) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(CREATE)
        database.executemany(INSERT, [(NAME, text, name) for name, text in styles.items()])
