"""Features of a county's layer, read from FlatGeobuf without GDAL: what a map in a document needs.

`FlatGeobuf(read)` reads through a function of offset and length: a file on disk and an object in S3 are the same.
"""

from terrafusion.flatgeobuf.buffers import FlatGeobufError
from terrafusion.flatgeobuf.extract import extract
from terrafusion.flatgeobuf.geometry import Geometry, GeometryType
from terrafusion.flatgeobuf.header import Column, ColumnType, Header
from terrafusion.flatgeobuf.reader import Feature, FlatGeobuf

__all__ = [
    "Column",
    "ColumnType",
    "Feature",
    "FlatGeobuf",
    "FlatGeobufError",
    "Geometry",
    "GeometryType",
    "Header",
    "extract",
]
