"""What an export will come to, before it is asked for: features, bytes, seconds, and whether a limit would refuse it.

Features are counted where that is cheap; else they are the share of the layer's box that the area covers, or, under a
filter, an upper bound. Bytes and seconds follow from rates measured per format (`make bench` refreshes them).
"""

from dataclasses import dataclass, replace

from gis_export.capacity import columns_of
from gis_export.division import check_size, expected_parts
from gis_export.gdal import Library, TooLarge, dataset, load
from gis_export.limits import Limits, check_format
from gis_export.plan import ExportPlan
from gis_export.rates import PASS_SECONDS_PER_MILLION, rates
from gis_export.selection import LayerSource, selection
from gis_export.sources import layer_source
from terrafusion.counties import Catalogue, CountySnapshot, GisExportConfiguration, LayerManifest
from terrafusion.errors import Impossible
from terrafusion.storage import Storage

START_SECONDS = 1.5
"""A worker's start, and the way of the file to S3."""
AT_ONCE = 8
"""Parts that the workflow has made at once."""
COUNTED_AT_MOST = 60_000
"""So many features are read for a count; more would keep the caller waiting."""


@dataclass(frozen=True, slots=True)
class LayerEstimate:
    """A layer's features, `exact` when they were counted, and its part of the file and of the time."""

    name: str
    features: int
    exact: bool
    bytes: int
    seconds: float


def estimate(library: Library, plan: ExportPlan, source: LayerSource, layer: LayerManifest) -> LayerEstimate:
    """What a layer will come to.

    Raises
    ------
    EngineError
        When the layer cannot be read.
    """
    features, exact = _features(library, plan, source, layer)
    rate = rates()[plan.export_format]
    stored = layer.file("data.fgb")
    per_feature = (stored.size_bytes if stored else 0) / max(1, layer.located)
    seconds = rate.seconds_per_million + PASS_SECONDS_PER_MILLION * plan.passes
    return LayerEstimate(
        layer.layer,
        features,
        exact,
        int(features * per_feature * rate.bytes_per_source_byte),
        round(features * seconds / 1e6, 2),
    )


def estimated(catalogue: Catalogue, data: Storage, plan: ExportPlan, snapshot: CountySnapshot) -> list[LayerEstimate]:
    """What each layer of a plan will come to; see `estimate` for errors."""
    library = load()
    return [
        estimate(library, plan, layer_source(catalogue, data, plan, snapshot, name), snapshot.layers[name])
        for name in plan.layers
    ]


def parts_of(
    plan: ExportPlan, snapshot: CountySnapshot, settings: GisExportConfiguration, layers: list[LayerEstimate]
) -> int:
    """How many files it will be: parts are ranges of what lies near the area, whatever a filter leaves of them."""
    near = {
        layer.name: layer.features
        if layer.exact and layer.name not in plan.filters
        else int(snapshot.layers[layer.name].located * _share(plan, snapshot.layers[layer.name]))
        for layer in layers
    }
    return expected_parts(plan, snapshot, settings, near)


def seconds_of(layers: list[LayerEstimate], parts: int) -> float:
    """How long it will take, parts side by side."""
    starts = START_SECONDS if parts == 1 else 3 * START_SECONDS
    return round(starts + sum(layer.seconds for layer in layers) / min(parts, AT_ONCE), 1)


def refusal(
    plan: ExportPlan, snapshot: CountySnapshot, settings: GisExportConfiguration, layers: list[LayerEstimate]
) -> str | None:
    """What a limit would say to the estimate, if it holds."""
    limits = Limits(settings.max_features, settings.max_result_bytes)
    try:
        limits.check_features(sum(layer.features for layer in layers))
        for layer in layers if plan.features_per_part is None else ():
            check_format(plan.export_format, layer.name, layer.features, columns_of(plan, snapshot, layer.name))
        limits.check_bytes(sum(layer.bytes for layer in layers))
        check_size(plan, snapshot, settings)
    except TooLarge as error:
        return str(error)
    except Impossible as error:
        return error.message
    return None


def _features(library: Library, plan: ExportPlan, source: LayerSource, layer: LayerManifest) -> tuple[int, bool]:
    share = _share(plan, layer)
    expected = int(layer.located * share)
    if plan.since is not None:
        return expected, False
    if plan.area is None and source.where is None:
        return layer.located, True
    if expected > COUNTED_AT_MOST:
        return expected, False
    what = selection(library, replace(source, types={}), plan.area)
    with library.listening() as heard, dataset(library, what, heard) as opened:
        return int(library.OGR_L_GetFeatureCount(library.GDALDatasetGetLayer(opened, 0), 1)), True


def _share(plan: ExportPlan, layer: LayerManifest) -> float:
    """How much of the layer's box the area's box covers."""
    if plan.area is None or layer.bbox is None:
        return 1.0
    west, south, east, north = layer.bbox
    area = plan.area.bbox
    width, height = min(east, area[2]) - max(west, area[0]), min(north, area[3]) - max(south, area[1])
    whole = (east - west) * (north - south)
    return max(0.0, width) * max(0.0, height) / whole if whole > 0 else 1.0
