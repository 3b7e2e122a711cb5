"""Writes the layers of one export into its work folder."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gis_export.area import Area
from gis_export.crs import WGS84
from gis_export.formats import FORMATS, ExportFormat, LossKind
from gis_export.gdal import EngineError, Library, dataset
from gis_export.geoparquet import write_geoparquet
from gis_export.losses import Loss, layer_losses, schema_losses, value_losses
from gis_export.selection import LayerSource, Predicate, big_integers, selection, type_name
from gis_export.stages import Shape, Stages
from gis_export.target import Target, Watch

MULTI_TYPES = {2: 5, 3: 6}
"""Line and polygon, and what they are promoted to, as OGC type numbers: a layer mixes single and multi ones."""

GDAL_ON_LOSSES = re.compile(
    r"Normalized/laundered field name|Field .* (created as|of type) |does not (seem to )?natively support|"
    r"has been truncated"
)
"""Warnings of GDAL's that the losses say better."""


@dataclass(frozen=True, slots=True)
class Order:
    """How an export is to be made; see `gis_export.engine.export`."""

    export_format: ExportFormat
    crs: str
    area: Area | None
    predicate: Predicate
    attributes: Mapping[str, Sequence[str]] | None
    shape: Shape = field(default_factory=Shape)

    @property
    def stages(self) -> int:
        """How many passes over a layer come before the one that writes it."""
        return int(self.area is not None and self.predicate is not Predicate.INTERSECTS) + self.shape.passes


@dataclass(frozen=True, slots=True)
class LayerResult:
    """A layer as written; `field_crosswalk` gives the column's name in the file where it is another."""

    name: str
    record_count: int
    geometry_type: str
    warnings: tuple[str, ...]
    field_crosswalk: dict[str, str]
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True, slots=True)
class _Written:
    """A layer in the file, and the columns that it should have, in order, with their types."""

    result: LayerResult
    columns: Mapping[str, str]


class Writer:
    """Writes one export."""

    def __init__(self, library: Library, work: Path, stages: Path, stem: str, order: Order, watch: Watch) -> None:
        self._library = library
        self._work = work
        self._stages = Stages(library, stages, watch)
        self._stem = stem
        self._order = order
        self._spec = FORMATS[order.export_format]
        self._watch = watch

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
        is_parquet = self._order.export_format is ExportFormat.GEOPARQUET
        written_to = path.with_suffix(".fgb") if is_parquet else path
        target = Target(self._library, self._watch)
        written = []
        try:
            for number, source in enumerate(sources):
                part = share / len(sources)
                written.append(self._write_layer(source, written_to, target, start + number * part, part))
        finally:
            with self._library.listening() as heard:
                target.close()
        heard.check()
        found = [self._found(layer, written_to, number) for number, layer in enumerate(written)]
        if is_parquet:
            with self._library.listening() as heard:
                dated = selection(self._library, LayerSource(sources[0].name, str(written_to), sources[0].types), None)
                kind = found[0].geometry_type
                write_geoparquet(self._library, heard, dated, path, self._order.crs, kind)
            written_to.unlink()
        return tuple(found)

    def _write_layer(self, source: LayerSource, path: Path, target: Target, start: float, share: float) -> _Written:
        library, attributes = self._library, self._order.attributes
        part = share / (self._order.stages + 1)
        source, area = self._staged(source, start, part)
        start, share = start + share - part, part  # what is left for the last pass
        what = selection(library, source, area)
        big: list[str] = []
        if not self._spec.holds_64_bits:
            big = big_integers(library, what, None if attributes is None else attributes[source.name])
            if big:
                as_text = replace(source, types={**source.types, **dict.fromkeys(big, "String")})
                what = selection(library, as_text, area)
        with library.listening() as heard, dataset(library, what, heard) as opened:
            layer = library.GDALDatasetGetLayer(opened, 0)
            count = int(library.OGR_L_GetFeatureCount(layer, 1))
            columns = _columns(library, layer)
            kept = list(columns) if attributes is None else attributes[source.name]
            if not self._spec.holds_attributes:
                kept = ()
            arguments = self._arguments(source.name, kept, more=target.is_open)
            if self._order.export_format is ExportFormat.DXF:  # its one attribute says on which layer a line is drawn
                own_name = library.OGR_L_GetName(layer).decode()
                arguments += ["-sql", f"SELECT '{source.name}' AS Layer FROM {_quoted(own_name)}"]  # noqa: S608  # nosec B608
            if library.OGR_L_GetGeomType(layer) % 1000 in MULTI_TYPES:
                arguments += ["-nlt", "PROMOTE_TO_MULTI"]
            target.translate(path, opened, arguments, heard, start, share)
            geometry_type = _geometry_type(library, layer)
            warnings = heard.warnings
        columns = {name: kind for name, kind in columns.items() if name in set(kept)}
        losses = value_losses(library, what, columns, big, self._spec) if count else []
        self._watch.at(start + share)
        return _Written(LayerResult(source.name, count, geometry_type, warnings, {}, tuple(losses)), columns)

    def _staged(self, source: LayerSource, start: float, share: float) -> tuple[LayerSource, Area | None]:
        """The layer after the passes that come before the last, and the area that is still to be asked of it."""
        order, area = self._order, self._order.area
        if area is not None and order.predicate is not Predicate.INTERSECTS:
            source, area = self._stages.selected(source, area, order.predicate, start, share), None
            start += share
        if order.shape.passes:
            passes = share * order.shape.passes
            source, area = self._stages.shaped(source, area, order.crs, order.shape, start, passes), None
        return source, area

    def _arguments(self, name: str, kept: Sequence[str], *, more: bool) -> list[str]:
        """The words that ogr2ogr would be given."""
        arguments = ["-f", self._spec.driver, "-t_srs", self._order.crs, "-nln", name, "-dim", "XY"]
        if more:
            arguments.append("-update")
        if self._order.shape.make_valid:
            arguments.append("-makevalid")
        if self._order.attributes is not None and self._spec.holds_attributes:
            arguments += ["-select", ",".join(_quoted(field) for field in kept)]
        if not more:
            for option in self._spec.dataset_options:
                arguments += ["-dsco", option]
        for option in (*self._spec.layer_options, *self._more_options(kept)):
            arguments += ["-lco", option]
        return arguments

    def _more_options(self, kept: Sequence[str]) -> list[str]:
        taken = {name.lower() for name in kept}
        if self._order.export_format is ExportFormat.GPKG:
            return [f"FID={_free('fid', taken)}", f"GEOMETRY_NAME={_free('geom', taken)}"]
        if self._order.export_format is ExportFormat.SPATIALITE:
            return [f"FID={_free('ogc_fid', taken)}", f"GEOMETRY_NAME={_free('geometry', taken)}"]
        options = []
        if self._order.export_format is ExportFormat.GEOJSON and self._order.crs == WGS84:
            options.append("RFC7946=YES")
        if "GeoJSON" in self._spec.driver and self._order.shape.precision is not None:
            options.append(f"COORDINATE_PRECISION={self._order.shape.precision}")
        return options

    def _found(self, written: _Written, path: Path, index: int) -> LayerResult:
        """What came of a layer, by the file's own description where it has one: its rows are all there."""
        result, columns = written.result, written.columns
        after = {name: self._spec.types.get(kind, kind) for name, kind in columns.items()}
        if self._spec.keeps_schema:
            after = self._described(result, columns, path, index)
        kept_types = self._order.export_format is ExportFormat.GEOPARQUET
        losses = [
            *self._always(columns),
            *schema_losses(columns, dict(zip(after, columns.values(), strict=True)) if kept_types else after),
            *result.losses,
        ]
        told = [loss.message for loss in losses]
        told += [text for text in result.warnings if not GDAL_ON_LOSSES.search(text)]
        if result.record_count == 0:
            told.append("no feature was selected; the layer is empty")
        crosswalk = {old: new for old, new in zip(columns, after, strict=True) if old != new}
        return replace(result, warnings=tuple(told), field_crosswalk=crosswalk, losses=tuple(losses))

    def _always(self, columns: Mapping[str, str]) -> list[Loss]:
        losses = layer_losses(self._spec, columns)
        if self._order.export_format is ExportFormat.GEOJSON and self._order.crs != WGS84:
            return [loss for loss in losses if loss.kind is not LossKind.COORDINATES]
        return losses

    def _described(self, result: LayerResult, columns: Mapping[str, str], path: Path, index: int) -> dict[str, str]:
        """The columns in the file, in the order of those that were written."""
        library = self._library
        with library.listening() as heard, dataset(library, str(path), heard) as opened:
            layer = library.GDALDatasetGetLayerByName(opened, result.name.encode())
            layer = layer or library.GDALDatasetGetLayer(opened, index)
            count = int(library.OGR_L_GetFeatureCount(layer, 1))
            found = _columns(library, layer)
        if count != result.record_count:
            raise EngineError(
                f"'{result.name}' has {count:,} features in the file, and {result.record_count:,} to write."
            )
        added = set(found) - set(columns) if self._order.export_format is ExportFormat.GML else set()
        return {name: kind for name, kind in found.items() if name not in added}


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
