"""The standard fields of properties, sales and listings: their names and types."""

from terrafusion.counties.manifest import FieldType

STANDARD_PROPERTY_FIELDS = (
    "property_id",
    "situs_address_full",
    "property_class",
    "zip_code",
    "neighborhood",
    "land_area_sqft",
    "living_area_sqft",
    "year_built",
    "bedrooms",
    "bathrooms",
    "stories",
    "quality",
    "condition",
    "garage_area_sqft",
    "assessed_land_value",
    "assessed_improvement_value",
    "current_assessed_value_total",
    "prior_assessed_value_total",
    "last_sale_date",
    "last_sale_price",
    "lon",
    "lat",
)
STANDARD_SALE_FIELDS = (
    "sale_id",
    "property_id",
    "sale_date",
    "sale_price",
    "is_valid",
    "assessed_value",
    "lon",
    "lat",
)
STANDARD_LISTING_FIELDS = (
    "listing_id",
    "property_id",
    "list_date",
    "off_market_date",
    "close_date",
    "list_price",
    "close_price",
    "lon",
    "lat",
)
"""ListingId, ListingContractDate, OffMarketDate, CloseDate, ListPrice, ClosePrice of the RESO Data Dictionary 2.0."""
STANDARD_FIELDS: dict[str, tuple[str, ...]] = {
    "parcels": STANDARD_PROPERTY_FIELDS,
    "properties": STANDARD_PROPERTY_FIELDS,
    "sales": STANDARD_SALE_FIELDS,
    "listings": STANDARD_LISTING_FIELDS,
}
TABLES = frozenset({"properties", "sales", "listings"})
"""Layers that are computed with; `parcels` are a map, exported as they are."""
ANY_STANDARD_FIELD = tuple(dict.fromkeys(field for fields in STANDARD_FIELDS.values() for field in fields))
TEXT_FIELDS = frozenset(
    {
        "property_id",
        "sale_id",
        "listing_id",
        "situs_address_full",
        "property_class",
        "zip_code",
        "neighborhood",
        "quality",
        "condition",
    }
)
DATE_FIELDS = frozenset({"last_sale_date", "sale_date", "list_date", "off_market_date", "close_date"})
WHOLE_FIELDS = frozenset({"year_built"})
FLAG_FIELDS = frozenset({"is_valid"})
FLAG_WORDS: dict[str, bool] = {
    **dict.fromkeys(("true", "t", "yes", "y", "1", "1.0", "valid", "qualified", "q"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0", "0.0", "invalid", "unqualified", "u"), False),
}
"""How counties write yes and no, in small letters."""
NUMBERS = frozenset({FieldType.REAL, FieldType.INTEGER, FieldType.INTEGER64})
SERVE: dict[FieldType, frozenset[FieldType]] = {
    FieldType.REAL: NUMBERS,
    FieldType.INTEGER: NUMBERS,
    FieldType.DATE: frozenset({FieldType.DATE, FieldType.DATETIME}),
    FieldType.BOOLEAN: frozenset({FieldType.BOOLEAN}),
    FieldType.STRING: frozenset({FieldType.STRING}),
}
"""The types of a column that serve as a standard field of a type."""


def type_of(standard: str) -> FieldType:
    """The type that a standard field has."""
    if standard in TEXT_FIELDS:
        return FieldType.STRING
    if standard in DATE_FIELDS:
        return FieldType.DATE
    if standard in WHOLE_FIELDS:
        return FieldType.INTEGER
    return FieldType.BOOLEAN if standard in FLAG_FIELDS else FieldType.REAL
