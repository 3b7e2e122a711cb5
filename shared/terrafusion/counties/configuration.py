"""What a county may set for itself; everything has a default."""

from collections.abc import Collection, Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, model_validator

from terrafusion.standards import PropertyType, Standard

EVERYBODY_ELSE = "*"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def hidden_from(redacted_fields: Mapping[str, Collection[str]], roles: Collection[str]) -> frozenset[str]:
    """Those of the fields by role (`*` for roles not named) that a caller may not see: none of its roles may."""
    others = redacted_fields.get(EVERYBODY_ELSE, ())
    return frozenset.intersection(
        *(frozenset(redacted_fields.get(role, others)) for role in roles or (EVERYBODY_ELSE,))
    )


class GisExportConfiguration(_Section):
    """Limits and defaults of exports (areas in km²), the data's licence, and what which role may not see.

    Exports of more than `max_features_per_worker` features are made in parts, side by side.
    """

    available_formats: tuple[str, ...] | None = None
    default_coordinate_system: str = "EPSG:4326"
    max_export_area_sq_km: float = Field(default=500, gt=0)
    default_simplify_tolerance: float = Field(default=0, ge=0)
    include_attributes_default: bool = True
    max_features: int | None = Field(default=None, gt=0)
    max_layers: int | None = Field(default=None, gt=0)
    max_result_bytes: int | None = Field(default=None, gt=0)
    max_features_per_worker: int = Field(default=2_000_000, ge=100)
    redacted_fields: dict[str, tuple[str, ...]] = {}
    licence: str | None = Field(default=None, max_length=2_000)
    attribution: str | None = Field(default=None, max_length=2_000)

    def redacted(self, roles: Collection[str]) -> frozenset[str]:
        """The fields that a caller of some roles may not see."""
        return hidden_from(self.redacted_fields, roles)

    @model_validator(mode="after")
    def _says_what_the_others_see(self) -> Self:
        if self.redacted_fields and EVERYBODY_ELSE not in self.redacted_fields:
            raise ValueError(
                f"redacted_fields needs an entry '{EVERYBODY_ELSE}' for roles it does not name ([] hides nothing), "
                "or a misspelt role would see everything"
            )
        return self


class CostTables(_Section):
    """A county's cost tables, USD per sq ft; tables by name fall back on their entry `default`.

    `cost_per_sqft` is replacement cost new by `class|quality`, quality or class, `economic_life_years` by class,
    `effective_age_factor` by condition (a share of actual age), `land_per_sqft` by neighborhood. `local_multiplier` is
    of the cost to build; rates of land are local already. Without `land_per_sqft` sales tell what land is worth.
    """

    cost_per_sqft: dict[str, PositiveFloat] = Field(min_length=1)
    garage_cost_per_sqft: float = Field(default=0, ge=0)
    local_multiplier: float = Field(default=1, gt=0)
    economic_life_years: dict[str, PositiveFloat] = {"default": 60}
    residual_share: float = Field(default=0.2, ge=0, le=1)
    effective_age_factor: dict[str, PositiveFloat] = {}
    land_per_sqft: dict[str, PositiveFloat] = {}


class ValuationConfiguration(_Section):
    """Defaults of valuations; without `cost_tables` costs are extracted from sales."""

    default_method: str = "reconciled"
    confidence_threshold_for_review: float = Field(default=0.75, ge=0, le=1)
    cost_tables: CostTables | None = None


class ReportingConfiguration(_Section):
    """Defaults of reports.

    `standard` names the standard that studies are judged by; `standards` are the county's own, beside those in
    `terrafusion.standards`. `class_types` says of which type a property class is, `exempt_classes` which are exempt.
    """

    standard_report_types: tuple[str, ...] = ()
    default_export_format: str = "pdf"
    standard: str = "iaao"
    standards: dict[str, Standard] = {}
    class_types: dict[str, PropertyType] = {}
    exempt_classes: tuple[str, ...] = ()


class MarketAnalysisConfiguration(_Section):
    """Defaults of market analyses."""

    default_trend_period_years: int = Field(default=3, gt=0)


class CountyConfiguration(_Section):
    """A county's configuration document, `counties/{county_id}/config.json` in the data bucket."""

    name: str | None = None
    gis_export: GisExportConfiguration = GisExportConfiguration()
    valuation: ValuationConfiguration = ValuationConfiguration()
    reporting: ReportingConfiguration = ReportingConfiguration()
    market_analysis: MarketAnalysisConfiguration = MarketAnalysisConfiguration()
    field_map: dict[str, str] = {}
