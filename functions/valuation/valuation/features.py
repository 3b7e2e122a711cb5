"""The characteristics a model may use: picked from whatever the county keeps, and what they were left out for."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum
from itertools import pairwise

import numpy as np

from terrafusion.counties.standard import STANDARD_PROPERTY_FIELDS
from valuation.records import Dates, Flags, Floats, Ints, Records, parsed
from valuation.settings import Spec

NOT_CHARACTERISTICS = {
    **dict.fromkeys(("property_id", "sale_id", "situs_address_full"), "identifies the property"),
    **dict.fromkeys(
        ("assessed_land_value", "assessed_improvement_value", "current_assessed_value_total", "assessed_value"),
        "an assessed value",
    ),
    "prior_assessed_value_total": "an assessed value",
    **dict.fromkeys(("last_sale_date", "last_sale_price", "sale_date", "sale_price", "is_valid"), "tells of the sale"),
}
MONEY = re.compile(
    r"(value|price|assess|apprais|taxable|consideration|sale|sold|deed|grantor|grantee|owner|mortgage|ratio"
    r"|tax_?(amount|amt|due|bill|paid|total)|(^|_)(val|av|mv|emv|fmv|tav|taxes|levy)($|_))"
)
"""Names under which counties keep values, taxes and what is known of sales."""
IDENTIFIER = re.compile(r"(^|_)(id|no|num|number|key|pin|apn|gid|fid|oid|objectid|uuid|account|acct|parcel)($|_)")
LEAK_CORRELATION = 0.9
"""A column of the county's own whose rank follows the price's so closely is taken for a value."""
MAX_LEVELS = 250
MIN_LEVEL_SALES = 5
LOCATION = frozenset({"lon", "lat", "neighborhood", "zip_code"})
NEVER_LOWER = ("living_area_sqft", "land_area_sqft", "garage_area_sqft", "bathrooms")
"""More of these never lowers a value."""
GRADES = ("quality", "condition")
"""More of these never lowers a value either, where the county counts upwards."""
SANE = {
    "living_area_sqft": (0, 2e6),
    "land_area_sqft": (0, 1e10),
    "garage_area_sqft": (0, 1e6),
    "year_built": (1600, 2100),
    "bedrooms": (0, 500),
    "bathrooms": (0, 500),
    "stories": (0, 150),
    "lon": (-180, 180),
    "lat": (-90, 90),
}
"""What a standard characteristic can be; anything else counts as missing."""
YEARS_PLANNED = 2
"""A building may be on the roll so many years before it stands; a later year is a slip of the pen."""
LABELS = {"lon": "Longitude", "lat": "Latitude", "zip_code": "ZIP code"}


class Kind(StrEnum):
    """How a model reads a feature."""

    NUMBER = "number"
    CATEGORY = "category"


class Feature(Spec):
    """A characteristic: for a category its levels, in the order of their codes; for a number what sales had.

    `low` and `high` are the 0.5 and 99.5 percentiles, `monotone` is 1 where more never lowers the value; `most` is what
    it can be at most, where that is less than of any county.
    """

    name: str
    kind: Kind
    levels: tuple[str, ...] = ()
    monotone: int = 0
    low: float = 0.0
    high: float = 0.0
    most: float | None = None
    median: float = 0.0
    missing: float = 0.0

    def sane(self, records: Records) -> Floats:
        """Numbers of rows, NaN where they are absurd."""
        values = sane(self.name, records.numbers(self.name))
        return values if self.most is None else np.where(values <= self.most, values, np.nan)

    @property
    def label(self) -> str:
        """The name as people read it."""
        text = self.name.removesuffix("_sqft").replace("_", " ")
        return LABELS.get(self.name, text[:1].upper() + text[1:])


class FeatureChoice(Spec):
    """The features, and why each other column is none."""

    features: tuple[Feature, ...]
    omitted: dict[str, str]


def sane(name: str, values: Floats) -> Floats:
    """Values of a characteristic, NaN where they are absurd."""
    low, high = SANE.get(name, (-np.inf, np.inf))
    with np.errstate(invalid="ignore"):
        return np.where((values >= low) & (values <= high), values, np.nan)


def choose(sold: Records, available: Sequence[str], log_price: Floats, published: date | None = None) -> FeatureChoice:
    """Pick the features from the columns that properties have, by what sold properties (n) had in them.

    The day on which the data were `published` tells which years of construction cannot be.
    """
    features: list[Feature] = []
    omitted: dict[str, str] = {}
    for name in sorted(available, key=_standard_first):
        reason = NOT_CHARACTERISTICS.get(name) or _named_like_money(name)
        found = reason or _feature(name, sold, log_price)
        if isinstance(found, Feature):
            most = float(published.year + YEARS_PLANNED) if published and name == "year_built" else None
            features.append(found.model_copy(update={"most": most}))
        else:
            omitted[name] = found
    return FeatureChoice(features=tuple(features), omitted=omitted)


def matrix(records: Records, features: Sequence[Feature]) -> Floats:
    """Encode rows as (n, features): numbers, codes of categories, NaN for what is missing or unknown."""
    encoded = np.empty((len(records), len(features)))
    for at, feature in enumerate(features):
        if feature.kind is Kind.NUMBER:
            encoded[:, at] = feature.sane(records)
        else:
            encoded[:, at] = _codes(records, feature)
    return encoded


def absurd(records: Records, features: Sequence[Feature]) -> dict[str, Flags]:
    """For each feature the rows that hold a value which cannot be."""
    wrong = {}
    for feature in features:
        if feature.name in SANE:
            values = records.numbers(feature.name)
            wrong[feature.name] = ~np.isnan(values) & np.isnan(feature.sane(records))
    return wrong


def without(records: Records, wrong: Mapping[str, Flags]) -> Records:
    """Rows with nothing in place of what cannot be."""
    cleaned = {name: np.where(rows, np.nan, records.numbers(name)) for name, rows in wrong.items() if rows.any()}
    return Records({**records.columns, **cleaned}, len(records)) if cleaned else records


def years(dates: Dates) -> Floats:
    """Dates in years since 1970."""
    return dates.astype("datetime64[D]").astype(np.float64) / 365.25


def group_median(values: Floats, groups: Ints, count: int) -> Floats:
    """Median of the values of each group (`count` of them), NaN for an empty one."""
    order = np.argsort(groups, kind="stable")
    cuts = np.searchsorted(groups[order], np.arange(count + 1))
    parts = (values[order[a:b]] for a, b in pairwise(cuts))
    return np.array([np.median(part) if len(part) else np.nan for part in parts])


def _standard_first(name: str) -> tuple[int, str]:
    standard = STANDARD_PROPERTY_FIELDS
    return (standard.index(name) if name in standard else len(standard), name)


def _named_like_money(name: str) -> str | None:
    if name in STANDARD_PROPERTY_FIELDS or not MONEY.search(name.lower()):
        return None
    return "named like a value, a tax or a record of sales"


def _feature(name: str, sold: Records, log_price: Floats) -> Feature | str:
    column = sold.columns.get(name)
    if column is None or column.dtype.kind == "M":
        return "no number and no category"
    if column.dtype.kind == "U" and not _ordinal(name, column):
        return _category(name, sold)
    return _number(name, sold, log_price)


def _ordinal(name: str, texts: np.ndarray) -> bool:
    """Whether texts are grades that count, as `quality` 1 to 5 is."""
    if name in LOCATION or name == "property_class":
        return False
    filled = texts[texts != ""]
    return bool(len(filled)) and bool(np.mean(~np.isnan(parsed(filled))) >= 0.98)


def _category(name: str, sold: Records) -> Feature | str:
    known, counts = np.unique(sold.texts(name), return_counts=True)
    filled = known != ""
    known, counts = known[filled], counts[filled]
    if name not in STANDARD_PROPERTY_FIELDS and counts.sum() and len(known) > 0.5 * counts.sum():
        return "identifies the property"
    enough = counts >= MIN_LEVEL_SALES
    if enough.sum() < 2:
        return "the same everywhere, or missing"
    keep = np.sort(np.argsort(-counts, kind="stable")[: min(int(enough.sum()), MAX_LEVELS)])
    missing = 1 - float(counts[keep].sum() / len(sold))
    return Feature(name=name, kind=Kind.CATEGORY, levels=tuple(known[keep].tolist()), missing=round(missing, 6))


def _number(name: str, sold: Records, log_price: Floats) -> Feature | str:
    values = sane(name, sold.numbers(name))
    filled = ~np.isnan(values)
    if filled.mean() < 0.05 or len(np.unique(values[filled])) < 2:
        return "the same everywhere, or missing"
    own = name not in STANDARD_PROPERTY_FIELDS
    if own and IDENTIFIER.search(name.lower()) and len(np.unique(values[filled])) > 0.5 * filled.sum():
        return "identifies the property"
    if own and abs(_rank_correlation(values[filled], log_price[filled])) > LEAK_CORRELATION:
        return "follows the price so closely that it must be a value"
    low, median, high = np.quantile(values[filled], (0.005, 0.5, 0.995))
    return Feature(
        name=name,
        kind=Kind.NUMBER,
        monotone=int(_never_lower(name, values, log_price)),
        low=float(low),
        high=float(high),
        median=float(median),
        missing=round(1 - float(filled.mean()), 6),
    )


def _never_lower(name: str, values: Floats, log_price: Floats) -> bool:
    if name in NEVER_LOWER:
        return True
    filled = ~np.isnan(values)
    return name in GRADES and _rank_correlation(values[filled], log_price[filled]) > 0


def _rank_correlation(a: Floats, b: Floats) -> float:
    """Spearman's, ties broken by order: near enough to tell a value from a characteristic."""
    first, second = (np.argsort(np.argsort(one, kind="stable"), kind="stable").astype(np.float64) for one in (a, b))
    return float(np.corrcoef(first, second)[0, 1]) if len(a) > 2 else 0.0


def _codes(records: Records, feature: Feature) -> Floats:
    known, at = np.unique(records.texts(feature.name), return_inverse=True)
    codes = {level: float(code) for code, level in enumerate(feature.levels)}
    found: Floats = np.array([codes.get(text, np.nan) for text in known.tolist()])[at]
    return found
