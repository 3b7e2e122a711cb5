"""The town on the ground: sections of lots in State Plane, cut by the water, and the layers that lie over them."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import NDArray

from local.sample import names
from local.sample.blocks import RECIPES, STRIPS, Area, Layout, Road, Zone, lay_out
from local.sample.lots import Lot, Purpose
from local.sample.streets import RoadClass, Section, StreetPlan, line_class
from local.sample.terrain import FloatArray, Terrain

Geometries = NDArray[np.object_]

BATCH = 50_000
"""Lots that are held in memory at a time, about."""

_STEP = 110.0
_BANK = 25.0


@dataclass(frozen=True, slots=True)
class Parcels:
    """Lots on the ground: `shapes` (polygons, EPSG:2927), and for each the lot and the section it was cut from."""

    shapes: Geometries
    lots: list[Lot]
    sections: list[Section]

    def __len__(self) -> int:
        return len(self.lots)

    def zones(self) -> list[Zone]:
        """The zoning district of each lot."""
        return [zone_of(lot, section) for lot, section in zip(self.lots, self.sections, strict=True)]


@dataclass(frozen=True, slots=True)
class GroundRoad:
    """A road's centre line on the ground (EPSG:2927), and whether a bridge carries it over the river."""

    shape: shapely.LineString
    name: str
    road_class: RoadClass
    bridges: bool = False


@dataclass(slots=True)
class Town:
    """A town that is built section by section.

    Iterate over `batches` first: roads, zones and neighborhoods cover the sections that this has built.
    """

    plan: StreetPlan
    terrain: Terrain
    water: shapely.MultiPolygon
    banks: shapely.MultiPolygon
    built: list[Section] = field(default_factory=list)
    layouts: dict[int, tuple[list[Road], list[Area]]] = field(default_factory=dict)

    @classmethod
    def found(cls, parcels: int, seed: int) -> "Town":
        """Choose a site for a town of so many lots."""
        plan = StreetPlan(parcels, seed)
        terrain = Terrain(plan.radius)
        water = terrain.water()
        banks = water.buffer(_BANK)
        shapely.prepare([water, banks])
        return cls(plan, terrain, water, banks)

    def batches(self) -> Iterator[Parcels]:
        """Lots from the middle of the town outwards, exactly as many as planned, in batches."""
        sections, left = self.plan.sections(), self.plan.parcels
        while left:
            group = self._lay_out(sections, max(500, min(BATCH, int(1.05 * left))))
            parcels = self._on_ground(group, left)
            left -= len(parcels)
            if parcels.lots:
                yield parcels

    def _lay_out(self, sections: Iterator[Section], lots: int) -> list[tuple[Section, Layout]]:
        """The next sections, with at least so many lots before the water takes its own; the last may have fewer."""
        group: list[tuple[Section, Layout]] = []
        for section in sections:
            rng = np.random.default_rng((self.plan.seed, 5, section.number))
            layout = lay_out(section, self.plan.edge, rng)
            group.append((section, layout))
            lots -= len(layout.lots)
            if lots <= 0:
                return group
        if not group:
            raise ValueError(f"the site has no room for {lots} more lots")
        return group

    def _on_ground(self, group: list[tuple[Section, Layout]], limit: int) -> Parcels:
        """Polygons of a group of sections, without what the water takes, at most `limit` of them."""
        corners, gates, lots, sections = [], [], [], []
        for section, layout in group:
            corners.append(section.to_plan(np.array([point for lot in layout.lots for point in lot.ring])))
            gates.append(section.to_plan(np.array([lot.gate for lot in layout.lots])))
            lots += layout.lots
            sections += [section] * len(layout.lots)
        owners = np.repeat(np.arange(len(lots)), [len(lot.ring) for lot in lots])
        rings = shapely.linearrings(self.terrain.to_ground(np.vstack(corners)), indices=owners)
        shapes = shapely.orient_polygons(shapely.polygons(rings))
        shapes, kept = self._ashore(shapes, shapely.points(self.terrain.to_ground(np.vstack(gates))))
        kept, shapes = kept[:limit], shapes[:limit]
        parcels = Parcels(shapes, [lots[at] for at in kept], [sections[at] for at in kept])
        last = parcels.sections[-1].number if len(parcels) == limit else group[-1][0].number
        for section, layout in group:
            if section.number <= last:
                self.built.append(section)
                self.layouts[section.number] = (layout.roads, layout.areas)
        return parcels

    def _ashore(self, shapes: Geometries, gates: Geometries) -> tuple[Geometries, NDArray[np.int64]]:
        """What the water leaves of each lot, and which lots: what is a sliver or has lost its street becomes bank."""
        wet = np.flatnonzero(shapely.intersects(self.water, shapes))
        full = shapely.area(shapes[wet])
        dry = shapely.difference(shapes[wet], self.water)
        sound = (shapely.get_num_geometries(dry) == 1) & shapely.is_valid(dry) & (shapely.area(dry) > 0.5 * full)
        shapes = shapes.copy()
        shapes[wet] = shapely.orient_polygons(dry)
        keep = ~shapely.intersects(self.banks, gates)
        keep[wet] &= sound
        return shapes[keep], np.flatnonzero(keep)

    def roads(self) -> list[GroundRoad]:
        """Every road: bridges carry the arterials that run north, the others end at the water."""
        roads = self._grid_roads()
        for section in self.built:
            for road in self.layouts[section.number][0]:
                shape = self._line(section, np.array(road.line))
                roads.append(GroundRoad(shape, road.name, road.road_class))
        shapes = np.array([road.shape for road in roads])
        bridged = np.array([road.bridges for road in roads])
        lake = self.terrain.lake().buffer(_BANK)
        wet = np.flatnonzero(shapely.intersects(self.banks, shapes))
        shapes[wet] = shapely.difference(shapes[wet], np.where(bridged[wet], lake, self.banks))
        parts, owner = shapely.get_parts(shapes, return_index=True)
        return [
            GroundRoad(part, roads[at].name, roads[at].road_class)
            for part, at in zip(parts, owner, strict=True)
            if shapely.length(part) > 60
        ]

    def _grid_roads(self) -> list[GroundRoad]:
        """The sides of the built sections, each once."""
        roads: dict[tuple[bool, int, int], GroundRoad] = {}
        for section in self.built:
            for runs_east, step in itertools.product((True, False), (0, 1)):
                line = (section.row if runs_east else section.column) + step
                key = (runs_east, line, section.column if runs_east else section.row)
                if key in roads:
                    continue
                far = step * (section.north - section.south if runs_east else section.east - section.west)
                side = [(section.west, section.south + far), (section.east, section.south + far)]
                if not runs_east:
                    side = [(section.west + far, section.south), (section.west + far, section.north)]
                shape = shapely.LineString(self.terrain.to_ground(_dense(np.array(side))))
                bridges = line_class(line) is RoadClass.ARTERIAL and not runs_east
                roads[key] = GroundRoad(shape, names.main_road(runs_east, line), line_class(line), bridges)
        return list(roads.values())

    def _line(self, section: Section, local: FloatArray) -> shapely.LineString:
        return shapely.LineString(self.terrain.to_ground(section.to_plan(_dense(local))))

    def _rectangle(self, section: Section, p0: float, q0: float, p1: float, q1: float) -> shapely.Polygon:
        ring = np.array([(p0, q0), (p1, q0), (p1, q1), (p0, q1), (p0, q0)])
        return shapely.Polygon(self.terrain.to_ground(section.to_plan(_dense(ring))))

    def neighborhoods(self) -> dict[int, shapely.MultiPolygon]:
        """Ground of each neighborhood by its number, without the water and without those that lie wholly in it."""
        members: dict[int, list[shapely.Polygon]] = {}
        for section in self.built:
            outline = self._rectangle(section, 0, 0, section.length, section.depth)
            members.setdefault(section.neighborhood, []).append(outline)
        shapes = {number: self._tidy(members[number]) for number in sorted(members)}
        return {number: shape for number, shape in shapes.items() if not shape.is_empty}

    def zones(self) -> list[tuple[Zone, shapely.Polygon]]:
        """Contiguous zoning districts, without the water."""
        members: dict[Zone, list[shapely.Polygon]] = {zone: [] for zone in Zone}
        for section in self.built:
            areas = self.layouts[section.number][1]
            special = [self._rectangle(section, area.p0, area.q0, area.p1, area.q1) for area in areas]
            outline = self._rectangle(section, 0, 0, section.length, section.depth)
            members[RECIPES[section.character].zone].append(shapely.difference(outline, shapely.union_all(special)))
            for area, shape in zip(areas, special, strict=True):
                members[area.zone].append(shape)
        return [
            (zone, part)
            for zone, shapes in members.items()
            if shapes
            for part in self._tidy(shapes).geoms
            if part.area > 2_000
        ]

    def _tidy(self, shapes: list[shapely.Polygon]) -> shapely.MultiPolygon:
        """Union of neighbours without the hairline gaps between their bent sides, and without the water."""
        joined = shapely.union_all(shapes).buffer(4, join_style="mitre").buffer(-4, join_style="mitre")
        opened = joined.buffer(-2, join_style="mitre").buffer(2, join_style="mitre")
        dry = shapely.difference(opened.simplify(0.5), self.water)
        return shapely.MultiPolygon([part for part in shapely.get_parts(dry) if part.area > 500])


def zone_of(lot: Lot, section: Section) -> Zone:
    """The zoning district of a lot, by what it was cut for."""
    if lot.purpose is Purpose.CIVIC:
        return Zone.PUBLIC
    recipe = RECIPES[section.character]
    return recipe.zone if lot.purpose is recipe.purpose else STRIPS[lot.purpose][1]


def _dense(line: FloatArray) -> FloatArray:
    """The line with points at most 110 ft apart."""
    pieces = [np.linspace(a, b, max(2, int(np.hypot(*(b - a)) / _STEP) + 2))[:-1] for a, b in itertools.pairwise(line)]
    return np.vstack([*pieces, line[-1:]])
