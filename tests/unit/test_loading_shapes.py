"""Geometries on their way into a layer."""

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from cli.loading.shapes import Family, Reason, families, points_of, promote, settle

SQUARE = "POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))"
BOW_TIE = "POLYGON ((0 0, 2 2, 2 0, 0 2, 0 0))"
WHOLE = st.integers(-20, 20)
RINGS = st.lists(st.tuples(WHOLE, WHOLE), min_size=3, max_size=9)


def geometries(*texts: str | None) -> Any:
    return np.array([shapely.from_wkt(text) if text else None for text in texts], dtype=object)


@pytest.mark.parametrize(
    ("text", "family", "reason"),
    [
        (None, Family.POLYGON, Reason.MISSING),
        ("POLYGON EMPTY", Family.POLYGON, Reason.EMPTY),
        ("GEOMETRYCOLLECTION EMPTY", Family.POINT, Reason.EMPTY),
        ("POINT (1 NaN)", Family.POINT, Reason.NOT_FINITE),
        ("LINESTRING (0 0, inf 1)", Family.LINE, Reason.NOT_FINITE),
        ("POINT (1 2)", Family.POLYGON, Reason.OTHER_FAMILY),
        (SQUARE, Family.LINE, Reason.OTHER_FAMILY),
        ("GEOMETRYCOLLECTION (POINT (1 2))", Family.POLYGON, Reason.OTHER_FAMILY),
        ("POLYGON ((0 0, 1 1, 0 0, 0 0))", Family.POLYGON, Reason.UNREPAIRABLE),
        (SQUARE, Family.POLYGON, None),
    ],
)
def test_what_cannot_be_stored_has_a_reason(text: str | None, family: Family, reason: Reason | None) -> None:
    settled = settle(geometries(text), family)

    assert settled.refusals == ([] if reason is None else [reason])
    assert settled.repaired == 0


def test_a_bow_tie_becomes_its_two_halves() -> None:
    settled = settle(geometries(SQUARE, BOW_TIE), Family.POLYGON)

    assert settled.repaired == 1
    assert not settled.refused.any()
    assert settled.geometries[1].equals(
        shapely.from_wkt("MULTIPOLYGON (((0 0, 1 1, 0 2, 0 0)), ((2 0, 2 2, 1 1, 2 0)))")
    )


def test_of_a_collection_the_parts_of_the_family_stay() -> None:
    mixed = f"GEOMETRYCOLLECTION (POINT (9 9), GEOMETRYCOLLECTION ({SQUARE}), LINESTRING (0 0, 9 9))"

    settled = settle(geometries(mixed), Family.POLYGON)

    assert settled.geometries[0].equals(shapely.from_wkt(SQUARE))
    assert settled.geometries[0].geom_type == "MultiPolygon"


def test_heights_and_measures_are_dropped_and_counted() -> None:
    settled = settle(geometries("POINT Z (1 2 3)", "POINT M (1 2 3)", "POINT (1 2)"), Family.POINT)

    assert settled.flattened == 2
    assert [shapely.to_wkt(point) for point in settled.geometries] == ["POINT (1 2)"] * 3


@given(st.lists(RINGS, max_size=8))
def test_whatever_polygons_come_what_is_stored_is_valid_and_polygonal(rings: list[list[tuple[int, int]]]) -> None:
    polygons = np.array([shapely.Polygon(ring) for ring in rings], dtype=object)

    settled = settle(polygons, Family.POLYGON)
    stored = promote(settled.geometries[~settled.refused], Family.POLYGON)

    assert shapely.is_valid(stored).all()
    assert (shapely.area(stored) > 0).all()
    assert {shape.geom_type for shape in stored} <= {"MultiPolygon"}
    assert len(stored) + len(settled.refusals) == len(rings)


def test_promoting_keeps_shapes_and_gaps() -> None:
    promoted = promote(geometries("POINT (1 2)", None, "MULTIPOINT ((3 4), (5 6))"), Family.POINT)

    assert [None if shape is None else shape.wkt for shape in promoted] == [
        "MULTIPOINT ((1 2))",
        None,
        "MULTIPOINT ((3 4), (5 6))",
    ]


def test_collections_count_for_no_family() -> None:
    found = families(geometries(SQUARE, "MULTIPOLYGON EMPTY", "POINT (1 2)", "GEOMETRYCOLLECTION EMPTY", None))

    assert found == {Family.POLYGON: 2, Family.POINT: 1}


def test_a_row_lies_on_its_geometry() -> None:
    horseshoe = "POLYGON ((0 0, 9 0, 9 9, 8 9, 8 1, 1 1, 1 9, 0 9, 0 0))"
    shapes = geometries(horseshoe, BOW_TIE, "POINT Z (1 2 3)", None, "POINT EMPTY")

    points = points_of(shapes)

    assert shapely.intersects(points[0], shapes[0])
    assert points[1].geom_type == "Point"
    assert points[2].wkt == "POINT (1 2)"
    assert list(points[3:]) == [None, None]
