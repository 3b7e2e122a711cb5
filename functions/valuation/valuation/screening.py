"""Which sales are evidence of market value, and why each other one is not. Nothing is dropped in silence.

Reasons follow the IAAO Standard on Verification and Adjustment of Sales; outliers are found within market area and
year, beyond three interquartile ranges (IAAO Standard on Ratio Studies, appendix B).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np

from valuation.features import group_median, sane
from valuation.records import Dates, Flags, Floats, Ints, Records, Texts

NOMINAL_PRICE = 1_000.0
FLIP_DAYS = 180
FLIP_GAIN = 1.25
FENCE = 3.0
FAR = 5.0
"""Trimming more would make the model better than the market it is to explain: cheap houses sell erratically."""
MIN_GROUP = 8


class Reason(StrEnum):
    """Why a sale is no evidence."""

    MISSING_ESSENTIALS = "missing_essentials"
    UNKNOWN_PROPERTY = "unknown_property"
    NOT_ARMS_LENGTH = "not_arms_length"
    NO_PRICE = "no_price"
    NOMINAL_PRICE = "nominal_price"
    FUTURE_DATE = "future_date"
    AFTER_VALUATION = "after_valuation"
    BEFORE_CONSTRUCTION = "before_construction"
    SEVERAL_PARCELS = "several_parcels"
    DUPLICATE = "duplicate"
    FLIP = "flip"
    OUTLIER = "outlier"
    SUSPECT = "suspect"


KEPT = frozenset({Reason.SUSPECT})
"""Reasons to look at a sale that leave it among the evidence."""


EXPLANATIONS: Mapping[Reason, str] = {
    Reason.MISSING_ESSENTIALS: "no date, no price or no property",
    Reason.UNKNOWN_PROPERTY: "the property is not in the county's table of properties",
    Reason.NOT_ARMS_LENGTH: "the county marked the sale as not at arm's length",
    Reason.NO_PRICE: "the price is zero or negative",
    Reason.NOMINAL_PRICE: f"the price is below {NOMINAL_PRICE:,.0f}",
    Reason.FUTURE_DATE: "dated after the data were published",
    Reason.AFTER_VALUATION: "not yet known at the date that the model speaks of",
    Reason.BEFORE_CONSTRUCTION: "sold before the year in which the building stood",
    Reason.SEVERAL_PARCELS: "one sale of several properties for one price",
    Reason.DUPLICATE: "recorded more than once",
    Reason.FLIP: f"sold again within {FLIP_DAYS} days for at least {FLIP_GAIN - 1:.0%} more",
    Reason.OUTLIER: f"price per area beyond {FENCE:.0f} interquartile ranges within market area and year, "
    f"and beyond {FAR:.0f} of what the characteristics leave unexplained",
    Reason.SUSPECT: f"price per area beyond {FENCE:.0f} interquartile ranges within market area and year; kept, "
    "as a sale at arm's length is evidence also when it is unusual",
}


@dataclass(frozen=True, slots=True)
class Sales:
    """Sales with what is known of the property sold: the sale's own columns before those of its property.

    `rows` are places in the county's table of sales.
    """

    rows: Ints
    sale_ids: Texts
    property_ids: Texts
    dates: Dates
    prices: Floats
    records: Records

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: Ints | Flags) -> "Sales":
        """Some of the sales."""
        return Sales(
            self.rows[rows],
            self.sale_ids[rows],
            self.property_ids[rows],
            self.dates[rows],
            self.prices[rows],
            self.records.take(rows),
        )

    @property
    def days(self) -> Ints:
        """Days since 1970."""
        return self.dates.astype("datetime64[D]").astype(np.int64)


def join(sales: Records, properties: Records) -> tuple[Sales, Flags]:
    """Put what is known of each property beside its sales; gives them all, and which have their property."""
    known, first = np.unique(properties.texts("property_id"), return_index=True)
    property_ids = sales.texts("property_id")
    at = np.minimum(np.searchsorted(known, property_ids), max(len(known) - 1, 0))
    found = (known[at] == property_ids) if len(known) else np.zeros(len(sales), bool)
    beside = properties.take(first[at]) if len(known) else Records({}, len(sales))
    own = Records({name: sales.columns[name] for name in sales if name in properties.columns}, len(sales))
    return Sales(
        rows=np.arange(len(sales)),
        sale_ids=sales.texts("sale_id"),
        property_ids=property_ids,
        dates=sales.dates("sale_date"),
        prices=sales.numbers("sale_price"),
        records=own.over(beside),
    ), found & (property_ids != "")


def screen(sales: Records, joined: Sales, found: Flags, published: date, known_until: date | None) -> Texts:
    """The reason of each sale, empty for those that are evidence; prices that are suspect are told by `suspects`.

    Parameters
    ----------
    published
        Sales dated later cannot be.
    known_until
        The model may know no sale after this date.
    """
    prices, dates = joined.prices, joined.dates
    flags = sales.numbers("is_valid")
    missing = np.isnat(dates) | np.isnan(prices) | (joined.property_ids == "")
    built = sane("year_built", joined.records.numbers("year_built"))
    year = dates.astype("datetime64[Y]").astype(np.float64) + 1970
    limit = np.datetime64(known_until, "D") if known_until else np.datetime64(published, "D")
    several, twice, flip = _repeated(joined, limit)
    with np.errstate(invalid="ignore"):
        tests: tuple[tuple[Reason, Flags], ...] = (
            (Reason.MISSING_ESSENTIALS, missing),
            (Reason.NO_PRICE, prices <= 0),
            (Reason.FUTURE_DATE, dates > np.datetime64(published, "D")),
            (Reason.NOT_ARMS_LENGTH, flags == 0),
            (Reason.UNKNOWN_PROPERTY, ~found),
            (Reason.AFTER_VALUATION, dates > limit),
            (Reason.NOMINAL_PRICE, prices < NOMINAL_PRICE),
            (Reason.SEVERAL_PARCELS, several),
            (Reason.DUPLICATE, twice),
            (Reason.FLIP, flip),
            (Reason.BEFORE_CONSTRUCTION, built > year),
        )
    width = max(len(reason) for reason in Reason)
    reasons = np.full(len(joined), "", f"U{width}")
    for reason, holds in tests:
        reasons[(reasons == "") & holds] = reason.value
    return reasons


def beyond_fences(values: Floats, fence: float) -> Flags:
    """Values beyond so many interquartile ranges from the quartiles."""
    low, high = np.quantile(values, (0.25, 0.75))
    reach = fence * (high - low)
    return np.asarray((values < low - reach) | (values > high + reach))


def suspects(sales: Sales, areas: Ints, area_count: int) -> Flags:
    """Sales whose price per area is far from that of their market area and year.

    A property with living area is measured by it, one without by its land. Small market areas lend each other their
    spread: fences are of all sales, after each area's and year's median is taken out.
    """
    living = sane("living_area_sqft", sales.records.numbers("living_area_sqft"))
    land = sane("land_area_sqft", sales.records.numbers("land_area_sqft"))
    improved = living > 0
    far = np.zeros(len(sales), bool)
    for among, size in ((improved, living), (~improved & (land > 0), land)):
        if among.sum() < MIN_GROUP:
            continue
        measure = np.log(sales.prices[among] / size[among])
        years = sales.dates[among].astype("datetime64[Y]").astype(np.int64)
        measure = measure - _medians(measure, years - years.min(), int(np.ptp(years)) + 1)
        slots = np.where(areas[among] < 0, area_count, areas[among])
        measure = measure - _medians(measure, slots, area_count + 1)
        far[np.flatnonzero(among)] = beyond_fences(measure, FENCE)
    return far


def _medians(values: Floats, groups: Ints, count: int) -> Floats:
    """Each row's group's median; a group of few has that of all."""
    medians = group_median(values, groups, count)
    few = np.bincount(groups, minlength=count) < MIN_GROUP
    return np.where(few, np.median(values), medians)[groups]


def _repeated(sales: Sales, limit: np.datetime64) -> tuple[Flags, Flags, Flags]:
    """Sales of several properties, records that repeat one, and flips, as far as known at the limit."""
    several, twice, flip = (np.zeros(len(sales), bool) for _ in range(3))
    usable = np.flatnonzero((sales.dates <= limit) & ~np.isnan(sales.prices) & (sales.property_ids != ""))
    some = sales.take(usable)
    owners = np.unique(some.property_ids, return_inverse=True)[1]
    deeds = np.unique(some.sale_ids, return_inverse=True)[1]
    order = np.lexsort((owners, some.prices, some.days, deeds))
    same_deed = _follows(order, deeds, some.days, some.prices) & (some.sale_ids[order] != "")[1:]
    other = np.diff(owners[order]) != 0
    pair = same_deed & other
    several[usable[order]] = np.r_[pair, False] | np.r_[False, pair]
    order = np.lexsort((np.arange(len(some)), some.prices, some.days, owners))
    twice[usable[order]] = np.r_[False, _follows(order, owners, some.days, some.prices)]
    single = usable[~twice[usable]]
    once = sales.take(single)
    owners = np.unique(once.property_ids, return_inverse=True)[1]
    order = np.lexsort((once.days, owners))
    soon = _follows(order, owners) & (np.diff(once.days[order]) <= FLIP_DAYS)
    gain = once.prices[order][1:] >= FLIP_GAIN * np.maximum(once.prices[order][:-1], 1)
    flip[single[order]] = np.r_[soon & gain, False]
    return several, twice, flip


def _follows(order: Ints, *keys: Ints | Floats) -> Flags:
    """Whether each row but the first has the same keys as the one before it."""
    same = np.ones(max(len(order) - 1, 0), bool)
    for key in keys:
        same &= key[order][1:] == key[order][:-1]
    return same
