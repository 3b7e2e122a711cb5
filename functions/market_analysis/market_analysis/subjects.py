"""The property that a valuation is of."""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from market_analysis import joining
from market_analysis.analysis import Row, figure
from market_analysis.analysis_types import GroupBy
from market_analysis.failures import no_data
from terrafusion.errors import FailureReason, JobFailure


@dataclass(frozen=True, slots=True)
class Subject:
    """A property described: `numbers` by the names of `joining.NUMBERS`, `places`; None for what is not known."""

    property_id: str | None
    numbers: Mapping[str, float | None]
    places: Mapping[GroupBy, str | None]


def find(database: duckdb.DuckDBPyConnection, property_id: str) -> Subject:
    """A property out of the county's table.

    Raises
    ------
    JobFailure
        PROPERTY_NOT_FOUND.
    """
    if "properties" not in joining.tables(database):
        raise no_data("The county has no table of properties; describe the property in `subject`.")
    numbers = ", ".join(f"TRY_CAST({name} AS DOUBLE)" for name in joining.NUMBERS)
    places = ", ".join(f"nullif(trim({place}::VARCHAR), '')" for place in joining.PLACES)
    rows = database.execute(
        f"SELECT {numbers}, {places} FROM properties WHERE property_id = $id LIMIT 1",  # noqa: S608
        {"id": property_id},
    ).fetchall()
    if not rows:
        raise JobFailure(FailureReason.PROPERTY_NOT_FOUND, f"The county has no property '{property_id}'.")
    count = len(joining.NUMBERS)
    return Subject(
        property_id,
        dict(zip(joining.NUMBERS, rows[0][:count], strict=True)),
        dict(zip(joining.PLACES, rows[0][count:], strict=True)),
    )


def described(subject: Subject) -> Row:
    """A subject as a result tells it."""
    numbers = {name: figure(value, 7) if value is not None else None for name, value in subject.numbers.items()}
    return {"property_id": subject.property_id, **{str(k): v for k, v in subject.places.items()}, **numbers}
