"""The step that leaves, of a layer, what changed since an older snapshot."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from gis_export.area import Area
from gis_export.delta import REMOVED, Comparison, Place, Previous, compared, digest
from gis_export.features import REPORT_EVERY, created, features
from gis_export.gdal import Library, dataset
from gis_export.selection import LayerSource, selection
from gis_export.target import Watch

STRING, REAL = 4, 2  # OFTString, OFTReal


class ChangedLayer:
    """Writes a layer's changed features to a file of their own, each with what became of it."""

    def __init__(
        self, library: Library, watch: Watch, source: LayerSource, previous: Previous, area: Area | None
    ) -> None:
        self._library = library
        self._watch = watch
        self._source = source
        self._previous = previous
        self._area = area

    def write(self, path: Path, start: float) -> Mapping[str, int]:
        """Write the file; gives how many features were added, changed and removed."""
        newer = selection(self._library, replace(self._source, types={}), self._area)
        older = None
        if self._previous.path:
            before = LayerSource(self._source.name, self._previous.path, {}, self._previous.where)
            older = selection(self._library, before, self._area)
        with compared(path.with_suffix(".sqlite")) as comparison:
            if older:
                for key, mark, _ in self._read(older, start):
                    comparison.remember(key, mark)
            self._write(newer, older, path, comparison, start)
        return dict(comparison.counts)

    def _write(self, newer: str, older: str | None, path: Path, comparison: Comparison, start: float) -> None:
        library = self._library
        name = self._previous.change
        with library.listening() as heard, dataset(library, newer, heard) as opened:
            like = library.GDALDatasetGetLayer(opened, 0)
            with created(library, path, self._source.name, like, heard) as target:
                column = library.OGR_Fld_Create(name.encode(), STRING)
                library.OGR_L_CreateField(target, column, 1)
                library.OGR_Fld_Destroy(column)
                for key, mark, feature in self._read(newer, start):
                    change = comparison.change_of(key, mark)
                    if change:
                        self._add(target, feature, name, change)
                for key, _, feature in self._read(older, start) if older else ():
                    if comparison.is_removed(key):
                        self._add(target, feature, name, REMOVED)
            heard.check()

    def _add(self, target: int, feature: int, name: str, change: str) -> None:
        library = self._library
        definition = library.OGR_L_GetLayerDefn(target)
        copy = library.OGR_F_Create(definition)
        library.OGR_F_SetFrom(copy, feature, 1)
        library.OGR_F_SetFieldString(copy, library.OGR_FD_GetFieldIndex(definition, name.encode()), change.encode())
        library.OGR_L_CreateFeature(target, copy)
        library.OGR_F_Destroy(copy)

    def _read(self, what: str, start: float) -> Iterator[tuple[str, bytes, int]]:
        """A selection's features with their keys and marks."""
        library = self._library
        with library.listening() as heard, dataset(library, what, heard) as opened:
            layer = library.GDALDatasetGetLayer(opened, 0)
            definition = library.OGR_L_GetLayerDefn(layer)
            places = self._places(definition)
            key = library.OGR_FD_GetFieldIndex(definition, self._previous.key.encode())
            for number, feature in enumerate(features(library, layer)):
                if number % REPORT_EVERY == 0:
                    self._watch.at(start)
                mark = digest(library, feature, places)
                yield library.OGR_F_GetFieldAsString(feature, key).decode(), mark, feature
            heard.check()

    def _places(self, definition: int) -> list[Place]:
        """The columns that count, of those that this state of the layer has."""
        library = self._library
        places = []
        for name in self._previous.columns:
            index = library.OGR_FD_GetFieldIndex(definition, name.encode())
            if index >= 0:
                kind = library.OGR_Fld_GetType(library.OGR_FD_GetFieldDefn(definition, index))
                places.append(Place(name, index, kind == REAL))
        return places
