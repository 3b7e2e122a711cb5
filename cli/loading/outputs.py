"""The files of a snapshot: FlatGeobuf, Parquet, and the rows that were refused."""

import csv
import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pyogrio
import shapely

from cli.loading.dataset import Geometries
from cli.loading.shapes import Reason
from terrafusion.counties import Field, FileEntry

GEOMETRY = "__geometry"
MAX_WKT = 2_000  # characters of a refused geometry that are kept
ROW_GROUP = 65_536


class Draft:
    """Rows on their way from the source to the files, on disk: their widths are known when all are read."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._schema = schema
        self.types = [field.type for field in schema if field.name != GEOMETRY]
        self._writer = pa.ipc.new_file(path, schema, options=pa.ipc.IpcWriteOptions(compression="lz4"))

    def write(self, arrays: Sequence[pa.Array]) -> None:
        """Append rows."""
        self._writer.write_batch(pa.RecordBatch.from_arrays(list(arrays), schema=self._schema))

    def close(self) -> None:
        """End writing."""
        self._writer.close()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Read all rows again."""
        with pa.ipc.open_file(self._path) as reader:
            for index in range(reader.num_record_batches):
                yield reader.get_batch(index)


def write_flatgeobuf(
    path: Path,
    draft: Draft,
    fields: Sequence[Field],
    *,
    layer: str,
    geometry_type: str,
    crs: str,
    promote: Callable[[Geometries], Geometries],
    written: Callable[[int], None],
) -> None:
    """Write the rows with geometry: Hilbert-sorted, indexed, with the widths of texts declared.

    GDAL takes a column's width from the Arrow field's metadata. FlatGeobuf knows no dates: they become date-times.
    """
    described = [
        pa.field(field.name, kind, metadata={"GDAL:OGR:width": str(field.width)} if field.width else None)
        for field, kind in zip(fields, draft.types, strict=True)
    ]
    shape = pa.field(GEOMETRY, pa.binary(), metadata={"ARROW:extension:name": "geoarrow.wkb"})
    schema = pa.schema([*described, shape])

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in draft.batches():
            located = batch.filter(batch.column(GEOMETRY).is_valid())
            geometries = shapely.from_wkb(located.column(GEOMETRY).to_numpy(zero_copy_only=False))
            promoted = pa.array(shapely.to_wkb(promote(np.asarray(geometries))), pa.binary())
            yield pa.RecordBatch.from_arrays([*located.columns[:-1], promoted], schema=schema)
            written(batch.num_rows)

    pyogrio.write_arrow(
        pa.RecordBatchReader.from_batches(schema, batches()),
        path,
        layer=layer,
        driver="FlatGeobuf",
        geometry_name=GEOMETRY,
        geometry_type=geometry_type,
        crs=crs,
    )


def write_parquet(path: Path, draft: Draft, fields: Sequence[Field], written: Callable[[int], None]) -> None:
    """Write all rows' attributes."""
    schema = pa.schema([(field.name, kind) for field, kind in zip(fields, draft.types, strict=True)])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in draft.batches():
            attributes = pa.Table.from_arrays(batch.columns[: len(schema)], schema=schema)
            writer.write_table(attributes, row_group_size=ROW_GROUP)
            written(batch.num_rows)


class Quarantine:
    """A CSV of the rows that cannot be stored: number in the file (from 1), key, reason, geometry (WKT, cut)."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._stream, lineterminator="\n")
        self._writer.writerow(("row", "key", "reason", "geometry"))

    def add(self, rows: Sequence[int], keys: Sequence[Any], reasons: Sequence[Reason], geometries: Geometries) -> None:
        """Append rows."""
        for row, key, reason, geometry in zip(rows, keys, reasons, geometries, strict=True):
            text = "" if geometry is None else shapely.to_wkt(geometry, rounding_precision=-1)[:MAX_WKT]
            self._writer.writerow((row, "" if key is None else key, reason, text))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()


def describe(path: Path) -> FileEntry:
    """A file's entry in the manifest."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256")
    return FileEntry(name=path.name, size_bytes=path.stat().st_size, sha256=digest.hexdigest())
