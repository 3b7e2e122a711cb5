"""The words of a request: kinds of analysis, periods, groups, measures."""

from enum import StrEnum


class AnalysisType(StrEnum):
    """What can be asked about a market."""

    PRICE_TREND_BY_ZIP = "price_trend_by_zip"
    PRICE_PER_SQFT = "price_per_sqft"
    SALES_VELOCITY = "sales_velocity"
    COMPARABLE_MARKET_AREA = "comparable_market_area"
    MARKET_VALUATION = "market_valuation"
    HEDONIC_INDEX = "hedonic_index"
    REPEAT_SALES_INDEX = "repeat_sales_index"
    TIME_ADJUSTMENT = "time_adjustment"
    NEIGHBORHOOD_SUMMARY = "neighborhood_summary"
    HOTSPOTS = "hotspots"


class Period(StrEnum):
    """Stretches of the calendar."""

    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class GroupBy(StrEnum):
    """What sales are told apart by: a field of the county's, or nothing."""

    ZIP_CODE = "zip_code"
    NEIGHBORHOOD = "neighborhood"
    PROPERTY_CLASS = "property_class"
    COUNTY = "county"


class AreaBasis(StrEnum):
    """Which area a price is divided by."""

    LIVING = "living_area_sqft"
    LAND = "land_area_sqft"


class Measure(StrEnum):
    """What is looked at for clusters: assessed value over price, or what a hedonic equation leaves of the log price."""

    RATIO = "ratio"
    RESIDUAL = "residual"


class Unit(StrEnum):
    """What a location of a cluster is: a sale, or a neighborhood by its median."""

    SALE = "sale"
    NEIGHBORHOOD = "neighborhood"
