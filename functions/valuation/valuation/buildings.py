"""Which properties are built on, by their own record and by what is usual for their class among the sales.

It is decided from the county's evidence once, never from the other rows of a request: a property's value does not
depend on what else is asked for.
"""

import numpy as np

from valuation.features import sane
from valuation.records import Flags, Records, Texts

TELLING = ("living_area_sqft", "year_built", "bedrooms", "bathrooms")
"""Characteristics that only a building has."""
NEARLY_ALL = 0.95
"""When so many of a class's sales tell of a building, one that tells nothing has a gap in its record, and is no lot."""
MIN_CLASS_SALES = 20


class Buildings:
    """What sales say of buildings in a county, by class."""

    def __init__(self, sold: Records) -> None:
        tells = _tells(sold)
        names, at, counts = np.unique(sold.texts("property_class"), return_inverse=True, return_counts=True)
        share = np.bincount(at, tells) / counts
        judged = counts >= MIN_CLASS_SALES
        self._recorded = bool(tells.any())
        self._built_classes = names[judged & (share >= NEARLY_ALL)].tolist()
        if "" not in names[judged] and tells.mean() > 0.5:
            self._built_classes.append("")

    def on(self, records: Records) -> Flags:
        """Properties that are built on; all of them in a county that records nothing of buildings.

        What tells of no building is bare land, unless its class hardly ever is. Where others have a class and it has
        none, most sales decide. A living area of 0 always says bare land.
        """
        if not self._recorded:
            return np.ones(len(records), bool)
        gap = np.isin(records.texts("property_class"), self._built_classes) & (records.numbers(TELLING[0]) != 0)
        return np.asarray(_tells(records) | gap)

    def unsized(self, records: Records) -> Flags:
        """Properties that are built on, while neither their living area nor their year built is known."""
        living, year = (sane(name, records.numbers(name)) for name in TELLING[:2])
        return np.asarray(self.on(records) & ~(living > 0) & np.isnan(year))

    def kinds(self, records: Records) -> Texts:
        """What may be compared with what: built on (`b`) or bare (`v`), and the class."""
        return np.char.add(np.where(self.on(records), "b", "v"), records.texts("property_class"))


def _tells(records: Records) -> Flags:
    """Whether any characteristic is recorded that only a building has."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.logical_or.reduce([sane(name, records.numbers(name)) > 0 for name in TELLING]))
