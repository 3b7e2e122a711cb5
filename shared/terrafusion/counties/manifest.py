"""What a county's snapshot says of itself: layers, fields, counts, sources."""

import hashlib
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

Box = tuple[float, float, float, float]


class FieldType(StrEnum):
    """Types a column can have."""

    STRING = "string"
    INTEGER = "integer"
    INTEGER64 = "integer64"
    REAL = "real"
    BOOLEAN = "boolean"
    DATE = "date"
    TIME = "time"
    DATETIME = "datetime"
    BINARY = "binary"


class LayerKind(StrEnum):
    """Whether a layer is drawn on the map or is a table."""

    FEATURES = "features"
    TABLE = "table"


class Frozen(BaseModel):
    """A document that, once written, never changes.

    What a later version of `load` tells besides is passed over: versions are taken back, and data that were loaded
    meanwhile stay readable.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")


class Values(Frozen):
    """What a column's values are like, so that nobody need read them to know what another format would change.

    Each holds of the column if it does of one value: `padded` text begins or ends with white space, `empty` is `''`,
    `controls` has control characters; `digits` is how many significant ones the longest floating point number takes;
    `big` integers lie beyond ±2^53, where floating point rounds; moments are `zoned`, or have parts of a second.
    """

    padded: bool = False
    empty: bool = False
    controls: bool = False
    digits: int = 0
    big: bool = False
    zoned: bool = False
    subseconds: bool = False


class Field(Frozen):
    """A column: `width` is the longest text found, in UTF-8 bytes; `source_name` the county's name when mapped.

    `values` is None in snapshots that were loaded before it was told.
    """

    name: str
    type: FieldType
    width: int | None = None
    nulls: int = 0
    source_name: str | None = None
    values: Values | None = None


class FileEntry(Frozen):
    """A file of a layer's snapshot, beside its manifest."""

    name: str
    size_bytes: int
    sha256: str


class Source(Frozen):
    """The file that a layer was loaded from: its bare name and the checksum of its content."""

    name: str
    layer: str | None
    driver: str
    sha256: str
    size_bytes: int
    crs: str | None


class Quality(Frozen):
    """What the loader found and did, in rows; `duplicate_keys` counts every row whose key is not its own."""

    read: int
    stored: int
    repaired: int = 0
    quarantined: int = 0
    quarantine_reasons: dict[str, int] = {}
    duplicate_keys: int = 0
    duplicate_examples: tuple[str, ...] = ()
    without_location: int = 0
    notes: tuple[str, ...] = ()


class LayerManifest(Frozen):
    """One layer of one version; `bbox` in EPSG:4326, `native_bbox` in the layer's own CRS."""

    layer: str
    version: str
    kind: LayerKind
    geometry_type: str | None
    crs: str | None
    crs_wkt: str | None
    bbox: Box | None
    native_bbox: Box | None
    count: int
    fields: tuple[Field, ...]
    key: str | None
    source: Source
    quality: Quality
    files: tuple[FileEntry, ...]
    loader: str

    def file(self, name: str) -> FileEntry | None:
        """The entry of a file, when the layer has it."""
        return next((entry for entry in self.files if entry.name == name), None)

    @property
    def located(self) -> int:
        """How many rows have a location: the features of `data.fgb`, while `count` is of all rows."""
        return self.count - self.quality.without_location

    @property
    def has_geometry(self) -> bool:
        """Whether there are features that a map can show."""
        return self.file("data.fgb") is not None


class CountySnapshot(Frozen):
    """All layers of a county at one moment; the version follows from theirs."""

    county_id: str
    version: str
    published_at: datetime
    layers: dict[str, LayerManifest]

    @property
    def bbox(self) -> Box | None:
        """The box around all layers, EPSG:4326."""
        boxes = [layer.bbox for layer in self.layers.values() if layer.bbox]
        if not boxes:
            return None
        west, south, east, north = zip(*boxes, strict=True)
        return (min(west), min(south), max(east), max(north))

    @property
    def map_layers(self) -> tuple[str, ...]:
        """Names of the layers with geometry, `parcels` first."""
        names = (name for name, layer in self.layers.items() if layer.has_geometry)
        return tuple(sorted(names, key=lambda name: (name != "parcels", name)))

    @staticmethod
    def version_of(layers: dict[str, LayerManifest]) -> str:
        """Name the combination of layer versions: 16 hex digits."""
        text = "\n".join(f"{name} {layer.version}" for name, layer in sorted(layers.items()))
        return hashlib.sha256(text.encode()).hexdigest()[:16]
