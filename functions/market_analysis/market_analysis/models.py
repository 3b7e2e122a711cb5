"""What a client asks of an analysis."""

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from market_analysis.analysis_types import AnalysisType, AreaBasis, GroupBy, Measure, Period, Unit

Text = Annotated[str, Field(min_length=1, max_length=100)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SubjectProperty(_Model):
    """A property described: areas in square feet, degrees of longitude and latitude."""

    living_area_sqft: float | None = Field(default=None, gt=0, le=10_000_000)
    land_area_sqft: float | None = Field(default=None, gt=0, le=10_000_000_000)
    year_built: int | None = Field(default=None, ge=1600, le=2200)
    bedrooms: float | None = Field(default=None, ge=0, le=1000)
    bathrooms: float | None = Field(default=None, ge=0, le=1000)
    stories: float | None = Field(default=None, ge=0, le=200)
    quality: float | None = Field(default=None, ge=-100, le=100)
    condition: float | None = Field(default=None, ge=-100, le=100)
    garage_area_sqft: float | None = Field(default=None, ge=0, le=1_000_000)
    lon: float | None = Field(default=None, ge=-180, le=180)
    lat: float | None = Field(default=None, ge=-90, le=90)
    zip_code: Text | None = None
    neighborhood: Text | None = None
    property_class: Text | None = None


class AnalysisParameters(_Model):
    """What to look at, and how; which analysis takes what is in docs/methods/market-analysis.md.

    `date_from` and `date_to` are included. `min_sales` is below which a period or an area is marked as thin.
    """

    zip_code: Text | None = None
    neighborhood: Text | None = None
    property_class: Text | None = None
    date_from: date | None = None
    date_to: date | None = None
    period: Period | None = None
    group_by: GroupBy | None = None
    min_sales: int | None = Field(default=None, ge=1, le=1_000)
    area_basis: AreaBasis | None = None
    valuation_date: date | None = None
    min_holding_days: int | None = Field(default=None, ge=0, le=3_650)
    max_annual_change_percent: float | None = Field(default=None, gt=0, le=1_000)
    radius_miles: float | None = Field(default=None, gt=0, le=500)
    count: int | None = Field(default=None, ge=1, le=100)
    property_id: Text | None = None
    subject: SubjectProperty | None = None
    level: float | None = Field(default=None, ge=0.5, le=0.99)
    measure: Measure | None = None
    unit: Unit | None = None
    neighbors: int | None = Field(default=None, ge=1, le=50)
    permutations: int | None = Field(default=None, ge=99, le=99_999)
    seed: int | None = Field(default=None, ge=0, le=2**31 - 1)
    significance: float | None = Field(default=None, ge=0.001, le=0.2)


class AnalysisRequest(_Model):
    """A county, a kind of analysis, and what to look at."""

    county_id: str = Field(min_length=1, max_length=64, examples=["sample"])
    analysis_type: AnalysisType = Field(examples=["price_trend_by_zip"])
    parameters: AnalysisParameters = AnalysisParameters()
