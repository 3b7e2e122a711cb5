"""How a county's values become those of the standard fields' types.

A parser takes one value of any Arrow type as Python sees it and gives the standard value, or None when it is none.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from terrafusion.counties import FieldType
from terrafusion.counties.standard import FLAG_WORDS

ISO_DATE = re.compile(r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})(?:[T ].*)?")
US_DATE = re.compile(r"(?P<m>\d{1,2})/(?P<d>\d{1,2})/(?P<y>\d{4})(?: .*)?")
COMPACT_DATE = re.compile(r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})(?:\.0)?")
NOT_OF_A_NUMBER = re.compile(r"[\s$]")
GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
"""Commas set thousands apart; one that sets decimals apart would make a number a hundred times as large."""


@dataclass(frozen=True, slots=True)
class Converted:
    """A column in its standard type; values that are none became null: how many, and some of them."""

    values: pa.Array
    failures: int
    examples: tuple[str, ...]


def convert(values: pa.Array, wanted: FieldType) -> Converted:
    """Turn a column into a standard type; each distinct value is parsed once, blank text is null."""
    parse = PARSERS[wanted]
    encoded = values.dictionary_encode()
    originals = encoded.dictionary.to_pylist()
    parsed = [None if original is None or _blank(original) else parse(original) for original in originals]
    failed = {
        index
        for index, (original, result) in enumerate(zip(originals, parsed, strict=True))
        if result is None and original is not None and not _blank(original)
    }
    result = pa.array(parsed, ARROW_TYPES[wanted]).take(encoded.indices)
    failures = sum(index in failed for index in encoded.indices.to_pylist()) if failed else 0
    return Converted(result, failures, tuple(str(originals[index]) for index in sorted(failed)[:3]))


def to_text(value: Any) -> str | None:
    """Text; a whole number kept as a float loses its `.0`."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, date):
        return value.isoformat()
    return str(value).lower() if isinstance(value, bool) else str(value)


def to_number(value: Any) -> float | None:
    """A finite number; `$` and thousands' commas in text are passed over."""
    if isinstance(value, str):
        value = NOT_OF_A_NUMBER.sub("", value)
        value = value.replace(",", "") if GROUPED.fullmatch(value) else value
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if abs(number) < float("inf") else None


def to_whole(value: Any) -> int | None:
    """A whole number of 32 bits."""
    number = to_number(value)
    return int(number) if number is not None and number.is_integer() and abs(number) < 2**31 else None


def to_date(value: Any) -> date | None:
    """A date: ISO, US month/day/year, or the digits yyyymmdd; a time of day is dropped."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    text = str(value).strip()
    for pattern in (ISO_DATE, US_DATE, COMPACT_DATE):
        if match := pattern.fullmatch(text):
            try:
                return date(int(match["y"]), int(match["m"]), int(match["d"]))
            except ValueError:
                return None
    return None


def to_flag(value: Any) -> bool | None:
    """True or false, from the words and digits that counties use."""
    return FLAG_WORDS.get(str(value).strip().lower())


PARSERS: dict[FieldType, Callable[[Any], Any]] = {
    FieldType.STRING: to_text,
    FieldType.REAL: to_number,
    FieldType.INTEGER: to_whole,
    FieldType.DATE: to_date,
    FieldType.BOOLEAN: to_flag,
}
ARROW_TYPES: dict[FieldType, pa.DataType] = {
    FieldType.STRING: pa.string(),
    FieldType.REAL: pa.float64(),
    FieldType.INTEGER: pa.int32(),
    FieldType.INTEGER64: pa.int64(),
    FieldType.BOOLEAN: pa.bool_(),
    FieldType.DATE: pa.date32(),
    FieldType.TIME: pa.time32("ms"),
    FieldType.DATETIME: pa.timestamp("ms"),
    FieldType.BINARY: pa.binary(),
}


def _blank(value: Any) -> bool:
    return (isinstance(value, str) and not value.strip()) or value != value
