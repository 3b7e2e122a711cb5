"""What stands on the lots: class, buildings, and the words that describe them."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import shapely
from numpy.typing import NDArray

from local.sample import names
from local.sample.lots import Lot, Purpose
from local.sample.streets import Section
from local.sample.terrain import FloatArray
from local.sample.town import Parcels

IntArray = NDArray[np.int64]
Strings = NDArray[np.str_]
CITY, STATE = "Sagebrook", "WA"


class PropertyClass(StrEnum):
    """Classes of the sample county's roll."""

    RESIDENTIAL = "residential"
    MULTI_FAMILY = "multi_family"
    COMMERCIAL = "commercial"
    INDUSTRIAL = "industrial"
    AGRICULTURAL = "agricultural"
    VACANT = "vacant"
    EXEMPT = "exempt"


USE_CODES = {
    PropertyClass.RESIDENTIAL: 11,
    PropertyClass.MULTI_FAMILY: 13,
    PropertyClass.COMMERCIAL: 59,
    PropertyClass.INDUSTRIAL: 39,
    PropertyClass.AGRICULTURAL: 81,
    PropertyClass.VACANT: 91,
    PropertyClass.EXEMPT: 76,
}
"""Two-digit land use codes as Washington's Department of Revenue numbers them (WAC 458-53-030)."""

_CLASSES = {
    Purpose.HOUSE: PropertyClass.RESIDENTIAL,
    Purpose.SHOP: PropertyClass.COMMERCIAL,
    Purpose.APARTMENTS: PropertyClass.MULTI_FAMILY,
    Purpose.PLANT: PropertyClass.INDUSTRIAL,
    Purpose.CIVIC: PropertyClass.EXEMPT,
    Purpose.FARM: PropertyClass.AGRICULTURAL,
}
_LAST_YEAR = 2025


@dataclass(frozen=True, slots=True)
class Estates:
    """Lots and buildings, one element per parcel; building columns are 0 where `built` is false.

    `land_area` and `living_area` are in sq ft, `garage_area` too, `ring` in town radii from the middle of the town,
    `quality` 1 to 6 and `condition` 1 to 5 (3 is average).
    """

    property_class: Strings
    neighborhood: IntArray
    ring: FloatArray
    land_area: IntArray
    built: NDArray[np.bool_]
    living_area: IntArray
    year_built: IntArray
    bedrooms: IntArray
    bathrooms: FloatArray
    stories: FloatArray
    quality: IntArray
    condition: IntArray
    garage_area: IntArray

    def is_class(self, *classes: PropertyClass) -> NDArray[np.bool_]:
        """Which parcels are of one of the classes."""
        return np.isin(self.property_class, [str(one) for one in classes])


def survey(parcels: Parcels, rng: np.random.Generator) -> Estates:
    """Decide what stands on each lot."""
    count = len(parcels)
    ring = np.array([section.ring for section in parcels.sections])
    land_area = np.rint(shapely.area(parcels.shapes)).astype(np.int64)
    classes = np.array([_CLASSES[lot.purpose] for lot in parcels.lots], dtype=np.str_)
    empty = rng.random(count) < np.clip(0.012 + 0.16 * np.clip(ring - 0.35, 0, 1), 0, 0.16)
    church = (rng.random(count) < 0.006) & (classes == PropertyClass.RESIDENTIAL)
    classes = np.where(empty & (classes != PropertyClass.EXEMPT), PropertyClass.VACANT, classes)
    classes = np.where(church & ~empty, PropertyClass.EXEMPT, classes).astype(np.str_)
    park = np.array([lot.purpose is Purpose.CIVIC for lot in parcels.lots]) & (rng.random(count) < 0.55)
    built = ~np.isin(classes, [PropertyClass.VACANT]) & ~park
    built &= ~((classes == PropertyClass.AGRICULTURAL) & (rng.random(count) < 0.4))
    home = np.isin(classes, [PropertyClass.RESIDENTIAL, PropertyClass.AGRICULTURAL]) & built

    year = _years(parcels, rng)
    quality = np.clip(np.rint(2.6 + 0.9 * (year - 1960) / 60 + rng.normal(0, 0.75, count)), 1, 6).astype(np.int64)
    condition = np.clip(np.rint(3.0 + 0.5 * (year - 1975) / 50 + rng.normal(0, 0.7, count)), 1, 5).astype(np.int64)
    living = _living_area(classes, land_area, quality, rng)
    stories = np.where(home, rng.choice([1.0, 1.5, 2.0], count, p=[0.55, 0.1, 0.35]), 1.0)
    stories = np.where(classes == PropertyClass.MULTI_FAMILY, rng.choice([2.0, 3.0], count), stories)
    bedrooms = np.clip(np.rint(living / 640 + rng.normal(0.2, 0.55, count)), 1, 7)
    bathrooms = np.clip(np.rint((living / 1_050 + 0.3 + rng.normal(0, 0.3, count)) * 2) / 2, 1, 5.5)
    spaces = np.clip(np.rint(1.1 + (year - 1955) / 45 + rng.normal(0, 0.6, count)), 0, 3)
    garage = np.where(spaces > 0, np.rint((spaces * 225 + rng.normal(20, 18, count)) / 4) * 4, 0)

    def only(mask: NDArray[np.bool_], values: FloatArray | IntArray) -> IntArray:
        return np.where(mask, values, 0).astype(np.int64)

    return Estates(
        property_class=classes,
        neighborhood=np.array([section.neighborhood for section in parcels.sections], dtype=np.int64),
        ring=ring,
        land_area=land_area,
        built=built,
        living_area=only(built, living),
        year_built=only(built, year),
        bedrooms=only(home, bedrooms),
        bathrooms=np.where(home, bathrooms, 0.0),
        stories=np.where(built, stories, 0.0),
        quality=only(built, quality),
        condition=only(built, condition),
        garage_area=only(home, garage),
    )


def _years(parcels: Parcels, rng: np.random.Generator) -> IntArray:
    """Years of construction: a section goes up within a few years, later the farther out, with some infill."""
    count = len(parcels)
    opened = {}
    for section in parcels.sections:
        if section.number not in opened:
            opened[section.number] = 1912 + 96 * min(section.ring, 1.1) + float(rng.normal(0, 7))
    base = np.array([opened[section.number] for section in parcels.sections])
    year = base + np.abs(rng.normal(0, 6, count)) + rng.normal(0, 1.5, count)
    infill = rng.random(count) < 0.06
    year = np.where(infill, rng.uniform(np.minimum(year, _LAST_YEAR - 1), _LAST_YEAR + 1), year)
    return np.clip(np.floor(year), 1890, _LAST_YEAR).astype(np.int64)


def _living_area(classes: Strings, land_area: IntArray, quality: IntArray, rng: np.random.Generator) -> IntArray:
    """Floor area (sq ft): houses by lot and quality, everything else by the share of its lot that is built on."""
    count = classes.size
    house = 1_720 * (np.minimum(land_area, 60_000) / 8_500) ** 0.17 * np.exp(0.13 * (quality - 3.0))
    house = np.minimum(house * np.exp(rng.normal(0, 0.19, count)), 0.62 * land_area)
    shares = {
        PropertyClass.MULTI_FAMILY: 0.62,
        PropertyClass.COMMERCIAL: 0.34,
        PropertyClass.INDUSTRIAL: 0.30,
        PropertyClass.EXEMPT: 0.16,
    }
    area = house
    for one, share in shares.items():
        area = np.where(classes == one, land_area * share * np.exp(rng.normal(0, 0.25, count)), area)
    floor: IntArray = np.maximum(np.rint(area), 480).astype(np.int64)
    return floor


@dataclass(frozen=True, slots=True)
class Labels:
    """Words and numbers that a parcel is known by, one element per parcel."""

    property_id: list[str]
    geo_pin: IntArray
    address: list[str | None]
    zip_code: list[str]
    block: list[str]
    lot: list[str]
    subdivision: list[str]
    legal_description: list[str | None]


def label(parcels: Parcels, estates: Estates, rng: np.random.Generator) -> Labels:
    """Number, address and describe each parcel. A part of the empty and the exempt lots has no address."""
    count = len(parcels)
    unbuilt = (~estates.built & (rng.random(count) < 0.7)).tolist()
    undescribed = (rng.random(count) < 0.004).tolist()
    encumbered = (rng.random(count) < 0.12).tolist()
    lots = _lot_numbers(parcels)
    zips = [_zip_code(section) for section in parcels.sections]
    rows = list(zip(parcels.lots, parcels.sections, lots, strict=True))
    inside = shapely.get_coordinates(shapely.point_on_surface(parcels.shapes)).astype(np.int64)
    return Labels(
        property_id=[f"{_quarter(s)}-{s.number:04d}-{lot.block:03d}-{number:04d}" for lot, s, number in rows],
        geo_pin=530_050_000_000_000_000 + inside[:, 0] * 1_000_000 + inside[:, 1],
        address=[None if no else _address(row[0], at) for no, row, at in zip(unbuilt, rows, zips, strict=True)],
        zip_code=zips,
        block=[str(lot.block) for lot in parcels.lots],
        lot=[str(number) for number in lots],
        subdivision=[names.plat(section.number) for section in parcels.sections],
        legal_description=[
            None if no else _legal(lot, section, number, burden)
            for no, (lot, section, number), burden in zip(undescribed, rows, encumbered, strict=True)
        ],
    )


def _lot_numbers(parcels: Parcels) -> list[int]:
    """Lots count from 1 in each block."""
    last: dict[tuple[int, int], int] = {}
    numbers = []
    for lot, section in zip(parcels.lots, parcels.sections, strict=True):
        key = section.number, lot.block
        last[key] = last.get(key, 0) + 1
        numbers.append(last[key])
    return numbers


def _quarter(section: Section) -> int:
    return 1 + (section.column < 0) + 2 * (section.row < 0)


def _zip_code(section: Section) -> str:
    return {1: "99336", 2: "99338", 3: "99337", 4: "99352"}[_quarter(section)]


def _address(lot: Lot, zip_code: str) -> str:
    """House number and street: a hundred numbers to 330 ft from the baselines, odd ones on the far side."""
    ways = ("W", "E") if lot.street.runs_east else ("S", "N")
    number = 100 + 2 * int(abs(lot.door) / 6.6) + lot.odd
    return f"{number} {ways[lot.door >= 0]} {lot.street.name}, {CITY}, {STATE} {zip_code}"


def _legal(lot: Lot, section: Section, number: int, burden: bool) -> str:
    volume, page = 1 + section.number // 40, 1 + (section.number * 13) % 99
    text = (
        f"Lot {number}, Block {lot.block}, {names.plat(section.number)}, according to the plat thereof recorded in "
        f"Volume {volume} of Plats, page {page}, records of Sample County, Washington"
    )
    if not burden:
        return text
    return (
        f"{text}; subject to an easement 10 feet in width for irrigation, drainage and utilities over, under and "
        f"across the rear line thereof, and to the covenants, conditions and restrictions of record"
    )
