"""GeoParquet 1.1 out of a layer that GDAL has written, as a stream of Arrow batches."""

import ctypes
import json
from collections.abc import Collection
from ctypes import c_char_p, c_double, c_float, c_int, c_void_p, py_object
from pathlib import Path
from typing import Any

from gis_export import crs
from gis_export.gdal import Library, Messages, dataset, strings

ROW_GROUP_ROWS = 65_536
GEOMETRY_COLUMN = "geometry"
GDAL_GEOMETRY_COLUMN = "wkb_geometry"
DATE_TIME = 11  # OFTDateTime
UTC, NO_VALUE = 100, -1  # GDAL's time zone flag, and ours for a null
PEEKED_ROWS = 1_000
_STREAM_NAME = b"arrow_array_stream"


class _ArrowStream(ctypes.Structure):
    """The Arrow C stream interface: five pointers."""

    _fields_ = [(name, c_void_p) for name in ("get_schema", "get_next", "get_last_error", "release", "private_data")]


_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype = py_object
_new_capsule.argtypes = (c_void_p, c_char_p, c_void_p)


class _Exported:
    """A stream that an Arrow library may take over, once."""

    def __init__(self, stream: _ArrowStream) -> None:
        self._stream = stream

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        return _new_capsule(ctypes.addressof(self._stream), _STREAM_NAME, None)


def write_geoparquet(
    library: Library,
    heard: Messages,
    source: str,
    target: Path,
    target_crs: str,
    geometry_type: str,
    utc: bool | None = None,
) -> None:
    """Turn a dataset that GDAL reads, already in its CRS, into GeoParquet: WKB, zstd, one group per 65,536 rows.

    `utc` says whether its moments are marked as UTC; None looks at the first.
    """
    from arro3.core import RecordBatchReader
    from arro3.io import write_parquet

    with dataset(library, source, heard) as opened:
        layer = library.GDALDatasetGetLayer(opened, 0)
        stream = _ArrowStream()
        options = ["INCLUDE_FID=NO", "MAX_FEATURES_IN_BATCH=16384"]
        if is_utc(library, layer) if utc is None else utc:
            options.append("TIMEZONE=UTC")
        if not library.OGR_L_GetArrowStream(layer, ctypes.byref(stream), strings(options)):
            heard.fail("GDAL gives no Arrow stream.")
        metadata = _geo_metadata(library, layer, target_crs, geometry_type)
        reader = RecordBatchReader.from_arrow(_Exported(stream))
        schema = _plain_schema(reader.schema)
        renamed = RecordBatchReader.from_batches(schema, (batch.with_schema(schema) for batch in reader))
        write_parquet(
            renamed,
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
