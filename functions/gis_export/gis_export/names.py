"""What columns are named in a file, where the format cannot have the county's own name."""

import re
from collections.abc import Collection, Mapping

from gis_export.formats import ExportFormat

RESERVED: Mapping[ExportFormat, frozenset[str]] = {
    ExportFormat.GEOPARQUET: frozenset({"geometry", "wkb_geometry"}),
    ExportFormat.KML: frozenset({
        "id", "name", "description", "timestamp", "begin", "end", "altitudemode", "tessellate", "extrude", "visibility",
        "draworder", "icon",
    }),
    ExportFormat.CSV: frozenset({"wkt"}),
    ExportFormat.GML: frozenset({"gml_id", "geometryproperty"}),
    ExportFormat.SPATIALITE: frozenset({"ogc_fid", "rowid"}),
}  # fmt: skip
"""Names that the format, or who reads it, takes for its own in any case of letters; casefolded."""
LABELS: Mapping[ExportFormat, Mapping[str, str]] = {
    ExportFormat.KML: {"name": "Name", "description": "description"},
}
"""Of the reserved, those under which text belongs: it is what maps show of a feature."""
NOT_IN_XML = (
    r"[^A-Za-z0-9_.\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u0131\u0134-\u013e\u0141-\u0148\u014a-\u017e"
    r"\u0391-\u03a1\u03a3-\u03c9\u0410-\u044f\u4e00-\u9fa5\uac00-\ud7a3]|^(?=[0-9.])"
)
"""All but `_`, `.`, and the letters and digits that names have in every edition of XML; a letter or `_` is first."""
NOT_IN_SQL = r"\W|^(?=\d)"
"""All but `_`, letters and digits; no digit comes first."""
UNWRITABLE: Mapping[ExportFormat, str] = {
    ExportFormat.KML: '["&<>]',
    ExportFormat.FILEGDB: NOT_IN_SQL,
    ExportFormat.GML: NOT_IN_XML,
    ExportFormat.MAPINFO: NOT_IN_SQL,
}
"""What `_` stands for in names."""
OWN: Mapping[ExportFormat, Mapping[str, str]] = {
    ExportFormat.GPKG: {"FID": "fid", "GEOMETRY_NAME": "geom"},
    ExportFormat.SPATIALITE: {"FID": "ogc_fid", "GEOMETRY_NAME": "geometry"},
    ExportFormat.FILEGDB: {"FID": "OBJECTID", "GEOMETRY_NAME": "SHAPE"},
}
"""GDAL's options for the columns that a format adds, and what these are named unless the layer has such a column."""
TEXT = "String"


def names_in_file(export_format: ExportFormat, columns: Mapping[str, str]) -> dict[str, str]:
    """The columns, of those with their types, that are to be named otherwise in the file, with their names there.

    Formats take names that differ in case only for one, so that no two differ so little. What GDAL cuts by itself, such
    as a Shapefile's names, is not told here.
    """
    reserved = RESERVED.get(export_format, frozenset())
    labels, unwritable = LABELS.get(export_format, {}), UNWRITABLE.get(export_format)
    taken = {name.casefold() for name in columns} | reserved
    found: dict[str, str] = {}
    for name, kind in columns.items():
        label = labels.get(name.casefold()) if kind == TEXT else None
        wanted = label or (re.sub(unwritable, "_", name) if unwritable else name)
        if wanted != name or (name.casefold() in reserved and not label):
            found[name] = label or _free(wanted, taken)
            taken.add(found[name].casefold())
    return found


def own_names(export_format: ExportFormat, columns: Collection[str]) -> list[str]:
    """GDAL's options that name the columns which the format adds, so that the layer's keep their names."""
    taken = {name.casefold() for name in columns}
    return [f"{option}={_free(name, taken)}" for option, name in OWN.get(export_format, {}).items()]


def _free(wanted: str, taken: Collection[str]) -> str:
    """A name that no column has, in whatever case."""
    while wanted.casefold() in taken:
        wanted += "_"
    return wanted
