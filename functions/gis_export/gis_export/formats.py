"""The file formats of exports, and what GDAL is told for each."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class ExportFormat(StrEnum):
    """Formats by the names that clients use."""

    GPKG = "GPKG"
    SHAPEFILE = "Shapefile"
    GEOJSON = "GeoJSON"
    FLATGEOBUF = "FlatGeobuf"
    CSV = "CSV"
    KML = "KML"
    FILEGDB = "FileGDB"
    GEOPARQUET = "GeoParquet"

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


OLD_NAMES: Mapping[str, ExportFormat] = MappingProxyType(
    {
        "geopackage": ExportFormat.GPKG,
        "shp": ExportFormat.SHAPEFILE,
        "esri shapefile": ExportFormat.SHAPEFILE,
        "json": ExportFormat.GEOJSON,
        "fgb": ExportFormat.FLATGEOBUF,
        "gdb": ExportFormat.FILEGDB,
        "openfilegdb": ExportFormat.FILEGDB,
        "parquet": ExportFormat.GEOPARQUET,
    }
)


BIG_INTEGERS = "64-bit integers become floating point, or text where one is beyond 2^53"


@dataclass(frozen=True, slots=True)
class FormatSpec:
    """A format.

    `many_layers`: one file holds several; else several layers are a zip of files. `always_zipped`: one layer alone is
    several files. `holds_64_bits`: integers beyond 2^53 survive as numbers. `keeps_schema`: the file tells its columns
    and row count without being read through. `notes`: what the format cannot hold.
    """

    driver: str
    extension: str
    media_type: str
    layer_options: tuple[str, ...] = ()
    many_layers: bool = False
    always_zipped: bool = False
    holds_64_bits: bool = True
    keeps_schema: bool = True
    forced_crs: str | None = None
    notes: tuple[str, ...] = ()


FORMATS: Mapping[ExportFormat, FormatSpec] = MappingProxyType(
    {
        ExportFormat.GPKG: FormatSpec("GPKG", ".gpkg", "application/geopackage+sqlite3", many_layers=True),
        ExportFormat.SHAPEFILE: FormatSpec(
            "ESRI Shapefile",
            ".shp",
            "application/vnd.shp",
            ("ENCODING=UTF-8", "SPATIAL_INDEX=NO"),
            always_zipped=True,
            holds_64_bits=False,
            notes=(
                "names of columns are cut to 10 characters",
                "text is cut at 254 bytes",
                "date-times become text, booleans numbers",
                BIG_INTEGERS,
                "a file holds at most 2 GB",
            ),
        ),
        ExportFormat.GEOJSON: FormatSpec(
            "GeoJSON",
            ".geojson",
            "application/geo+json",
            keeps_schema=False,
            notes=("in EPSG:4326 coordinates have 7 decimals (RFC 7946)", "dates and date-times become text"),
        ),
        ExportFormat.FLATGEOBUF: FormatSpec("FlatGeobuf", ".fgb", "application/flatgeobuf"),
        ExportFormat.CSV: FormatSpec(
            "CSV",
            ".csv",
            "text/csv; charset=utf-8",
            ("GEOMETRY=AS_WKT", "STRING_QUOTING=IF_AMBIGUOUS"),
            keeps_schema=False,
            notes=("geometry is WKT in the column WKT", "the file names neither its CRS nor its columns' types"),
        ),
        ExportFormat.KML: FormatSpec(
            "KML",
            ".kml",
            "application/vnd.google-earth.kml+xml",
            many_layers=True,
            holds_64_bits=False,
            keeps_schema=False,
            forced_crs="EPSG:4326",
            notes=(BIG_INTEGERS, "dates and date-times become text"),
        ),
        ExportFormat.FILEGDB: FormatSpec(
            "OpenFileGDB",
            ".gdb",
            "application/vnd.esri.filegdb",
            many_layers=True,
            always_zipped=True,
            holds_64_bits=False,
            notes=(BIG_INTEGERS, "booleans become 16-bit integers"),
        ),
        ExportFormat.GEOPARQUET: FormatSpec(
            "FlatGeobuf", ".parquet", "application/vnd.apache.parquet", ("SPATIAL_INDEX=NO",)
        ),
    }
)
ZIP_MEDIA_TYPE = "application/zip"
