"""The export engine: layers in, one file out, by GDAL's VectorTranslate in this process, in constant memory."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from gis_export.archive import checksum, zip_files
from gis_export.area import Area
from gis_export.formats import FORMATS, ZIP_MEDIA_TYPE, ExportFormat
from gis_export.gdal import load
from gis_export.limits import Limits
from gis_export.order import LayerResult, Order
from gis_export.selection import LayerSource, Predicate
from gis_export.stages import Shape
from gis_export.styles import styled
from gis_export.target import Cancelled, Progress, Watch
from gis_export.writer import Writer

__all__ = ["Cancelled", "ExportResult", "LayerResult", "Progress", "export"]

AREA_READ_BYTES = 1_048_576
"""Chunk of a remote read under an area: few large reads, not many small ones. Whole layers do best with 16 kB."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of an export's data; in a zip, by its name there."""

    name: str
    size_bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path, name: str, tick: Callable[[], None]) -> "DataFile":
        """Read a file's size and checksum; `tick` may raise to stop."""
        return cls(name, path.stat().st_size, checksum(path, tick))


@dataclass(frozen=True, slots=True)
class ExportResult:
    """The file of an export."""

    path: Path
    media_type: str
    file_name: str
    size_bytes: int
    sha256: str
    layers: tuple[LayerResult, ...]
    parts: tuple[DataFile, ...] = ()


Companions = Callable[[Path, Sequence[DataFile], Sequence[LayerResult]], None]


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
    limits: Limits | None = None,
    all_or_nothing: bool = True,
    companions: Companions | None = None,
    bundle: bool = False,
    progress: Progress | Watch | None = None,
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
    limits
        What the export may come to.
    all_or_nothing
        Whether a layer that fails takes the others with it.
    companions
        Writes what goes into a zip beside the data: it is given the folder, the data's files in it, and the layers.
    bundle
        Whether a zip is made also where the data are one file.
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
    watch = progress if isinstance(progress, Watch) else Watch(progress or (lambda _: True))
    order = Order(export_format, crs, area, predicate, attributes, shape or Shape(), limits or Limits(), all_or_nothing)
    try:
        with library.lock:
            library.configure({"CPL_VSIL_CURL_CHUNK_SIZE": str(AREA_READ_BYTES) if area else None})
            writer = Writer(library, work, stages, stem, order, watch)
            layers = writer.write(sources)
        spec = FORMATS[export_format]
        packed = spec.always_zipped or bundle or len(list(work.iterdir())) > 1
        styles = {source.name: source.style for source in sources if source.style}
        layers = styled(work, export_format, spec, layers, styles, packed=packed)
        result = _packed(work, stages, stem, export_format, layers, companions, bundle, watch)
        order.limits.check_bytes(result.size_bytes)
        return replace(result, path=result.path.replace(directory / result.file_name))
    finally:
        shutil.rmtree(work, ignore_errors=True)
        shutil.rmtree(stages, ignore_errors=True)


def _packed(
    work: Path,
    stages: Path,
    stem: str,
    export_format: ExportFormat,
    layers: tuple[LayerResult, ...],
    companions: Companions | None,
    bundle: bool,
    watch: Watch,
) -> ExportResult:
    """The one file of the export: what was made, in a zip where it is several, or is to have company."""
    spec = FORMATS[export_format]
    made = sorted(work.iterdir())
    watch.step = "Checksums"
    tick = partial(watch.at, 1.0)
    if not (spec.always_zipped or bundle or len(made) > 1):
        data = DataFile.of(made[0], made[0].name, tick)
        return ExportResult(made[0], spec.media_type, data.name, data.size_bytes, data.sha256, layers, (data,))
    files = [path for root in made for path in (sorted(root.rglob("*")) if root.is_dir() else [root]) if path.is_file()]
    parts = tuple(DataFile.of(path, path.relative_to(work).as_posix(), tick) for path in files)
    if companions:
        companions(work, parts, layers)
    path = stages / f"{stem}{spec.extension if len(layers) == 1 or spec.many_layers else ''}.zip"
    watch.step = "Packing"
    zip_files(path, sorted(work.iterdir()), tick)
    packed = DataFile.of(path, path.name, tick)
    return ExportResult(path, ZIP_MEDIA_TYPE, path.name, packed.size_bytes, packed.sha256, layers, parts)
