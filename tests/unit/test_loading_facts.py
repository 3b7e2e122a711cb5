"""What the manifest says of a column's values holds of every value: exports rely on it instead of reading them."""

import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.loading.values import together, values_of
from gis_export.formats import FORMATS
from gis_export.losses import CONTROL
from terrafusion.counties import Values

TEXTS = st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=6), max_size=8)
NUMBERS = st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), max_size=8)


@given(TEXTS)
def test_texts(texts: list[str | None]) -> None:
    there = [text for text in texts if text is not None]
    trimmed = "".join({*(spec.trims_start + spec.trims_end for spec in FORMATS.values())})

    found = values_of(pa.array(texts, pa.string()))

    assert found.empty == ("" in there)
    assert found.controls == any(CONTROL.search(text) for text in there)
    assert found.padded >= any(text != text.strip() or text != text.strip(trimmed) for text in there)
    assert not found.padded or any(re.match(r"\W|.*\W\Z", text, re.DOTALL) for text in there)


@given(NUMBERS)
def test_numbers_of_so_many_digits_survive_that_many(numbers: list[float | None]) -> None:
    digits = values_of(pa.array(numbers, pa.float64())).digits

    assert digits <= 17
    assert all(float(f"{number:.{max(1, digits)}g}") == number for number in numbers if number is not None)


@pytest.mark.parametrize(
    ("number", "digits"), [(0.0, 0), (1e300, 1), (0.1, 1), (-12.5, 3), (1 / 3, 17), (0.1 + 0.2, 17), (2.0**49, 15)]
)
def test_digits(number: float, digits: int) -> None:
    assert values_of(pa.array([number, None])).digits == digits


@pytest.mark.parametrize(("number", "big"), [(2**53, False), (2**53 + 1, True), (-(2**53) - 1, True), (None, False)])
def test_big_integers(number: int | None, big: bool) -> None:
    assert values_of(pa.array([number, 7], pa.int64())).big == big


def test_moments() -> None:
    whole, part = 1_709_294_400_000, 1_709_294_400_250  # milliseconds since 1970

    assert values_of(pa.array([whole, None], pa.timestamp("ms"))) == Values()
    assert values_of(pa.array([part], pa.timestamp("ms", tz="UTC"))) == Values(zoned=True, subseconds=True)


def test_a_part_s_values_are_the_whole_s() -> None:
    assert together(Values(empty=True, digits=3), Values(big=True, digits=9)) == Values(empty=True, big=True, digits=9)
