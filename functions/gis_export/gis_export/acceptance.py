"""From a request to a plan: everything that can be refused is refused here, before a job exists."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from gis_export import crs
from gis_export.area import Area, AreaError, Box, check_against, parse
from gis_export.callbacks import Endpoint, RefusedAddress
from gis_export.columns import joined_columns, kept_columns, unjoined_columns
from gis_export.division import check_division, check_size
from gis_export.formats import FORMATS, ExportFormat
from gis_export.georeference import MISPLACED, displacement, named
from gis_export.models import ExportParameters, ExportRequest
from gis_export.plan import ExportPlan
from gis_export.refusal import nearest, refuse
from gis_export.selection import Predicate
from gis_export.stages import Shape
from gis_export.where import where
from terrafusion.counties import CountyConfiguration, CountySnapshot, LayerManifest
from terrafusion.filters import FilterError, check, read

SINCE = "parameters.since"


def accept(
    request: ExportRequest,
    snapshot: CountySnapshot,
    configuration: CountyConfiguration,
    roles: Collection[str] = (),
    older: CountySnapshot | None = None,
    *,
    loopback: bool = False,
) -> ExportPlan:
    """Understand a request, and refuse it where it is beyond a limit; see `understand` for errors."""
    plan = understand(request, snapshot, configuration, roles, older, loopback=loopback)
    check_size(plan, snapshot, configuration.gis_export)
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
    area = _area(request.area_of_interest, snapshot, settings.max_export_area_sq_km)
    joined = joined_columns(request, snapshot, settings.redacted(roles))
    filters = _filters(request, snapshot, hidden)
    if older is not None:
        _check_delta(request, snapshot, older, filters)
    plan = ExportPlan(
        export_format=request.export_format,
        layers=tuple(request.layers),
        area=area,
        predicate=_predicate(request.parameters, area),
        crs=_crs(request, settings.default_coordinate_system, snapshot),
        attributes=kept_columns(request, snapshot, settings, hidden, joined, with_change=older is not None),
        joined=joined,
        unjoined=unjoined_columns(request, snapshot, settings.redacted(roles)),
        redacted={name: fields for name, fields in hidden.items() if fields},
        filters=filters,
        since=older.version if older else None,
        callback_url=_callback(request.parameters.callback_url, loopback=loopback),
        bundle=request.parameters.bundle,
        all_or_nothing=request.parameters.all_or_nothing,
        shape=_shape(request.parameters, settings.default_simplify_tolerance),
        features_per_part=request.parameters.features_per_part,
    )
    check_division(plan, snapshot)
    return plan


def available_formats(configuration: CountyConfiguration) -> tuple[ExportFormat, ...]:
    """The formats that the county offers: those it lists, or all."""
    listed = configuration.gis_export.available_formats
    return tuple(ExportFormat) if listed is None else tuple(ExportFormat.parse(name) for name in listed)


def _check_format(export_format: ExportFormat, listed: Sequence[str] | None) -> None:
    if listed is not None and export_format not in {ExportFormat.parse(name) for name in listed}:
        raise refuse("export_format", f"This county does not offer {export_format}. It offers {', '.join(listed)}.")


def _check_layers(layers: Sequence[str], snapshot: CountySnapshot) -> None:
    for name in layers:
        if name not in snapshot.layers:
            hint = nearest(name, snapshot.map_layers)
            raise refuse("layers", f"County '{snapshot.county_id}' has no layer '{name}'. {hint}")
        if not snapshot.layers[name].has_geometry:
            raise refuse("layers", f"'{name}' is a table without locations; it cannot be exported as a map layer.")


def _check_delta(
    request: ExportRequest, snapshot: CountySnapshot, older: CountySnapshot, filters: Mapping[str, Any]
) -> None:
    """Refuse where changes cannot be told: states that cannot be compared, a filter that the older one has not."""
    if request.parameters.include_assessment_data:
        raise refuse(SINCE, "Changes are of a layer's own columns; leave include_assessment_data out.")
    for name in request.layers:
        states = [state.layers[name] for state in (snapshot, older) if name in state.layers]
        _check_states(name, states)
        if len(states) > 1 and name in filters:
            try:
                where(check(filters[name], states[1].fields))
            except FilterError as error:
                raise refuse("parameters.filter", f"Layer '{name}' in version {older.version}: {error}") from error


def _check_states(name: str, states: Sequence[LayerManifest]) -> None:
    """Refuse to compare states of a layer, newer first, whose rows have no key of their own, or that differ in CRS."""
    for state in states:
        if state.key is None or state.quality.duplicate_keys:
            why = "was loaded without a key" if state.key is None else f"has rows that share a {state.key}"
            raise refuse(
                SINCE, f"Layer '{name}' {why} (version {state.version}); changes need a key of each row's own."
            )
    if len({state.key for state in states}) > 1:
        raise refuse(SINCE, f"Layer '{name}' has another key since; ask for all of it.")
    systems = [found for state in states if (found := state.crs or state.crs_wkt)]
    if len(systems) > 1 and not crs.is_same(*systems):
        now, then = (crs.resolve(system) for system in systems)
        raise refuse(
            SINCE,
            f"Layer '{name}' is in {now.code or now.name}, and was in {then.code or then.name} (version "
            f"{states[1].version}): coordinates of different systems cannot be compared. Ask for all of it, without "
            "since.",
        )


def _area(value: Mapping[str, Any] | None, snapshot: CountySnapshot, limit_sq_km: float) -> Area | None:
    if value is None:
        return None
    try:
        area = parse(value)
        if snapshot.bbox:
            check_against(area, snapshot.bbox, limit_sq_km)
    except AreaError as error:
        raise refuse("area_of_interest", error.message) from error
    return area


def _predicate(parameters: ExportParameters, area: Area | None) -> Predicate:
    wanted = Predicate.CLIP if parameters.clip else parameters.spatial_predicate
    if area is None and wanted is not Predicate.INTERSECTS:
        field = "clip" if parameters.clip else "spatial_predicate"
        raise refuse(f"parameters.{field}", f"'{wanted}' says how features lie to an area_of_interest; there is none.")
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
            hint = nearest(layer, request.layers)
            raise refuse("parameters.filter", f"'{layer}' is not among the layers asked for. {hint}")
    return {layer: _filter(layer, value, snapshot, hidden[layer]) for layer, value in by_layer.items()}


def _filter(layer: str, value: Any, snapshot: CountySnapshot, hidden: Collection[str]) -> dict[str, Any]:
    """A layer's condition; what may not be seen cannot be asked for either, as answers would tell it."""
    try:
        tree = read(value)
        where(check(tree, [field for field in snapshot.layers[layer].fields if field.name not in hidden]))
    except FilterError as error:
        raise refuse("parameters.filter", f"Layer '{layer}': {error}") from error
    return tree


def _callback(url: str | None, *, loopback: bool) -> str | None:
    """The address to tell; what its name means is judged when it is told."""
    try:
        if url is not None:
            Endpoint.parse(url, loopback=loopback)
    except RefusedAddress as error:
        raise refuse("parameters.callback_url", str(error)) from error
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
        raise refuse(field, str(error)) from error
    if forced and resolved.code != forced:
        raise refuse(field, f"{request.export_format} is always in {forced}; leave coordinate_system out.")
    if snapshot.bbox and resolved.area_of_use and not _overlap(snapshot.bbox, resolved.area_of_use):
        raise refuse(
            field,
            f"{resolved.code or 'The CRS'} ({resolved.name}) is for {_degrees(resolved.area_of_use)}, and county "
            f"'{snapshot.county_id}' lies at {_degrees(snapshot.bbox)}.",
        )
    _check_named(request.export_format, resolved, snapshot)
    return resolved.code or resolved.wkt


def _check_named(export_format: ExportFormat, wanted: crs.Crs, snapshot: CountySnapshot) -> None:
    """Refuse a CRS in which the format's files would not be read where the county lies."""
    system, box = wanted.code or wanted.wkt, snapshot.bbox
    found = named(export_format, system)
    if found == system or box is None:
        return
    place = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    metres = displacement(system, found, *place) if found else math.inf
    if metres < MISPLACED:
        return
    read = crs.resolve(found) if found else None
    how = f"as {read.code or read.name}" if read else "without a CRS"
    off = f", {metres / 1000:,.0f} km off" if math.isfinite(metres) else ""
    raise refuse(
        "parameters.coordinate_system",
        f"{export_format} has no words for {wanted.code or wanted.name} that GDAL understands: it, and QGIS with it, "
        f"reads such a file {how}{off}. Ask for another coordinate_system, or for a format that names any, such as "
        "GPKG or Shapefile.",
    )


def _overlap(county: Box, use: Box) -> bool:
    """Whether boxes meet; an area of use may cross the 180th meridian."""
    west, south, east, north = use
    within = (county[0] <= east and west <= county[2]) if west <= east else (county[0] <= east or west <= county[2])
    return within and county[1] <= north and south <= county[3]


def _degrees(box: Box) -> str:
    west, south, east, north = box
    return f"longitude {west:.4g} to {east:.4g}, latitude {south:.4g} to {north:.4g}"
