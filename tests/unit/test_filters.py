"""Filters in CQL2: what is read, what is refused and how, and what DuckDB makes of it beside pandas."""

import contextlib
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrafusion.counties import Field, FieldType
from terrafusion.filters import FilterError, check, read
from terrafusion.filters.duckdb import condition
from terrafusion.filters.reading import MAX_DEPTH, MAX_TEXT
from terrafusion.filters.tree import Among, Comparator, Comparison, Like, Literal

TYPES = {
    "whole": FieldType.INTEGER,
    "big": FieldType.INTEGER64,
    "ratio": FieldType.REAL,
    "name": FieldType.STRING,
    "flag": FieldType.BOOLEAN,
    "day": FieldType.DATE,
    "moment": FieldType.DATETIME,
    "hour": FieldType.TIME,
}
FIELDS = [Field(name=name, type=kind) for name, kind in TYPES.items()]


def tree(value: str | dict[str, Any]) -> Any:
    return check(read(value), FIELDS)


def test_whole_numbers_stay_whole_in_text() -> None:
    assert tree("whole = 1000") == Comparison(Comparator.EQUAL, *operands("whole = 1000"))
    assert tree("whole = 1000").right.value == 1000
    assert isinstance(tree("whole = 1000").right.value, int)


def operands(text: str) -> tuple[Any, Any]:
    node = tree(text)
    return node.left, node.right


@pytest.mark.parametrize("number", [2**53 + 1, -(2**62) - 1, 2**63 - 1])
def test_json_says_any_integer_of_64_bits_exactly(number: int) -> None:
    assert tree({"op": "=", "args": [{"property": "big"}, number]}).right.value == number


@pytest.mark.parametrize("number", ["9007199254740992", "9007199254740993", "-9007199254740993", "1e300"])
def test_text_refuses_integers_that_its_parser_would_round(number: str) -> None:
    with pytest.raises(FilterError, match=r"2\^53.*CQL2-JSON"):
        tree(f"big = {number}")


def test_dates_and_moments_become_what_they_are() -> None:
    assert tree("day >= DATE('2020-02-29')").right.value == date(2020, 2, 29)
    moved = tree("moment < TIMESTAMP('2024-03-01T01:30:00.250+02:00')").right.value
    assert moved == datetime(2024, 2, 29, 23, 30, 0, 250_000, tzinfo=UTC)


def test_patterns_come_apart_at_their_wildcards() -> None:
    assert tree(r"name LIKE '50\% of\_%x'") == Like(tree("name = 'a'").left, ("50% of_", "x"))


def test_casei_goes_around_both_sides() -> None:
    assert tree("casei(name) IN (casei('a'), casei('b'))").any_case
    assert isinstance(tree("casei(name) IN (casei('a'), casei('b'))"), Among)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["does not parse"]),
        ("whole =", ["does not parse", "character"]),
        ("whole = 1; DROP TABLE x", ["does not parse"]),
        ("wole = 1", ["'wole'", "whole"]),
        ("name = 1", ["'name' (text)", "1 (number)"]),
        ("whole = '1'", ["'whole' (number)", "'1' (text)"]),
        ("day = '2020-01-01'", ["DATE("]),
        ("day = TIMESTAMP('2020-01-01T00:00:00Z')", ["'day' (date)", "timestamp"]),
        ("day = DATE('2020-02-30')", ["'2020-02-30'"]),
        ("flag > true", ["no order"]),
        ("name", ["'name'", "compare"]),
        ("1 = 1", ["no attribute"]),
        ("true", ["condition"]),
        ("whole = NULL", ["IS NULL"]),
        ("hour = '12:00'", ["'hour'", "null"]),
        ("name LIKE 'a_b'", ["_"]),
        ("name LIKE whole", ["pattern"]),
        ("whole LIKE '1%'", ["text"]),
        ("casei(name) = 'a'", ["both"]),
        ("casei(whole) = casei('a')", ["text"]),
        ("accenti(name) = 'a'", ["accenti"]),
        ("S_INTERSECTS(geom, POINT(1 2))", ["s_intersects", "area_of_interest"]),
        ("A_CONTAINS(name, ('x'))", ["a_contains"]),
        ("T_DURING(day, INTERVAL('2020-01-01','..'))", ["t_during", "t_after"]),
        ("whole ^ 2 = 4", ["^"]),
        ("whole DIV 2 = 1", ["div"]),
        ("whole / 0 = 1", ["not 0"]),
        ("whole / ratio = 1", ["not 0"]),
        ("ratio % 2 = 1", ["whole"]),
        ("name + 1 = 2", ["numbers"]),
        ("whole IN (whole, 2)", ["values"]),
        ("ST_Buffer(name) = 3", ["st_buffer"]),
        ("load_extension('x') = 3", ["load_extension"]),
        ("whole = 1e400", ["2^53"]),
        ("name = 'a\x07b'", ["control"]),
        ("(" * (MAX_DEPTH + 1) + "whole = 1" + ")" * (MAX_DEPTH + 1), ["deeper"]),
        ("(" * 3_000, ["deeper"]),
        ("NOT " * 900 + "whole = 1", ["deeper"]),
        ("whole = " + "-" * 3_000 + "whole", ["deeper"]),
        ("whole = " + "- " * 1_500 + "whole", ["deeper"]),
        ("whole = 1 OR " * 1_000 + "whole = 1", ["characters"]),
    ],
)  # fmt: skip
def test_what_is_refused_is_named(text: str, words: list[str]) -> None:
    with pytest.raises(FilterError) as error:
        tree(text)

    for word in words:
        assert word.lower() in str(error.value).lower(), str(error.value)


@pytest.mark.parametrize(
    "document",
    [
        {}, {"op": "="}, {"op": "=", "args": {}}, {"op": ["="], "args": []}, {"op": "=", "args": [{"property": 3}, 1]},
        {"op": "=", "args": [{"property": "whole"}]}, {"op": "and", "args": [{"op": "isNull", "args": []}]},
        {"op": "=", "args": [{"property": "whole"}, 2**63]}, {"op": "=", "args": [{"property": "whole"}, [1]]},
        {"op": "=", "args": [{"property": "ratio"}, float("inf")]}, {"op": "in", "args": [{"property": "whole"}, []]},
        {"op": "=", "args": [{"property": "name"}, "\ud800"]}, {"op": "=", "args": [{"property": "name"}, "a\0b"]},
        {"op": "=", "args": [{"property": "whole"}, 1], "more": 1}, {"op": "isNull", "args": [3]},
        {"op": "like", "args": [{"property": "name"}, "x\\"]}, {"property": "whole", "op": "="},
        {"op": "=", "args": [{"property": "day"}, {"date": 3}]}, {"op": "not", "args": [True]},
        {"op": "in", "args": [{"property": "whole"}, list(range(5_000))]},
    ],
)  # fmt: skip
def test_json_that_is_no_filter_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(FilterError):
        tree(document)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["op", "args", "property", "date", "timestamp"]) | st.text(max_size=5), inner)
        | st.fixed_dictionaries({"op": st.sampled_from(["and", "=", "in", "like", "not", "+", "casei"]), "args": inner})
    ),
    max_leaves=20,
)


@given(JSON)
def test_nothing_but_a_refusal_comes_of_any_json(value: Any) -> None:
    with contextlib.suppress(FilterError):
        assert check(value, FIELDS)


@given(st.text(max_size=200))
def test_nothing_but_a_refusal_comes_of_any_text(text: str) -> None:
    with contextlib.suppress(FilterError):
        assert check(read(text), FIELDS)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "whole": pd.array([1, 2, None, -4, 5], dtype="Int32"),
            "big": pd.array([2**53 + 1, 2**53, None, 5, 0], dtype="Int64"),
            "ratio": [0.5, None, 2.0, -1.5, 3.0],
            "name": ["abc", "ABC", None, "50% it's", "Größe"],
            "flag": pd.array([True, False, None, True, False], dtype="boolean"),
            "day": pd.to_datetime(["2020-02-29", None, "2020-03-01", "2021-01-01", "1999-12-31"]).date,
        }
    )


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("whole > 1", [1, 4]),
        ("NOT (whole > 1)", [0, 3]),
        ("NOT (whole > 1 AND ratio > 1)", [0, 3]),
        ("whole IS NULL OR flag", [0, 2, 3]),
        ("name = 'abc'", [0]),
        ("casei(name) = casei('abc')", [0, 1]),
        ("casei(name) LIKE casei('GRÖ%')", [4]),
        (r"name LIKE '50\%%'", [3]),
        ("name = '50% it''s'", [3]),
        ("name < 'a'", [1, 3, 4]),
        ("whole / 2 = 2.5", [4]),
        ("whole * 2 + 1 > ratio", [0, 4]),
        ("whole % 2 = 0", [1, 3]),
        ("whole BETWEEN 2 AND 5", [1, 4]),
        ("whole IN (1, 5)", [0, 4]),
        ("NOT whole IN (1, 5)", [1, 3]),
        ("day >= DATE('2020-02-29')", [0, 2, 3]),
        ("flag = false", [1, 4]),
    ],
)
def test_duckdb_selects_what_was_meant(table: pd.DataFrame, text: str, rows: list[int]) -> None:
    sql, values = condition(tree(text))

    assert "'" not in sql.replace("ESCAPE '!'", "")
    numbered = table.assign(row=range(len(table)))
    found = duckdb.connect().execute(f"SELECT row FROM numbered WHERE {sql} ORDER BY row", values).fetchall()
    assert [row for (row,) in found] == rows
    assert len(numbered) == 5


def test_duckdb_tells_big_integers_apart(table: pd.DataFrame) -> None:
    sql, values = condition(tree({"op": "=", "args": [{"property": "big"}, 2**53 + 1]}))

    kept = table[["big"]].copy()
    assert duckdb.connect().execute(f"SELECT big FROM kept WHERE {sql}", values).fetchall() == [(2**53 + 1,)]
    assert len(kept) == 5


CHAINS = [
    "a=1 AND ",
    "a=1 OR ",
    "a=1 AND NOT ",
    "a+",
    "a*",
    "a^",
    "a-",
    "a*-",
    "a^-",
    "a=",
    "a=-",
    "a<-a AND ",
    "NOT a=",
]
CHAINS += [
    "a IN (",
    "a BETWEEN ",
    "a BETWEEN a AND ",
    "a LIKE ",
    "a IS NULL AND ",
    "- NOT ",
    "NOT - ",
    "[",
    "{",
    '"',
    "'",
]


@pytest.mark.parametrize("chain", CHAINS)
def test_no_chain_as_long_as_may_be_ends_the_process(chain: str) -> None:
    text = (chain * MAX_TEXT)[: MAX_TEXT - 3]
    for end in ("", "a", "a=1"):
        with contextlib.suppress(FilterError):
            read(text + end)


def test_a_literal_is_bound_and_never_written() -> None:
    sql, values = condition(tree("name = 'x'' OR 1=1 --'"))

    assert sql == '("name" = ?)'
    assert values == ["x' OR 1=1 --"]
    assert isinstance(tree("name = 'x'").right, Literal)
