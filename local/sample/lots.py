"""A block becomes lots. Neighbours are cut along the same points, so nothing gapes and nothing overlaps.

Everything here is in a section's local coordinates (ft): p along the streets, q across them.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np

Point = tuple[float, float]


class Purpose(StrEnum):
    """What a lot was cut for."""

    HOUSE = "house"
    SHOP = "shop"
    APARTMENTS = "apartments"
    PLANT = "plant"
    CIVIC = "civic"
    FARM = "farm"


class Frontage(NamedTuple):
    """The street a lot is addressed on: its name, its direction, and the plan coordinate (ft) where p = 0."""

    name: str
    runs_east: bool
    start: float


class Lot(NamedTuple):
    """One lot: its ring, where its drive meets the street, and its place along the street (ft in the plan) and side."""

    ring: list[Point]
    gate: Point
    block: int
    purpose: Purpose
    street: Frontage
    door: float
    odd: bool
    width: float


class Court(NamedTuple):
    """A dead end into a block: its street, and the p where the lots around it begin."""

    street: Frontage
    start: float


@dataclass(frozen=True, slots=True)
class Row:
    """One side of a block: the street it fronts on, where that is, and what for.

    `front` is the q of the street line, `inward` +1 or -1 where the lots lie, `width` the usual lot width (ft),
    `flags` the share of lots that are split into a front lot and a flag lot behind it.
    """

    front: float
    inward: int
    width: float
    purpose: Purpose
    street: Frontage
    odd: bool
    flags: float = 0.0

    def at(self, p: float, depth: float) -> Point:
        """The point `depth` ft behind the street line."""
        return p, self.front + self.inward * depth

    def lot(self, ring: list[Point], block: int, p0: float, p1: float) -> Lot:
        """A lot whose frontage runs from `p0` to `p1`."""
        p = (p0 + p1) / 2
        gate, door = self.at(p, -_HALF_STREET), self.street.start + p
        return Lot(ring, gate, block, self.purpose, self.street, door, self.odd, p1 - p0)


@dataclass(frozen=True, slots=True)
class Block:
    """A rectangle between four streets, its two rows, and how its corners are cut (radius in ft, chord count)."""

    number: int
    p0: float
    p1: float
    near: Row
    far: Row
    corner: float
    chords: int
    even: bool
    court: Court | None = None

    @property
    def middle(self) -> float:
        """The q halfway between the streets."""
        return (self.near.front + self.far.front) / 2

    @property
    def depth(self) -> float:
        """Distance (ft) between the two streets' lines."""
        return abs(self.far.front - self.near.front)

    @property
    def court_line(self) -> tuple[Point, Point]:
        """Mouth and head of the court's centre line."""
        if self.court is None:
            raise ValueError(f"block {self.number} has no court")
        p = self.court.start + COURT_WIDTH / 2
        return self.near.at(p, 0), self.near.at(p, _MIDDLE * self.depth)


COURT_WIDTH = 316.0
"""How much of a block (ft along its street) a court with its seven lots takes."""

_BULB = 47.0
_STEM = 25.0
_MOUTH = 0.25
_MIDDLE = 0.44
_EASE = 14.0
_HALF_STREET = 28.0
_POLE = 20.0


def whole(block: Block, purpose: Purpose) -> list[Lot]:
    """The block as one lot: a park, a school, a plant."""
    p0, p1, near, far = block.p0, block.p1, block.near, block.far
    corners = [
        _corner(block, near, p0, 1),
        _corner(block, near, p1, -1)[::-1],
        _corner(block, far, p1, -1),
        _corner(block, far, p0, 1)[::-1],
    ]
    sides = zip(corners, [*corners[1:], corners[0]], strict=True)
    ring = [point for one, after in sides for point in (*one, *_along(one[-1], after[0]))]
    return [near.lot(ring, block.number, p0, p1)._replace(purpose=purpose)]


def divide(block: Block, rng: np.random.Generator) -> list[Lot]:
    """Cut the block into two rows of lots back to back, around a court where it has one."""
    start, end = _joint(block, block.p0, rng), _joint(block, block.p1, rng)
    if block.court is None:
        return _rows(block, start, end, {}, rng)
    left, right = (_joint(block, block.court.start + across, rng) for across in (0, COURT_WIDTH))
    seams = {p: [block.near.at(p, share * block.depth) for share in (_MOUTH, _MIDDLE)] for p, _ in (left, right)}
    return [
        *_rows(block, start, left, seams, rng),
        *_around(block, block.court.street, left, right, seams),
        *_rows(block, right, end, seams, rng),
    ]


def _along(a: Point, b: Point) -> list[Point]:
    """Points between two corners, close enough for the side to follow a street that bends."""
    steps = max(1, round(math.dist(a, b) / 60))
    return [_between(a, b, step / steps) for step in range(1, steps)]


def _joint(block: Block, p: float, rng: np.random.Generator) -> Point:
    """A point of the spine, where the lots of both rows meet."""
    return p, block.middle + float(rng.uniform(-4, 4))


def _corner(block: Block, row: Row, p: float, along: int) -> list[Point]:
    """Points from the side line to the street line at the corner `p`; `along` points into the block."""
    radius, chords = block.corner, block.chords
    if p not in (block.p0, block.p1):
        return [row.at(p, 0)]
    turns = [math.pi / 2 * step / chords for step in range(chords + 1)]
    return [row.at(p + along * radius * (1 - math.cos(t)), radius * (1 - math.sin(t))) for t in turns]


def _cuts(p0: float, p1: float, width: float, rng: np.random.Generator) -> list[float]:
    count = max(1, round((p1 - p0) / width))
    shares = 1 + rng.uniform(-0.13, 0.13, count)
    ends = p0 + (p1 - p0) * np.cumsum(shares) / shares.sum()
    return [p0, *ends[:-1].tolist(), p1]


def _rows(
    block: Block, start: Point, end: Point, seams: dict[float, list[Point]], rng: np.random.Generator
) -> list[Lot]:
    """Two rows back to back between two points of the spine; `seams` are points on side lines of the near row."""
    p0, p1 = start[0], end[0]
    near_cuts = _cuts(p0, p1, block.near.width, rng)
    alike = block.even and block.near.width == block.far.width
    far_cuts = near_cuts if alike else _cuts(p0, p1, block.far.width, rng)
    slant, jitter = (0.0, 1.5) if block.even else (5.0, 5.0)
    near_rears = [p0, *(p + float(rng.uniform(-slant, slant)) for p in near_cuts[1:-1]), p1]
    far_rears = [p0, *(_snap(p + float(rng.uniform(-slant, slant)), near_rears) for p in far_cuts[1:-1]), p1]
    spine = {p: (p, block.middle + float(rng.uniform(-jitter, jitter))) for p in sorted({*near_rears, *far_rears})}
    spine |= {p0: start, p1: end}
    return [
        *_row(block, block.near, near_cuts, near_rears, spine, seams, rng),
        *_row(block, block.far, far_cuts, far_rears, spine, {}, rng),
    ]


def _snap(p: float, others: Sequence[float]) -> float:
    nearest = min(others, key=lambda other: abs(other - p))
    return nearest if abs(nearest - p) < 6 else p


def _row(
    block: Block,
    row: Row,
    cuts: Sequence[float],
    rears: Sequence[float],
    spine: dict[float, Point],
    seams: dict[float, list[Point]],
    rng: np.random.Generator,
) -> list[Lot]:
    split = _splits(row, cuts, rng)
    seams = seams | {cuts[k]: [_between(row.at(cuts[k], 0), spine[rears[k]], 0.47)] for k in split}
    lots = []
    for k, (p0, p1) in enumerate(itertools.pairwise(cuts)):
        rear = [point for p, point in spine.items() if rears[k] <= p <= rears[k + 1]][::-1]
        left = [*reversed(seams.get(p0, ())), *_corner(block, row, p0, 1)]
        right = [*_corner(block, row, p1, -1)[::-1], *seams.get(p1, ())]
        if k not in split:
            lots.append(row.lot([*left, *right, *rear], block.number, p0, p1))
            continue
        pole, notch = p1 - _POLE, seams[p0][0]
        gatepost, elbow = row.at(pole, 0), (pole, notch[1])
        lots.append(row.lot([*left, gatepost, elbow], block.number, p0, pole))
        lots.append(row.lot([gatepost, *right, *rear, notch, elbow], block.number, pole, p1))
    return lots


def _splits(row: Row, cuts: Sequence[float], rng: np.random.Generator) -> set[int]:
    """Which lots are split into a front and a flag lot: never the first or last, never two side by side."""
    inner = [k for k in range(1, len(cuts) - 2) if rng.random() < row.flags and cuts[k + 1] - cuts[k] > 78]
    return {k for k in inner if k - 1 not in inner}


def _between(a: Point, b: Point, share: float) -> Point:
    return a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])


def _around(block: Block, court: Frontage, start: Point, end: Point, seams: dict[float, list[Point]]) -> list[Lot]:
    """Seven lots around a dead end that enters from the near street: two at its mouth, two beside, three pies."""
    row, p0, p1 = block.near, start[0], end[0]
    depth = block.depth
    middle, bulb = (p0 + p1) / 2, _MIDDLE * depth

    def arc(first: float, last: float) -> list[Point]:
        steps = max(2, round(abs(last - first) / 15))
        turns = [math.radians(first + (last - first) * step / steps) for step in range(steps + 1)]
        return [row.at(middle + _BULB * math.cos(turn), bulb + _BULB * math.sin(turn)) for turn in turns]

    opening = math.degrees(math.asin(_STEM / _BULB))
    reach = (depth - bulb) / math.tan(math.radians(62))
    back_left, back_right = row.at(middle - reach, depth), row.at(middle + reach, depth)
    (mouth_left, side_left), (mouth_right, side_right) = seams[p0], seams[p1]
    stem_left, stem_right = row.at(middle - _STEM, _MOUTH * depth), row.at(middle + _STEM, _MOUTH * depth)
    entry_left = [row.at(middle - _STEM - _EASE, 0), row.at(middle - _STEM, _EASE)]
    entry_right = [row.at(middle + _STEM, _EASE), row.at(middle + _STEM + _EASE, 0)]
    rings = [
        [row.at(p0, 0), *entry_left, stem_left, mouth_left],
        [*entry_right, row.at(p1, 0), mouth_right, stem_right],
        [mouth_left, stem_left, *arc(-90 - opening, -180), side_left],
        [stem_right, mouth_right, side_right, *arc(0, opening - 90)],
        [side_left, *arc(180, 118), back_left, row.at(p0, depth), start],
        [*arc(62, 0), side_right, end, row.at(p1, depth), back_right],
        [*arc(62, 118), back_left, back_right],
    ]
    mouth, first = row.at(middle, -_HALF_STREET), court.start + row.front
    doors = (first + row.inward * (20 + 16 * (k // 2)) for k in range(len(rings)))
    return [
        Lot(ring, mouth, block.number, row.purpose, court, door, k % 2 == 0, 2 * _STEM)
        for k, (ring, door) in enumerate(zip(rings, doors, strict=True))
    ]
