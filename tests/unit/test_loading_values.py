"""Values of the standard fields: what counties write, and what is stored."""

from datetime import date

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.loading.columns import plan_columns
from cli.loading.errors import LoadError
from cli.loading.standard import convert, to_date, to_flag, to_number, to_text, to_whole
from terrafusion.counties import FieldType

DATES = st.dates(date(1800, 1, 1), date(2200, 1, 1))


@given(DATES)
def test_a_date_is_read_from_every_way_of_writing_it(day: date) -> None:
    written = (
        day.isoformat(),
        f"{day.isoformat()}T00:00:00",
        f"{day.month}/{day.day}/{day.year}",
        f"{day:%m/%d/%Y} 0:00",
        f"{day:%Y%m%d}",
        int(f"{day:%Y%m%d}"),
        float(f"{day:%Y%m%d}"),
    )
    assert {to_date(text) for text in written} == {day}


@pytest.mark.parametrize("text", ["31/12/2020", "2/30/2020", "0/0/0000", "1/2/97", "2020", "soon", "12345678"])
def test_what_is_no_date_is_none(text: str) -> None:
    assert to_date(text) is None


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12))
def test_money_is_read_as_it_is_written(amount: float) -> None:
    assert to_number(f"$ {amount:,.2f}") == float(f"{amount:.2f}")
    assert to_number(f"{amount:.2f}".replace(".", ",")) is None


@pytest.mark.parametrize(
    ("value", "number"), [("n/a", None), ("inf", None), ("", None), (12, 12.0), (" 1,234 ", 1234.0), (None, None)]
)
def test_what_is_no_number_is_none(value: object, number: float | None) -> None:
    assert to_number(value) == number


def test_years_are_whole() -> None:
    assert [to_whole(value) for value in (1978.0, "1978", 1978.5, "9" * 12, "unknown")] == [
        1978,
        1978,
        None,
        None,
        None,
    ]


def test_codes_kept_as_numbers_become_the_text_that_people_read() -> None:
    assert [to_text(value) for value in (98401.0, 98401, 1.5, "00123", True)] == [
        "98401",
        "98401",
        "1.5",
        "00123",
        "true",
    ]


@pytest.mark.parametrize(
    ("word", "flag"), [("Y", True), ("Qualified", True), (1, True), ("no", False), (0.0, False), ("?", None)]
)
def test_flags_are_read_from_words_and_digits(word: object, flag: bool | None) -> None:
    assert to_flag(word) is flag


@given(st.lists(st.sampled_from(["1/2/2020", "2020-01-02", "", "  ", "never", None])))
def test_every_value_is_converted_missing_or_a_failure(texts: list[str | None]) -> None:
    converted = convert(pa.array(texts, pa.string()), FieldType.DATE)

    dates = sum(text in ("1/2/2020", "2020-01-02") for text in texts)
    assert converted.values.to_pylist().count(date(2020, 1, 2)) == dates
    assert converted.failures == texts.count("never")
    assert len(converted.values) == len(texts)


SCHEMA = pa.schema([("PIN", pa.string()), ("SaleDate", pa.string()), ("zip_code", pa.int64()), ("Zip", pa.int32())])


@pytest.mark.parametrize(
    ("layer", "mapping", "key", "words"),
    [
        ("sales", {"sale_dat": "SaleDate"}, None, ("sale_dat", "standard field of sales", "'sale_date'")),
        ("parcels", {"sale_price": "PIN"}, None, ("sale_price", "parcels", "'last_sale_price'")),
        ("sales", {"sale_date": "Saledate"}, None, ("no column 'Saledate'", "'SaleDate'")),
        ("sales", {"sale_date": "Zip", "sale_price": "Zip"}, None, ("'Zip' is mapped twice",)),
        ("parcels", {"zip_code": "Zip"}, None, ("'Zip' cannot become zip_code", "column 'zip_code' already")),
        ("parcels", {}, "PNI", ("no column 'PNI'", "'PIN'")),
    ],
)
def test_a_wrong_mapping_is_refused_with_what_is_near(
    layer: str, mapping: dict[str, str], key: str | None, words: tuple[str, ...]
) -> None:
    with pytest.raises(LoadError) as refused:
        plan_columns(SCHEMA, layer, mapping, key)

    assert all(word in str(refused.value) for word in words)


def test_the_key_of_parcels_is_their_property_id() -> None:
    columns = plan_columns(SCHEMA, "parcels", {}, "PIN")

    assert columns.key == "property_id"
    assert [column.name for column in columns.items] == ["property_id", "SaleDate", "zip_code", "Zip"]


def test_the_key_of_parcels_keeps_its_name_when_another_column_is_the_property_id() -> None:
    columns = plan_columns(SCHEMA, "parcels", {"property_id": "Zip"}, "PIN")

    assert columns.key == "PIN"


def test_the_key_may_be_named_by_its_standard_name() -> None:
    assert plan_columns(SCHEMA, "sales", {"sale_id": "PIN"}, "sale_id").key == "sale_id"


def test_standard_text_is_text_in_tables_that_are_joined_and_untouched_elsewhere() -> None:
    kinds = {layer: plan_columns(SCHEMA, layer, {}, None).find("zip_code") for layer in ("properties", "hydrants")}

    assert kinds["properties"] is not None
    assert kinds["properties"].type is FieldType.STRING
    assert kinds["hydrants"] is not None
    assert kinds["hydrants"].type is FieldType.INTEGER64
