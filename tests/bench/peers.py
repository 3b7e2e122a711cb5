"""One export of a FlatGeobuf to EPSG:4326, as each contender does it: the commands that the benchmark runs."""

import json
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from gis_export.formats import FORMATS, ExportFormat
from gis_export.sources import OGR_TYPES, spared_losses
from terrafusion.counties import LayerManifest

OGR_OPTIONS: Mapping[ExportFormat, Sequence[str]] = MappingProxyType(
    {
        ExportFormat.GEOJSON: ("-lco", "RFC7946=YES"),
        ExportFormat.CSV: ("-lco", "GEOMETRY=AS_WKT"),
        ExportFormat.SHAPEFILE: ("-lco", "ENCODING=UTF-8"),
    }
)
"""What makes ogr2ogr write the same as the engine."""

OURS = """
import json, sys
from pathlib import Path
from gis_export.area import parse
from gis_export.engine import export
from gis_export.formats import ExportFormat, LossKind
from gis_export.selection import LayerSource
asked = json.loads(sys.argv[1])
spared = {name: frozenset(map(LossKind, kinds)) for name, kinds in asked["spared"].items()}
source = LayerSource("parcels", asked["source"], asked["types"], asked["where"], spared=spared)
area = parse({"type": "bbox", "coordinates": asked["box"]}) if asked["box"] else None
export([source], Path(asked["folder"]), "out", ExportFormat(asked["format"]), area=area)
"""

ZIP = """
import sys
from pathlib import Path
from gis_export.archive import zip_files
zip_files(Path(sys.argv[1]), [Path(sys.argv[2])], lambda: None)
"""

GEOPANDAS = """
import json, sys
import geopandas
import shapely
asked = json.loads(sys.argv[1])
mask = geopandas.GeoSeries([shapely.box(*asked["box"])], crs=4326) if asked["box"] else None
frame = geopandas.read_file(asked["source"], mask=mask, where=asked["where"]).to_crs(4326)
if asked["driver"] == "GeoParquet":
    frame.to_parquet(asked["target"])
elif asked["driver"] == "CSV":
    frame.to_wkt().to_csv(asked["target"], index=False)
else:
    frame.to_file(asked["target"], driver=asked["driver"], layer="parcels")
"""


@dataclass(frozen=True, slots=True)
class Case:
    """An export: its format, and of a part of the layer where `box` (EPSG:4326) and `where` say which."""

    export_format: ExportFormat
    box: tuple[float, float, float, float] | None = None
    where: str | None = None

    @property
    def name(self) -> str:
        """As the table has it."""
        return self.export_format.value if self.box is None else f"{self.export_format.value}, 5 % and a filter"


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer as `load` left it."""

    path: Path
    manifest: LayerManifest


def ours(layer: Layer, folder: Path, case: Case) -> list[str]:
    """The engine, in a fresh interpreter, asked as a job asks it."""
    fields = layer.manifest.fields
    spared = spared_losses(fields, FORMATS[case.export_format])
    asked = {
        "source": str(layer.path),
        "folder": str(folder),
        "format": case.export_format.value,
        "types": {field.name: OGR_TYPES[field.type] for field in fields if field.type in OGR_TYPES},
        "spared": {name: sorted(kinds) for name, kinds in spared.items()},
        "where": case.where,
        "box": case.box,
    }
    return [sys.executable, "-c", OURS, json.dumps(asked)]


def ogr2ogr(layer: Layer, folder: Path, case: Case) -> list[str] | None:
    """Debian's ogr2ogr; it zips a Shapefile itself, and a FileGDB is zipped after it as the engine does."""
    if shutil.which("ogr2ogr") is None or case.export_format is ExportFormat.GEOPARQUET:
        return None
    spec = FORMATS[case.export_format]
    name = "out.shp.zip" if case.export_format is ExportFormat.SHAPEFILE else f"out{spec.extension}"
    head = ["ogr2ogr", "-f", spec.driver, "-t_srs", "EPSG:4326", "-nln", "parcels", "-nlt", "PROMOTE_TO_MULTI"]
    if case.box:
        head += ["-spat", *map(repr, case.box), "-spat_srs", "EPSG:4326"]
    if case.where:
        head += ["-where", case.where]
    command = [*head, *OGR_OPTIONS.get(case.export_format, ()), str(folder / name), str(layer.path)]
    if case.export_format is not ExportFormat.FILEGDB:
        return command
    zipping = [sys.executable, "-c", ZIP, str(folder / "out.zip"), str(folder / name)]
    return ["sh", "-c", f"{shlex.join(command)} && {shlex.join(zipping)}"]


def geopandas(layer: Layer, folder: Path, case: Case) -> list[str]:
    """geopandas, in a fresh interpreter."""
    spec = FORMATS[case.export_format]
    driver = case.export_format.value if case.export_format is ExportFormat.GEOPARQUET else spec.driver
    asked = {
        "source": str(layer.path),
        "target": str(folder / f"out{spec.extension}"),
        "driver": driver,
        "where": case.where,
        "box": case.box,
    }
    return [sys.executable, "-c", GEOPANDAS, json.dumps(asked)]
