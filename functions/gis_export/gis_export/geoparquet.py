"""GeoParquet 1.1 out of a layer that GDAL has written, as a stream of Arrow batches."""

import ctypes
import json
from collections.abc import Callable, Collection, Iterator
from ctypes import c_double, c_float, c_int
from pathlib import Path
from typing import Any

from gis_export import crs
from gis_export.arrow import batches
from gis_export.gdal import Library, Messages, dataset

ROW_GROUP_ROWS = 65_536
BATCH_ROWS = 16_384
GEOMETRY_COLUMN = "geometry"
GDAL_GEOMETRY_COLUMN = "wkb_geometry"
DATE_TIME = 11  # OFTDateTime
UTC, NO_VALUE = 100, -1  # GDAL's time zone flag, and ours for a null
PEEKED_ROWS = 1_000


def write_geoparquet(
    library: Library,
    heard: Messages,
    source: str,
    target: Path,
    target_crs: str,
    geometry_type: str,
    tick: Callable[[], None],
    utc: bool | None = None,
) -> None:
    """Turn a dataset that GDAL reads, already in its CRS, into GeoParquet: WKB, zstd, one group per 65,536 rows.

    `tick` is called now and then, and may raise to stop. `utc` says whether its moments are marked as UTC; None looks
    at the first.
    """
    from arro3.core import RecordBatchReader
    from arro3.io import write_parquet

    with dataset(library, source, heard) as opened:
        layer = library.GDALDatasetGetLayer(opened, 0)
        zone = ["TIMEZONE=UTC"] if (is_utc(library, layer) if utc is None else utc) else []
        reader = batches(library, heard, layer, BATCH_ROWS, zone)
        metadata = _geo_metadata(library, layer, target_crs, geometry_type)
        schema = _plain_schema(reader.schema)

        def renamed() -> Iterator[Any]:
            for batch in reader:
                tick()
                yield batch.with_schema(schema)

        write_parquet(
            RecordBatchReader.from_batches(schema, renamed()),
            str(target),
            compression="zstd(1)",
            max_row_group_size=ROW_GROUP_ROWS,
            key_value_metadata={"geo": json.dumps(metadata)},
            skip_arrow_metadata=True,
        )
        heard.check()


def _plain_schema(schema: Any) -> Any:
    """GDAL's schema with the geometry under its usual name and without GDAL's own notes."""
    for index, name in enumerate(schema.names):
        field = schema.field(index).remove_metadata()
        schema = schema.set(index, field.with_name(GEOMETRY_COLUMN) if name == GDAL_GEOMETRY_COLUMN else field)
    return schema.remove_metadata()


def is_utc(library: Library, layer: int, wanted: Collection[str] | None = None) -> bool:
    """Whether the layer's date-times, of the columns wanted, are marked as UTC.

    FlatGeobuf marks each value, Arrow a whole column.
    """
    definition = library.OGR_L_GetLayerDefn(layer)
    fields = [library.OGR_FD_GetFieldDefn(definition, i) for i in range(library.OGR_FD_GetFieldCount(definition))]
    columns = [
        index
        for index, field in enumerate(fields)
        if library.OGR_Fld_GetType(field) == DATE_TIME
        and (wanted is None or library.OGR_Fld_GetNameRef(field).decode() in wanted)
    ]
    flags: set[int] = set()
    library.OGR_L_ResetReading(layer)
    for _ in range(PEEKED_ROWS if columns else 0):
        feature = library.OGR_L_GetNextFeature(layer)
        if not feature:
            break
        flags |= {_zone_flag(library, feature, column) for column in columns}
        library.OGR_F_Destroy(feature)
    library.OGR_L_ResetReading(layer)
    return flags - {NO_VALUE} == {UTC}


def _zone_flag(library: Library, feature: int, column: int) -> int:
    if not library.OGR_F_IsFieldSetAndNotNull(feature, column):
        return NO_VALUE
    parts = [c_int() for _ in range(5)]
    seconds, zone = c_float(), c_int()
    library.OGR_F_GetFieldAsDateTimeEx(
        feature, column, *(ctypes.byref(part) for part in parts), ctypes.byref(seconds), ctypes.byref(zone)
    )
    return zone.value


def _geo_metadata(library: Library, layer: int, target_crs: str, geometry_type: str) -> dict[str, Any]:
    envelope = (c_double * 4)()
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": [geometry_type],
        "crs": json.loads(crs.projjson(target_crs)),
    }
    if library.OGR_L_GetFeatureCount(layer, 1) and not library.OGR_L_GetExtent(layer, envelope, 1):
        west, east, south, north = envelope
        column["bbox"] = [west, south, east, north]
    return {"version": "1.1.0", "primary_column": GEOMETRY_COLUMN, "columns": {GEOMETRY_COLUMN: column}}
