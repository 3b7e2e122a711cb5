"""Areas of interest: what is accepted means what was drawn, what is refused is told why."""

import math
from typing import Any

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod
from shapely.geometry import box, mapping, shape

from gis_export.area import Area, AreaError, check_against, parse

COUNTY = (-119.40, 46.20, -119.20, 46.30)
RING = [[-119.35, 46.22], [-119.25, 46.22], [-119.25, 46.28], [-119.35, 46.28], [-119.35, 46.22]]
HOLE = [[-119.32, 46.24], [-119.32, 46.26], [-119.28, 46.26], [-119.28, 46.24], [-119.32, 46.24]]
POLYGON: dict[str, Any] = {"type": "Polygon", "coordinates": [RING]}


def refusal(value: Any) -> AreaError:
    with pytest.raises(AreaError) as error:
        parse(value)
    return error.value


@given(st.tuples(st.floats(-170, 170), st.floats(-80, 80), st.floats(0.001, 5, exclude_min=True), st.floats(0.001, 5)))
def test_a_bbox_is_its_rectangle_and_as_large_as_pyproj_says(numbers: tuple[float, float, float, float]) -> None:
    west, south, width, height = numbers
    rectangle = box(west, south, west + width, south + height)

    area = parse({"type": "bbox", "coordinates": list(rectangle.bounds)})

    assert shapely.hausdorff_distance(shape(area.geojson), rectangle) < 1e-12
    assert area.bbox == pytest.approx(rectangle.bounds)
    expected, _ = Geod(ellps="WGS84").geometry_area_perimeter(rectangle)
    assert area.area_sq_km == pytest.approx(abs(expected) / 1e6, rel=1e-6)


@pytest.mark.parametrize(
    "value",
    [
        POLYGON,
        {"type": "MultiPolygon", "coordinates": [[RING]]},
        {"type": "Feature", "properties": None, "geometry": POLYGON},
        {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": POLYGON}]},
        {"type": "GeometryCollection", "geometries": [POLYGON]},
        {**POLYGON, "crs": "EPSG:4326"},
        {**POLYGON, "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}},
        {"type": "Polygon", "coordinates": [[[x, y, 12.5] for x, y in RING]]},
        {"type": "Polygon", "coordinates": [list(reversed(RING))]},
    ],
)
def test_the_same_area_in_any_wrapping_is_the_same(value: dict[str, Any]) -> None:
    assert shape(parse(value).geojson).equals(shape(POLYGON))


def test_a_hole_stays_a_hole_and_parts_are_joined() -> None:
    with_hole = parse({"type": "Polygon", "coordinates": [RING, HOLE]})
    overlapping = parse(
        {
            "type": "GeometryCollection",
            "geometries": [POLYGON, mapping(shapely.affinity.translate(shape(POLYGON), 0.05))],
        }
    )

    assert shape(with_hole.geojson).area == pytest.approx(0.1 * 0.06 - 0.04 * 0.02)
    assert shape(overlapping.geojson).area == pytest.approx(0.15 * 0.06)


def test_an_area_in_another_crs_is_brought_to_degrees() -> None:
    from pyproj import Transformer

    to_feet = Transformer.from_crs(4326, 2927, always_xy=True)
    ring = [list(to_feet.transform(*position)) for position in RING]

    area = parse({"type": "Polygon", "coordinates": [ring], "crs": "EPSG:2927"})

    assert shapely.hausdorff_distance(shape(area.geojson), shape(POLYGON)) < 1e-8


def test_an_area_read_back_from_a_job_is_the_same() -> None:
    area = parse({"type": "Polygon", "coordinates": [RING, HOLE]})

    assert parse(area.geojson) == area


@pytest.mark.parametrize(
    ("value", "code", "words"),
    [
        (None, "not_an_object", "GeoJSON"),
        ({}, "unknown_type", "None"),
        ({"type": ["Polygon"]}, "unknown_type", "Polygon"),
        ({"type": "LineString", "coordinates": RING}, "unknown_type", "LineString"),
        ({"type": "Polygon"}, "malformed", "coordinates"),
        ({"type": "Polygon", "coordinates": "x"}, "malformed", "list"),
        ({"type": "Polygon", "coordinates": [1]}, "malformed", "ring"),
        ({"type": "Polygon", "coordinates": [[1, 2, 3, 1]]}, "malformed", "position"),
        ({"type": "Polygon", "coordinates": [[[1], [2], [3], [1]]]}, "malformed", "position"),
        ({"type": "Polygon", "coordinates": [RING[:-1]]}, "open_ring", "closed"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0]]]}, "malformed", "four"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, math.nan], [1, 1], [0, 0]]]}, "not_a_number", "finite"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, math.inf], [1, 1], [0, 0]]]}, "not_a_number", "finite"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [True, 0], [1, 1], [0, 0]]]}, "not_a_number", "True"),
        ({"type": "Polygon", "coordinates": []}, "empty", "empty"),
        ({"type": "Feature", "geometry": None}, "empty", "empty"),
        ({"type": "FeatureCollection", "features": []}, "empty", "empty"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [2, 2], [0, 0]]]}, "invalid", "not valid"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}, "invalid", "0.5 0.5"),
        ({"type": "Polygon", "coordinates": [[[2e6, 3e5], [3e6, 3e5], [3e6, 4e5], [2e6, 3e5]]]}, "not_degrees", "crs"),
        ({"type": "Polygon", "coordinates": [[[y, x] for x, y in RING]]}, "swapped_axes", "longitude, latitude"),
        ({**POLYGON, "crs": "EPSG:99999"}, "unknown_crs", "EPSG:99999"),
        ({**POLYGON, "crs": "/etc/passwd"}, "unknown_crs", "/etc/passwd"),
        ({**POLYGON, "crs": 7}, "unknown_crs", "code"),
        ({"type": "bbox", "coordinates": [1, 2, 3]}, "bad_bbox", "four"),
        ({"type": "bbox", "coordinates": [1, 2, 1, 3]}, "bad_bbox", "min"),
        ({"type": "bbox", "coordinates": [170, 2, -170, 3]}, "bad_bbox", "min"),
    ],
)  # fmt: skip
def test_what_cannot_be_an_area_is_refused_with_the_reason(value: Any, code: str, words: str) -> None:
    error = refusal(value)

    assert error.code == code, error.message
    assert words in error.message


def test_too_many_vertices_are_refused_with_the_limit() -> None:
    ring = [[math.cos(i / 20_000) * 10, math.sin(i / 20_000) * 10] for i in range(125_000)]

    assert "100,000" in refusal({"type": "Polygon", "coordinates": [[*ring, ring[0]]]}).message


def place(west: float, south: float, east: float, north: float) -> Area:
    return parse({"type": "bbox", "coordinates": [west, south, east, north]})


def test_an_area_on_the_county_within_its_limit_is_accepted() -> None:
    check_against(place(-119.3, 46.25, -119.1, 46.35), COUNTY, 500)


@pytest.mark.parametrize(
    ("area", "code", "words"),
    [
        ((10, 50, 11, 51), "off_county", "-119.4000"),
        ((-120.4, 45.2, -118.2, 47.3), "too_large", "500 km²"),
    ],
)
def test_an_area_off_the_county_or_too_large_is_refused_with_the_figures(
    area: tuple[float, float, float, float], code: str, words: str
) -> None:
    with pytest.raises(AreaError) as error:
        check_against(place(*area), COUNTY, 500)

    assert error.value.code == code
    assert words in error.value.message


def test_swapped_axes_that_are_degrees_both_ways_are_seen_against_the_county() -> None:
    with pytest.raises(AreaError) as error:
        check_against(place(41.6, -83.7, 41.7, -83.5), (-83.9, 41.5, -83.2, 41.8), 500)

    assert error.value.code == "swapped_axes"
