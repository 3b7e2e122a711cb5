"""A table that the engine joins onto a layer as it reads; whoever makes the table knows what it means."""

from dataclasses import dataclass

KEY = "property_id"
TABLE = "properties"


@dataclass(frozen=True, slots=True)
class Join:
    """A table to join by `property_id`: its SQLite file, and the columns that it brings, with their OGR types."""

    path: str
    columns: tuple[str, ...]
    dates: tuple[str, ...]
