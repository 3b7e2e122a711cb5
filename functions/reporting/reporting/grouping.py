"""The groups that sales are studied in: by class, place, value, age, size and year."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from reporting.kinds import Stratum
from reporting.selection import Sales
from terrafusion.ratios import RatioSample, RatioStudy, strata, value_groups

Labels = NDArray[np.int_]

AGE_BANDS = (0, 6, 11, 21, 41, 61, 81)
SIZE_BANDS = (0, 1_000, 1_500, 2_000, 2_500, 3_000, 4_000)
VALUE_GROUPS = 10
VALUE_MINIMUM = 50

TITLES: Mapping[Stratum, str] = {
    Stratum.PROPERTY_CLASS: "Property class",
    Stratum.NEIGHBORHOOD: "Neighborhood",
    Stratum.ZIP_CODE: "Zip code",
    Stratum.VALUE: "Value decile",
    Stratum.AGE: "Age when sold",
    Stratum.SIZE: "Living area",
    Stratum.YEAR: "Year of sale",
}


@dataclass(frozen=True, slots=True)
class Grouping:
    """How sales fall into groups: names in order, and each sale's group from 0 up, below 0 for none."""

    stratum: Stratum
    names: Sequence[str]
    labels: Labels

    @property
    def without(self) -> int:
        """How many sales are in no group, for want of the field."""
        return int(np.count_nonzero(self.labels < 0))


@dataclass(frozen=True, slots=True)
class GroupedStudy:
    """The studies of all groups of one kind."""

    grouping: Grouping
    studies: Sequence[RatioStudy]


def group(sales: Sales, sample: RatioSample, stratum: Stratum) -> Grouping:
    """Put sales into the groups of one kind; groups without a sale do not appear."""
    names, labels = GROUPERS[stratum](sales, sample)
    return Grouping(stratum, names, labels)


def studies(sample: RatioSample, grouping: Grouping, level: float) -> GroupedStudy:
    """Study each group."""
    return GroupedStudy(grouping, strata(sample, grouping.labels, len(grouping.names), level=level))


def _texts(values: NDArray[np.object_]) -> tuple[list[str], Labels]:
    known = np.array([value is not None and value != "" for value in values], dtype=bool)
    labels = np.full(values.size, -1, dtype=np.int_)
    names, inverse = np.unique(values[known].astype(str), return_inverse=True)
    labels[known] = inverse
    return [str(name) for name in names], labels


def _bands(values: NDArray[np.float64], starts: Sequence[int], unit: str) -> tuple[list[str], Labels]:
    known = np.isfinite(values) & (values >= starts[0])
    labels = np.where(known, np.searchsorted(starts, np.where(known, values, 0), side="right") - 1, -1)
    ends = [f"{a:,} to {b - 1:,}{unit}" for a, b in pairwise(starts)]
    return _present([*ends, f"{starts[-1]:,}{unit} and more"], labels)


def _present(names: Sequence[str], labels: Labels) -> tuple[list[str], Labels]:
    """Only the groups that have sales, numbered anew."""
    found = np.unique(labels[labels >= 0])
    number = np.full(len(names), -1, dtype=np.int_)
    number[found] = np.arange(found.size)
    return [names[i] for i in found], np.where(labels >= 0, number[labels], -1)


def _by_value(_sales: Sales, sample: RatioSample) -> tuple[list[str], Labels]:
    count = VALUE_GROUPS if sample.n >= VALUE_MINIMUM else 2
    if sample.n < 2 or sample.median <= 0:
        return ["all"], np.zeros(sample.n, dtype=np.int_)
    groups = value_groups(sample, count)
    labels = np.empty(sample.n, dtype=np.int_)
    labels[sample.by_proxy] = np.repeat(np.arange(count), [g.n for g in groups])
    return [f"{i}: {g.low:,.0f} to {g.high:,.0f}" for i, g in enumerate(groups, 1)], labels


def _by_year(sales: Sales, _sample: RatioSample) -> tuple[list[str], Labels]:
    known = ~np.isnat(sales.sale_date)
    years = sales.sale_date.astype("datetime64[Y]").astype(int) + 1970
    labels = np.full(len(sales), -1, dtype=np.int_)
    names, inverse = np.unique(years[known], return_inverse=True)
    labels[known] = inverse
    return [str(name) for name in names], labels


def _by_age(sales: Sales, _sample: RatioSample) -> tuple[list[str], Labels]:
    years = (sales.sale_date.astype("datetime64[Y]").astype(int) + 1970).astype(float)
    built = np.where(sales.year_built > 0, sales.year_built, np.nan)
    age = np.where(np.isnat(sales.sale_date), np.nan, years - built)
    return _bands(age, AGE_BANDS, " years")


GROUPERS: Mapping[Stratum, Callable[[Sales, RatioSample], tuple[list[str], Labels]]] = {
    Stratum.PROPERTY_CLASS: lambda sales, _: _texts(sales.property_class),
    Stratum.NEIGHBORHOOD: lambda sales, _: _texts(sales.neighborhood),
    Stratum.ZIP_CODE: lambda sales, _: _texts(sales.zip_code),
    Stratum.VALUE: _by_value,
    Stratum.AGE: _by_age,
    Stratum.SIZE: lambda s, _: _bands(
        np.where(s.living_area_sqft > 0, s.living_area_sqft, np.nan), SIZE_BANDS, " sq ft"
    ),
    Stratum.YEAR: _by_year,
}
