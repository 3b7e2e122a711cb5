"""Which columns an export has: those asked for, less those that may not be seen, with those that are joined."""

from collections.abc import Collection, Mapping, Sequence

from gis_export.assessment import lacking, unjoinable
from gis_export.delta import change_column
from gis_export.joins import KEY
from gis_export.models import ExportRequest
from gis_export.refusal import nearest, refuse
from terrafusion.counties import CountySnapshot, GisExportConfiguration

Columns = dict[str, tuple[str, ...]]
"""Columns by layer."""


def kept_columns(
    request: ExportRequest,
    snapshot: CountySnapshot,
    settings: GisExportConfiguration,
    hidden: Mapping[str, Collection[str]],
    joined: Mapping[str, tuple[str, ...]],
    *,
    with_change: bool,
) -> Columns | None:
    """The columns by layer, None for all.

    Raises
    ------
    Impossible
        When one that is asked for is not there.
    """
    wanted = request.parameters.include_attributes
    kept = _attributes(request, snapshot, include=settings.include_attributes_default if wanted is None else wanted)
    if with_change:
        kept = _with_change(request, snapshot, kept)
    return _with(_without(kept, hidden, snapshot), joined)


def joined_columns(request: ExportRequest, snapshot: CountySnapshot, hidden: Collection[str]) -> Columns:
    """The value fields to join, by layer; layers that have them all, or no key, need none."""
    if not request.parameters.include_assessment_data:
        return {}
    field = "parameters.include_assessment_data"
    properties = snapshot.layers.get("properties")
    if properties is None or properties.file("data.parquet") is None:
        raise refuse(field, f"County '{snapshot.county_id}' has no table 'properties' to take values from.")
    if not any(column.name == KEY for column in properties.fields):
        raise refuse(field, f"The table 'properties' has no column '{KEY}'.")
    keyed = [name for name in request.layers if any(column.name == KEY for column in snapshot.layers[name].fields)]
    if not keyed:
        raise refuse(field, f"No layer asked for has a column '{KEY}', by which values are joined.")
    found = {name: lacking(snapshot.layers[name], properties) for name in keyed}
    shown = {name: tuple(column for column in columns if column not in hidden) for name, columns in found.items()}
    return {name: columns for name, columns in shown.items() if columns}


def unjoined_columns(request: ExportRequest, snapshot: CountySnapshot, hidden: Collection[str]) -> Columns:
    """What could not be joined, in words, by layer; see `joined_columns` for what is refused."""
    if not request.parameters.include_assessment_data:
        return {}
    properties = snapshot.layers["properties"]
    found = {name: unjoinable(snapshot.layers[name], properties, hidden) for name in request.layers}
    return {name: texts for name, texts in found.items() if texts}


def _attributes(request: ExportRequest, snapshot: CountySnapshot, *, include: bool) -> Columns | None:
    wanted = request.parameters.attributes
    if not include:
        if any(wanted.values() if isinstance(wanted, dict) else wanted or ()):
            raise refuse("parameters.attributes", "Attributes are listed, and include_attributes is false.")
        return dict.fromkeys(request.layers, ())
    if wanted is None:
        return None
    columns = {name: [field.name for field in snapshot.layers[name].fields] for name in request.layers}
    by_layer = wanted if isinstance(wanted, dict) else _spread(wanted, columns)
    for layer, names in by_layer.items():
        if layer not in columns:
            raise refuse("parameters.attributes", f"'{layer}' is not among the layers asked for.")
        for name in names:
            if name not in columns[layer]:
                hint = nearest(name, columns[layer])
                raise refuse("parameters.attributes", f"Layer '{layer}' has no attribute '{name}'. {hint}")
    return {layer: tuple(by_layer.get(layer, columns[layer])) for layer in request.layers}


def _spread(wanted: Sequence[str], columns: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """One list for several layers: each takes those it has, and somebody must have each."""
    everywhere = [name for names in columns.values() for name in names]
    for name in wanted:
        if name not in everywhere:
            hint = nearest(name, list(dict.fromkeys(everywhere)))
            raise refuse("parameters.attributes", f"No layer asked for has an attribute '{name}'. {hint}")
    return {layer: [name for name in wanted if name in names] for layer, names in columns.items()}


def _with_change(request: ExportRequest, snapshot: CountySnapshot, attributes: Columns | None) -> Columns:
    """The columns to keep, with the key and what became of the feature."""
    kept = {}
    for name in request.layers:
        layer = snapshot.layers[name]
        columns = tuple(field.name for field in layer.fields) if attributes is None else attributes[name]
        key = () if layer.key is None or layer.key in columns else (layer.key,)
        kept[name] = (*key, *columns, change_column([field.name for field in layer.fields]))
    return kept


def _with(attributes: Columns | None, joined: Mapping[str, tuple[str, ...]]) -> Columns | None:
    """The columns to keep, and those that are joined; None keeps all, these included."""
    if attributes is None:
        return None
    return {name: (*columns, *joined.get(name, ())) for name, columns in attributes.items()}


def _without(
    attributes: Columns | None, hidden: Mapping[str, Collection[str]], snapshot: CountySnapshot
) -> Columns | None:
    """The columns to keep, less those that the caller may not see."""
    if not any(hidden.values()):
        return attributes
    listed = attributes or {name: tuple(f.name for f in snapshot.layers[name].fields) for name in hidden}
    return {name: tuple(column for column in columns if column not in hidden[name]) for name, columns in listed.items()}
