"""Unit prices, with their date."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

FILE = Path(__file__).with_name("prices.yaml")


class PriceList(BaseModel):
    """US dollars for one unit of each thing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    region: str
    as_of: str
    sources: tuple[str, ...]
    prices: dict[str, float]

    def cost(self, usage: Mapping[str, float]) -> float:
        """What some usage costs; KeyError names what has no price."""
        return sum(quantity * self.prices[name] for name, quantity in usage.items())


@cache
def price_list() -> PriceList:
    """The prices that come with the command."""
    return PriceList.model_validate(yaml.safe_load(FILE.read_text(encoding="utf-8")))
