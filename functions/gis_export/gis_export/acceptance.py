"""From a request to a plan: everything that can be refused is refused here, before a job exists."""

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from gis_export import crs
from gis_export.area import Area, AreaError, Box, check_against, parse
from gis_export.assessment import lacking
from gis_export.callbacks import Endpoint, RefusedAddress
from gis_export.delta import change_column
from gis_export.formats import FORMATS, ExportFormat
from gis_export.gdal import TooLarge
from gis_export.joins import KEY
from gis_export.limits import Limits, check_format
from gis_export.models import ExportParameters, ExportRequest
from gis_export.plan import ExportPlan
from gis_export.selection import Predicate
from gis_export.stages import Shape
from gis_export.where import where
from terrafusion.counties import CountyConfiguration, CountySnapshot, GisExportConfiguration
from terrafusion.errors import FieldError, Impossible
from terrafusion.filters import FilterError, check, read


def accept(
    request: ExportRequest,
    snapshot: CountySnapshot,
    configuration: CountyConfiguration,
    roles: Collection[str] = (),
    older: CountySnapshot | None = None,
    *,
    loopback: bool = False,
) -> ExportPlan:
    """Understand a request, and refuse it where it is beyond a limit; see `understand`."""
    plan = understand(request, snapshot, configuration, roles, older, loopback=loopback)
    _check_limits(request, snapshot, configuration.gis_export)
    return plan


def understand(
    request: ExportRequest,
    snapshot: CountySnapshot,
    configuration: CountyConfiguration,
    roles: Collection[str] = (),
    older: CountySnapshot | None = None,
    *,
    loopback: bool = False,
) -> ExportPlan:
    """Check a request against a county's data, and what the caller's roles may see; `older` is what `since` names;
    with `loopback` callbacks may go to this machine.

    Raises
    ------
    Impossible
        Naming the field, what is wrong with it, and what would do.
    """
    settings = configuration.gis_export
    _check_format(request.export_format, settings.available_formats)
    _check_layers(request.layers, snapshot)
    hidden = {
        name: tuple(field.name for field in snapshot.layers[name].fields if field.name in settings.redacted(roles))
        for name in request.layers
    }
    include = request.parameters.include_attributes
    area = _area(request.area_of_interest, snapshot, settings.max_export_area_sq_km)
    attributes = _attributes(
        request, snapshot, include=settings.include_attributes_default if include is None else include
    )
    joined = _joined(request, snapshot, settings.redacted(roles))
    filters = _filters(request, snapshot, hidden)
    if older is not None:
        _check_delta(request, snapshot, older, filters)
        attributes = _with_change(request, snapshot, attributes)
    return ExportPlan(
        export_format=request.export_format,
        layers=tuple(request.layers),
        area=area,
        predicate=_predicate(request.parameters, area),
        crs=_crs(request, settings.default_coordinate_system, snapshot),
        attributes=_with(_without(attributes, hidden, snapshot), joined),
        joined=joined,
        redacted={name: fields for name, fields in hidden.items() if fields},
        filters=filters,
        since=older.version if older else None,
        callback_url=_callback(request.parameters.callback_url, loopback=loopback),
        bundle=request.parameters.bundle,
        all_or_nothing=request.parameters.all_or_nothing,
        shape=_shape(request.parameters, settings.default_simplify_tolerance),
    )


def available_formats(configuration: CountyConfiguration) -> tuple[ExportFormat, ...]:
    """The formats that the county offers: those it lists, or all."""
    listed = configuration.gis_export.available_formats
    return tuple(ExportFormat) if listed is None else tuple(ExportFormat.parse(name) for name in listed)


def _refuse(field: str, message: str) -> Impossible:
    return Impossible(message, [FieldError(field, message)])


def _nearest(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, known, n=3)
    return f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(known) or 'none'}."


def _check_format(export_format: ExportFormat, listed: Sequence[str] | None) -> None:
    if listed is not None and export_format not in {ExportFormat.parse(name) for name in listed}:
        raise _refuse("export_format", f"This county does not offer {export_format}. It offers {', '.join(listed)}.")


def _check_layers(layers: Sequence[str], snapshot: CountySnapshot) -> None:
    for name in layers:
        if name not in snapshot.layers:
            hint = _nearest(name, snapshot.map_layers)
            raise _refuse("layers", f"County '{snapshot.county_id}' has no layer '{name}'. {hint}")
        if not snapshot.layers[name].has_geometry:
            raise _refuse("layers", f"'{name}' is a table without locations; it cannot be exported as a map layer.")


def _check_limits(request: ExportRequest, snapshot: CountySnapshot, settings: GisExportConfiguration) -> None:
    """What is known before anything is read: the number of layers, and of features where all are wanted."""
    if settings.max_layers is not None and len(request.layers) > settings.max_layers:
        raise _refuse(
            "layers", f"{len(request.layers)} layers are asked for; this county's limit is {settings.max_layers}."
        )
    if request.area_of_interest is not None or request.parameters.filter is not None:
        return
    counts = {name: snapshot.layers[name].count for name in request.layers}
    try:
        Limits(settings.max_features).check_features(sum(counts.values()))
        for name, count in counts.items():
            check_format(request.export_format, name, count, [])
    except TooLarge as error:
        raise _refuse("layers", str(error)) from error


def _check_delta(
    request: ExportRequest, snapshot: CountySnapshot, older: CountySnapshot, filters: Mapping[str, Any]
) -> None:
    """Refuse where changes cannot be told: rows without a key of their own, a filter that the older state has not."""
    field = "parameters.since"
    if request.parameters.include_assessment_data:
        raise _refuse(field, "Changes are of a layer's own columns; leave include_assessment_data out.")
    for name in request.layers:
        states = [state.layers[name] for state in (snapshot, older) if name in state.layers]
        for state in states:
            if state.key is None or state.quality.duplicate_keys:
                why = "was loaded without a key" if state.key is None else f"has rows that share a {state.key}"
                raise _refuse(
                    field, f"Layer '{name}' {why} (version {state.version}); changes need a key of each row's own."
                )
        if len({state.key for state in states}) > 1:
            raise _refuse(field, f"Layer '{name}' has another key since; ask for all of it.")
        if len(states) > 1 and name in filters:
            try:
                where(check(filters[name], states[1].fields))
            except FilterError as error:
                raise _refuse("parameters.filter", f"Layer '{name}' in version {older.version}: {error}") from error


def _with_change(
    request: ExportRequest, snapshot: CountySnapshot, attributes: dict[str, tuple[str, ...]] | None
) -> dict[str, tuple[str, ...]]:
    """The columns to keep, with the key and what became of the feature."""
    kept = {}
    for name in request.layers:
        layer = snapshot.layers[name]
        columns = tuple(field.name for field in layer.fields) if attributes is None else attributes[name]
        key = () if layer.key is None or layer.key in columns else (layer.key,)
        kept[name] = (*key, *columns, change_column([field.name for field in layer.fields]))
    return kept


def _joined(request: ExportRequest, snapshot: CountySnapshot, hidden: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The value fields to join, by layer; layers that have them all, or no key, need none."""
    if not request.parameters.include_assessment_data:
        return {}
    field = "parameters.include_assessment_data"
    properties = snapshot.layers.get("properties")
    if properties is None or properties.file("data.parquet") is None:
        raise _refuse(field, f"County '{snapshot.county_id}' has no table 'properties' to take values from.")
    if not any(column.name == KEY for column in properties.fields):
        raise _refuse(field, f"The table 'properties' has no column '{KEY}'.")
    keyed = [name for name in request.layers if any(column.name == KEY for column in snapshot.layers[name].fields)]
    if not keyed:
        raise _refuse(field, f"No layer asked for has a column '{KEY}', by which values are joined.")
    found = {name: lacking(snapshot.layers[name], properties) for name in keyed}
    shown = {name: tuple(column for column in columns if column not in hidden) for name, columns in found.items()}
    return {name: columns for name, columns in shown.items() if columns}


def _with(
    attributes: dict[str, tuple[str, ...]] | None, joined: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]] | None:
    """The columns to keep, and those that are joined; None keeps all, these included."""
    if attributes is None:
        return None
    return {name: (*columns, *joined.get(name, ())) for name, columns in attributes.items()}


def _without(
    attributes: dict[str, tuple[str, ...]] | None, hidden: Mapping[str, Collection[str]], snapshot: CountySnapshot
) -> dict[str, tuple[str, ...]] | None:
    """The columns to keep, less those that the caller may not see."""
    if not any(hidden.values()):
        return attributes
    listed = attributes or {name: tuple(f.name for f in snapshot.layers[name].fields) for name in hidden}
    return {name: tuple(column for column in columns if column not in hidden[name]) for name, columns in listed.items()}


def _area(value: Mapping[str, Any] | None, snapshot: CountySnapshot, limit_sq_km: float) -> Area | None:
    if value is None:
        return None
    try:
        area = parse(value)
        if snapshot.bbox:
            check_against(area, snapshot.bbox, limit_sq_km)
    except AreaError as error:
        raise _refuse("area_of_interest", error.message) from error
    return area


def _predicate(parameters: ExportParameters, area: Area | None) -> Predicate:
    wanted = Predicate.CLIP if parameters.clip else parameters.spatial_predicate
    if area is None and wanted is not Predicate.INTERSECTS:
        field = "clip" if parameters.clip else "spatial_predicate"
        raise _refuse(f"parameters.{field}", f"'{wanted}' says how features lie to an area_of_interest; there is none.")
    return wanted


def _filters(
    request: ExportRequest, snapshot: CountySnapshot, hidden: Mapping[str, Collection[str]]
) -> dict[str, dict[str, Any]]:
    """The conditions as CQL2-JSON by layer: one for all layers asked for, or each its own."""
    wanted = request.parameters.filter
    if wanted is None:
        return {}
    is_one = isinstance(wanted, str) or {"op", "args"} <= set(wanted) or set(wanted) == {"property"}
    by_layer = dict.fromkeys(request.layers, wanted) if is_one else dict(wanted)  # type: ignore[arg-type]
    for layer in by_layer:
        if layer not in request.layers:
            hint = _nearest(layer, request.layers)
            raise _refuse("parameters.filter", f"'{layer}' is not among the layers asked for. {hint}")
    return {layer: _filter(layer, value, snapshot, hidden[layer]) for layer, value in by_layer.items()}


def _filter(layer: str, value: Any, snapshot: CountySnapshot, hidden: Collection[str]) -> dict[str, Any]:
    """A layer's condition; what may not be seen cannot be asked for either, as answers would tell it."""
    try:
        tree = read(value)
        where(check(tree, [field for field in snapshot.layers[layer].fields if field.name not in hidden]))
    except FilterError as error:
        raise _refuse("parameters.filter", f"Layer '{layer}': {error}") from error
    return tree


def _callback(url: str | None, *, loopback: bool) -> str | None:
    """The address to tell; what its name means is judged when it is told."""
    try:
        if url is not None:
            Endpoint.parse(url, loopback=loopback)
    except RefusedAddress as error:
        raise _refuse("parameters.callback_url", str(error)) from error
    return url


def _shape(parameters: ExportParameters, default: float) -> Shape:
    wanted = parameters.simplify_tolerance
    return Shape(default if wanted is None else wanted, parameters.precision, parameters.make_valid)


def _crs(request: ExportRequest, default: str, snapshot: CountySnapshot) -> str:
    wanted = request.parameters.coordinate_system
    forced = FORMATS[request.export_format].forced_crs
    field = "parameters.coordinate_system"
    try:
        resolved = crs.resolve(wanted or forced or default)
    except crs.UnknownCrs as error:
        raise _refuse(field, str(error)) from error
    if forced and resolved.code != forced:
        raise _refuse(field, f"{request.export_format} is always in {forced}; leave coordinate_system out.")
    if snapshot.bbox and resolved.area_of_use and not _overlap(snapshot.bbox, resolved.area_of_use):
        raise _refuse(
            field,
            f"{resolved.code or 'The CRS'} ({resolved.name}) is for {_degrees(resolved.area_of_use)}, and county "
            f"'{snapshot.county_id}' lies at {_degrees(snapshot.bbox)}.",
        )
    return resolved.code or resolved.wkt


def _overlap(county: Box, use: Box) -> bool:
    """Whether boxes meet; an area of use may cross the 180th meridian."""
    west, south, east, north = use
    within = (county[0] <= east and west <= county[2]) if west <= east else (county[0] <= east or west <= county[2])
    return within and county[1] <= north and south <= county[3]


def _degrees(box: Box) -> str:
    west, south, east, north = box
    return f"longitude {west:.4g} to {east:.4g}, latitude {south:.4g} to {north:.4g}"


def _attributes(
    request: ExportRequest, snapshot: CountySnapshot, *, include: bool
) -> dict[str, tuple[str, ...]] | None:
    wanted = request.parameters.attributes
    if not include:
        if wanted:
            raise _refuse("parameters.attributes", "Attributes are listed, and include_attributes is false.")
        return dict.fromkeys(request.layers, ())
    if wanted is None:
        return None
    columns = {name: [field.name for field in snapshot.layers[name].fields] for name in request.layers}
    by_layer = wanted if isinstance(wanted, dict) else _spread(wanted, columns)
    for layer, names in by_layer.items():
        if layer not in columns:
            raise _refuse("parameters.attributes", f"'{layer}' is not among the layers asked for.")
        for name in names:
            if name not in columns[layer]:
                hint = _nearest(name, columns[layer])
                raise _refuse("parameters.attributes", f"Layer '{layer}' has no attribute '{name}'. {hint}")
    return {layer: tuple(by_layer.get(layer, columns[layer])) for layer in request.layers}


def _spread(wanted: Sequence[str], columns: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """One list for several layers: each takes those it has, and somebody must have each."""
    everywhere = [name for names in columns.values() for name in names]
    for name in wanted:
        if name not in everywhere:
            hint = _nearest(name, list(dict.fromkeys(everywhere)))
            raise _refuse("parameters.attributes", f"No layer asked for has an attribute '{name}'. {hint}")
    return {layer: [name for name in wanted if name in names] for layer, names in columns.items()}
