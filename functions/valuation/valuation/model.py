"""A model as it is kept: two files, LightGBM's text and this document as JSON."""

from valuation.approaches import Approach
from valuation.cost import CostModel
from valuation.features import Feature
from valuation.hedonic import Hedonic
from valuation.intervals import Bands
from valuation.market_time import TimeIndex
from valuation.places import Places
from valuation.settings import ModelSettings, Spec


class Model(Spec):
    """All that values follow from, beside the trees and the county's sales.

    `excluded` are rows of the county's table of sales by the reason why they are no evidence, `bands` the errors by
    approach, `importance` each feature's share of what the trees gain, `usual_gap` the robust standard deviation
    of log price per area against its neighbors', `usual_similarity` what comparables of sold properties have,
    `roll_level` their price by the value on the roll, at the day of the last sale.
    """

    version: str
    settings: ModelSettings
    known_until: str | None
    features: tuple[Feature, ...]
    omitted: dict[str, str]
    places: Places
    time_index: TimeIndex
    hedonic: Hedonic
    cost: CostModel | None
    bands: dict[Approach, Bands]
    excluded: dict[str, tuple[int, ...]]
    importance: dict[str, float]
    usual_gap: float
    usual_similarity: float
    roll_level: float | None
    sales_read: int
    sales_used: int
