"""A layer's features one by one, and new files for them: what GDAL's translation cannot decide is decided in Python."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gis_export.gdal import Library, Messages, strings

REPORT_EVERY = 256
"""So many features lie between two looks at whether the work is to stop."""


def features(library: Library, layer: int) -> Iterator[int]:
    """A layer's features; each lives until the next."""
    library.OGR_L_ResetReading(layer)
    while feature := library.OGR_L_GetNextFeature(layer):
        try:
            yield feature
        finally:
            library.OGR_F_Destroy(feature)


@contextmanager
def created(library: Library, path: Path, name: str, like: int, heard: Messages) -> Iterator[int]:
    """A new FlatGeobuf with the columns of a layer."""
    driver = library.GDALGetDriverByName(b"FlatGeobuf")
    made = library.GDALCreate(driver, str(path).encode(), 0, 0, 0, 0, None)
    if not made:
        heard.fail(f"{path.name} cannot be written.")
    try:
        kind, reference = library.OGR_L_GetGeomType(like), library.OGR_L_GetSpatialRef(like)
        options = strings(["SPATIAL_INDEX=NO"])
        layer = library.GDALDatasetCreateLayer(made, name.encode(), reference, kind, options)
        definition = library.OGR_L_GetLayerDefn(like)
        for index in range(library.OGR_FD_GetFieldCount(definition)):
            library.OGR_L_CreateField(layer, library.OGR_FD_GetFieldDefn(definition, index), 1)
        yield layer
    finally:
        library.GDALClose(made)
