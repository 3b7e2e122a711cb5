"""What is asked of the engine, and what became of each layer."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from gis_export.area import Area
from gis_export.formats import ExportFormat
from gis_export.gdal import EngineError, TooLarge
from gis_export.limits import Limits
from gis_export.losses import Loss
from gis_export.selection import Predicate
from gis_export.stages import Shape
from gis_export.target import Cancelled

EMPTY = "no feature was selected; the layer is empty"
"""What a layer's warnings say when there is nothing in it."""


class LayerError(Exception):
    """A layer that cannot be written, and why."""

    def __init__(self, layer: str, cause: EngineError) -> None:
        super().__init__(str(cause))
        self.layer = layer
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Order:
    """How an export is to be made; see `gis_export.engine.export`."""

    export_format: ExportFormat
    crs: str
    area: Area | None
    predicate: Predicate
    attributes: Mapping[str, Sequence[str]] | None
    shape: Shape = field(default_factory=Shape)
    limits: Limits = field(default_factory=Limits)
    all_or_nothing: bool = True

    @property
    def stages(self) -> int:
        """How many passes over a layer come before the one that writes it."""
        return int(self.area is not None and self.predicate is not Predicate.INTERSECTS) + self.shape.passes


@dataclass(frozen=True, slots=True)
class LayerResult:
    """A layer as written, or the error that kept it from being so.

    `field_crosswalk` gives the column's name in the file where it is another; `extent` is west, south, east, north in
    the target CRS, None where there is no feature, or the file has no geometry; `columns` are named as in the file;
    `style` says where the layer's style is, a table or a file beside the data.
    """

    name: str
    record_count: int
    geometry_type: str
    warnings: tuple[str, ...]
    field_crosswalk: dict[str, str]
    losses: tuple[Loss, ...] = ()
    extent: tuple[float, float, float, float] | None = None
    error: str | None = None
    changes: Mapping[str, int] | None = None
    columns: tuple[str, ...] = ()
    style: str | None = None


def failure(error: LayerError) -> LayerResult:
    """What a result says of a layer that is missing."""
    return LayerResult(error.layer, 0, "Unknown", (f"the layer is missing: {error.cause}",), {}, error=str(error.cause))


@contextmanager
def blaming(layer: str) -> Iterator[None]:
    """Say which layer an error is about; a stop, and what is too large, are about the whole."""
    try:
        yield
    except (Cancelled, TooLarge):
        raise
    except EngineError as error:
        raise LayerError(layer, error) from error
