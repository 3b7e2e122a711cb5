"""A section becomes streets, blocks and zones."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from local.sample import names
from local.sample.lots import COURT_WIDTH, Block, Court, Frontage, Lot, Point, Purpose, Row, divide, whole
from local.sample.streets import RIGHT_OF_WAY, Character, RoadClass, Section, line_class

STREET = RIGHT_OF_WAY[RoadClass.LOCAL]


class Zone(StrEnum):
    """Zoning districts."""

    CENTRAL_BUSINESS = "C-3"
    COMMERCIAL = "C-1"
    MULTI_FAMILY = "R-4"
    MEDIUM_DENSITY = "R-2"
    LOW_DENSITY = "R-1"
    SUBURBAN = "RS-20"
    RURAL = "RR-5"
    AGRICULTURE = "AG"
    INDUSTRIAL = "I-1"
    PUBLIC = "PF"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a kind of section is cut: lot width and depth, block length (ft), shares, corners (ft, chords)."""

    width: float
    depth: float
    block: float
    zone: Zone
    purpose: Purpose = Purpose.HOUSE
    even: bool = False
    strips: float = 0.0
    flags: float = 0.0
    courts: float = 0.0
    civic: float = 0.0
    corner: tuple[float, int] = (20.0, 3)


RECIPES = {
    Character.DOWNTOWN: Recipe(
        62, 118, 300, Zone.CENTRAL_BUSINESS, Purpose.SHOP, even=True, civic=0.7, corner=(8.0, 1)
    ),
    Character.OLD_TOWN: Recipe(56, 116, 420, Zone.MEDIUM_DENSITY, even=True, strips=0.75, civic=0.35, corner=(12.0, 1)),
    Character.SUBURB: Recipe(76, 120, 560, Zone.LOW_DENSITY, strips=0.6, civic=0.3),
    Character.COURTS: Recipe(
        86, 142, 760, Zone.LOW_DENSITY, strips=0.35, flags=0.02, courts=0.75, civic=0.22, corner=(25.0, 4)
    ),
    Character.ESTATES: Recipe(135, 196, 700, Zone.SUBURBAN, strips=0.08, flags=0.16, civic=0.1, corner=(25.0, 4)),
    Character.INDUSTRY: Recipe(270, 280, 1_300, Zone.INDUSTRIAL, Purpose.PLANT, strips=0.3, corner=(40.0, 4)),
    Character.ACREAGE: Recipe(300, 300, 1_300, Zone.RURAL, flags=0.12, corner=(30.0, 1)),
    Character.FARMS: Recipe(600, 620, 1_300, Zone.AGRICULTURE, Purpose.FARM, corner=(30.0, 1)),
}

STRIPS = {
    Purpose.SHOP: (140.0, Zone.COMMERCIAL),
    Purpose.APARTMENTS: (190.0, Zone.MULTI_FAMILY),
}
"""What lines an arterial: lot width (ft) and zoning."""


@dataclass(frozen=True, slots=True)
class Road:
    """A street's centre line in local coordinates (ft)."""

    name: str
    road_class: RoadClass
    line: list[Point]


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle in local coordinates (ft) that is zoned otherwise than its section."""

    zone: Zone
    p0: float
    q0: float
    p1: float
    q1: float


@dataclass(frozen=True, slots=True)
class Layout:
    """What a section holds: its lots, its inner streets, and where its zoning differs from its own."""

    lots: list[Lot] = field(default_factory=list)
    roads: list[Road] = field(default_factory=list)
    areas: list[Area] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Street:
    """A street along the section: where its centre line runs (q), its name, and what its two sides are for."""

    q: float
    name: str
    strip: Purpose | None = None


def lay_out(section: Section, edge: float, rng: np.random.Generator) -> Layout:
    """Cut a section into blocks and lots. `edge` is where the county's count of streets starts (plan ft)."""
    recipe = RECIPES[section.character]
    start, end, near, far = (RIGHT_OF_WAY[border] / 2 for border in section.borders())
    rows = max(1, round((section.depth - near - far + STREET) / (2 * recipe.depth + STREET)))
    depth = ((section.depth - near - far + STREET) / rows - STREET) / 2
    streets = _streets(section, recipe, edge, [near + k * (2 * depth + STREET) for k in range(1, rows)], rng)
    layout = Layout()
    layout.roads.extend(Road(s.name, RoadClass.LOCAL, [(0, s.q), (section.length, s.q)]) for s in streets[1:-1])
    for strip_side, street in ((0.0, streets[0]), (section.depth, streets[-1])):
        if street.strip:
            inner = near + depth if strip_side == 0 else section.depth - far - depth
            layout.areas.append(
                Area(STRIPS[street.strip][1], 0, min(strip_side, inner), section.length, max(strip_side, inner))
            )
    aligned = _cross_cuts(start, section.length - end, recipe.block, rng)
    for k in range(rows):
        cuts = aligned if recipe.even else _cross_cuts(start, section.length - end, recipe.block, rng)
        q0 = near + k * (2 * depth + STREET)
        _fill_row(section, edge, layout, (streets[k], streets[k + 1]), (q0, q0 + 2 * depth), cuts, rng)
    return layout


def _streets(
    section: Section, recipe: Recipe, edge: float, edges: list[float], rng: np.random.Generator
) -> list[_Street]:
    """The streets along the section, its near and far border among them."""
    runs_east = not section.turned
    base, line = (section.west, section.column) if section.turned else (section.south, section.row)

    def border(q: float, line: int) -> _Street:
        strip = None
        if line_class(line) is RoadClass.ARTERIAL and rng.random() < recipe.strips:
            strip = Purpose.SHOP if rng.random() < 0.6 else Purpose.APARTMENTS
        return _Street(q, names.main_road(runs_east, line), strip)

    inner = [_Street(q - STREET / 2, names.street(runs_east, base + q, edge)) for q in edges]
    return [border(0, line), *inner, border(section.depth, line + 1)]


def _cross_cuts(p0: float, p1: float, block: float, rng: np.random.Generator) -> list[float]:
    """Centre lines (p) of the cross streets between the ends of a row."""
    count = max(1, round((p1 - p0 + STREET) / (block + STREET)))
    even = np.linspace(p0, p1, count + 1)[1:-1]
    wander = 0.16 * (p1 - p0) / count
    cuts: list[float] = (even + rng.uniform(-wander, wander, even.size)).tolist()
    return cuts


def _fill_row(
    section: Section,
    edge: float,
    layout: Layout,
    streets: tuple[_Street, _Street],
    fronts: tuple[float, float],
    cuts: list[float],
    rng: np.random.Generator,
) -> None:
    """Add one row of blocks, between two streets, to the layout."""
    recipe = RECIPES[section.character]
    start, end, *_ = (RIGHT_OF_WAY[border] / 2 for border in section.borders())
    origin = section.south if section.turned else section.west
    for cut in cuts:
        name = names.street(section.turned, origin + cut, edge)
        layout.roads.append(Road(name, RoadClass.LOCAL, [(cut, streets[0].q), (cut, streets[1].q)]))
    near, far = (
        _row(section, recipe, street, front, inward)
        for street, front, inward in zip(streets, fronts, (1, -1), strict=True)
    )
    begins = [start, *(cut + STREET / 2 for cut in cuts)]
    ends = [*(cut - STREET / 2 for cut in cuts), section.length - end]
    quiet = streets[0].strip is None and streets[1].strip is None
    for p0, p1 in zip(begins, ends, strict=True):
        number = layout.lots[-1].block + 1 if layout.lots else 1
        sides = (near, far) if rng.random() < 0.5 else (far, near)
        block = Block(number, p0, p1, *sides, *recipe.corner, even=recipe.even)
        if quiet and rng.random() < recipe.civic / (3 * len(begins)):
            layout.lots.extend(whole(block, Purpose.CIVIC))
            half = STREET / 2
            layout.areas.append(Area(Zone.PUBLIC, p0 - half, fronts[0] - half, p1 + half, fronts[1] + half))
        elif quiet and p1 - p0 > COURT_WIDTH + 2 * recipe.width and rng.random() < recipe.courts:
            _add_court(section, edge, layout, block, rng)
        else:
            layout.lots.extend(divide(block, rng))


def _row(section: Section, recipe: Recipe, street: _Street, front: float, inward: int) -> Row:
    width, purpose = recipe.width, recipe.purpose
    if street.strip:
        width, purpose = STRIPS[street.strip][0], street.strip
    origin = section.south if section.turned else section.west
    frontage = Frontage(street.name, not section.turned, origin)
    return Row(front, inward, width, purpose, frontage, odd=inward > 0, flags=0 if street.strip else recipe.flags)


def _add_court(section: Section, edge: float, layout: Layout, block: Block, rng: np.random.Generator) -> None:
    along, across = (section.south, section.west) if section.turned else (section.west, section.south)
    place = block.p0 + (block.p1 - block.p0 - COURT_WIDTH) * float(rng.uniform(0.4, 0.6))
    name = names.street(section.turned, along + place + COURT_WIDTH / 2, edge, court=True)
    block = replace(block, court=Court(Frontage(name, section.turned, across), place))
    layout.lots.extend(divide(block, rng))
    (p, mouth), head = block.court_line
    line = [(p, mouth - block.near.inward * STREET / 2), head]
    layout.roads.append(Road(name, RoadClass.COURT, line))
