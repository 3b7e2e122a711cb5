"""A layer of a source, opened: what it says of itself, and its rows as Arrow batches."""

import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pyogrio.raw
import pyproj
import shapely

from cli.loading.errors import LoadError, nearest
from cli.loading.files import ARCHIVES

BATCH_ROWS = 16_384
INNER = (".shp", ".gdb", ".gpkg", ".geojson", ".json", ".fgb", ".csv", ".tab", ".kml", ".gml")
NOT_DATA = frozenset({"layer_styles", "qgis_projects"})  # tables that QGIS leaves in GeoPackages
CSV_OPTIONS: Mapping[str, str] = {
    "AUTODETECT_TYPE": "YES",
    "AUTODETECT_SIZE_LIMIT": "0",  # all of the file: a code with letters may be its last row
    "GEOM_POSSIBLE_NAMES": "wkt,geometry,geom,the_geom,shape_wkt,geometry_wkt",
    "KEEP_GEOM_COLUMNS": "NO",
}
REMEDY = "Check that it is whole and of the format that its ending says, or convert it to GeoPackage with ogr2ogr."
GEOMETRY_EXTENSIONS = frozenset({b"geoarrow.wkb", b"ogc.wkb"})

EPSG_TWIN = {("OGC", "CRS84"): 4326, ("OGC", "CRS83"): 4269}  # they differ in the order of axes only

Geometries = np.ndarray[Any, np.dtype[np.object_]]


@dataclass(frozen=True, slots=True)
class Rows:
    """Some consecutive rows: attributes and, where the source has them, geometries (None where missing)."""

    attributes: pa.RecordBatch
    geometries: Geometries | None


@dataclass(frozen=True)
class Dataset:
    """One layer of a source; `count` is what the format tells, or -1; `crs` is horizontal.

    `geometry_type` is the declared one in GDAL's words, None where there are no geometries.
    """

    path: str
    layer: str | None
    driver: str
    crs: pyproj.CRS | None
    geometry_type: str | None
    count: int
    schema: pa.Schema
    options: Mapping[str, str]

    def rows(self) -> Iterator[Rows]:
        """Read from the beginning, in the file's order, linearising curves."""
        if self.driver == "Parquet":
            yield from _parquet_rows(self.path)
            return
        with _arrow(self.path, self.layer, self.options) as (_, reader):
            geometry = _geometry_index(reader.schema)
            for batch in reader:
                fids = batch.column(0)
                geometries = None
                if geometry is not None:
                    geometries = self._geometries(batch.column(geometry), fids)
                yield Rows(_attributes(batch, 0, geometry), geometries)

    def _geometries(self, wkb: pa.Array, fids: pa.Array) -> Geometries:
        values = wkb.to_numpy(zero_copy_only=False)
        try:
            return np.asarray(shapely.from_wkb(values))
        except NotImplementedError:
            return self._linearised(values, fids.to_numpy())

    def _linearised(self, values: Geometries, fids: np.ndarray[Any, Any]) -> Geometries:
        """Shapely refuses curves; GDAL's feature reader, unlike its Arrow stream, turns them into lines."""
        geometries = np.full(len(values), None, dtype=object)
        curved = np.zeros(len(values), dtype=bool)
        for position, value in enumerate(values):
            try:
                geometries[position] = shapely.from_wkb(value)
            except NotImplementedError:
                curved[position] = True
        _, found, wkb, _ = pyogrio.raw.read(
            self.path, layer=self.layer, columns=[], fids=fids[curved], return_fids=True, force_2d=True
        )
        by_fid = dict(zip(found, shapely.from_wkb(wkb), strict=True))
        geometries[curved] = [by_fid[fid] for fid in fids[curved]]
        return geometries


def open_dataset(file: Path, layer: str, source_layer: str | None) -> Dataset:
    """Open a source and choose its layer: the one asked for, the one named like `layer`, or the only one.

    Raises
    ------
    LoadError
        When GDAL cannot read the file, or the layer is not clear.
    """
    if file.suffix.lower() == ".parquet":
        return _open_parquet(file)
    path = _inside(file, layer, source_layer) if file.suffix.lower() in ARCHIVES else str(file)
    options = CSV_OPTIONS if Path(path).suffix.lower() in {".csv", ".tsv"} else {}
    try:
        chosen = _choose_layer(file.name, pyogrio.list_layers(path), layer, source_layer)
        info = pyogrio.read_info(path, layer=chosen, **options)
        with _arrow(path, chosen, options) as (meta, reader):
            schema = reader.schema
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, pa.ArrowException, OSError) as error:
        cause = str(error).split("; It might help")[0].replace(path, file.name).rstrip(".")
        raise LoadError(f"{file.name} cannot be read: {cause}. {REMEDY}") from error
    geometry = _geometry_index(schema)
    return Dataset(
        path=path,
        layer=chosen,
        driver=info["driver"],
        crs=horizontal(info["crs"]) if info["crs"] else None,
        geometry_type=None if geometry is None else meta["geometry_type"] or "Unknown",
        count=info["features"],
        schema=_without(schema, 0, geometry),
        options=options,
    )


def horizontal(definition: Any) -> pyproj.CRS:
    """The flat part of a CRS: heights are not kept."""
    crs = pyproj.CRS.from_user_input(definition)
    if crs.to_authority() in EPSG_TWIN:
        return pyproj.CRS.from_epsg(EPSG_TWIN[crs.to_authority()])
    return crs.sub_crs_list[0] if crs.is_compound else crs.to_2d()


def _arrow(path: str, layer: str | None, options: Mapping[str, str]) -> Any:
    return pyogrio.open_arrow(path, layer=layer, use_pyarrow=True, return_fids=True, batch_size=BATCH_ROWS, **options)


def _inside(file: Path, layer: str, source_layer: str | None) -> str:
    """The path, for GDAL, of the one dataset in an archive that is meant."""
    with zipfile.ZipFile(file) as archive:
        names = {PurePosixPath(part) for name in archive.namelist() for part in _paths_to(name)}
    found = {path.stem: path for path in sorted(names) if path.suffix.lower() in INNER and "__MACOSX" not in path.parts}
    if not found:
        return f"/vsizip/{file.resolve()}"
    name = _pick(file.name, "dataset", list(found), layer, source_layer) if len(found) > 1 else next(iter(found))
    return f"/vsizip/{file.resolve()}/{found[name]}"


def _paths_to(name: str) -> Iterator[str]:
    """A member's path, cut at a FileGDB folder: that is a dataset, its files are not."""
    path = PurePosixPath(name)
    folders = [parent for parent in path.parents if parent.suffix.lower() == ".gdb"]
    yield str(folders[-1] if folders else path)


def _choose_layer(file: str, listed: Any, layer: str, source_layer: str | None) -> str:
    layers = {str(name): kind for name, kind in listed if name not in NOT_DATA}
    if not layers:
        raise LoadError(f"{file} has no layers; export the data again.")
    drawn = [name for name, kind in layers.items() if kind is not None]
    if len(layers) == 1 and source_layer is None:
        return next(iter(layers))
    only = drawn[0] if len(drawn) == 1 else None
    return _pick(file, "layer", list(layers), layer, source_layer, only)


def _pick(file: str, what: str, names: list[str], layer: str, source_layer: str | None, only: str | None = None) -> str:
    by_folded = {name.casefold(): name for name in names}
    if source_layer is not None:
        if source_layer.casefold() in by_folded:
            return by_folded[source_layer.casefold()]
        if len(names) > 1 and what == "dataset" and only:
            return only
        raise LoadError(f"{file} has no {what} '{source_layer}'. {nearest(source_layer, names)}")
    if layer.casefold() in by_folded:
        return by_folded[layer.casefold()]
    if only:
        return only
    raise LoadError(f"{file} has several {what}s ({', '.join(names)}); say which one to read with --source-layer.")


def _geometry_index(schema: pa.Schema) -> int | None:
    for index in reversed(range(len(schema))):
        metadata = schema.field(index).metadata or {}
        if metadata.get(b"ARROW:extension:name") in GEOMETRY_EXTENSIONS:
            return index
    return None


def _without(schema: pa.Schema, *left_out: int | None) -> pa.Schema:
    return pa.schema([field for index, field in enumerate(schema) if index not in left_out])


def _attributes(batch: pa.RecordBatch, *left_out: int | None) -> pa.RecordBatch:
    kept = [index for index in range(batch.num_columns) if index not in left_out]
    return pa.RecordBatch.from_arrays([batch.column(i) for i in kept], schema=_without(batch.schema, *left_out))


def _open_parquet(file: Path) -> Dataset:
    """GDAL's build here has no Parquet driver: read GeoParquet 1.x (WKB) or a plain table with pyarrow."""
    try:
        with pq.ParquetFile(file) as parquet:
            schema, count = _decoded(parquet.schema_arrow), parquet.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise LoadError(f"{file.name} cannot be read: {error}. Check that it is a whole Parquet file.") from error
    name, crs = _geoparquet(schema)
    geometry = schema.get_field_index(name) if name else None
    return Dataset(str(file), None, "Parquet", crs, "Unknown" if name else None, count, _without(schema, geometry), {})


def _decoded(schema: pa.Schema) -> pa.Schema:
    """Without dictionaries: in Parquet they are a way of keeping values, where GDAL's are the codes of a domain."""
    fields = [
        field.with_type(field.type.value_type) if isinstance(field.type, pa.DictionaryType) else field
        for field in schema
    ]
    return pa.schema(fields, schema.metadata)


def _geoparquet(schema: pa.Schema) -> tuple[str | None, pyproj.CRS | None]:
    metadata = (schema.metadata or {}).get(b"geo")
    if metadata is None:
        return None, None
    geo = json.loads(metadata)
    column = geo["columns"][geo["primary_column"]]
    if column["encoding"] != "WKB":
        raise LoadError(f"Its geometry is encoded as {column['encoding']}; write GeoParquet with WKB geometry.")
    crs = column.get("crs", "OGC:CRS84")  # absent means longitude and latitude, null means unknown
    return geo["primary_column"], horizontal(crs) if crs else None


def _parquet_rows(path: str) -> Iterator[Rows]:
    with pq.ParquetFile(path) as parquet:
        name, _ = _geoparquet(parquet.schema_arrow)
        geometry = parquet.schema_arrow.get_field_index(name) if name else None
        for batch in parquet.iter_batches(BATCH_ROWS):
            values = None if geometry is None else batch.column(geometry).to_numpy(zero_copy_only=False)
            geometries = None if values is None else np.asarray(shapely.from_wkb(values))
            yield Rows(_attributes(batch.cast(_decoded(batch.schema)), geometry), geometries)
