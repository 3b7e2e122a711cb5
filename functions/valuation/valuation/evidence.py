"""The sales that a model stands on, at prices of one day, and how a property looks beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from valuation import features as characteristics
from valuation.buildings import Buildings
from valuation.features import Feature, sane
from valuation.hedonic import Hedonic
from valuation.market_time import TimeIndex
from valuation.neighbors import Neighbors
from valuation.places import Places
from valuation.records import Flags, Floats, Ints, Records, Texts
from valuation.screening import Sales
from valuation.settings import ModelSettings


@dataclass(frozen=True, slots=True)
class Subjects:
    """Properties (n) as a model sees them.

    `owners` are codes of those that were sold, -1 for the rest; `known` are the encoded features and lags. `records`
    are without values that cannot be; `absurd` tells by feature which rows had one.
    """

    records: Records
    owners: Ints
    areas: Ints
    positions: Floats
    known: Floats
    absurd: Mapping[str, Flags] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.records)


class Evidence:
    """Sales (n) with their log prices at the day of the last one."""

    def __init__(
        self,
        sales: Sales,
        features: Sequence[Feature],
        places: Places,
        index: TimeIndex,
        hedonic: Hedonic,
        settings: ModelSettings,
    ) -> None:
        self.sales = sales
        self.buildings = Buildings(sales.records)
        self.log_price = np.log(sales.prices) + index.growth(sales.days, np.full(len(sales), index.last))
        self._features, self._places, self._settings = features, places, settings
        self._owner_ids, owners = np.unique(sales.property_ids, return_inverse=True)
        areas = places.areas(sales.records)
        positions = places.positions(sales.records, areas)
        known = characteristics.matrix(sales.records, features)
        living = sane("living_area_sqft", sales.records.numbers("living_area_sqft"))
        with np.errstate(divide="ignore", invalid="ignore"):
            per_area = np.where(living > 0, self.log_price - np.log(living), np.nan)
        self._per_area = Neighbors(positions, owners, per_area)
        self._unexplained = Neighbors(positions, owners, self.log_price - hedonic.without_area(known))
        lags = self._lags(positions, owners, 1)
        self.properties = Subjects(sales.records, owners, areas, positions, np.hstack([known, lags]))
        gap = (per_area - lags[:, 0])[~np.isnan(per_area) & ~np.isnan(lags[:, 0])]
        self.usual_gap = 1.4826 * float(np.median(np.abs(gap - np.median(gap)))) if len(gap) else 0.0

    def __len__(self) -> int:
        return len(self.sales)

    def subjects(self, records: Records, workers: int = 1) -> Subjects:
        """Put properties beside the sales; sales of a property itself do not count for it."""
        absurd = characteristics.absurd(records, self._features)
        records = characteristics.without(records, absurd)
        areas = self._places.areas(records)
        positions = self._places.positions(records, areas)
        owners = self._owners(records.texts("property_id"))
        known = characteristics.matrix(records, self._features)
        known = np.hstack([known, self._lags(positions, owners, workers)])
        return Subjects(records, owners, areas, positions, known, absurd)

    def _owners(self, property_ids: Texts) -> Ints:
        at = np.minimum(np.searchsorted(self._owner_ids, property_ids), len(self._owner_ids) - 1)
        return np.where(self._owner_ids[at] == property_ids, at, -1)

    def _lags(self, positions: Floats, owners: Ints, workers: int) -> Floats:
        counts = (self._settings.near, self._settings.wide)
        return np.hstack(
            [neighbors.means(positions, owners, counts, workers) for neighbors in (self._per_area, self._unexplained)]
        )
