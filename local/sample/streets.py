"""The street plan: a grid of main roads, and the sections between them in the order in which a town grows."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from local.sample.terrain import FloatArray

IntArray = NDArray[np.int64]

SPACING = 1_320.0
"""Mean distance (ft) between the lines of the grid: a quarter mile."""


class RoadClass(StrEnum):
    """What a road is for."""

    ARTERIAL = "arterial"
    COLLECTOR = "collector"
    LOCAL = "local"
    COURT = "court"


RIGHT_OF_WAY = {RoadClass.ARTERIAL: 100.0, RoadClass.COLLECTOR: 76.0, RoadClass.LOCAL: 56.0, RoadClass.COURT: 50.0}
"""Width (ft) of the public strip that a road lies in."""


class Character(StrEnum):
    """What a section was laid out for."""

    DOWNTOWN = "downtown"
    OLD_TOWN = "old town"
    SUBURB = "suburb"
    COURTS = "courts"
    ESTATES = "estates"
    INDUSTRY = "industry"
    ACREAGE = "acreage"
    FARMS = "farms"


def line_class(line: int) -> RoadClass:
    """Every second line of the grid is an arterial."""
    return RoadClass.COLLECTOR if line % 2 else RoadClass.ARTERIAL


@dataclass(frozen=True, slots=True)
class Bend:
    """How a section's inner streets curve: amplitudes (ft), a phase (rad) and the number of half waves."""

    across: float
    along: float
    phase: float
    waves: int


@dataclass(frozen=True, slots=True)
class Section:
    """The land between four neighbouring lines of the grid; local coordinates run along (p) and across (q) its streets.

    `west` … `north` are plan coordinates (ft) of the bounding centre lines, `ring` the distance from the middle of the
    town in town radii. With `turned`, local streets run north.
    """

    number: int
    column: int
    row: int
    west: float
    south: float
    east: float
    north: float
    ring: float
    character: Character
    turned: bool
    bend: Bend
    neighborhood: int

    @property
    def length(self) -> float:
        """Extent (ft) along the local streets, from centre line to centre line."""
        return self.north - self.south if self.turned else self.east - self.west

    @property
    def depth(self) -> float:
        """Extent (ft) across the local streets, from centre line to centre line."""
        return self.east - self.west if self.turned else self.north - self.south

    def borders(self) -> tuple[RoadClass, RoadClass, RoadClass, RoadClass]:
        """Classes of the bounding roads: start and end of the local streets, then the near and the far side."""
        columns = line_class(self.column), line_class(self.column + 1)
        rows = line_class(self.row), line_class(self.row + 1)
        return (*rows, *columns) if self.turned else (*columns, *rows)

    def to_plan(self, local: FloatArray) -> FloatArray:
        """Plan coordinates of local points, both (n, 2) in ft. The bounding roads' land stays straight."""
        p, q = local[:, 0], local[:, 1]
        margin = RIGHT_OF_WAY[RoadClass.ARTERIAL] / 2
        a = np.clip((p - margin) / (self.length - 2 * margin), 0, 1)
        b = np.clip((q - margin) / (self.depth - 2 * margin), 0, 1)
        fade = np.sin(np.pi * a) * np.sin(np.pi * b)
        across = q + self.bend.across * fade * np.sin(np.pi * self.bend.waves * a + self.bend.phase)
        along = p + self.bend.along * fade * np.cos(np.pi * 2 * b + self.bend.phase)
        x, y = (across, along) if self.turned else (along, across)
        return np.column_stack([self.west + x, self.south + y])


@dataclass(frozen=True, slots=True)
class StreetPlan:
    """The grid of a town for a number of parcels.

    Parameters
    ----------
    parcels
        How many lots the town must hold.
    seed
        Start of every random stream.
    """

    parcels: int
    seed: int

    @property
    def radius(self) -> float:
        """Radius (ft) of the built-up town."""
        return SPACING * float(np.sqrt(self.parcels / 96 / np.pi))

    @property
    def half(self) -> int:
        """Number of grid lines on either side of the middle."""
        return int(self.radius / SPACING * 2.4) + 5

    @property
    def edge(self) -> float:
        """Plan coordinate (ft) of the county's western and southern edge."""
        return -(self.half + 1) * SPACING

    def lines(self) -> tuple[FloatArray, FloatArray]:
        """Plan coordinates (ft) of the lines that run north and those that run east; index 0 is line `-half`."""
        rng = np.random.default_rng((self.seed, 1))
        even = (np.arange(-self.half, self.half + 1) - 0.5) * SPACING
        x, y = (even + rng.uniform(-170, 170, even.size) for _ in range(2))
        return x, y

    def sections(self) -> Iterator[Section]:
        """Every section, from the middle outwards; the outline is uneven, as a grown town's is."""
        x, y = self.lines()
        rng = np.random.default_rng((self.seed, 2))
        columns, rows = (index.ravel() for index in np.meshgrid(np.arange(x.size - 1), np.arange(y.size - 1)))
        east, north = (x[columns] + x[columns + 1]) / 2, (y[rows] + y[rows + 1]) / 2
        angle = np.arctan2(north, east)
        uneven = 1 + 0.11 * np.sin(3 * angle + 0.6) + 0.07 * np.sin(5 * angle + 2.0) + rng.normal(0, 0.04, angle.size)
        ring = np.hypot(east, north) * uneven / self.radius
        quarters = self._quarters(columns, rows)
        numbers: dict[int, int] = {}
        for number, at in enumerate(np.argsort(ring, kind="stable").tolist(), start=1):
            column, row = int(columns[at]), int(rows[at])
            dice = np.random.default_rng((self.seed, 3, column, row))
            character = _character(float(ring[at]), float(angle[at]), dice)
            yield Section(
                number=number,
                column=column - self.half,
                row=row - self.half,
                west=float(x[column]),
                south=float(y[row]),
                east=float(x[column + 1]),
                north=float(y[row + 1]),
                ring=float(ring[at]),
                character=character,
                turned=bool(dice.random() < 0.45),
                bend=_bend(character, dice),
                neighborhood=numbers.setdefault(int(quarters[at]), len(numbers) + 1),
            )

    def _quarters(self, columns: IntArray, rows: IntArray) -> IntArray:
        """Key of each section's neighborhood: the nearest of one scattered middle per three by three sections."""
        side = 2 * self.half // 3 + 3
        rng = np.random.default_rng((self.seed, 4))
        middle_x, middle_y = (
            3 * (index - 1) + rng.uniform(0, 3, (side, side))
            for index in np.meshgrid(np.arange(side), np.arange(side), indexing="ij")
        )
        steps = np.array([(i, j) for i in (0, 1, 2) for j in (0, 1, 2)])
        i = columns[:, None] // 3 + steps[:, 0]
        j = rows[:, None] // 3 + steps[:, 1]
        distance = np.hypot(middle_x[i, j] - columns[:, None] - 0.5, middle_y[i, j] - rows[:, None] - 0.5)
        nearest = distance.argmin(axis=1)
        row = np.arange(columns.size)
        keys: IntArray = i[row, nearest] * side + j[row, nearest]
        return keys


def _character(ring: float, angle: float, dice: np.random.Generator) -> Character:
    mixed = ring + float(dice.normal(0, 0.07)) * min(1.0, ring / 0.3)
    if 0.25 < ring < 1.1 and -0.5 < angle < 0.0 and dice.random() < 0.7:
        return Character.INDUSTRY
    limits = {
        0.10: Character.DOWNTOWN,
        0.36: Character.OLD_TOWN,
        0.64: Character.SUBURB,
        0.82: Character.COURTS,
        0.97: Character.ESTATES,
        1.10: Character.ACREAGE,
    }
    return next((character for limit, character in limits.items() if mixed < limit), Character.FARMS)


def _bend(character: Character, dice: np.random.Generator) -> Bend:
    straight = character in (Character.DOWNTOWN, Character.OLD_TOWN, Character.INDUSTRY)
    across = 6.0 if straight else float(dice.uniform(30, 62))
    along = 4.0 if straight else float(dice.uniform(0, 34))
    phase = float(dice.uniform(0, 2 * np.pi))
    return Bend(across=across, along=along, phase=phase, waves=int(dice.integers(1, 3)))
