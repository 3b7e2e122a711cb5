"""The CRS that a file names, beside the one that its coordinates are in.

Some formats have no words for some CRS. What their files are read as is found by writing one, with a single point, and
reading it: once for a format and a CRS.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ctypes import byref, c_char_p, c_double, c_void_p
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from gis_export import crs
from gis_export.formats import FORMATS, ExportFormat, LossKind
from gis_export.gdal import EngineError, Library, Messages, dataset, load, strings
from gis_export.losses import Loss
from gis_export.order import LayerResult

PROBE = "/vsimem/georeference"
PROBES_KEPT = 128
POINT = 1
EARTH_RADIUS = 6_371_008.8
MISPLACED = 10.0
"""Metres beyond which a file that is read in another CRS is of no use; datums of one continent lie within."""


def named(export_format: ExportFormat, system: str) -> str | None:
    """What a file in a CRS is read as, by code or WKT: that CRS where the format has words for it, None for none."""
    return _probed(export_format, system) if FORMATS[export_format].crs_named else system


def displacement(system: str, other: str, longitude: float, latitude: float) -> float:
    """Metres between a place and where its coordinates lie when they are read in another CRS; infinite beyond it."""
    library = load()
    point = c_void_p()
    text = c_char_p(f"POINT ({longitude!r} {latitude!r})".encode())
    with (
        library.listening(),
        crs.reference(library, crs.WGS84) as degrees,
        crs.reference(library, system) as right,
        crs.reference(library, other) as wrong,
    ):
        library.OGR_G_CreateFromWkt(byref(text), degrees, byref(point))
        try:
            if library.OGR_G_TransformTo(point, right):
                return math.inf
            library.OGR_G_AssignSpatialReference(point, wrong)
            if library.OGR_G_TransformTo(point, degrees):
                return math.inf
            envelope = (c_double * 4)()
            library.OGR_G_GetEnvelope(point, envelope)
        finally:
            library.OGR_G_DestroyGeometry(point)
    return _metres((longitude, latitude), (envelope[0], envelope[2]))


def with_losses(
    library: Library, layers: Sequence[LayerResult], path: Path, export_format: ExportFormat, system: str
) -> tuple[LayerResult, ...]:
    """Layers of a file, each with a loss where the file is read in another CRS than it was written in."""
    if not FORMATS[export_format].keeps_schema or export_format is ExportFormat.GEOPARQUET:
        return tuple(layers)  # what tells nothing before it is read through, and what has its CRS from us
    told = []
    with library.listening() as heard, dataset(library, str(path), heard) as opened:
        for number, layer in enumerate(layers):
            found = library.GDALDatasetGetLayerByName(opened, layer.name.encode())
            found = _read(library, found or library.GDALDatasetGetLayer(opened, number))
            is_right = not layer.record_count or (found is not None and crs.is_same(found, system))
            told.append(layer if is_right else _with_loss(library, layer, found, system))
    return tuple(told)


def _with_loss(library: Library, layer: LayerResult, found: str | None, wanted: str) -> LayerResult:
    read = _words(library, found) if found else "without a CRS"
    loss = Loss(LossKind.CRS, f"the file is read {read}; its coordinates are {_words(library, wanted)}")
    return replace(layer, losses=(*layer.losses, loss), warnings=(loss.message, *layer.warnings))


def _words(library: Library, system: str) -> str:
    """A CRS in words: where a file gives it no name, datum and unit tell what it is."""
    with crs.reference(library, system) as handle:
        name, datum = library.OSRGetName(handle) or b"unnamed", library.OSRGetAttrValue(handle, b"DATUM", 0) or b""
        return f"in '{name.decode()}' (datum {datum.decode()})"


def _read(library: Library, layer: int) -> str | None:
    """The CRS of an open layer: its code if it has one, which software goes by whatever the words are.

    None where there is none, or one that says nothing of the Earth.
    """
    found = library.OGR_L_GetSpatialRef(layer)
    if not found or not (library.OSRIsGeographic(found) or library.OSRIsProjected(found)):
        return None
    return crs.epsg_code(library, found) or crs.exported(library, found)


@lru_cache(maxsize=PROBES_KEPT)
def _probed(export_format: ExportFormat, system: str) -> str | None:
    library, path = load(), f"{PROBE}/probe{FORMATS[export_format].extension}"
    with library.listening() as heard:
        try:
            with (
                crs.reference(library, system) as target,
                _created(library, heard, export_format, path, target) as layer,
            ):
                feature, point = library.OGR_F_Create(library.OGR_L_GetLayerDefn(layer)), c_void_p()
                library.OGR_G_CreateFromWkt(byref(c_char_p(b"POINT (1 1)")), None, byref(point))
                library.OGR_F_SetGeometryDirectly(feature, point)
                library.OGR_L_CreateFeature(layer, feature)
                library.OGR_F_Destroy(feature)
            with dataset(library, path, heard) as opened:
                return _read(library, library.GDALDatasetGetLayer(opened, 0))
        except EngineError:
            return None  # no file can be written in such a CRS
        finally:
            library.VSIRmdirRecursive(PROBE.encode())


@contextmanager
def _created(library: Library, heard: Messages, export_format: ExportFormat, path: str, target: int) -> Iterator[int]:
    """A new layer with one column, in a CRS."""
    spec = FORMATS[export_format]
    driver, options = library.GDALGetDriverByName(spec.driver.encode()), strings(spec.dataset_options)
    made = library.GDALCreate(driver, path.encode(), 0, 0, 0, 0, options)
    if not made:
        heard.fail("The file cannot be written.")
    try:
        layer = library.GDALDatasetCreateLayer(made, b"probe", target, POINT, strings(spec.layer_options))
        if not layer:
            heard.fail("The layer cannot be written.")
        column = library.OGR_Fld_Create(b"number", 0)
        library.OGR_L_CreateField(layer, column, 1)
        library.OGR_Fld_Destroy(column)
        yield layer
    finally:
        library.GDALClose(made)


def _metres(one: tuple[float, float], other: tuple[float, float]) -> float:
    """The way over a sphere between two places in degrees."""
    (west, south), (east, north) = ((math.radians(x), math.radians(y)) for x, y in (one, other))
    rise = math.sin((north - south) / 2) ** 2
    rise += math.cos(south) * math.cos(north) * math.sin((east - west) / 2) ** 2
    return 2 * EARTH_RADIUS * math.asin(min(1.0, math.sqrt(rise)))
