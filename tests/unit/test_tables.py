"""A county's tables, opened in DuckDB."""

from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from terrafusion.counties.standard import STANDARD_PROPERTY_FIELDS
from terrafusion.tables import connect, quoted


@pytest.fixture
def properties(tmp_path: Path) -> Path:
    path = tmp_path / "it's a county.parquet"
    pq.write_table(pa.table({"property_id": ["1", "2"], "year_built": [1900, None], 'odd "name"': [1, 2]}), path)
    return path


def test_every_standard_field_is_there_in_its_type(properties: Path) -> None:
    view = connect({"properties": properties}).table("properties")
    types = dict(zip(view.columns, map(str, view.types), strict=True))
    assert set(STANDARD_PROPERTY_FIELDS) < set(types)
    assert (types["zip_code"], types["living_area_sqft"], types["last_sale_date"]) == ("VARCHAR", "DOUBLE", "DATE")
    assert view.aggregate("count(*), count(zip_code), count(year_built)").fetchall() == [(2, 0, 1)]


def test_the_county_s_own_columns_are_kept(properties: Path) -> None:
    column = quoted('odd "name"')
    rows = connect({"properties": properties}).execute(f"SELECT {column} FROM properties").fetchall()
    assert rows == [(1,), (2,)]


def test_a_table_without_a_standard_is_taken_as_it_is(properties: Path) -> None:
    assert connect({"permits": properties}).table("permits").columns == ["property_id", "year_built", 'odd "name"']


def test_nothing_is_loaded_from_elsewhere(properties: Path) -> None:
    with pytest.raises(duckdb.Error):
        connect({"properties": properties}).execute("SELECT * FROM read_parquet('https://county.example/a.parquet')")


def test_a_standard_field_has_its_type_whatever_was_loaded(tmp_path: Path) -> None:
    path = tmp_path / "sales.parquet"
    table = {
        "sale_id": [1, 2, 3],
        "sale_date": ["2024-02-29", "2/29/24 noon", None],
        "sale_price": ["250000", "a lot", ""],
        "is_valid": ["true", "ask Jim", None],
        "note": ["1", "2", "3"],
    }
    pq.write_table(pa.table(table), path)
    rows = (
        connect({"sales": path}).execute("SELECT sale_id, sale_date, sale_price, is_valid, note FROM sales").fetchall()
    )
    assert rows == [
        ("1", date(2024, 2, 29), 250_000.0, True, "1"),
        ("2", None, None, False, "2"),
        ("3", None, None, None, "3"),
    ]


@pytest.mark.parametrize(
    ("mark", "meaning"),
    [("Yes", True), (" q", True), ("1", True), ("", None), (None, None), ("No", False), ("U", False), ("07", False)],
)
def test_a_flag_is_what_its_word_says_and_no_where_it_says_nothing(
    mark: str | None, meaning: bool | None, tmp_path: Path
) -> None:
    path = tmp_path / "sales.parquet"
    pq.write_table(pa.table({"is_valid": pa.array([mark], pa.string())}), path)
    assert connect({"sales": path}).execute("SELECT is_valid FROM sales").fetchall() == [(meaning,)]
