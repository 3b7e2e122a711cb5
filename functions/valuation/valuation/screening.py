"""Which sales are evidence of market value, and why each other one is not. Nothing is dropped in silence.

Reasons follow the IAAO Standard on Verification and Adjustment of Sales; outliers are found within market area and
year, beyond three interquartile ranges (IAAO Standard on Ratio Studies, appendix B).
"""

from collections.abc import Callable, Mapping
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
GAP_YEARS = 5
TAIL_SHARE = 0.01
"""At most this share of sales may lie before a gap of so many years without any, and be taken for mistyped."""


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
    ISOLATED_DATE = "isolated_date"
    OUTLIER = "outlier"
    SUSPECT = "suspect"


KEPT = frozenset({Reason.SUSPECT})
"""Reasons to look at a sale that leave it among the evidence."""


EXPLANATIONS: Mapping[Reason, str] = {
    Reason.MISSING_ESSENTIALS: "no date, no price or no property",
    Reason.UNKNOWN_PROPERTY: "the property is not in the county's table of properties",
    Reason.NOT_ARMS_LENGTH: "the county marked the sale as not at arm's length, or so that nobody can read it",
    Reason.NO_PRICE: "the price is zero or negative",
    Reason.NOMINAL_PRICE: f"the price is below {NOMINAL_PRICE:,.0f}",
    Reason.FUTURE_DATE: "dated after the data were published",
    Reason.AFTER_VALUATION: "not yet known at the date that the model speaks of",
    Reason.BEFORE_CONSTRUCTION: "sold before the year in which the building stood",
    Reason.SEVERAL_PARCELS: "one sale of several properties for one price",
    Reason.DUPLICATE: "recorded more than once",
    Reason.FLIP: f"sold again within {FLIP_DAYS} days for at least {FLIP_GAIN - 1:.0%} more",
    Reason.ISOLATED_DATE: f"dated before {GAP_YEARS} years or more without a sale, as hardly any other is",
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
    valid = sales.numbers("is_valid")
    missing = np.isnat(dates) | np.isnan(prices) | (joined.property_ids == "")
    limit = np.datetime64(known_until, "D") if known_until else np.datetime64(published, "D")
    reasons = np.full(len(joined), "", f"U{max(len(reason) for reason in Reason)}")

    def leave_out(reason: Reason, rows: Flags) -> None:
        reasons[(reasons == "") & rows] = reason.value

    with np.errstate(invalid="ignore"):
        leave_out(Reason.MISSING_ESSENTIALS, missing)
        leave_out(Reason.NO_PRICE, prices <= 0)
        leave_out(Reason.FUTURE_DATE, dates > np.datetime64(published, "D"))
        leave_out(Reason.NOT_ARMS_LENGTH, valid == 0)
        leave_out(Reason.UNKNOWN_PROPERTY, ~found)
        leave_out(Reason.AFTER_VALUATION, dates > limit)
        leave_out(Reason.NOMINAL_PRICE, prices < NOMINAL_PRICE)
    leave_out(Reason.SEVERAL_PARCELS, _of_several(joined, ~missing))
    leave_out(Reason.DUPLICATE, _among(_recorded_before, joined, reasons == ""))
    leave_out(Reason.FLIP, _among(_resold_higher, joined, reasons == ""))
    leave_out(Reason.BEFORE_CONSTRUCTION, _before_construction(joined))
    leave_out(Reason.ISOLATED_DATE, _among(_long_before, joined, reasons == ""))
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


def _among(test: Callable[[Sales], Flags], sales: Sales, rows: Flags) -> Flags:
    """A test of some of the sales, to which the others do not exist."""
    holds = np.zeros(len(sales), bool)
    holds[rows] = test(sales.take(rows))
    return holds


def _of_several(sales: Sales, known: Flags) -> Flags:
    """Sales of several properties by one deed for one price: also when some of the deed's rows are no evidence."""
    holds = np.zeros(len(sales), bool)
    rows = np.flatnonzero(known)
    some = sales.take(rows)
    owners, deeds = (np.unique(ids, return_inverse=True)[1] for ids in (some.property_ids, some.sale_ids))
    order = np.lexsort((owners, some.prices, some.days, deeds))
    same_deed = _follows(order, deeds, some.days, some.prices) & (some.sale_ids[order] != "")[1:]
    pair = same_deed & (np.diff(owners[order]) != 0)
    holds[rows[order]] = np.r_[pair, False] | np.r_[False, pair]
    return holds


def _recorded_before(sales: Sales) -> Flags:
    """Sales of a property, day and price that an earlier row has."""
    owners = np.unique(sales.property_ids, return_inverse=True)[1]
    order = np.lexsort((sales.rows, sales.prices, sales.days, owners))
    holds = np.zeros(len(sales), bool)
    holds[order] = np.r_[False, _follows(order, owners, sales.days, sales.prices)][: len(sales)]
    return holds


def _resold_higher(sales: Sales) -> Flags:
    """Sales whose property was soon sold again for much more."""
    owners = np.unique(sales.property_ids, return_inverse=True)[1]
    order = np.lexsort((sales.days, owners))
    soon = _follows(order, owners) & (np.diff(sales.days[order]) <= FLIP_DAYS)
    gain = sales.prices[order][1:] >= FLIP_GAIN * sales.prices[order][:-1]
    holds = np.zeros(len(sales), bool)
    holds[order] = np.r_[soon & gain, False][: len(sales)]
    return holds


def _before_construction(sales: Sales) -> Flags:
    built = sane("year_built", sales.records.numbers("year_built"))
    return np.asarray(built > sales.dates.astype("datetime64[Y]").astype(np.float64) + 1970)


def _long_before(sales: Sales) -> Flags:
    """The few sales before a long time without any: the index of prices would have to begin with them."""
    days = np.sort(sales.days)
    gaps = np.flatnonzero(np.diff(days[: int(TAIL_SHARE * len(days)) + 1]) >= GAP_YEARS * 365.25)
    return sales.days < days[gaps[-1] + 1] if len(gaps) else np.zeros(len(sales), bool)


def _follows(order: Ints, *keys: Ints | Floats) -> Flags:
    """Whether each row but the first has the same keys as the one before it."""
    same = np.ones(max(len(order) - 1, 0), bool)
    for key in keys:
        same &= key[order][1:] == key[order][:-1]
    return same
