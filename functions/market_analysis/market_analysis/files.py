"""The files of a result."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from market_analysis.shapes import Geometry, MapLayer
from terrafusion import geopackage
from terrafusion.documents import png
from terrafusion.jobs.work import ResultFile
from terrafusion.tables import quoted

PNG_WIDTH = 1360
"""Twice the pixels that a picture is laid out in."""
MEDIA_TYPES = {
    ".parquet": "application/vnd.apache.parquet",
    ".csv": "text/csv; charset=utf-8",
    ".geojson": "application/geo+json",
    ".gpkg": "application/geopackage+sqlite3",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
KINDS = {Geometry.POINT: geopackage.GeometryKind.POINT, Geometry.MULTI_POLYGON: geopackage.GeometryKind.MULTI_POLYGON}
_PLACE = "result_data_location"


def tables(
    database: duckdb.DuckDBPyConnection, names: Mapping[str, str], directory: Path, stem: str
) -> Iterator[ResultFile]:
    """Tables as Parquet and as CSV; the first one's Parquet is the result's data."""
    for at, (name, table) in enumerate(names.items()):
        for suffix, options in ((".parquet", "FORMAT parquet, COMPRESSION zstd"), (".csv", "FORMAT csv, HEADER")):
            path = directory / f"{stem}{f'_{name}' if at else ''}{suffix}"
            database.execute(f"COPY {quoted(table)} TO '{str(path).replace(chr(39), chr(39) * 2)}' ({options})")
            yield _file(path, _PLACE if at == 0 and suffix == ".parquet" else None)


def map_layer(layer: MapLayer, directory: Path, stem: str) -> Iterator[ResultFile]:
    """A layer as GeoPackage and as GeoJSON, for QGIS and for the web."""
    columns = {name: _plain(values) for name, values in layer.columns.items()}
    package = directory / f"{stem}_{layer.name}.gpkg"
    geopackage.write(package, [geopackage.FeatureTable(layer.name, KINDS[layer.geometry], columns, list(layer.shapes))])
    yield _file(package, "map_layer_location")
    path = directory / f"{stem}_{layer.name}.geojson"
    _write_geojson(path, layer, columns)
    yield _file(path)


def picture(svg: str, directory: Path, stem: str, name: str) -> Iterator[ResultFile]:
    """A picture as SVG and as PNG."""
    drawn = directory / f"{stem}_{name}.svg"
    drawn.write_text(svg, encoding="utf-8")
    painted = directory / f"{stem}_{name}.png"
    painted.write_bytes(png(svg, PNG_WIDTH))
    yield _file(drawn, f"{name}_location")
    yield _file(painted, f"{name}_png_location")


def _file(path: Path, location: str | None = None) -> ResultFile:
    return ResultFile(path, path.name, MEDIA_TYPES[path.suffix], location)


def _write_geojson(path: Path, layer: MapLayer, columns: Mapping[str, Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8") as stream:
        stream.write('{"type":"FeatureCollection","features":[')
        for at, shape in enumerate(layer.shapes):
            feature = {
                "type": "Feature",
                "properties": {name: values[at] for name, values in columns.items()},
                "geometry": None if shape is None else {"type": str(layer.geometry), "coordinates": shape},
            }
            text = json.dumps(feature, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
            stream.write(f"{',' if at else ''}\n{text}")
        stream.write("\n]}\n")


def _plain(values: Any) -> list[Any]:
    """Python's own values; NaN is none."""
    if isinstance(values, np.ndarray):
        found = values.tolist()
        return [None if one != one else one for one in found] if values.dtype.kind == "f" else found
    return list(values)
