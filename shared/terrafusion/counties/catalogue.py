"""The counties in the data bucket: read a snapshot, publish a layer.

Layout, below `counties/{county_id}/`::

    config.json                                   what the county set for itself
    layers/{layer}/{version}/manifest.json, …     immutable: data.fgb, data.parquet, quarantine.csv, style.qml
    snapshots/{version}.json                      immutable: the layers that belong together
    current.json                                  the pointer, replaced in one conditional write
"""

import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from terrafusion.counties.configuration import CountyConfiguration
from terrafusion.counties.manifest import CountySnapshot, LayerManifest
from terrafusion.errors import NotFound
from terrafusion.storage import ObjectChanged, ObjectMissing, Storage

COUNTY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
LAYER_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
MEDIA_TYPES = {
    ".fgb": "application/flatgeobuf",
    ".parquet": "application/vnd.apache.parquet",
    ".csv": "text/csv; charset=utf-8",
    ".qml": "application/xml",
}
PUBLISH_TRIES = 20


class _Pointer(BaseModel):
    model_config = ConfigDict(frozen=True)
    version: str


class Catalogue:
    """All counties of one data bucket."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def county_ids(self) -> list[str]:
        """Counties that have published anything."""
        return sorted(self._storage.folders("counties/"))

    def current(self, county_id: str) -> CountySnapshot:
        """The snapshot that new jobs use.

        Raises
        ------
        NotFound
            When the county has published nothing.
        """
        if not COUNTY_ID.fullmatch(county_id):
            raise NotFound(f"County '{county_id}' is not known.")
        try:
            pointer = _Pointer.model_validate_json(self._storage.read(_pointer_key(county_id)))
        except ObjectMissing:
            raise NotFound(
                f"County '{county_id}' has no data yet; publish some with `terrafusion load {county_id} …`."
            ) from None
        return self.snapshot(county_id, pointer.version)

    def snapshot(self, county_id: str, version: str) -> CountySnapshot:
        """A snapshot by its version; a version, once published, never changes."""
        try:
            return CountySnapshot.model_validate_json(self._storage.read(_snapshot_key(county_id, version)))
        except ObjectMissing:
            raise NotFound(f"County '{county_id}' has no dataset version '{version}'.") from None

    def configuration(self, county_id: str) -> CountyConfiguration:
        """What the county set for itself, with defaults for the rest."""
        try:
            return CountyConfiguration.model_validate_json(self._storage.read(f"counties/{county_id}/config.json"))
        except ObjectMissing:
            return CountyConfiguration()

    def configure(self, county_id: str, configuration: CountyConfiguration) -> None:
        """Replace the county's configuration."""
        document = configuration.model_dump(mode="json", exclude_unset=True)
        self._storage.write_json(f"counties/{county_id}/config.json", document)

    def file_key(self, county_id: str, layer: LayerManifest, name: str) -> str:
        """Key of one of a layer's files."""
        return f"{_layer_prefix(county_id, layer)}{name}"

    def publish(self, county_id: str, layer: LayerManifest, directory: Path) -> CountySnapshot:
        """Publish a layer: its files first, the pointer last, so readers see the old snapshot or the new one.

        Publishing the same version again changes nothing. Two publishers at once both succeed, one after the other.

        Raises
        ------
        ValueError
            When the county's or the layer's name cannot be one.
        """
        if not COUNTY_ID.fullmatch(county_id):
            raise ValueError(f"'{county_id}' cannot be a county's id: letters, digits, - and _, at most 64.")
        if not LAYER_NAME.fullmatch(layer.layer):
            raise ValueError(f"'{layer.layer}' cannot be a layer's name: a-z, 0-9 and _, beginning with a letter.")
        layer = self._store_files(county_id, layer, directory)
        for _ in range(PUBLISH_TRIES):
            snapshot, tag = self._with_layer(county_id, layer)
            self._store_snapshot(snapshot)
            pointer = {"version": snapshot.version}
            try:
                self._storage.write_json(_pointer_key(county_id), pointer, replacing=tag, new=tag is None)
            except ObjectChanged:
                continue
            return self.snapshot(county_id, snapshot.version)
        raise RuntimeError(f"County '{county_id}' was being published all the time; try again.")

    def _store_files(self, county_id: str, layer: LayerManifest, directory: Path) -> LayerManifest:
        """Upload what is not there yet; the manifest goes last and vouches for the rest."""
        manifest_key = self.file_key(county_id, layer, "manifest.json")
        try:
            return LayerManifest.model_validate_json(self._storage.read(manifest_key))
        except ObjectMissing:
            pass
        for entry in layer.files:
            path = directory / entry.name
            self._storage.upload(path, self.file_key(county_id, layer, entry.name), MEDIA_TYPES[path.suffix])
        self._storage.write(manifest_key, layer.model_dump_json().encode(), "application/json")
        return layer

    def _store_snapshot(self, snapshot: CountySnapshot) -> None:
        key = _snapshot_key(snapshot.county_id, snapshot.version)
        with suppress(ObjectChanged):  # this combination of layers was published before
            self._storage.write(key, snapshot.model_dump_json().encode(), "application/json", new=True)

    def _with_layer(self, county_id: str, layer: LayerManifest) -> tuple[CountySnapshot, str | None]:
        """The current snapshot with the layer put in, and the tag of the pointer that it follows."""
        try:
            body, tag = self._storage.read_with_tag(_pointer_key(county_id))
        except ObjectMissing:
            layers = {layer.layer: layer}
            tag = None
        else:
            current = self.snapshot(county_id, _Pointer.model_validate_json(body).version)
            layers = {**current.layers, layer.layer: layer}
        version = CountySnapshot.version_of(layers)
        return CountySnapshot(county_id=county_id, version=version, published_at=datetime.now(UTC), layers=layers), tag


def _pointer_key(county_id: str) -> str:
    return f"counties/{county_id}/current.json"


def _snapshot_key(county_id: str, version: str) -> str:
    return f"counties/{county_id}/snapshots/{version}.json"


def _layer_prefix(county_id: str, layer: LayerManifest) -> str:
    return f"counties/{county_id}/layers/{layer.layer}/{layer.version}/"
