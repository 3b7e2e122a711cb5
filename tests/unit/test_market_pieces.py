"""Calendars, ranks of medians, hulls and projections, against libraries and published figures."""

from datetime import date, timedelta

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binom

from market_analysis.analysis_types import Period
from market_analysis.medians import median_ranks
from market_analysis.periods import Calendar, years_before
from market_analysis.shapes import hull
from market_analysis.unprojection import unprojection

days = st.dates(date(1990, 1, 1), date(2060, 12, 31))


@given(st.sampled_from(Period), days, st.integers(0, 4_000))
def test_periods_follow_one_another_and_hold_their_ends(period: Period, first: date, length: int) -> None:
    calendar = Calendar(period, first, first + timedelta(days=length))
    assert calendar.start(0) <= first <= calendar.end(0)
    assert calendar.start(len(calendar) - 1) <= calendar.last <= calendar.end(len(calendar) - 1)
    for at in range(len(calendar) - 1):
        assert calendar.end(at) + timedelta(days=1) == calendar.start(at + 1)
    assert sorted(set(calendar.labels)) == calendar.labels


def test_labels_and_parts() -> None:
    calendar = Calendar(Period.QUARTER, date(2024, 2, 1), date(2024, 9, 30))
    assert calendar.labels == ["2024-Q1", "2024-Q2", "2024-Q3"]
    assert [calendar.is_whole(at) for at in range(3)] == [False, True, True]
    assert years_before(date(2024, 2, 29), 3) == date(2021, 3, 1)
    assert years_before(date(2025, 12, 31), 3) == date(2023, 1, 1)


@given(st.integers(1, 2_000_000), st.sampled_from([0.9, 0.95]))
def test_ranks_cover_the_median_as_often_as_they_say(count: int, confidence: float) -> None:
    ranks = median_ranks(count, confidence)
    if ranks is None:
        assert 1 - 2 * 0.5**count < confidence
        return
    low, high = ranks
    assert 1 <= low <= high <= count
    assert low - 1 == count - high
    assert binom.cdf(high - 1, count, 0.5) - binom.cdf(low - 1, count, 0.5) >= confidence - 1e-9


def test_ranks_of_the_iaao() -> None:
    """Standard on Ratio Studies 2013, tables D and 1-1: least numbers, and 36 ratios at 90 %."""
    assert [median_ranks(count, 0.95) is None for count in (5, 6)] == [True, False]
    assert [median_ranks(count, 0.90) is None for count in (4, 5)] == [True, False]
    assert median_ranks(17, 0.95) == (5, 13)
    assert median_ranks(36, 0.90) == (13, 24)


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=3, max_size=40))
def test_a_hull_is_shapelys(points: list[tuple[int, int]]) -> None:
    expected = shapely.MultiPoint(points).convex_hull
    lon, lat = np.array(points, dtype=float).T
    ours = hull(lon, lat)
    if expected.geom_type != "Polygon":
        assert ours is None
        return
    assert ours is not None
    made = shapely.Polygon(ours[0][0])
    assert made.equals(expected)
    assert made.exterior.is_ccw
    assert len(ours[0][0]) == len(expected.exterior.coords)


@pytest.mark.parametrize(
    ("code", "box"),
    [
        (2927, (-124, 45.5, -117, 47.5)),  # Washington South, US survey feet
        (3734, (-84.8, 40.2, -80.5, 42)),  # Ohio North
        (2236, (-82, 25, -80, 28)),  # Florida East, transverse Mercator
        (26910, (-126, 40, -120, 49)),  # UTM 10
        (6498, (-90, 44, -84, 48)),  # Michigan, meters
    ],
)
def test_coordinates_come_back_from_the_plane(code: int, box: tuple[float, float, float, float]) -> None:
    crs = pyproj.CRS(code)
    to_degrees = unprojection(crs.to_wkt())
    if "Oblique" in str(crs.coordinate_operation.method_name):
        assert to_degrees is None
        return
    assert to_degrees is not None
    plane = pyproj.Transformer.from_crs(crs.geodetic_crs, crs, always_xy=True)
    random = np.random.default_rng(code)
    for lon, lat in zip(random.uniform(box[0], box[2], 40), random.uniform(box[1], box[3], 40), strict=True):
        assert to_degrees(*plane.transform(lon, lat)) == pytest.approx((lon, lat), abs=1e-10)


def test_other_projections_are_not_guessed() -> None:
    assert unprojection(pyproj.CRS(3857).to_wkt()) is None
    assert unprojection(pyproj.CRS(5070).to_wkt()) is None
    degrees = unprojection(pyproj.CRS(4326).to_wkt())
    assert degrees is not None
    assert degrees(-119.5, 46.0) == (-119.5, 46.0)


@given(st.floats(-60, 60), st.floats(-3, 3))
def test_a_transverse_mercator_anywhere(lat: float, off: float) -> None:
    assume(abs(lat) > 0.1)
    crs = pyproj.CRS(32610 if lat > 0 else 32710)
    plane = pyproj.Transformer.from_crs(crs.geodetic_crs, crs, always_xy=True)
    to_degrees = unprojection(crs.to_wkt())
    assert to_degrees is not None
    assert to_degrees(*plane.transform(-123 + off, lat)) == pytest.approx((-123 + off, lat), abs=1e-10)
