"""Where properties lie, and which market area each belongs to; works without coordinates, and without neighborhoods."""

from enum import StrEnum

import numpy as np
from scipy.spatial import cKDTree

from valuation.features import sane
from valuation.records import Floats, Ints, Records
from valuation.settings import Spec

KM_PER_DEGREE = 111.32
ENOUGH = 0.8
"""The share of sales that must have a neighborhood (ZIP code, location) for it to be used."""
CELL_SALES = 60
"""Market areas are cut out of the map so that each has about so many sales."""
APART = 1000.0
"""Kilometres between market areas that no coordinates tell apart."""


class AreaKind(StrEnum):
    """What a market area is."""

    NEIGHBORHOOD = "neighborhood"
    ZIP_CODE = "zip_code"
    CELL = "cell"
    COUNTY = "county"


class Places(Spec):
    """The county's map: `origin` (longitude, latitude) of the kilometres, and its market areas.

    Named areas have `names`; cells have `centers` (km) and no names. `middles` are the areas' middles (km).
    """

    located: bool
    origin: tuple[float, float]
    kind: AreaKind
    names: tuple[str, ...]
    middles: tuple[tuple[float, float], ...]

    @classmethod
    def survey(cls, sold: Records) -> "Places":
        """Lay out market areas by where sales were made."""
        lon, lat = sane("lon", sold.numbers("lon")), sane("lat", sold.numbers("lat"))
        there = ~np.isnan(lon) & ~np.isnan(lat)
        located = bool(there.mean() >= ENOUGH) and (np.ptp(lon[there]) > 0 or np.ptp(lat[there]) > 0)
        origin = (float(np.median(lon[there])), float(np.median(lat[there]))) if located else (0.0, 0.0)
        bare = cls(located=located, origin=origin, kind=AreaKind.COUNTY, names=(), middles=())
        for field, kind in (("neighborhood", AreaKind.NEIGHBORHOOD), ("zip_code", AreaKind.ZIP_CODE)):
            if kind is AreaKind.ZIP_CODE and located:
                break
            texts = sold.texts(field)
            names = tuple(np.unique(texts[texts != ""]).tolist())
            if np.mean(texts != "") >= ENOUGH and 1 < len(names) <= len(sold) / 5:
                return _with_middles(bare.model_copy(update={"kind": kind, "names": names}), sold)
        if located:
            cells = _cells(bare.kilometres(sold)[there])
            return bare.model_copy(update={"kind": AreaKind.CELL, "middles": cells})
        return bare.model_copy(update={"middles": ((0.0, 0.0),)})

    @property
    def count(self) -> int:
        """How many market areas there are."""
        return len(self.middles)

    def areas(self, records: Records) -> Ints:
        """The market area of each row, -1 where it is not known."""
        if self.kind is AreaKind.COUNTY:
            return np.zeros(len(records), np.int64)
        if self.kind is AreaKind.CELL:
            places = self.kilometres(records)
            there = ~np.isnan(places).any(axis=1)
            found = np.full(len(records), -1)
            if there.any():
                found[there] = cKDTree(np.array(self.middles)).query(places[there])[1]
            return found
        known, at = np.unique(records.texts(self.kind.value), return_inverse=True)
        codes = {name: code for code, name in enumerate(self.names)}
        return np.array([codes.get(text, -1) for text in known.tolist()], np.int64)[at]

    def kilometres(self, records: Records) -> Floats:
        """East and north of the origin in km (n, 2), NaN where a row has no location."""
        if not self.located:
            return np.full((len(records), 2), np.nan)
        lon, lat = sane("lon", records.numbers("lon")), sane("lat", records.numbers("lat"))
        east = (lon - self.origin[0]) * KM_PER_DEGREE * np.cos(np.radians(self.origin[1]))
        return np.column_stack([east, (lat - self.origin[1]) * KM_PER_DEGREE])

    def positions(self, records: Records, areas: Ints) -> Floats:
        """Where to look for neighbors (n, 2): a row without a location is in the middle of its area, or the county."""
        places = self.kilometres(records)
        lost = np.isnan(places).any(axis=1)
        middles = np.array([*self.middles, (0.0, 0.0)])
        places[lost] = middles[areas[lost]]
        return places


def _with_middles(places: Places, sold: Records) -> Places:
    """Named areas with their middles; without coordinates they lie far from each other."""
    if not places.located:
        return places.model_copy(update={"middles": tuple((APART * (at + 1), 0.0) for at in range(len(places.names)))})
    areas, where = places.areas(sold), places.kilometres(sold)
    middles = [_middle(where[areas == area]) for area in range(len(places.names))]
    return places.model_copy(update={"middles": tuple(middles)})


def _middle(places: Floats) -> tuple[float, float]:
    places = places[~np.isnan(places).any(axis=1)]
    return (float(np.median(places[:, 0])), float(np.median(places[:, 1]))) if len(places) else (0.0, 0.0)


def _cells(places: Floats) -> tuple[tuple[float, float], ...]:
    """Middles of cells of about equally many sales: halved across the longer side until small enough."""
    open_cells, done = [places], []
    while open_cells:
        cell = open_cells.pop()
        if len(cell) < 2 * CELL_SALES:
            done.append(_middle(cell))
            continue
        axis = int(np.ptp(cell[:, 1]) > np.ptp(cell[:, 0]))
        order = np.argsort(cell[:, axis], kind="stable")
        half = len(cell) // 2
        open_cells += [cell[order[:half]], cell[order[half:]]]
    return tuple(sorted(set(done)))


def within(values: Floats, areas: Ints, counts: Ints) -> Floats:
    """Values (n, …) less their market area's mean; rows of no area keep theirs less the mean of all such."""
    flat = values.reshape(len(values), -1)
    slots = np.where(areas < 0, len(counts) - 1, areas)
    means = np.zeros((len(counts), flat.shape[1]))
    for at, column in enumerate(flat.T):
        means[:, at] = np.bincount(slots, column, len(counts)) / np.maximum(counts, 1)
    return (flat - means[slots]).reshape(values.shape)


def sizes(areas: Ints, count: int) -> Ints:
    """How many rows each of `count` areas has, and last those of no area."""
    return np.bincount(np.where(areas < 0, count, areas), minlength=count + 1)
