"""What is counted while a layer is read."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from cli.loading.columns import Column
from cli.loading.dataset import Geometries
from cli.loading.errors import LoadError
from cli.loading.standard import Converted
from cli.loading.values import NOTHING, together, values_of
from terrafusion.counties import Field, FieldType, Values
from terrafusion.counties.manifest import Box

MAX_UNREADABLE = 0.05  # of a standard column's values; more means that the column is not what its name says
EXAMPLES = 10


@dataclass(slots=True)
class FieldTally:
    """What a column turned out to hold."""

    name: str
    type: FieldType
    source_name: str
    width: int = 1
    nulls: int = 0
    like: Values = NOTHING
    values: int = 0
    failures: int = 0
    examples: tuple[str, ...] = ()

    def count(self, values: pa.Array) -> None:
        """Count what is stored."""
        self.nulls += values.null_count
        self.like = together(self.like, values_of(values))
        if self.type is FieldType.STRING:
            self.width = max(self.width, pc.max(pc.binary_length(values)).as_py() or 1)

    def count_conversion(self, converted: Converted) -> None:
        """Count what was read, and what of it could not be made the standard type."""
        self.values += len(converted.values) - converted.values.null_count + converted.failures
        self.failures += converted.failures
        self.examples = (*self.examples, *converted.examples)[:3]

    def check(self) -> str | None:
        """A note when some values could not be read.

        Raises
        ------
        LoadError
            When so many could not that the mapping must be wrong.
        """
        if not self.failures:
            return None
        examples = ", ".join(f"'{example}'" for example in self.examples)
        what = f"{self.failures:,} of {self.values:,} values of '{self.source_name}' are no {self.type} ({examples})"
        if self.failures > MAX_UNREADABLE * self.values:
            hint = "; dates may be 2024-12-31, 12/31/2024 or 20241231" if self.type is FieldType.DATE else ""
            raise LoadError(
                f"{what}, so it cannot become {self.name}{hint}. Clean this column, or map another to {self.name}"
                f"{' and give this one a name of its own' if self.source_name == self.name else ''}."
            )
        return f"{what}; they are stored empty in {self.name}"

    def as_field(self) -> Field:
        """The column as the manifest describes it."""
        return Field(
            name=self.name,
            type=self.type,
            width=self.width if self.type is FieldType.STRING else None,
            nulls=self.nulls,
            source_name=self.source_name if self.source_name != self.name else None,
            values=self.like,
        )


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Keys that occur more than once: how many, all the rows that have them, and some in order."""

    keys: int
    rows: int
    examples: tuple[str, ...]


@dataclass(slots=True)
class Tally:
    """What a layer turned out to hold, in rows."""

    fields: dict[str, FieldTally]
    read: int = 0
    stored: int = 0
    located: int = 0
    repaired: int = 0
    flattened: int = 0
    multi_points: bool = False
    reasons: Counter[str] = field(default_factory=Counter)
    keys: list[pa.Array] = field(default_factory=list)
    bounds: Box | None = None

    @classmethod
    def of(cls, columns: tuple[Column, ...], added: tuple[str, ...]) -> "Tally":
        """A tally for columns of the source and for real-valued ones that are added."""
        fields = {c.name: FieldTally(c.name, c.type, c.source_name) for c in columns}
        return cls(fields | {name: FieldTally(name, FieldType.REAL, name) for name in added})

    def locate(self, geometries: Geometries) -> None:
        """Count stored geometries; None is one without location."""
        self.located += int(np.count_nonzero(~shapely.is_missing(geometries)))
        self.multi_points |= bool((shapely.get_type_id(geometries) == 4).any())
        there = geometries[~shapely.is_missing(geometries)]
        if len(there):
            west, south, east, north = shapely.total_bounds(there).tolist()
            before = self.bounds or (west, south, east, north)
            self.bounds = (min(west, before[0]), min(south, before[1]), max(east, before[2]), max(north, before[3]))

    def duplicates(self) -> Duplicates:
        """Keys that are not one row's alone."""
        counts = pc.value_counts(pa.chunked_array(self.keys, pa.string()))
        repeated = counts.filter(pc.greater(counts.field("counts"), 1))
        repeated = repeated.filter(pc.is_valid(repeated.field("values")))
        examples = sorted(repeated.field("values").to_pylist())[:EXAMPLES]
        return Duplicates(len(repeated), pc.sum(repeated.field("counts")).as_py() or 0, tuple(examples))

    def keyless(self) -> int:
        """Rows without a key."""
        return sum(keys.null_count for keys in self.keys)
