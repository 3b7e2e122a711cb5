"""The ways to a value. On its own, as what answers HTTP loads it, and nothing else of a model."""

from enum import StrEnum


class Approach(StrEnum):
    """The ways to a value; a request's hint is one of them."""

    RECONCILED = "reconciled"
    COMPARABLE_SALES = "comparable_sales"
    AVM = "avm"
    COST = "cost"
