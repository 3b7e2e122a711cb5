"""What a client asks of an export, and what the export answers."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, field_validator

from gis_export.formats import ExportFormat
from gis_export.selection import Predicate
from terrafusion.nesting import JsonObject, TextOrJson

MAX_LAYERS = 50

LayerName = Annotated[str, Field(min_length=1)]


def _format(value: Any) -> Any:
    return ExportFormat.parse(value) if isinstance(value, str) else value


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Decimals = Annotated[StrictInt, Field(ge=0, le=15), BeforeValidator(_whole)]
"""An integer as JSON knows it: 2.0 is one, true and "2" are none."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ExportParameters(_Model):
    """How the file is to be made.

    `spatial_predicate` says how features must lie to the area of interest, `clip` that they are cut at its edge;
    `coordinate_system` is an EPSG code or WKT; `attributes` the columns to keep, for all layers or by layer.
    """

    filter: TextOrJson | None = Field(
        default=None,
        examples=["year_built >= 1990 AND property_class = 'residential'"],
        description="A condition in CQL2, as text or JSON, for all layers, or by layer.",
    )
    spatial_predicate: Literal[Predicate.INTERSECTS, Predicate.WITHIN] = Predicate.INTERSECTS
    clip: StrictBool = False
    simplify_tolerance: float | None = Field(
        default=None, ge=0, allow_inf_nan=False, description="In units of the coordinate system of the export."
    )
    precision: Decimals | None = Field(default=None, description="Decimals of coordinates.")
    make_valid: StrictBool = False
    dimensions: Literal["XY"] = Field(default="XY", description="The counties' data are kept in two dimensions.")
    coordinate_system: str | None = Field(default=None, max_length=20_000, examples=["EPSG:4326"])
    attributes: list[str] | dict[str, list[str]] | None = None
    include_attributes: StrictBool | None = None
    include_assessment_data: StrictBool = Field(
        default=False, description="Join the standard value fields of the county's properties where a layer lacks them."
    )
    callback_url: str | None = Field(
        default=None, max_length=2_000, description="An https address that is told, signed, when the job has ended."
    )
    since: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="A dataset version, or a job's id: only what was added, changed or removed since.",
    )
    bundle: StrictBool = Field(default=False, description="A zip with the data, a manifest, a README and the area.")
    features_per_part: Annotated[StrictInt, Field(ge=100, le=10_000_000), BeforeValidator(_whole)] | None = Field(
        default=None,
        examples=[250_000],
        description="Numbered files of at most so many features of a layer each, fewer where a worker or the format "
        "holds fewer; an export that fits into one is one file.",
    )
    all_or_nothing: StrictBool = Field(
        default=False, description="Whether a layer that fails takes the others with it."
    )


class ExportRequest(_Model):
    """A county's layers, a format, and where and how."""

    county_id: str = Field(min_length=1, max_length=64, examples=["sample"])
    export_format: Annotated[ExportFormat, BeforeValidator(_format)]
    layers: list[LayerName] = Field(
        min_length=1, max_length=MAX_LAYERS, examples=[["parcels"]], json_schema_extra={"uniqueItems": True}
    )
    area_of_interest: JsonObject | None = Field(
        default=None,
        examples=[{"type": "bbox", "coordinates": [-119.31, 46.24, -119.29, 46.26]}],
        description="A bbox, or a GeoJSON polygon, multipolygon, feature or feature collection; EPSG:4326 unless "
        "a member `crs` says else.",
    )
    parameters: ExportParameters = ExportParameters()

    @field_validator("layers")
    @classmethod
    def _each_once(cls, layers: list[str]) -> list[str]:
        twice = sorted({name for name in layers if layers.count(name) > 1})
        if twice:
            raise ValueError(f"named more than once: {', '.join(twice)}")
        return layers


class LayerEstimate(_Model):
    """A layer's part of an estimate; `exact` when its features were counted, else they are about so many, or fewer."""

    name: str
    features: int
    exact: bool
    bytes: int
    seconds: float


class Estimate(_Model):
    """What an export will come to: in one file, or in `parts`; `refusal` is what a limit would say."""

    county_id: str
    dataset_version: str
    export_format: str
    layers: list[LayerEstimate]
    features: int
    bytes: int
    seconds: float
    parts: int
    refusal: str | None


class FormatInfo(_Model):
    """A format that a county offers."""

    name: str
    driver: str
    extension: str
    media_type: str
    many_layers: bool
    forced_crs: str | None
    notes: list[str]


class Formats(_Model):
    """The formats that a county offers."""

    county_id: str
    formats: list[FormatInfo]


class Defaults(_Model):
    """What holds for a county's exports when a request does not say."""

    county_id: str
    dataset_version: str
    available_formats: list[str]
    layers: list[str]
    default_coordinate_system: str
    max_export_area_sq_km: float
    default_simplify_tolerance: float
    include_attributes_default: bool
    max_features: int | None
    max_layers: int | None
    max_result_bytes: int | None
    max_features_per_worker: int
    licence: str | None
    attribution: str | None
    redacted_fields: list[str]
