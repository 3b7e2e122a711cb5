"""What a client asks of a valuation."""

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from terrafusion.nesting import TextOrJson
from valuation.approaches import Approach

MAX_PROPERTY_IDS = 10_000

PropertyId = Annotated[str, Field(min_length=1, max_length=200)]


class Mode(StrEnum):
    """What is to be valued, or whether a model is to be trained."""

    PROPERTY = "property"
    BATCH = "batch"
    TRAIN = "train"


class RollFormat(StrEnum):
    """What a batch's file is."""

    PARQUET = "parquet"
    CSV = "csv"
    GEOPACKAGE = "geopackage"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ValuationParameters(_Model):
    """`report` asks for the packet as PDF of one property; `output_format` is a batch's."""

    report: StrictBool = False
    output_format: RollFormat = RollFormat.PARQUET


class ValuationRequest(_Model):
    """A property (mode `property`), many (`batch`), or the county's model alone (`train`).

    Without a `valuation_date` values are as of the county's last sale. A batch is of `property_ids`, of those that a
    `filter` selects, or, with neither, of the whole roll.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"county_id": "sample", "property_id": "1-0005-003-0001"}]}
    )

    county_id: str = Field(min_length=1, max_length=64, examples=["sample"])
    mode: Mode = Mode.PROPERTY
    property_id: PropertyId | None = Field(default=None, examples=["1-0005-003-0001"])
    property_ids: list[PropertyId] | None = Field(default=None, min_length=1, max_length=MAX_PROPERTY_IDS)
    filter: TextOrJson | None = Field(default=None, description="CQL2, as text or JSON.")
    valuation_method_hint: Approach | None = None
    valuation_date: date | None = Field(default=None, examples=["2026-01-01"])
    parameters: ValuationParameters = ValuationParameters()
