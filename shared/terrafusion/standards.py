"""Standards that a ratio study is judged by: the IAAO's and states'. Data, that a county's configuration may add to.

Imports no numpy: functions that answer HTTP check a standard's name here. `terrafusion.ratios.compliance` judges.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, RootModel, model_validator

BOOK = Path(__file__).with_name("standards.json")


class PropertyType(StrEnum):
    """Types of property for which limits of the COD differ."""

    RESIDENTIAL = "residential"
    RESIDENTIAL_NEW = "residential_new"
    INCOME = "income"
    INCOME_LARGE = "income_large"
    VACANT = "vacant"
    OTHER = "other"


TYPE_WORDS: Mapping[PropertyType, tuple[str, ...]] = {
    PropertyType.VACANT: ("vacant", "land", "undeveloped"),
    PropertyType.INCOME: ("commercial", "industrial", "apartment", "income", "multi", "office", "retail", "warehouse"),
    PropertyType.RESIDENTIAL: ("resid", "single", "condo", "house", "dwelling", "family", "sfr"),
}
"""Words in a county's class by which its type is guessed, the first that fits; a county's `class_types` go before."""


class Judged(StrEnum):
    """What must lie outside of the limits for a failure: the statistic alone, or its whole interval too."""

    POINT = "point"
    INTERVAL = "interval"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Range(_Part):
    """Limits of a statistic, in its own unit; None is no limit."""

    low: float | None = None
    high: float | None = None
    judged: Judged = Judged.INTERVAL

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"the lower limit {self.low} must be below the upper limit {self.high}")
        return self


class BiasRange(_Part):
    """Limits of the PRB: within ±`acceptable` is good, an interval beyond ±`limit` fails."""

    acceptable: float = Field(gt=0)
    limit: float = Field(gt=0)


class Standard(_Part):
    """What a study must meet. A measure without limits here is reported, and not judged.

    `confidence` is the level of the intervals, `minimum_sales` how many sales a verdict takes; `cod` has upper limits
    in percent by property type, `suspicious_cod` the share below which sales chasing is looked for.
    """

    title: str
    source: str
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    minimum_sales: int = Field(default=5, ge=2)
    level: Range | None = None
    cod: dict[PropertyType, float] = {}
    cod_judged: Judged = Judged.INTERVAL
    suspicious_cod: float | None = None
    prd: Range | None = None
    prb: BiasRange | None = None
    vei: float | None = Field(default=None, gt=0)
    mki: Range | None = None
    sold_unsold: float = Field(default=0.05, gt=0)


class StandardBook(RootModel[dict[str, Standard]]):
    """Standards by the name under which a report asks for them."""

    model_config = ConfigDict(frozen=True)

    @classmethod
    @cache
    def default(cls) -> Self:
        """The IAAO's and the states' that come with the platform."""
        return cls.model_validate(json.loads(BOOK.read_text(encoding="utf-8")))

    def with_own(self, own: Mapping[str, Standard]) -> Mapping[str, Standard]:
        """These and a county's own, which go before those of the same name."""
        return {**self.root, **own}


def property_type(property_class: str | None, class_types: Mapping[str, PropertyType]) -> PropertyType:
    """The type of a county's class: what the county says, else by the words in its name, else OTHER."""
    if property_class is None:
        return PropertyType.OTHER
    if property_class in class_types:
        return class_types[property_class]
    text = property_class.lower()
    return next((t for t, words in TYPE_WORDS.items() if any(word in text for word in words)), PropertyType.OTHER)
