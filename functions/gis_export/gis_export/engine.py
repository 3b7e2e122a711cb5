"""The export engine: layers in, one file out, by GDAL's VectorTranslate in this process, in constant memory."""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gis_export.archive import zip_files
from gis_export.area import Area
from gis_export.formats import FORMATS, ZIP_MEDIA_TYPE, ExportFormat
from gis_export.gdal import load
from gis_export.selection import LayerSource, Predicate
from gis_export.stages import Shape
from gis_export.target import Cancelled, Progress, Watch
from gis_export.writer import LayerResult, Order, Writer

__all__ = ["Cancelled", "ExportResult", "LayerResult", "Progress", "export"]

AREA_READ_BYTES = 1_048_576
"""Chunk of a remote read under an area: few large reads, not many small ones. Whole layers do best with 16 kB."""


@dataclass(frozen=True, slots=True)
class ExportResult:
    """The file of an export."""

    path: Path
    media_type: str
    file_name: str
    size_bytes: int
    sha256: str
    layers: tuple[LayerResult, ...]


def export(
    sources: Sequence[LayerSource],
    directory: Path,
    stem: str,
    export_format: ExportFormat,
    *,
    crs: str = "EPSG:4326",
    area: Area | None = None,
    predicate: Predicate = Predicate.INTERSECTS,
    attributes: Mapping[str, Sequence[str]] | None = None,
    shape: Shape | None = None,
    progress: Progress | None = None,
) -> ExportResult:
    """Write layers to one file in `directory`.

    Parameters
    ----------
    crs
        Target CRS, EPSG code or WKT.
    area
        Only features that lie to it as `predicate` says.
    attributes
        Columns to keep, by layer; None keeps all.
    shape
        How geometries are made simpler.
    progress
        Called with the share done, 0 to 1; False stops the work.

    Raises
    ------
    Cancelled
        When `progress` said stop.
    EngineError
        When GDAL failed. In both cases the directory is left as it was.
    """
    work, stages = directory / f"{stem}.parts", directory / f"{stem}.stages"
    work.mkdir()
    stages.mkdir()
    library = load()
    order = Order(export_format, crs, area, predicate, attributes, shape or Shape())
    try:
        with library.lock:
            library.configure({"CPL_VSIL_CURL_CHUNK_SIZE": str(AREA_READ_BYTES) if area else None})
            writer = Writer(library, work, stages, stem, order, Watch(progress or (lambda _: True)))
            layers = writer.write(sources)
        return _packed(work, directory, stem, export_format, layers)
    finally:
        shutil.rmtree(work, ignore_errors=True)
        shutil.rmtree(stages, ignore_errors=True)


def _packed(
    work: Path, directory: Path, stem: str, export_format: ExportFormat, layers: tuple[LayerResult, ...]
) -> ExportResult:
    """Move the file out of the work folder, in a zip where it is several."""
    spec = FORMATS[export_format]
    made = sorted(work.iterdir())
    if spec.always_zipped or len(made) > 1:
        path = directory / f"{stem}{spec.extension if len(layers) == 1 or spec.many_layers else ''}.zip"
        zip_files(path, made)
        media_type = ZIP_MEDIA_TYPE
    else:
        path = made[0].replace(directory / made[0].name)
        media_type = spec.media_type
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return ExportResult(path, media_type, path.name, path.stat().st_size, digest, layers)
