"""Which sales a study is of: selected by the request, and what was left out, by reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from reporting.models import ReportParameters
from reporting.plan import FILTER_FIELDS, period
from terrafusion.errors import FailureReason, JobFailure
from terrafusion.ratios import RatioSample

Strings = NDArray[np.object_]
Floats = NDArray[np.float64]

PROPERTY_FIELDS = (
    "property_class",
    "neighborhood",
    "zip_code",
    "year_built",
    "living_area_sqft",
    "current_assessed_value_total",
    "situs_address_full",
    "lon",
    "lat",
)
"""What a property adds to its sales. Of rows that repeat a property the one with the highest value counts, of equal
ones the first by class, neighborhood and so on, known before unknown: nothing depends on the order of rows."""
MOST_MONEY = 1e15
"""From so many dollars on, a price or value is a mistake: no property is worth as much."""
EXCLUSIONS: Mapping[str, str] = {
    "invalid": "marked as not valid by the county",
    "future_date": "dated after the data were published",
    "no_price": "no sale price",
    "price_not_positive": "sale price of 0 or below",
    "price_too_large": f"sale price of {MOST_MONEY:,.0f} dollars or more",
    "no_value": "no assessed value",
    "value_not_positive": "assessed value of 0 or below",
    "value_too_large": f"assessed value of {MOST_MONEY:,.0f} dollars or more",
}
"""Reasons for which a selected sale is left out, in the order in which they are looked for."""


@dataclass(frozen=True, slots=True)
class Sales:
    """Sales as columns of one length: texts are None, numbers NaN, days NaT where the county has nothing."""

    sale_id: Strings
    property_id: Strings
    address: Strings
    sale_date: NDArray[np.datetime64]
    price: Floats
    assessed: Floats
    excluded: Strings
    is_valid: Strings
    property_class: Strings
    neighborhood: Strings
    zip_code: Strings
    year_built: Floats
    living_area_sqft: Floats
    lon: Floats
    lat: Floats

    def __len__(self) -> int:
        return int(self.price.size)

    def take(self, which: NDArray[Any]) -> "Sales":
        """Some of the sales."""
        return Sales(**{name: getattr(self, name)[which] for name in self.__dataclass_fields__})


@dataclass(frozen=True, slots=True)
class Selection:
    """The sales of a study and how they came to be: counts of rows read, selected, left out by reason, and kept.

    `all` are the selected sales, `used` those that are kept; `repeats` are the rows of the roll that were passed over,
    as another stands for their property.
    """

    read: int
    selected: int
    excluded: Mapping[str, int]
    filters: Sequence[str]
    value_source: str
    repeats: int
    all: Sales
    used: Sales

    @property
    def sample(self) -> RatioSample:
        """The values and prices that are studied."""
        return RatioSample(self.used.assessed, self.used.price)

    @property
    def document(self) -> dict[str, Any]:
        """The selection as JSON."""
        return {
            "read": self.read,
            "outside_the_filters": self.read - self.selected,
            "selected": self.selected,
            "excluded": dict(self.excluded),
            "used": len(self.used),
            "filters": list(self.filters),
            "value_source": self.value_source,
            "roll_rows_repeated": self.repeats,
        }


def select(database: duckdb.DuckDBPyConnection, parameters: ReportParameters, published: date) -> Selection:
    """Read a county's sales, joined with its properties, and sort out what cannot be used.

    A date after the data were `published` is a mistake: such a sale is left out, lest a trend or a period run to it.

    Raises
    ------
    JobFailure
        INSUFFICIENT_SALES, saying what was left out and why.
    """
    source = _value_source(database, parameters.value_source or "auto")
    database.execute(f"CREATE OR REPLACE TEMP VIEW joined AS {_joined(database, source, published)}")
    where, values, filters = _filters(parameters)
    _check_terms(database, parameters)
    read = _count(database, "SELECT count(*) FROM joined", [])
    rows = database.execute(
        f"SELECT * FROM joined WHERE {where} ORDER BY sale_date, sale_id, property_id, price, assessed",  # noqa: S608
        values,
    ).fetchnumpy()
    every = _sales(rows)
    kept = every.take(every.excluded == "")
    reasons = {
        text: int(np.count_nonzero(every.excluded == key))
        for key, text in EXCLUSIONS.items()
        if (every.excluded == key).any()
    }
    made = Selection(read, len(every), reasons, filters, source, _repeats(database), every, kept)
    if not len(kept):
        raise JobFailure(FailureReason.INSUFFICIENT_SALES, _nothing_left(made))
    return made


def _nothing_left(selection: Selection) -> str:
    parts = [f"{count:,} {text}" for text, count in selection.excluded.items()]
    outside = selection.read - selection.selected
    if outside:
        parts.insert(0, f"{outside:,} outside of {'; '.join(selection.filters)}")
    why = f": {', '.join(parts)}" if parts else ""
    return f"No sales are left of {selection.read:,}{why}. Widen the filters, or load sales with prices and values."


def _value_source(database: duckdb.DuckDBPyConnection, wanted: str) -> str:
    if wanted != "auto":
        return wanted
    known = _count(database, "SELECT count(assessed_value) FROM sales", [])
    return "sale" if known or not _has(database, "properties") else "roll"


def _joined(database: duckdb.DuckDBPyConnection, source: str, published: date) -> str:
    """Sales with what their properties add: a field of the sales' own goes first. One row a sale, whatever repeats."""
    own = {row[0] for row in database.execute("DESCRIBE sales").fetchall()}
    has_properties = _has(database, "properties")
    types = {"year_built": "DOUBLE", "living_area_sqft": "DOUBLE", "current_assessed_value_total": "DOUBLE"}

    def field(name: str) -> str:
        parts = [f'TRY_CAST(s."{name}" AS {types.get(name, "VARCHAR")})'] if name in own else []
        parts += [f'p."{name}"'] if has_properties else []
        return f"COALESCE({', '.join(parts)})" if parts else f"CAST(NULL AS {types.get(name, 'VARCHAR')})"

    value = "s.assessed_value" if source == "sale" else field("current_assessed_value_total")
    order = ", ".join(f"{name} NULLS LAST" for name in PROPERTY_FIELDS)
    join = (
        f"""LEFT JOIN (SELECT * FROM properties WHERE property_id IS NOT NULL QUALIFY row_number() OVER
            (PARTITION BY property_id ORDER BY current_assessed_value_total DESC NULLS LAST, {order}) = 1
        ) p ON p.property_id = s.property_id"""  # noqa: S608  names are the standard's
        if has_properties
        else ""
    )
    place = ("COALESCE(s.lon, p.lon)", "COALESCE(s.lat, p.lat)") if has_properties else ("s.lon", "s.lat")
    return f"""
        SELECT s.sale_id, s.property_id, {field("situs_address_full")} AS address,
               CAST(s.sale_date AS DATE) AS sale_date,
               CAST(s.sale_price AS DOUBLE) AS price, CAST({value} AS DOUBLE) AS assessed,
               CASE WHEN s.is_valid = FALSE THEN 'invalid'
                    WHEN CAST(s.sale_date AS DATE) > DATE '{published}' THEN 'future_date'
                    WHEN s.sale_price IS NULL OR isnan(s.sale_price) THEN 'no_price'
                    WHEN s.sale_price <= 0 THEN 'price_not_positive'
                    WHEN s.sale_price >= {MOST_MONEY} THEN 'price_too_large'
                    WHEN {value} IS NULL OR isnan({value}) THEN 'no_value'
                    WHEN {value} <= 0 THEN 'value_not_positive'
                    WHEN {value} >= {MOST_MONEY} THEN 'value_too_large' ELSE '' END AS excluded,
               CASE s.is_valid WHEN TRUE THEN 'yes' WHEN FALSE THEN 'no' ELSE NULL END AS is_valid,
               {field("property_class")} AS property_class, {field("neighborhood")} AS neighborhood,
               {field("zip_code")} AS zip_code, {field("year_built")} AS year_built,
               {field("living_area_sqft")} AS living_area_sqft, {place[0]} AS lon, {place[1]} AS lat
        FROM sales s {join}"""  # noqa: S608  names are the standard's, not the request's


def _repeats(database: duckdb.DuckDBPyConnection) -> int:
    if not _has(database, "properties"):
        return 0
    return _count(database, "SELECT count(property_id) - count(DISTINCT property_id) FROM properties", [])


def _filters(parameters: ReportParameters) -> tuple[str, list[Any], list[str]]:
    """The condition, its values, and the same in words."""
    conditions = ["TRUE"]
    values: list[Any] = []
    words: list[str] = []
    first, last = period(parameters)
    for day, sign, text in ((first, ">=", "from"), (last, "<=", "to")):
        if day is not None:
            conditions.append(f"sale_date {sign} ?")
            values.append(day)
            words.append(f"sold {text} {day.isoformat()}")
    for name in FILTER_FIELDS:
        terms = getattr(parameters, name)
        if terms:
            conditions.append(f"list_contains(?, {name})")
            values.append(list(terms))
            words.append(f"{name} {', '.join(terms)}")
    return " AND ".join(conditions), values, words


def _check_terms(database: duckdb.DuckDBPyConnection, parameters: ReportParameters) -> None:
    """A class, neighborhood or zip that no sale has is a typing error more often than an empty selection."""
    for name in FILTER_FIELDS:
        terms = getattr(parameters, name)
        if terms:
            check_terms(database, "joined", name, terms, FailureReason.INSUFFICIENT_SALES)


def check_terms(
    database: duckdb.DuckDBPyConnection, table: str, name: str, terms: Sequence[str], reason: FailureReason
) -> None:
    """Refuse a term that no row of a table has, with those that come near it.

    Raises
    ------
    JobFailure
    """
    query = f"SELECT DISTINCT {name} FROM {table} WHERE list_contains(?, {name})"  # noqa: S608
    found = {row[0] for row in database.execute(query, [list(terms)]).fetchall()}
    for term in terms:
        if term not in found:
            raise JobFailure(reason, f"No row has the {name} '{term}'. {_suggestion(database, table, name, term)}")


def _suggestion(database: duckdb.DuckDBPyConnection, table: str, name: str, term: str) -> str:
    query = f"""SELECT {name} FROM {table} WHERE {name} IS NOT NULL GROUP BY {name}
        ORDER BY levenshtein({name}, ?), {name} LIMIT 50"""  # noqa: S608
    nearest = [row[0] for row in database.execute(query, [term]).fetchall()]
    near = get_close_matches(term, nearest, n=3) or nearest[:8]
    return f"Did you mean {' or '.join(near)}?" if near else "That field is empty."


def _sales(rows: Mapping[str, Any]) -> Sales:
    return Sales(**{name: _column(name, rows[name]) for name in Sales.__dataclass_fields__})


def _column(name: str, values: Any) -> NDArray[Any]:
    mask = np.ma.getmaskarray(values)
    plain = np.ma.getdata(values)
    if name in {"price", "assessed", "year_built", "living_area_sqft", "lon", "lat"}:
        return np.where(mask, np.nan, plain.astype(np.float64))
    if name == "sale_date":
        days: NDArray[Any] = plain.astype("datetime64[D]")
        days[mask] = np.datetime64("NaT")
        return days
    texts = plain.astype(object)
    texts[mask] = None
    return texts


def _has(database: duckdb.DuckDBPyConnection, table: str) -> bool:
    query = "SELECT count(*) FROM duckdb_views() WHERE view_name = ?"
    return bool(_count(database, query, [table]))


def _count(database: duckdb.DuckDBPyConnection, query: str, values: list[Any]) -> int:
    row = database.execute(query, values).fetchone()
    return int(row[0]) if row else 0


def day(moment: np.datetime64) -> date | None:
    """A day as Python has it; None for none."""
    return None if np.isnat(moment) else moment.astype("datetime64[D]").item()
