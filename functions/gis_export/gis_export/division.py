"""Whether an export is divided into parts, what cannot be, and what is too much before anything is read."""

from collections.abc import Mapping

from gis_export.capacity import columns_of, part_size, worker_size
from gis_export.coverage import MAX_FEATURES
from gis_export.gdal import TooLarge
from gis_export.limits import Limits, check_format
from gis_export.parts import MAX_PARTS
from gis_export.plan import ExportPlan
from gis_export.refusal import refuse
from terrafusion.counties import CountySnapshot, GisExportConfiguration, LayerManifest

FIELD = "parameters.features_per_part"


def coverages(plan: ExportPlan, snapshot: CountySnapshot) -> list[str]:
    """The layers whose polygons are simplified together, so that neighbors still share their edges."""
    return [name for name in plan.layers if plan.shape.tolerance and _is_of_polygons(snapshot.layers[name])]


def is_divisible(plan: ExportPlan, snapshot: CountySnapshot) -> bool:
    """Whether parts hold the same as the whole."""
    return plan.since is None and not coverages(plan, snapshot)


def takes_parts(
    plan: ExportPlan, snapshot: CountySnapshot, settings: GisExportConfiguration, features: Mapping[str, int]
) -> bool:
    """Whether features, by layer, are more than one file is to have, or one worker takes."""
    asked = plan.features_per_part is not None
    sizes = {name: part_size(plan, snapshot, settings, name, with_format=asked) for name in features}
    return is_divisible(plan, snapshot) and sum(count / sizes[name] for name, count in features.items()) > 1


def expected_parts(
    plan: ExportPlan, snapshot: CountySnapshot, settings: GisExportConfiguration, features: Mapping[str, int]
) -> int:
    """How many files features, by layer, come in."""
    if not takes_parts(plan, snapshot, settings, features):
        return 1
    sizes = {name: part_size(plan, snapshot, settings, name) for name in features}
    return sum(max(1, -(-count // sizes[name])) for name, count in features.items())


def check_division(plan: ExportPlan, snapshot: CountySnapshot) -> None:
    """Refuse parts that would not hold what the whole does.

    Raises
    ------
    Impossible
    """
    if plan.features_per_part is None:
        return
    if plan.since is not None:
        raise refuse(
            FIELD,
            "What changed is found by comparing two states whole, and comes in one file: leave features_per_part out, "
            "or ask for all features in parts, without since.",
        )
    together = coverages(plan, snapshot)
    if together:
        raise refuse(
            FIELD,
            f"The polygons of {', '.join(together)} are simplified together, so that neighbors share their edges; at "
            f"the borders of parts these would tear. Ask for parts with a simplify_tolerance of 0, or, of at most "
            f"{MAX_FEATURES:,} polygons, for one file.",
        )


def check_size(plan: ExportPlan, snapshot: CountySnapshot, settings: GisExportConfiguration) -> None:
    """Refuse what is known to be too much before anything is read: layers, and features where all are wanted.

    Raises
    ------
    Impossible
        Naming the figure, the limit, and what would do.
    """
    if settings.max_layers is not None and len(plan.layers) > settings.max_layers:
        raise refuse(
            "layers", f"{len(plan.layers)} layers are asked for; this county's limit is {settings.max_layers}."
        )
    if plan.area is not None:
        return
    counts = {name: snapshot.layers[name].located for name in plan.layers}
    if takes_parts(plan, snapshot, settings, counts):
        check_parts(counts, {name: part_size(plan, snapshot, settings, name) for name in counts})
    if plan.filters:
        return
    try:
        Limits(settings.max_features).check_features(sum(counts.values()))
        for name, count in counts.items():
            _check_layer(plan, snapshot, settings, name, count)
    except TooLarge as error:
        raise refuse("layers", str(error)) from error


def check_parts(counts: Mapping[str, int], sizes: Mapping[str, int]) -> None:
    """Refuse more parts than anybody could handle.

    Raises
    ------
    Impossible
    """
    total = sum(-(-count // sizes[name]) for name, count in counts.items())
    if total > MAX_PARTS:
        features = sum(counts.values())
        enough = -(-features // max(1, MAX_PARTS - len(counts)))
        raise refuse(
            FIELD,
            f"{features:,} features would make {total:,} parts; at most {MAX_PARTS} are made. Ask for features_per_part"
            f" of {enough:,} or more where the format holds them, for an area, or for fewer layers.",
        )


def _check_layer(
    plan: ExportPlan, snapshot: CountySnapshot, settings: GisExportConfiguration, name: str, count: int
) -> None:
    if plan.features_per_part is None:
        check_format(plan.export_format, name, count, columns_of(plan, snapshot, name))
    if name in coverages(plan, snapshot) and count > MAX_FEATURES:
        raise TooLarge(
            f"'{name}' has {count:,} polygons to simplify together; at most {MAX_FEATURES:,} fit. Ask for an area, or "
            "a filter, or without simplify_tolerance."
        )
    most = worker_size(plan, snapshot.layers[name], settings)
    if plan.since is not None and count > most:
        raise TooLarge(
            f"What changed of '{name}' is found by one worker, which compares {most:,} features at most, and there are "
            f"{count:,}. Ask for an area, for a filter, or for all of it without since."
        )


def _is_of_polygons(layer: LayerManifest) -> bool:
    return "polygon" in (layer.geometry_type or "").lower()
