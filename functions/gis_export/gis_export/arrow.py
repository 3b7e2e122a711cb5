"""A layer's rows as Arrow batches, out of GDAL's C stream: columns at a time, where features would come one by one."""

import ctypes
from collections.abc import Sequence
from ctypes import c_char_p, c_void_p, py_object
from typing import TYPE_CHECKING, Any

from gis_export.gdal import Library, Messages, strings

if TYPE_CHECKING:
    from arro3.core import RecordBatchReader

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


def batches(
    library: Library, heard: Messages, layer: int, rows: int, options: Sequence[str] = ()
) -> "RecordBatchReader":
    """The layer's rows in batches of so many; `options` are those of GDAL's stream.

    Raises
    ------
    EngineError
    """
    from arro3.core import RecordBatchReader

    stream = _ArrowStream()
    wanted = strings(["INCLUDE_FID=NO", f"MAX_FEATURES_IN_BATCH={rows}", *options])
    if not library.OGR_L_GetArrowStream(layer, ctypes.byref(stream), wanted):
        heard.fail("GDAL gives no Arrow stream.")
    return RecordBatchReader.from_arrow(_Exported(stream))
