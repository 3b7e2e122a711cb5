"""The file formats of exports: what GDAL is told for each, and what each cannot hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class ExportFormat(StrEnum):
    """Formats by the names that clients use."""

    GPKG = "GPKG"
    SHAPEFILE = "Shapefile"
    GEOJSON = "GeoJSON"
    GEOJSONSEQ = "GeoJSONSeq"
    FLATGEOBUF = "FlatGeobuf"
    GEOPARQUET = "GeoParquet"
    KML = "KML"
    CSV = "CSV"
    FILEGDB = "FileGDB"
    XLSX = "XLSX"
    DXF = "DXF"
    GML = "GML"
    MAPINFO = "MapInfo"
    SPATIALITE = "SpatiaLite"

    @classmethod
    def parse(cls, name: str) -> "ExportFormat":
        """Read a name in any case, old names included.

        Raises
        ------
        ValueError
            Listing the formats there are.
        """
        known: dict[str, ExportFormat] = {member.value.lower(): member for member in cls}
        found = known.get(name.strip().lower()) or OLD_NAMES.get(name.strip().lower())
        if found is None:
            raise ValueError(f"'{name}' is not a format; there are {', '.join(cls)}")
        return found


OLD_NAMES: Mapping[str, ExportFormat] = MappingProxyType({
    "geopackage": ExportFormat.GPKG, "shp": ExportFormat.SHAPEFILE, "esri shapefile": ExportFormat.SHAPEFILE,
    "json": ExportFormat.GEOJSON, "geojsonl": ExportFormat.GEOJSONSEQ, "ndjson": ExportFormat.GEOJSONSEQ,
    "fgb": ExportFormat.FLATGEOBUF, "gdb": ExportFormat.FILEGDB, "openfilegdb": ExportFormat.FILEGDB,
    "parquet": ExportFormat.GEOPARQUET, "excel": ExportFormat.XLSX, "mapinfo file": ExportFormat.MAPINFO,
    "tab": ExportFormat.MAPINFO, "sqlite": ExportFormat.SPATIALITE,
})  # fmt: skip


class Nulls(StrEnum):
    """What becomes of a value that there is not."""

    KEPT = "kept"
    EMPTY = "empty"
    """It reads like empty text."""
    ZERO = "zero"
    """Numbers are 0, text is empty."""


class LossKind(StrEnum):
    """Kinds of losses."""

    NAME = "name"
    TYPE = "type"
    TEXT_CUT = "text_cut"
    SPACES = "spaces"
    CONTROL = "control_characters"
    EMPTY = "empty"
    NULL = "null"
    DIGITS = "digits"
    BIG_INTEGER = "big_integer"
    ZONE = "time_zone"
    MILLISECONDS = "milliseconds"
    COORDINATES = "coordinates"
    CRS = "coordinate_system"
    GEOMETRY = "geometry"
    ATTRIBUTES = "attributes"


@dataclass(frozen=True, slots=True)
class FormatSpec:
    """A format.

    `many_layers`: one file holds several; else several layers are a zip of files. `always_zipped`: one layer alone is
    several files. `keeps_schema`: the file tells its columns and row count without being read through. `types`: what
    columns become, by OGR's names, where the file does not keep them or tell. `text_bytes`: longer text is cut.
    `trims_start`, `trims_end`: characters that go at the ends of text. `empty_is_null`: empty text reads as null.
    `digits`: of floating point numbers, None for all; with `shortens` of those alone whose further digits look like
    noise; `real_width`, `decimals`: they are written with so many decimals, and cut at so many characters.
    `holds_64_bits`: integers beyond 2^53 survive as numbers. `zones`, `milliseconds`: whether moments keep
    them. `always`: what befalls every layer, in words. `max_bytes`, `max_rows`: a layer's limits.
    `crs_named`: which CRS the file has words for, where not for all.
    """

    driver: str
    extension: str
    media_type: str
    layer_options: tuple[str, ...] = ()
    dataset_options: tuple[str, ...] = ()
    many_layers: bool = False
    always_zipped: bool = False
    keeps_schema: bool = True
    forced_crs: str | None = None
    types: Mapping[str, str] = field(default_factory=dict)
    text_bytes: int | None = None
    trims_start: str = ""
    trims_end: str = ""
    drops_controls: bool = False
    empty_is_null: bool = False
    nulls: Nulls = Nulls.KEPT
    digits: int | None = None
    shortens: bool = False
    decimals: int | None = None
    real_width: int | None = None
    holds_64_bits: bool = True
    zones: bool = True
    milliseconds: bool = True
    always: Mapping[LossKind, str] = field(default_factory=dict)
    max_bytes: int | None = None
    max_rows: int | None = None
    crs_named: str | None = None

    @property
    def holds_geometry(self) -> bool:
        """Whether features are more than rows."""
        return LossKind.GEOMETRY not in self.always

    @property
    def has_coordinates(self) -> bool:
        """Whether the file says where features are, if only as lines of a drawing."""
        return self.holds_geometry or not self.holds_attributes

    @property
    def holds_attributes(self) -> bool:
        """Whether features have columns."""
        return LossKind.ATTRIBUTES not in self.always

    @property
    def notes(self) -> tuple[str, ...]:
        """What the format cannot hold, in words, for whoever chooses one."""
        said = {
            f"text is cut at {self.text_bytes} bytes": self.text_bytes is not None,
            "spaces at the start of text are lost": bool(self.trims_start),
            "spaces at the end of text are lost": bool(self.trims_end),
            "control characters in text are lost": self.drops_controls,
            "empty text reads as null": self.empty_is_null,
            "null reads as empty text": self.nulls is Nulls.EMPTY,
            "null is 0 in numbers, and empty text": self.nulls is Nulls.ZERO,
            f"floating point numbers have {self.digits} digits{', where more look like noise' * self.shortens}": (
                self.digits is not None
            ),
            f"floating point numbers have {self.decimals} decimals, and at most {self.real_width} characters": (
                self.decimals is not None
            ),
            "64-bit integers become floating point, or text where one is beyond 2^53": not self.holds_64_bits,
            "moments lose their mark of UTC": not self.zones,
            "moments lose their milliseconds": not self.milliseconds,
            f"a layer holds at most {self.max_rows or 0:,} rows": self.max_rows is not None,
            f"a layer's file holds at most {(self.max_bytes or 0) / 1e9:.0f} GB": self.max_bytes is not None,
            self.crs_named or "": self.crs_named is not None,
        }
        types = [f"{old} becomes {new}" for old, new in self.types.items()]
        return (*self.always.values(), *types, *(text for text, holds in said.items() if holds))


NO_INDEX = "SPATIAL_INDEX=NO"
CODES_ALONE = "a CRS is named by its EPSG code, and by nothing else"
DATES_AS_TEXT = {"Date": "String", "Time": "String", "DateTime": "String"}

FORMATS: Mapping[ExportFormat, FormatSpec] = MappingProxyType(
    {
        ExportFormat.GPKG: FormatSpec("GPKG", ".gpkg", "application/geopackage+sqlite3", many_layers=True),
        ExportFormat.SHAPEFILE: FormatSpec(
            "ESRI Shapefile",
            ".shp",
            "application/vnd.shp",
            ("ENCODING=UTF-8", NO_INDEX),
            always_zipped=True,
            text_bytes=254,
            trims_start=" ",
            trims_end=" ",
            empty_is_null=True,
            decimals=15,
            real_width=24,
            holds_64_bits=False,
            always={LossKind.NAME: "names of columns are cut to 10 bytes"},
            max_bytes=2**31,
        ),
        ExportFormat.GEOJSON: FormatSpec(
            "GeoJSON",
            ".geojson",
            "application/geo+json",
            keeps_schema=False,
            types=DATES_AS_TEXT,
            digits=15,
            shortens=True,
            always={LossKind.COORDINATES: "coordinates in EPSG:4326 have 7 decimals (RFC 7946)"},
            crs_named=CODES_ALONE,
        ),
        ExportFormat.GEOJSONSEQ: FormatSpec(
            "GeoJSONSeq",
            ".geojsonl",
            "application/geo+json-seq",
            keeps_schema=False,
            forced_crs="EPSG:4326",
            types=DATES_AS_TEXT,
            digits=15,
            shortens=True,
            always={LossKind.COORDINATES: "coordinates have 7 decimals (RFC 7946)"},
        ),
        ExportFormat.FLATGEOBUF: FormatSpec("FlatGeobuf", ".fgb", "application/flatgeobuf"),
        ExportFormat.GEOPARQUET: FormatSpec("FlatGeobuf", ".parquet", "application/vnd.apache.parquet", (NO_INDEX,)),
        ExportFormat.KML: FormatSpec(
            "KML",
            ".kml",
            "application/vnd.google-earth.kml+xml",
            many_layers=True,
            keeps_schema=False,
            forced_crs="EPSG:4326",
            types={**DATES_AS_TEXT, "Boolean": "Integer"},
            trims_start=" \n",
            trims_end=" ",
            drops_controls=True,
            digits=15,
            holds_64_bits=False,
            always={LossKind.NAME: "columns named as elements of KML, such as id, are named otherwise"},
        ),
        ExportFormat.CSV: FormatSpec(
            "CSV",
            ".csv",
            "text/csv; charset=utf-8",
            ("GEOMETRY=AS_WKT", "GEOMETRY_NAME=WKT", "STRING_QUOTING=IF_AMBIGUOUS"),
            keeps_schema=False,
            nulls=Nulls.EMPTY,
            digits=15,
            always={
                LossKind.CRS: "geometry is WKT in the column WKT; the file does not name its CRS",
                LossKind.TYPE: "the file does not name its columns' types",
            },
        ),
        ExportFormat.FILEGDB: FormatSpec(
            "OpenFileGDB",
            ".gdb",
            "application/vnd.esri.filegdb",
            many_layers=True,
            always_zipped=True,
            holds_64_bits=False,
            milliseconds=False,
            always={
                LossKind.NAME: "names of columns have letters, digits and _ alone",
                LossKind.COORDINATES: "coordinates are on a grid, of 1e-9 degrees or 0.1 mm",
            },
        ),
        ExportFormat.XLSX: FormatSpec(
            "XLSX",
            ".xlsx",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            many_layers=True,
            keeps_schema=False,
            text_bytes=32_767,
            drops_controls=True,
            empty_is_null=True,
            digits=16,
            holds_64_bits=False,
            zones=False,
            always={LossKind.GEOMETRY: "the sheet has no geometry"},
            max_rows=200_000,
        ),
        ExportFormat.DXF: FormatSpec(
            "DXF",
            ".dxf",
            "image/vnd.dxf",
            keeps_schema=False,
            always={
                LossKind.ATTRIBUTES: "the drawing has no attributes",
                LossKind.GEOMETRY: "polygons are drawn as their rings, each an entity of its own on the layer's layer",
                LossKind.CRS: "the drawing does not name its CRS",
            },
        ),
        ExportFormat.GML: FormatSpec(
            "GML",
            ".gml",
            "application/gml+xml",
            (),
            ("FORMAT=GML3.2",),
            many_layers=True,
            always_zipped=True,
            crs_named=CODES_ALONE,
            trims_start=" \t\n",
            drops_controls=True,
            empty_is_null=True,
            digits=15,
            always={LossKind.NAME: "names of columns have letters, digits, _ and . alone"},
        ),
        ExportFormat.MAPINFO: FormatSpec(
            "MapInfo File",
            ".tab",
            "application/vnd.mapinfo.tab",
            ("ENCODING=UTF-8",),
            always_zipped=True,
            text_bytes=254,
            nulls=Nulls.ZERO,
            holds_64_bits=False,
            zones=False,
            always={
                LossKind.NAME: "names of columns are cut to 31 bytes, and have letters, digits and _ alone",
                LossKind.COORDINATES: "coordinates are on a grid of 2^31 steps over the CRS's bounds",
            },
            max_bytes=2**31,
            crs_named="a CRS's datum is WGS 84, NAD83, NAD27 or one of MapInfo's older ones; others are named WGS 84",
        ),
        ExportFormat.SPATIALITE: FormatSpec(
            "SQLite", ".sqlite", "application/vnd.sqlite3", ("LAUNDER=NO",), ("SPATIALITE=YES",), many_layers=True
        ),
    }
)
ZIP_MEDIA_TYPE = "application/zip"
