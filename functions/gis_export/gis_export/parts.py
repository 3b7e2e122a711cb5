"""The parts of an export that is more than one worker's: ranges of a layer's features, which no two parts share."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from gis_export.selection import Settled

MAX_PARTS = 200
"""More would neither fit into the workflow's history nor into anybody's folder."""
PARTS = "parts.json"
Span = tuple[int, int]
"""Number of a first feature, and of the one after the last, in a layer's file."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part: `number` of the `count` of its layer, from 1, and the features from `first` to before `end`."""

    layer: str
    number: int
    count: int
    first: int
    end: int

    @property
    def name(self) -> str:
        """What tells it from the others in the name of a file."""
        return f"{self.layer}_part-{self.number:04}"


@dataclass(frozen=True, slots=True)
class Division:
    """An export's parts, and what was found of each layer's whole selection, so that its parts are alike."""

    parts: tuple[Part, ...]
    settled: Mapping[str, Settled] = field(default_factory=dict)

    @property
    def document(self) -> dict[str, Any]:
        """As the steps of a job hand it on."""
        settled = {name: asdict(found) for name, found in self.settled.items()}
        return {"parts": [asdict(part) for part in self.parts], "settled": settled}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Division":
        """Read it back."""
        settled = {n: Settled(tuple(found["as_text"]), found["utc"]) for n, found in document["settled"].items()}
        return cls(tuple(Part(**part) for part in document["parts"]), settled)


def divide(layer: str, spans: Sequence[Span], most: int) -> list[Part]:
    """Cut a layer's features, given as ascending spans, into parts of at most `most`, of nearly the same size.

    A layer of which nothing is wanted is one part without features.
    """
    total = sum(end - first for first, end in spans)
    count = max(1, -(-total // most))
    pieces = iter(spans)
    here = next(pieces, (0, 0))
    parts = []
    for number in range(1, count + 1):
        missing = total * number // count - total * (number - 1) // count
        first = here[0]
        while missing > here[1] - here[0]:
            missing -= here[1] - here[0]
            here = next(pieces)
        end = here[0] + missing
        parts.append(Part(layer, number, count, first, end))
        here = (end, here[1]) if end < here[1] else next(pieces, (end, end))
    return parts
