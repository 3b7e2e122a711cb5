"""One export of a FlatGeobuf to EPSG:4326, as each contender does it: the commands that the benchmark runs."""

import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from gis_export.formats import FORMATS, ExportFormat

OGR_OPTIONS: Mapping[ExportFormat, Sequence[str]] = MappingProxyType(
    {
        ExportFormat.GEOJSON: ("-lco", "RFC7946=YES"),
        ExportFormat.CSV: ("-lco", "GEOMETRY=AS_WKT"),
        ExportFormat.SHAPEFILE: ("-lco", "ENCODING=UTF-8"),
    }
)
"""What makes ogr2ogr write the same as the engine."""

FORMATS_WITH_PEERS = (
    ExportFormat.GPKG,
    ExportFormat.SHAPEFILE,
    ExportFormat.GEOJSON,
    ExportFormat.FLATGEOBUF,
    ExportFormat.CSV,
    ExportFormat.KML,
    ExportFormat.FILEGDB,
    ExportFormat.GEOPARQUET,
)

OURS = """
import sys
from pathlib import Path
from gis_export.engine import export
from gis_export.formats import ExportFormat
from gis_export.selection import LayerSource
export([LayerSource("parcels", sys.argv[1])], Path(sys.argv[2]), "out", ExportFormat(sys.argv[3]))
"""

ZIP = """
import sys
from pathlib import Path
from gis_export.archive import zip_files
zip_files(Path(sys.argv[1]), [Path(sys.argv[2])], lambda: None)
"""

GEOPANDAS = """
import sys
import geopandas
frame = geopandas.read_file(sys.argv[1]).to_crs(4326)
if sys.argv[3] == "GeoParquet":
    frame.to_parquet(sys.argv[2])
elif sys.argv[3] == "CSV":
    frame.to_wkt().to_csv(sys.argv[2], index=False)
else:
    frame.to_file(sys.argv[2], driver=sys.argv[3], layer="parcels")
"""


def ours(source: Path, folder: Path, export_format: ExportFormat) -> list[str]:
    """The engine, in a fresh interpreter."""
    return [sys.executable, "-c", OURS, str(source), str(folder), export_format.value]


def ogr2ogr(source: Path, folder: Path, export_format: ExportFormat) -> list[str] | None:
    """Debian's ogr2ogr; it zips a Shapefile itself, and a FileGDB is zipped after it as the engine does."""
    if shutil.which("ogr2ogr") is None or export_format is ExportFormat.GEOPARQUET:
        return None
    spec = FORMATS[export_format]
    name = "out.shp.zip" if export_format is ExportFormat.SHAPEFILE else f"out{spec.extension}"
    head = ["ogr2ogr", "-f", spec.driver, "-t_srs", "EPSG:4326", "-nln", "parcels", "-nlt", "PROMOTE_TO_MULTI"]
    command = [*head, *OGR_OPTIONS.get(export_format, ()), str(folder / name), str(source)]
    if export_format is not ExportFormat.FILEGDB:
        return command
    zipping = [sys.executable, "-c", ZIP, str(folder / "out.zip"), str(folder / name)]
    return ["sh", "-c", f"{shlex.join(command)} && {shlex.join(zipping)}"]


def geopandas(source: Path, folder: Path, export_format: ExportFormat) -> list[str]:
    """geopandas, in a fresh interpreter."""
    spec = FORMATS[export_format]
    driver = export_format.value if export_format is ExportFormat.GEOPARQUET else spec.driver
    return [sys.executable, "-c", GEOPANDAS, str(source), str(folder / f"out{spec.extension}"), driver]
