"""What stands around every picture of a result."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caption:
    """What every picture of a result says: of which county, from which sales."""

    county: str
    note: str
