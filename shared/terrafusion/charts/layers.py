"""What a map shows: areas, paths and places, plain or filled by what they are worth."""

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from terrafusion.charts.style import DIVERGING, INK, PAPER, SEQUENTIAL, Shape
from terrafusion.charts.units import Unit, amount, formatter

Position = tuple[float, float]
Ring = Sequence[Position]
Polygon = Sequence[Ring]
MultiPolygon = Sequence[Polygon]
MultiLine = Sequence[Ring]

BLANK = "#F3F4F6"
NO_VALUE = "#C8CDD4"


@dataclass(frozen=True, slots=True)
class Fill:
    """A colour, and hatching that tells it from others in grey."""

    colour: str
    hatched: bool = False


@dataclass(frozen=True, slots=True)
class Classes:
    """Fills by name, in the order of the legend."""

    fills: dict[str, Fill]

    def place(self, value: str | float | None, mark: str) -> int | None:
        """Which class a value is of; None for no value.

        Raises
        ------
        ValueError
            Names the layer and the value that is no class.
        """
        if value is None:
            return None
        try:
            return list(self.fills).index(str(value))
        except ValueError:
            raise ValueError(f"{mark}: {value!r} is none of the classes {', '.join(self.fills)}") from None

    def legend(self) -> list[tuple[str, Fill]]:
        """Name and fill of each class."""
        return list(self.fills.items())


@dataclass(frozen=True, slots=True)
class Graduated:
    """Fills by number: below the first break, between breaks, from the last break up.

    Attributes
    ----------
    breaks
        Increasing; at most six.
    middle
        The break at which colours diverge, for changes and deviations; the lower side is hatched. None: low to high.
    """

    breaks: Sequence[float]
    unit: Unit = Unit.NUMBER
    middle: float | None = None

    def place(self, value: str | float | None, mark: str) -> int | None:
        """Which step a number is on; see `Classes.place`."""
        if value is None:
            return None
        if isinstance(value, str) or not math.isfinite(value):
            raise ValueError(f"{mark}: {value!r} is no number that could be drawn")
        return bisect.bisect_right(self.breaks, value)

    def legend(self) -> list[tuple[str, Fill]]:
        """Range and fill of each step."""
        return list(zip(self._labels(), self._fills(), strict=True))

    def _labels(self) -> list[str]:
        step = min((high - low for low, high in pairwise(self.breaks)), default=0.0)
        if self.unit is Unit.MONEY:
            written = [amount(value, self.unit) for value in self.breaks]
        else:
            written = [formatter(self.unit, (), step or value)(value) for value in self.breaks]
        if not written:
            return ["All"]
        between = [f"{low} to {high}" for low, high in pairwise(written)]
        return [f"Below {written[0]}", *between, f"{written[-1]} and more"]

    def _fills(self) -> list[Fill]:
        steps = len(self.breaks) + 1
        if steps > len(SEQUENTIAL) or list(self.breaks) != sorted(set(self.breaks)):
            raise ValueError(f"a graduated map needs at most six breaks, increasing, not {list(self.breaks)}")
        if self.middle is None:
            return [Fill(colour) for colour in _spread(SEQUENTIAL, steps)]
        below = bisect.bisect_left(self.breaks, self.middle) + 1 if self.middle in self.breaks else 0
        if not below:
            raise ValueError(f"the middle {self.middle} is none of the breaks {list(self.breaks)}")
        lower = list(reversed(_spread(DIVERGING[2::-1], below)))
        return [Fill(c, hatched=True) for c in lower] + [Fill(c) for c in _spread(DIVERGING[4:], steps - below)]


def _spread(colours: Sequence[str], count: int) -> list[str]:
    """So many colours from the first to the last, mixed where there are fewer."""
    if count == 1:
        return [colours[len(colours) // 2]]
    places = [index * (len(colours) - 1) / (count - 1) for index in range(count)]
    return [_mixed(colours[int(place)], colours[math.ceil(place)], place % 1) for place in places]


def _mixed(one: str, other: str, share: float) -> str:
    pairs = ((int(one[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round(a + (b - a) * share):02X}" for a, b in pairs)


HOT_AND_COLD = Classes(
    {
        "Hot spot, 99% confidence": Fill(DIVERGING[6]),
        "Hot spot, 95% confidence": Fill(DIVERGING[5]),
        "Hot spot, 90% confidence": Fill(DIVERGING[4]),
        "Not significant": Fill(BLANK),
        "Cold spot, 90% confidence": Fill(DIVERGING[2], hatched=True),
        "Cold spot, 95% confidence": Fill(DIVERGING[1], hatched=True),
        "Cold spot, 99% confidence": Fill(DIVERGING[0], hatched=True),
    }
)
"""Classes of Getis-Ord Gi*: cold spots are hatched, so that they differ from hot ones in grey."""

CLUSTERS = Classes(
    {
        "High among high": Fill(DIVERGING[6]),
        "Low among low": Fill(DIVERGING[1], hatched=True),
        "High among low": Fill(DIVERGING[4]),
        "Low among high": Fill(DIVERGING[2], hatched=True),
        "Not significant": Fill(BLANK),
    }
)
"""Classes of local Moran's I."""


@dataclass(frozen=True, slots=True)
class Areas:
    """Polygons, each a sequence of polygons of rings of positions; several features of one kind.

    Attributes
    ----------
    values
        One for each area: a class' name or a number, as `fills` has it; None is hatched. () gives all one fill.
    labels
        One for each area, "" for none; written where they cover no other.
    """

    name: str
    shapes: Sequence[MultiPolygon]
    values: Sequence[str | float | None] = ()
    fills: Classes | Graduated | None = None
    fill: str = BLANK
    outline: str = "#9AA3AE"
    outline_width: float = 0.5
    labels: Sequence[str] = ()

    @property
    def blank(self) -> Fill:
        """What an area without a value is filled with: hatched among coloured ones, where plain grey looks like low."""
        return Fill(NO_VALUE, hatched=True) if self.fills else Fill(self.fill)


@dataclass(frozen=True, slots=True)
class Paths:
    """Lines such as roads or boundaries, each a sequence of lines."""

    name: str
    shapes: Sequence[MultiLine]
    colour: str = INK
    width: float = 1.0
    dash: str = ""
    labels: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Places:
    """Points; `signs` are written in the symbol (a comparable's number), `labels` beside it.

    Attributes
    ----------
    values
        As in `Areas`.
    """

    name: str
    positions: Sequence[Position]
    values: Sequence[str | float | None] = ()
    fills: Classes | Graduated | None = None
    colour: str = "#12436D"
    shape: Shape = Shape.CIRCLE
    radius: float = 4.0
    outline: str = PAPER
    signs: Sequence[str] = ()
    labels: Sequence[str] = ()


Layer = Areas | Paths | Places
