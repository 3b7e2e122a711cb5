"""What of a layer is exported, as a virtual layer: where a condition holds, within an area, with its dates as dates.

FlatGeobuf has no type for dates or times of day; the county's manifest knows which columns are such. A virtual layer
also knows its count, so that GDAL reports progress: under a mere filter it would not. The condition is a query inside
of it, which GDAL hands on to the file together with the area, so that its index serves.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from xml.sax.saxutils import escape, quoteattr

from gis_export import layers
from gis_export.area import Area, in_layer_crs
from gis_export.delta import Previous
from gis_export.formats import LossKind
from gis_export.gdal import Library, dataset
from gis_export.joins import Join

INTEGER_64 = 12  # OFTInteger64
EXACT = 2**53
"""Up to here, integers are exact as floating point."""


class Predicate(StrEnum):
    """How features must lie to an area."""

    INTERSECTS = "intersects"
    WITHIN = "within"
    CLIP = "clip"
    """As `intersects`, and cut at the area's edge."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What depends on all that is selected, where a file is to hold but a part of it.

    `as_text` are the columns of integers that the format would round, `utc` says whether moments are marked as UTC.
    """

    as_text: tuple[str, ...]
    utc: bool


@dataclass(frozen=True, slots=True)
class LayerSource:
    """A layer of a county: a FlatGeobuf, as a local path or `/vsis3/bucket/key`.

    `types` names the columns that are to be of another type than the file says: `Date`, `Time`, `String`; `names` those
    that the file that is written names otherwise. `where` is a condition of OGR's SQL, as `gis_export.where` writes it;
    `join` brings further columns; with `previous` only what changed since is wanted; `settled` is known where the file
    is a part of the layer. `spared` says by column which losses of the format that is to be written none of its values
    can meet, whatever of them is selected. `style` is QGIS's, as the text of a QML file.
    """

    name: str
    path: str
    types: Mapping[str, str] = field(default_factory=dict)
    where: str | None = None
    join: Join | None = None
    previous: Previous | None = None
    settled: Settled | None = None
    spared: Mapping[str, Collection[LossKind]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    style: str | None = None


def selection(library: Library, source: LayerSource, area: Area | None) -> str:
    """What GDAL is to open: the file itself where all of it is wanted as it is, else a virtual layer.

    Raises
    ------
    EngineError
        When the file cannot be read, or the condition not be asked of it.
    """
    if area is None and not source.types and not source.names and source.where is None:
        return source.path
    with library.listening() as heard, dataset(library, source.path, heard) as opened:
        layer = library.GDALDatasetGetLayer(opened, 0)
        head = f"<SrcDataSource>{escape(source.path)}</SrcDataSource>{_origin(library, layer, source.where)}"
        region = f"<SrcRegion>{in_layer_crs(library, area, layer)}</SrcRegion>" if area else ""
        fields = "".join(_fields(library, layer, source))
        count = int(library.OGR_L_GetFeatureCount(layer, 1))
    if area or source.where is not None:
        with library.listening() as heard, dataset(library, _virtual(source, head + region), heard) as opened:
            selected = library.GDALDatasetGetLayer(opened, 0)
            count = int(library.OGR_L_GetFeatureCount(selected, 1)) if selected else -1
            heard.check()
    return _virtual(source, f"{head}{region}<FeatureCount>{count}</FeatureCount>{fields}")


def big_integers(library: Library, what: str, columns: Collection[str] | None) -> list[str]:
    """The columns, of those wanted, with an integer that floating point would round."""
    with library.listening() as heard, dataset(library, what, heard) as opened:
        layer = library.GDALDatasetGetLayer(opened, 0)
        found = layers.fields(library, layer).items()
        integers = [name for name, field in found if library.OGR_Fld_GetType(field) == INTEGER_64]
        names = [name for name in integers if columns is None or name in columns]
        if not names or not _has_big(library, layer, names):
            return []
        return [name for name in names if len(names) == 1 or _has_big(library, layer, [name])]


def _has_big(library: Library, layer: int, names: Sequence[str]) -> bool:
    """Whether any of the columns has such an integer: one look through the layer at most."""
    columns = ['"' + name.replace('"', '""') + '"' for name in names]
    condition = " OR ".join(f"{column} > {EXACT} OR {column} < -{EXACT}" for column in columns)
    library.OGR_L_SetAttributeFilter(layer, condition.encode())
    library.OGR_L_ResetReading(layer)
    feature = library.OGR_L_GetNextFeature(layer)
    if feature:
        library.OGR_F_Destroy(feature)
    library.OGR_L_SetAttributeFilter(layer, None)
    return bool(feature)


def _origin(library: Library, layer: int, where: str | None) -> str:
    name = library.OGR_L_GetName(layer).decode()
    if where is None:
        return f"<SrcLayer>{escape(name)}</SrcLayer>"
    # `gis_export.where` wrote the condition, and quoted what is in it
    query = f"SELECT * FROM {layers.quoted(name)} WHERE {where}"  # noqa: S608  # nosec B608
    return f"<SrcSQL>{escape(query)}</SrcSQL>"


def _virtual(source: LayerSource, content: str) -> str:
    layer = f"<OGRVRTLayer name={quoteattr(source.name)}>{content}</OGRVRTLayer>"
    return f"<OGRVRTDataSource>{layer}</OGRVRTDataSource>"


def _fields(library: Library, layer: int, source: LayerSource) -> list[str]:
    """All columns in order, each with its type, as a virtual layer that names one must name all."""
    written = []
    for name, column in layers.fields(library, layer).items():
        own_type = library.OGR_GetFieldTypeName(library.OGR_Fld_GetType(column)).decode()
        subtype = library.OGR_Fld_GetSubType(column)
        named, kind = source.names.get(name, name), source.types.get(name, own_type)
        attributes = [f"name={quoteattr(named)}", f"src={quoteattr(name)}", f'type="{kind}"']
        if subtype != layers.NO_SUBTYPE:
            attributes.append(f'subtype="{library.OGR_GetFieldSubTypeName(subtype).decode()}"')
        if width := library.OGR_Fld_GetWidth(column):
            attributes.append(f'width="{width}"')
        written.append(f"<Field {' '.join(attributes)}/>")
    return written
