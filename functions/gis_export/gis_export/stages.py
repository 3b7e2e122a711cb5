"""Steps between a layer and its file that GDAL's translation does not do as it reads: each leaves a FlatGeobuf.

They run where they are asked for only; a plain export streams from the county's file to its own.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ctypes import byref, c_char_p, c_void_p
from dataclasses import dataclass, replace
from pathlib import Path

from gis_export.area import Area, in_layer_crs
from gis_export.changes import ChangedLayer
from gis_export.coverage import MAX_FEATURES, simplify
from gis_export.delta import Previous
from gis_export.features import REPORT_EVERY, created, features
from gis_export.gdal import Library, TooLarge, dataset
from gis_export.joins import KEY, TABLE, Join
from gis_export.selection import LayerSource, Predicate, selection
from gis_export.target import Watch, translated

STAGE = ["-f", "FlatGeobuf", "-lco", "SPATIAL_INDEX=NO", "-nlt", "PROMOTE_TO_MULTI"]
ROUND_EACH_VERTEX, KEEP_VALID = 1, 0
"""Neighbours' common vertices go the same way in the first; the second serves where that makes a polygon invalid."""
POLYGONS = frozenset({3, 6})
"""OGC's numbers of polygon and multipolygon."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How geometries are made simpler: a tolerance and a number of decimals, in units of the target CRS.

    `make_valid` repairs what these, or the transformation, made invalid.
    """

    tolerance: float = 0.0
    precision: int | None = None
    make_valid: bool = False

    @property
    def passes(self) -> int:
        """How many passes over a layer it takes before the one that writes it; 0 when nothing is asked."""
        if not self.tolerance and self.precision is None:
            return 0
        return 1 + bool(self.tolerance) + (self.precision is not None)


class Stages:
    """Makes the steps of one export, in a folder of its own."""

    def __init__(self, library: Library, folder: Path, watch: Watch) -> None:
        self._library = library
        self._folder = folder
        self._watch = watch
        self._made = 0

    def selected(
        self, source: LayerSource, area: Area, predicate: Predicate, start: float, share: float
    ) -> LayerSource:
        """The features that lie within the area, or what of them does."""
        library = self._library
        what = selection(library, replace(source, types={}), area)
        with library.listening() as heard, dataset(library, source.path, heard) as opened:
            region = in_layer_crs(library, area, library.GDALDatasetGetLayer(opened, 0))
        path = self._next(source.name)
        if predicate is Predicate.CLIP:
            arguments = [*STAGE, "-nln", source.name, "-clipsrc", region]
            translated(library, self._watch, what, path, arguments, start, share)
        else:
            self._copy_within(what, region, source.name, path, start, share)
        return replace(source, path=str(path), where=None)

    def changed(
        self, source: LayerSource, previous: Previous, area: Area | None, start: float
    ) -> tuple[LayerSource, Mapping[str, int]]:
        """What changed since an older state, each feature with its change; and how many there are of each."""
        path = self._next(source.name)
        counts = ChangedLayer(self._library, self._watch, source, previous, area).write(path, start)
        return replace(source, path=str(path), where=None, previous=None, spared={}), counts  # old rows have old values

    def joined(self, source: LayerSource, join: Join, area: Area | None, start: float, share: float) -> LayerSource:
        """The layer with the columns of a table; where the table has no such key, they are null."""
        library = self._library
        path = self._next(source.name)
        what = selection(library, replace(source, types={}), area)
        with library.listening() as heard, dataset(library, what, heard) as opened:
            layer = library.GDALDatasetGetLayer(opened, 0)
            name, definition = library.OGR_L_GetName(layer).decode(), library.OGR_L_GetLayerDefn(layer)
            count = library.OGR_FD_GetFieldCount(definition)
            fields = [library.OGR_FD_GetFieldDefn(definition, index) for index in range(count)]
            own = [library.OGR_Fld_GetNameRef(field).decode() for field in fields]
        kept = ", ".join(f'l."{column}" AS "{column}"' for column in own)
        brought = ", ".join(f"v.{column} AS {column}" for column in join.columns)
        query = (
            f'SELECT {kept}, {brought} FROM "{name}" l '  # noqa: S608  # nosec B608  names of our own
            f"LEFT JOIN '{join.path}'.{TABLE} v ON l.{KEY} = v.{KEY}"
        )
        arguments = [*STAGE, "-nln", source.name, "-sql", query, "-dialect", "OGRSQL"]
        translated(library, self._watch, what, path, arguments, start, share)
        types = {**source.types, **dict.fromkeys(join.dates, "Date")}
        return replace(source, path=str(path), where=None, join=None, types=types)

    def shaped(
        self, source: LayerSource, area: Area | None, crs: str, shape: Shape, start: float, share: float
    ) -> LayerSource:
        """The features in the target CRS, simplified and rounded; of polygons, neighbours still share their edges."""
        library = self._library
        part = share / shape.passes
        path = self._next(source.name)
        what = selection(library, replace(source, types={}), area)
        arguments = [*STAGE, "-nln", source.name, "-t_srs", crs, "-dim", "XY"]
        with library.listening() as heard, dataset(library, what, heard) as opened:
            layer = library.GDALDatasetGetLayer(opened, 0)
            polygons = library.OGR_L_GetGeomType(layer) % 1000 in POLYGONS
            count = int(library.OGR_L_GetFeatureCount(layer, 1))
        if shape.tolerance and not polygons:
            arguments += ["-simplify", repr(shape.tolerance)]
        if shape.tolerance and polygons and count > MAX_FEATURES:
            raise TooLarge(
                f"'{source.name}' has {count:,} polygons to simplify; at most {MAX_FEATURES:,} fit. Ask for an area, "
                "or a filter, or without simplify_tolerance."
            )
        translated(library, self._watch, what, path, arguments, start, part)
        if shape.tolerance and polygons and count:
            before, path = path, self._next(source.name)
            simplify(library, self._watch, before, path, shape.tolerance, start + part)
            before.unlink()
        if shape.precision is not None:
            before, path = path, self._next(source.name)
            self._round(before, 10.0**-shape.precision, source.name, path, start + share - part, part)
            before.unlink()
        return replace(source, path=str(path), where=None)

    def _round(self, before: Path, grid: float, name: str, path: Path, start: float, share: float) -> None:
        """Put coordinates on a grid; what would vanish stays as it is."""
        library = self._library
        with library.listening() as heard, dataset(library, str(before), heard) as opened:
            source = library.GDALDatasetGetLayer(opened, 0)
            count = max(1, int(library.OGR_L_GetFeatureCount(source, 1)))
            with created(library, path, name, source, heard) as target:
                for number, feature in enumerate(features(library, source)):
                    if number % REPORT_EVERY == 0:
                        self._watch.at(start + share * min(1.0, number / count))
                    self._set_rounded(feature, grid)
                    library.OGR_L_CreateFeature(target, feature)
            heard.check()

    def _set_rounded(self, feature: int, grid: float) -> None:
        library = self._library
        geometry = library.OGR_F_GetGeometryRef(feature)
        rounded = library.OGR_G_SetPrecision(geometry, grid, ROUND_EACH_VERTEX)
        if rounded and not library.OGR_G_IsValid(rounded):
            library.OGR_G_DestroyGeometry(rounded)
            rounded = library.OGR_G_SetPrecision(geometry, grid, KEEP_VALID)
        if rounded and not library.OGR_G_IsEmpty(rounded):
            kind = library.OGR_G_GetGeometryType(geometry)
            library.OGR_F_SetGeometryDirectly(feature, library.OGR_G_ForceTo(rounded, kind, None))
        elif rounded:
            library.OGR_G_DestroyGeometry(rounded)

    def _next(self, name: str) -> Path:
        self._made += 1
        return self._folder / f"{self._made}_{name}.fgb"

    def _copy_within(self, what: str, region: str, name: str, path: Path, start: float, share: float) -> None:
        """Copy the features that the region contains; GDAL's own filter knows only 'intersects'."""
        library = self._library
        with library.listening() as heard, dataset(library, what, heard) as opened, prepared(library, region) as area:
            source = library.GDALDatasetGetLayer(opened, 0)
            count = max(1, int(library.OGR_L_GetFeatureCount(source, 1)))
            with created(library, path, name, source, heard) as target:
                for number, feature in enumerate(features(library, source)):
                    if number % REPORT_EVERY == 0:
                        self._watch.at(start + share * min(1.0, number / count))
                    if library.OGRPreparedGeometryContains(area, library.OGR_F_GetGeometryRef(feature)):
                        library.OGR_L_CreateFeature(target, feature)
            heard.check()


@contextmanager
def prepared(library: Library, wkt: str) -> Iterator[int]:
    """A geometry made ready to be compared with many."""
    handle = c_void_p()
    library.OGR_G_CreateFromWkt(byref(c_char_p(wkt.encode())), None, byref(handle))
    ready = library.OGRCreatePreparedGeometry(handle)
    try:
        yield ready
    finally:
        library.OGRDestroyPreparedGeometry(ready)
        library.OGR_G_DestroyGeometry(handle)
