"""Writes the layers of one export into its work folder."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from gis_export import layers
from gis_export.area import Area
from gis_export.crs import WGS84
from gis_export.description import Written, described
from gis_export.extents import extent
from gis_export.formats import FORMATS, ExportFormat, LossKind
from gis_export.gdal import EngineError, Library, dataset
from gis_export.geoparquet import write_geoparquet
from gis_export.georeference import with_losses
from gis_export.grid import bounds_options
from gis_export.limits import Column, check_format
from gis_export.losses import Loss, value_losses
from gis_export.names import names_in_file, own_names
from gis_export.order import LayerError, LayerResult, Order, blaming, failure
from gis_export.selection import LayerSource, Predicate, big_integers, selection
from gis_export.stages import Stages
from gis_export.target import Target, Watch


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
        self._features = 0

    def write(self, sources: Sequence[LayerSource]) -> tuple[LayerResult, ...]:
        """Write all layers, and give what became of each.

        Raises
        ------
        EngineError
            When a layer cannot be written and the others are not to come without it, or none can.
        """
        if self._spec.many_layers or len(sources) == 1:
            written = self._write_together(f"{self._stem}{self._spec.extension}", sources)
        else:
            share = 1 / len(sources)
            written = [
                self._write_alone(f"{source.name}{self._spec.extension}", source, number * share, share)
                for number, source in enumerate(sources)
            ]
        if all(layer.error for layer in written):
            raise EngineError("; ".join(f"{layer.name}: {layer.error}" for layer in written))
        return tuple(written)

    def _write_together(self, name: str, sources: Sequence[LayerSource]) -> list[LayerResult]:
        """Write one file; it is begun anew without a layer that fails, so that it holds nothing half."""
        failed: dict[str, LayerResult] = {}
        while remaining := [source for source in sources if source.name not in failed]:
            try:
                written = {layer.name: layer for layer in self._write_file(name, remaining, 0.0, 1.0)}
                return [failed.get(source.name) or written[source.name] for source in sources]
            except LayerError as error:
                self._give_up(error)
                failed[error.layer] = failure(error)
                self._features = 0
        return list(failed.values())

    def _write_alone(self, name: str, source: LayerSource, start: float, share: float) -> LayerResult:
        try:
            (written,) = self._write_file(name, [source], start, share)
        except LayerError as error:
            self._give_up(error)
            return failure(error)
        return written

    def _give_up(self, error: LayerError) -> None:
        """Delete what there is of a layer's file; raise where the others do not come without it."""
        if self._order.all_or_nothing:
            raise error.cause
        for path in self._work.iterdir():
            if path.name.startswith((f"{self._stem}.", f"{error.layer}.")):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

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
                with blaming(source.name):
                    written.append(self._write_layer(source, written_to, target, start + number * part, part))
        finally:
            with self._library.listening() as heard:
                target.close()
        heard.check()
        found = []
        for number, layer in enumerate(written):
            with blaming(layer.result.name):
                found.append(described(self._library, self._order, layer, written_to, number))
        if is_parquet:
            with self._library.listening() as heard:
                (source,) = sources
                joined = dict.fromkeys(source.join.dates if source.join else (), "Date")
                names = written[0].names
                types = {names.get(name, name): kind for name, kind in {**source.types, **joined}.items()}
                made = LayerSource(source.name, str(written_to), types)
                dated = selection(self._library, made, None)
                kind = found[0].geometry_type
                at_end = partial(self._watch.at, start + share)
                utc = source.settled.utc if source.settled else None
                try:
                    write_geoparquet(self._library, heard, dated, path, self._order.crs, kind, at_end, utc)
                except Exception:
                    self._watch.check()  # arro3 wraps what stopped it
                    raise
            written_to.unlink()
        return with_losses(self._library, found, path, self._order.export_format, self._order.crs)

    def _write_layer(self, source: LayerSource, path: Path, target: Target, start: float, share: float) -> Written:
        library, attributes = self._library, self._order.attributes
        part = share / (self._order.stages + 1 + (source.join is not None) + (source.previous is not None))
        source, area, changes = self._staged(source, start, part)
        start, share = start + share - part, part  # what is left for the last pass
        source = self._named(source)
        what, big = self._selected(source, area)
        with library.listening() as heard, dataset(library, what, heard) as opened:
            layer = library.GDALDatasetGetLayer(opened, 0)
            count = int(library.OGR_L_GetFeatureCount(layer, 1))
            shown = {new: old for old, new in source.names.items()}
            types = {shown.get(name, name): kind for name, kind in layers.columns(library, layer).items()}
            wanted = list(types) if attributes is None else attributes[source.name]
            kept = {name: source.names.get(name, name) for name in wanted if name in types}
            self._check_size(source.name, count, layer, list(kept.values()))
            if not self._spec.holds_attributes:
                kept = {}
            arguments = self._arguments(source.name, list(kept.values()), more=target.is_open)
            if self._order.export_format is ExportFormat.DXF:  # its one attribute says on which layer a line is drawn
                own_name = library.OGR_L_GetName(layer).decode()
                arguments += ["-sql", f"SELECT '{source.name}' AS Layer FROM {layers.quoted(own_name)}"]  # noqa: S608  # nosec B608
            if library.OGR_L_GetGeomType(layer) % 1000 in layers.MULTI_TYPES:
                arguments += ["-nlt", "PROMOTE_TO_MULTI"]
            target.translate(path, opened, arguments, heard, start, share, source.name, count)
            geometry_type = layers.written_type(library, layer)
            warnings = heard.warnings
            box = target.extent(source.name) if count else None
        types = {name: types[name] for name in kept}
        losses: list[Loss] = []
        at_end = partial(self._watch.at, start + share)
        if count:
            self._watch.step = f"{source.name}: counting what the format cannot hold"
            losses = value_losses(library, what, source, types, big, self._spec, at_end, spatial=area is not None)
        if count and box is None and self._spec.has_coordinates and not self._spec.keeps_schema:
            self._watch.step = f"{source.name}: measuring its extent"
            box = extent(library, what, self._order.crs, at_end)
        at_end()
        result = LayerResult(
            source.name, count, geometry_type, warnings, {}, tuple(losses), extent=box, changes=changes
        )
        return Written(result, types, source.names)

    def _named(self, source: LayerSource) -> LayerSource:
        """The layer with other names for the columns whose own the format cannot have."""
        with self._library.listening() as heard, dataset(self._library, source.path, heard) as opened:
            columns = layers.columns(self._library, self._library.GDALDatasetGetLayer(opened, 0))
        types = {name: source.types.get(name, kind) for name, kind in columns.items()}
        return replace(source, names=names_in_file(self._order.export_format, types))

    def _selected(self, source: LayerSource, area: Area | None) -> tuple[str, list[str]]:
        """What GDAL is to open, and the columns of it that are text for the sake of their digits."""
        library, attributes = self._library, self._order.attributes
        what = selection(library, source, area)
        if self._spec.holds_64_bits:
            return what, []
        with library.listening() as heard, dataset(library, source.path, heard) as opened:
            names = layers.fields(library, library.GDALDatasetGetLayer(opened, 0))
        kept = set(names if attributes is None else attributes[source.name])
        spared = {name for name, kinds in source.spared.items() if LossKind.BIG_INTEGER in kinds}
        asked = {source.names.get(name, name): name for name in kept - spared}
        big = (
            list(source.settled.as_text)
            if source.settled
            else [asked[name] for name in big_integers(library, what, asked)]
        )
        if not big:
            return what, []
        as_text = replace(source, types={**source.types, **dict.fromkeys(big, "String")})
        return selection(library, as_text, area), big

    def _check_size(self, name: str, count: int, layer: int, kept: Sequence[str]) -> None:
        """Refuse what is too large before anything is written."""
        library = self._library
        self._features += count
        self._order.limits.check_features(self._features)
        found = layers.fields(library, layer).items()
        wanted = [
            Column(layers.type_name(library, field), int(library.OGR_Fld_GetWidth(field)))
            for column, field in found
            if column in set(kept)
        ]
        check_format(self._order.export_format, name, count, wanted)

    def _staged(
        self, source: LayerSource, start: float, share: float
    ) -> tuple[LayerSource, Area | None, Mapping[str, int] | None]:
        """The layer after the passes that come before the last, and the area that is still to be asked of it."""
        order, area = self._order, self._order.area
        changes: Mapping[str, int] | None = None
        if source.previous is not None:
            self._watch.step = f"{source.name}: comparing"
            source, changes = self._stages.changed(source, source.previous, area, start)
            start, area = start + share, None
        if source.join is not None:
            self._watch.step = f"{source.name}: joining values"
            source = self._stages.joined(source, source.join, area, start, share)
            start += share
        if area is not None and order.predicate is not Predicate.INTERSECTS:
            self._watch.step = f"{source.name}: {order.predicate}"
            source, area = self._stages.selected(source, area, order.predicate, start, share), None
            start += share
        if order.shape.passes:
            self._watch.step = f"{source.name}: simplifying"
            passes = share * order.shape.passes
            source, area = self._stages.shaped(source, area, order.crs, order.shape, start, passes), None
        return source, area, changes

    def _arguments(self, name: str, kept: Sequence[str], *, more: bool) -> list[str]:
        """The words that ogr2ogr would be given."""
        arguments = ["-f", self._spec.driver, "-t_srs", self._order.crs, "-nln", name, "-dim", "XY"]
        if more:
            arguments.append("-update")
        if self._order.shape.make_valid:
            arguments.append("-makevalid")
        if self._order.attributes is not None and self._spec.holds_attributes:
            arguments += ["-select", ",".join(layers.quoted(field) for field in kept)]
        if not more:
            arguments += [word for option in self._spec.dataset_options for word in ("-dsco", option)]
        for option in (*self._spec.layer_options, *self._more_options(kept)):
            arguments += ["-lco", option]
        return arguments

    def _more_options(self, kept: Sequence[str]) -> list[str]:
        options = own_names(self._order.export_format, kept)
        if self._order.export_format is ExportFormat.GEOJSON and self._order.crs == WGS84:
            options.append("RFC7946=YES")
        if "GeoJSON" in self._spec.driver and self._order.shape.precision is not None:
            options.append(f"COORDINATE_PRECISION={self._order.shape.precision}")
        if self._order.export_format is ExportFormat.MAPINFO:
            options += bounds_options(self._order.crs)
        return options
