"""Types of report, the formats each comes in, and the tables and fields each is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class ReportType(StrEnum):
    """What a report is about."""

    SALES_RATIO_STUDY = "sales_ratio_study"
    VERTICAL_EQUITY = "vertical_equity"
    ASSESSMENT_ROLL_SUMMARY = "assessment_roll_summary"
    VALUE_CHANGE = "value_change"
    SALES_VALIDATION = "sales_validation"
    PROPERTY_RECORD_CARD = "property_record_card"


class OutputFormat(StrEnum):
    """What a report's file is."""

    PDF = "pdf"
    HTML = "html"
    XLSX = "xlsx"
    CSV = "csv"
    JSON = "json"


class Stratum(StrEnum):
    """What sales are grouped by."""

    PROPERTY_CLASS = "property_class"
    NEIGHBORHOOD = "neighborhood"
    ZIP_CODE = "zip_code"
    VALUE = "value"
    AGE = "age"
    SIZE = "size"
    YEAR = "year"


MEDIA_TYPES: Mapping[OutputFormat, str] = {
    OutputFormat.PDF: "application/pdf",
    OutputFormat.HTML: "text/html; charset=utf-8",
    OutputFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    OutputFormat.CSV: "text/csv; charset=utf-8",
    OutputFormat.JSON: "application/json",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of report: its title, its formats (the first when nobody says), the parameters that mean something to it.

    `fields` are the fields without which there is no such report, by table; `tables` what it
    reads of those that there are, `maps` the map layers of its pictures.
    """

    title: str
    formats: tuple[OutputFormat, ...]
    parameters: frozenset[str]
    fields: Mapping[str, tuple[str, ...]]
    maps: tuple[str, ...] = ()
    tables: tuple[str, ...] = ("sales", "properties")


_FILTERS = frozenset({"property_class", "neighborhood", "zip_code"})
_PERIOD = frozenset({"year", "date_from", "date_to"})
_STUDY = frozenset({"standard", "property_type", "confidence", "value_source", "trim_outliers", "time_adjust"})
_EVERY = tuple(OutputFormat)
_SALES = {"sales": ("sale_price",)}
_ROLL = {"properties": ("property_id", "current_assessed_value_total")}

KINDS: Mapping[ReportType, Kind] = {
    ReportType.SALES_RATIO_STUDY: Kind(
        "Sales ratio study", _EVERY, _FILTERS | _PERIOD | _STUDY | {"stratify", "adjust_to"}, _SALES, ("neighborhoods",)
    ),
    ReportType.VERTICAL_EQUITY: Kind(
        "Vertical equity", _EVERY, _FILTERS | _PERIOD | _STUDY | {"stratify", "adjust_to"}, _SALES
    ),
    ReportType.ASSESSMENT_ROLL_SUMMARY: Kind(
        "Assessment roll summary", _EVERY, _FILTERS, _ROLL, tables=("properties",)
    ),
    ReportType.VALUE_CHANGE: Kind(
        "Value change",
        _EVERY,
        _FILTERS | {"sold_from", "sold_to", "movers", "standard"},
        {"properties": (*_ROLL["properties"], "prior_assessed_value_total")},
    ),
    ReportType.SALES_VALIDATION: Kind(
        "Sales validation",
        (OutputFormat.XLSX, OutputFormat.HTML, OutputFormat.CSV, OutputFormat.JSON),
        _FILTERS | _PERIOD | {"value_source"},
        _SALES,
    ),
    ReportType.PROPERTY_RECORD_CARD: Kind(
        "Property record card",
        (OutputFormat.PDF, OutputFormat.HTML, OutputFormat.JSON),
        frozenset({"property_id", "property_ids"}),
        {"properties": ("property_id",)},
        ("parcels",),
    ),
}
