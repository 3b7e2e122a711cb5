"""What a client asks of a report."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, model_validator

from reporting.kinds import OutputFormat, ReportType, Stratum

MAX_PROPERTIES = 200
MAX_TERMS = 100

Term = Annotated[str, Field(min_length=1, max_length=200)]


def _terms(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


Terms = Annotated[list[Term], BeforeValidator(_terms), Field(min_length=1, max_length=MAX_TERMS)]
"""One term, or a list of them."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReportParameters(_Model):
    """How a report is to be made; which of these a type knows, docs/methods/ratio-studies.md says.

    `year`, `date_from` and `date_to` select sales by date, both days included. `value_source` says which value a sale
    is compared with: that recorded with the sale, or the property's current one; `auto` takes the former where the
    county keeps it. `adjust_to` is the day to which `time_adjust` brings prices, the last sale's when left out: it
    needs `time_adjust`, and lies within five years of the sales.
    """

    output_format: Annotated[OutputFormat | None, BeforeValidator(_lower)] = None
    year: Annotated[int, Field(ge=1800, le=2200)] | None = None
    date_from: date | None = None
    date_to: date | None = None
    property_class: Terms | None = None
    neighborhood: Terms | None = None
    zip_code: Terms | None = None
    standard: Term | None = Field(default=None, examples=["iaao"])
    property_type: Literal["residential", "residential_new", "income", "income_large", "vacant", "other"] | None = None
    confidence: Annotated[float, Field(ge=0.8, le=0.995)] | None = None
    value_source: Literal["auto", "sale", "roll"] | None = None
    trim_outliers: StrictBool | None = None
    time_adjust: StrictBool | None = None
    adjust_to: date | None = None
    stratify: Annotated[list[Stratum], Field(max_length=len(Stratum))] | None = None
    sold_from: date | None = None
    sold_to: date | None = None
    movers: Annotated[int, Field(ge=0, le=1000)] | None = None
    property_id: Term | None = None
    property_ids: Annotated[list[Term], Field(min_length=1, max_length=MAX_PROPERTIES)] | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "ReportParameters":
        for first, last in (("date_from", "date_to"), ("sold_from", "sold_to")):
            start, end = getattr(self, first), getattr(self, last)
            if start and end and start > end:
                raise ValueError(f"{first} {start} is after {last} {end}")
        return self

    @property
    def given(self) -> tuple[str, ...]:
        """Names of the parameters that the request sets."""
        return tuple(name for name in type(self).model_fields if getattr(self, name) is not None)


class ReportRequest(_Model):
    """A county, a type of report, and how it is to be made."""

    county_id: str = Field(min_length=1, max_length=64, examples=["sample"])
    report_type: ReportType
    parameters: ReportParameters = ReportParameters()
