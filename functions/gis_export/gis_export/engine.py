"""The export engine: layers in, one file out, by GDAL's VectorTranslate in this process, in constant memory."""

import hashlib
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from ctypes import byref, c_int, c_void_p
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gis_export.archive import zip_files
from gis_export.area import Area
from gis_export.formats import FORMATS, ZIP_MEDIA_TYPE, ExportFormat
from gis_export.gdal import EngineError, Library, Messages, ProgressFunction, dataset, load, strings
from gis_export.geoparquet import write_geoparquet
from gis_export.selection import LayerSource, big_integers, selection, type_name

Progress = Callable[[float], bool]

AREA_READ_BYTES = 1_048_576
"""Chunk of a remote read under an area: few large reads, not many small ones. Whole layers do best with 16 kB."""

MULTI_TYPES = {2: 5, 3: 6}
"""Line and polygon, and what they are promoted to, as OGC type numbers: a layer mixes single and multi ones."""

GDAL_ON_SCHEMA = re.compile(r"Normalized/laundered field name|Field .* (created as|of type) ")
"""Warnings of GDAL's that the comparison of columns says better."""


class Cancelled(EngineError):
    """The progress function said stop; nothing was left behind."""


@dataclass(frozen=True, slots=True)
class LayerResult:
    """A layer as written; `field_crosswalk` gives the column's name in the file where it is another."""

    name: str
    record_count: int
    geometry_type: str
    warnings: tuple[str, ...]
    field_crosswalk: dict[str, str]


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
    attributes: Mapping[str, Sequence[str]] | None = None,
    progress: Progress | None = None,
) -> ExportResult:
    """Write layers to one file in `directory`.

    Parameters
    ----------
    crs
        Target CRS, EPSG code or WKT.
    area
        Only features that intersect it.
    attributes
        Columns to keep, by layer; None keeps all.
    progress
        Called with the share done, 0 to 1; False stops the work.

    Raises
    ------
    Cancelled
        When `progress` said stop.
    EngineError
        When GDAL failed. In both cases the directory is left as it was.
    """
    work = directory / f"{stem}.parts"
    work.mkdir()
    library = load()
    writer = _Writer(library, work, stem, export_format, crs, area, attributes, progress or (lambda _: True))
    try:
        with library.lock:
            library.configure({"CPL_VSIL_CURL_CHUNK_SIZE": str(AREA_READ_BYTES) if area else None})
            layers = writer.write(sources)
        return _packed(work, directory, stem, export_format, layers)
    finally:
        shutil.rmtree(work, ignore_errors=True)


class _Writer:
    """Writes the layers of one export into its work folder."""

    def __init__(
        self,
        library: Library,
        work: Path,
        stem: str,
        export_format: ExportFormat,
        crs: str,
        area: Area | None,
        attributes: Mapping[str, Sequence[str]] | None,
        progress: Progress,
    ) -> None:
        self._library = library
        self._work = work
        self._stem = stem
        self._format = export_format
        self._spec = FORMATS[export_format]
        self._crs = crs
        self._area = area
        self._attributes = attributes
        self._progress = progress
        self._stopped = False

    def write(self, sources: Sequence[LayerSource]) -> tuple[LayerResult, ...]:
        """Write all layers, and give what became of each."""
        if self._spec.many_layers or len(sources) == 1:
            return self._write_file(f"{self._stem}{self._spec.extension}", sources, 0.0, 1.0)
        share = 1 / len(sources)
        return tuple(
            result
            for number, source in enumerate(sources)
            for result in self._write_file(f"{source.name}{self._spec.extension}", [source], number * share, share)
        )

    def _write_file(
        self, name: str, sources: Sequence[LayerSource], start: float, share: float
    ) -> tuple[LayerResult, ...]:
        """Write one file; its part of the whole work begins at `start` and is `share` long."""
        path = self._work / name
        written_to = path.with_suffix(".fgb") if self._format is ExportFormat.GEOPARQUET else path
        target = _Target(self._library)
        written = []
        try:
            for number, source in enumerate(sources):
                part = share / len(sources)
                written.append(self._write_layer(source, written_to, target, start + number * part, part))
        finally:
            with self._library.listening() as heard:
                target.close()
        heard.check()
        if self._spec.keeps_schema:
            written = [self._compared(layer, written_to, number) for number, layer in enumerate(written)]
        if self._format is ExportFormat.GEOPARQUET:
            with self._library.listening() as heard:
                dated = selection(self._library, LayerSource(sources[0].name, str(written_to), sources[0].types), None)
                write_geoparquet(self._library, heard, dated, path, self._crs, written[0].result.geometry_type)
            written_to.unlink()
        return tuple(layer.result for layer in written)

    def _write_layer(
        self, source: LayerSource, path: Path, target: "_Target", start: float, share: float
    ) -> "_Written":
        library = self._library
        big: list[str] = []
        what = selection(library, source, self._area)
        if not self._spec.holds_64_bits:
            big = big_integers(library, what, None if self._attributes is None else self._attributes[source.name])
            if big:
                as_text = LayerSource(source.name, source.path, {**source.types, **dict.fromkeys(big, "String")})
                what = selection(library, as_text, self._area)
        with library.listening() as heard, dataset(library, what, heard) as opened:
            layer = library.GDALDatasetGetLayer(opened, 0)
            count = int(library.OGR_L_GetFeatureCount(layer, 1))
            columns = _columns(library, layer)
            kept = list(columns) if self._attributes is None else self._attributes[source.name]
            arguments = self._arguments(source.name, kept, more=target.is_open)
            if library.OGR_L_GetGeomType(layer) % 1000 in MULTI_TYPES:
                arguments += ["-nlt", "PROMOTE_TO_MULTI"]
            try:
                target.translate(path, opened, arguments, self._callback(start, share), heard)
            except EngineError:
                if self._stopped:
                    raise Cancelled("The export was stopped.") from None
                raise
            geometry_type = _geometry_type(library, layer)
            warnings = heard.warnings
        if big:
            warnings = (*warnings, *(f"column '{name}' is text: as a number it would lose digits" for name in big))
        if count == 0:
            warnings = (*warnings, "no feature was selected; the layer is empty")
        if self._stopped or not self._progress(start + share):
            raise Cancelled("The export was stopped.")
        columns = {name: kind for name, kind in columns.items() if name in set(kept)}
        return _Written(LayerResult(source.name, count, geometry_type, warnings, {}), columns)

    def _arguments(self, name: str, kept: Sequence[str], *, more: bool) -> list[str]:
        """The words that ogr2ogr would be given."""
        arguments = ["-f", self._spec.driver, "-t_srs", self._crs, "-nln", name]
        arguments += ["-dim", "XY", "-progress"]
        if more:
            arguments.append("-update")
        if self._attributes is not None:
            arguments += ["-select", ",".join(_quoted(field) for field in kept)]
        for option in (*self._spec.layer_options, *self._more_options(kept)):
            arguments += ["-lco", option]
        return arguments

    def _more_options(self, kept: Sequence[str]) -> list[str]:
        taken = {name.lower() for name in kept}
        if self._format is ExportFormat.GPKG:
            return [f"FID={_free('fid', taken)}", f"GEOMETRY_NAME={_free('geom', taken)}"]
        if self._format is ExportFormat.GEOJSON and self._crs == "EPSG:4326":
            return ["RFC7946=YES"]
        return []

    def _callback(self, start: float, share: float) -> Any:
        def tick(fraction: float, _text: bytes, _data: int) -> int:
            if not self._stopped and not self._progress(start + share * min(1.0, fraction)):
                self._stopped = True
            return 0 if self._stopped else 1

        return ProgressFunction(tick)

    def _compared(self, written: "_Written", path: Path, index: int) -> "_Written":
        """Read the file's own description: the rows are all there, and every column with another name is told."""
        library = self._library
        result = written.result
        with library.listening() as heard, dataset(library, str(path), heard) as opened:
            layer = library.GDALDatasetGetLayer(opened, index)
            count = int(library.OGR_L_GetFeatureCount(layer, 1))
            found = _columns(library, layer)
        if count != result.record_count:
            raise EngineError(
                f"'{result.name}' has {count:,} features in the file, and {result.record_count:,} to write."
            )
        pairs = list(zip(written.columns.items(), found.items(), strict=True))
        crosswalk = {before: after for (before, _), (after, _) in pairs if before != after}
        told = [f"column '{before}' is named '{after}' in the file" for before, after in crosswalk.items()]
        if self._format is not ExportFormat.GEOPARQUET:
            told += [f"column '{n}' is {new} in the file, and was {old}" for (n, old), (_, new) in pairs if old != new]
        told += [text for text in result.warnings if not GDAL_ON_SCHEMA.match(text)]
        layer_result = LayerResult(result.name, count, result.geometry_type, tuple(told), crosswalk)
        return _Written(layer_result, written.columns)


@dataclass(frozen=True, slots=True)
class _Written:
    """A layer in the file, and the columns that it should have, in order, with their types."""

    result: LayerResult
    columns: Mapping[str, str]


class _Target:
    """A dataset being written; the first layer creates it."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._handle: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether it holds a layer already."""
        return self._handle is not None

    def translate(self, path: Path, source: int, arguments: Sequence[str], tick: Any, heard: Messages) -> None:
        """Write the source's layer.

        Raises
        ------
        EngineError
        """
        library = self._library
        options = library.GDALVectorTranslateOptionsNew(strings(arguments), None)
        if not options:
            heard.fail("GDAL does not take its options.")
        library.GDALVectorTranslateOptionsSetProgress(options, tick, None)
        name = None if self.is_open else str(path).encode()
        misused = c_int(0)
        try:
            handle = library.GDALVectorTranslate(name, self._handle, 1, (c_void_p * 1)(source), options, byref(misused))
        finally:
            library.GDALVectorTranslateOptionsFree(options)
        if not handle:
            heard.fail("GDAL wrote nothing.")
        self._handle = handle
        heard.check()

    def close(self) -> None:
        """Finish the file."""
        handle, self._handle = self._handle, None
        if handle:
            self._library.GDALClose(handle)


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


def _geometry_type(library: Library, layer: int) -> str:
    """The type that the file holds, as `MultiPolygon`: single geometries are promoted."""
    flat = library.OGR_L_GetGeomType(layer) % 1000
    return str(library.OGRGeometryTypeToName(MULTI_TYPES.get(flat, flat)).decode()).replace(" ", "")


def _columns(library: Library, layer: int) -> dict[str, str]:
    """The columns of a layer with their types, subtypes such as Boolean before the type that carries them."""
    definition = library.OGR_L_GetLayerDefn(layer)
    fields = [library.OGR_FD_GetFieldDefn(definition, i) for i in range(library.OGR_FD_GetFieldCount(definition))]
    return {library.OGR_Fld_GetNameRef(field).decode(): type_name(library, field) for field in fields}


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _free(wanted: str, taken: set[str]) -> str:
    """A name that no column has."""
    while wanted in taken:
        wanted += "_"
    return wanted
