"""Maps: shapes where they belong, to scale, told apart in grey, and small."""

import math
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrafusion.charts import (
    CLUSTERS,
    FOOT,
    HOT_AND_COLD,
    Areas,
    Classes,
    Fill,
    Graduated,
    MapDrawing,
    Paths,
    Places,
    Unit,
)  # fmt: skip
from terrafusion.charts.projection import DEGREE, Projection

SVG = "{http://www.w3.org/2000/svg}"


def square(x: float, y: float, size: float = 1.0) -> list[list[list[tuple[float, float]]]]:
    return [[[(x, y), (x + size, y), (x + size, y + size), (x, y + size), (x, y)]]]


def parsed(drawing: MapDrawing) -> ET.Element:
    text = drawing.svg()
    assert text == drawing.svg()
    return ET.fromstring(text)


def texts(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def shapes(root: ET.Element) -> list[list[tuple[float, float]]]:
    """Every area's points in pixels, read back from the steps."""
    result = []
    for element in root.iter(f"{SVG}path"):
        data = element.get("d", "")
        if not data.endswith("z"):
            continue
        x = y = 0.0
        points = []
        for letter, numbers in re.findall(r"([Mhvl])([-\d ]+)", data):
            values = [float(part) / 10 for part in numbers.split()]
            x, y = {
                "M": lambda v: (v[0], v[-1]), "h": lambda v, x=x, y=y: (x + v[0], y),
                "v": lambda v, x=x, y=y: (x, y + v[0]), "l": lambda v, x=x, y=y: (x + v[0], y + v[-1]),
            }[letter](values)  # fmt: skip
            points.append((x, y))
        result.append(points)
    return result


coordinates = st.floats(-1e6, 1e6)


@given(st.lists(st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=8), min_size=1, max_size=5))
def test_any_rings_are_drawn_within_a_tenth_of_a_pixel(rings: list[list[tuple[float, float]]]) -> None:
    drawing = MapDrawing("Any", [Areas("Parcels", [[[ring]] for ring in rings])], metres=1.0)
    drawn = shapes(parsed(drawing))
    assert len(drawn) == len(rings)
    xs, ys = [x for ring in rings for x, _ in ring], [y for ring in rings for _, y in ring]
    width, height = max(xs) - min(xs), max(ys) - min(ys)
    every = [at for ring in drawn for at in ring]
    span = max(x for x, _ in every) - min(x for x, _ in every), max(y for _, y in every) - min(y for _, y in every)
    if min(width, height) > 1:
        assert span[0] / width == pytest.approx(span[1] / height, abs=0.5 / min(width, height))


def test_north_is_up_and_degrees_are_squeezed_by_the_latitude() -> None:
    root = parsed(MapDrawing("t", [Areas("a", [square(-122, 60, 0.01)])]))
    (ring,) = shapes(root)
    assert ring[2][1] < ring[1][1]
    width = max(x for x, _ in ring) - min(x for x, _ in ring)
    height = max(y for _, y in ring) - min(y for _, y in ring)
    assert width / height == pytest.approx(0.5, abs=0.01)


def test_the_scale_bar_is_as_long_as_it_says() -> None:
    root = parsed(MapDrawing("t", [Areas("a", [square(0, 0, 20_000)])], metres=FOOT))
    (ring,) = shapes(root)
    feet_per_pixel = 20_000 / (max(x for x, _ in ring) - min(x for x, _ in ring))
    (written,) = [text for text in texts(root) if text.endswith((" mi", " ft"))]
    feet = float(written.split()[0].replace(",", "")) * (5280 if written.endswith("mi") else 1)
    halves = [float(rect.get("width", "0")) for rect in root.iter(f"{SVG}rect") if rect.get("height") == "5"]
    assert sum(halves) * feet_per_pixel == pytest.approx(feet, rel=0.01)


def test_a_degree_of_latitude_is_as_long_as_on_the_sphere() -> None:
    projection = Projection.fit((-122.0, 47.0, -121.0, 48.0), (0, 0, 1000, 1000), None)
    (_, south), (_, north) = projection.pixel((-122.0, 47.0)), projection.pixel((-122.0, 48.0))
    assert (south - north) * projection.metres_per_pixel == pytest.approx(DEGREE)
    assert pytest.approx(111_195, abs=1) == DEGREE


def test_what_lies_outside_of_the_extent_is_left_out() -> None:
    far = [square(x * 10.0, 0) for x in range(100)]
    drawing = MapDrawing("t", [Areas("a", far), Places("", [(900, 0.5)])], extent=(-1, -1, 2, 2), metres=1.0)
    root = parsed(drawing)
    assert len(shapes(root)) == 1
    assert not list(root.iter(f"{SVG}circle"))[1:]  # the north arrow's only


def test_graduated_fills_have_their_ranges_in_the_legend() -> None:
    fills = Graduated((0.0, 0.1), Unit.PERCENT)
    root = parsed(MapDrawing("t", [Areas("Change", [square(0, 0), square(1, 0), square(2, 0), square(3, 0)],
                                         [-1, 0.0, 0.2, None], fills)], metres=1.0))  # fmt: skip
    assert {"Below 0%", "0% to 10%", "10% and more", "No value", "Change"} <= set(texts(root))
    assert [fills.place(value, "m") for value in (-1, 0.0, 0.0999, 0.1)] == [0, 1, 1, 2]


def test_no_value_is_hatched() -> None:
    """Beside colours from light to dark, plain grey would be read as the lowest class."""
    areas = [square(0, 0), square(2, 0)]
    drawn = [
        ET.tostring(parsed(MapDrawing("t", [Areas("Change", areas, values, Graduated([0.0]))], metres=1.0)), "unicode")
        for values in ([1.0, 2.0], [1.0, None])
    ]
    assert [text.count("-h)") for text in drawn] == [0, 1]


@pytest.mark.parametrize("classes", [HOT_AND_COLD, CLUSTERS])
def test_hot_and_cold_differ_in_grey(classes: Classes) -> None:
    cold = [fill for name, fill in classes.fills.items() if name.startswith(("Cold", "Low"))]
    hot = [fill for name, fill in classes.fills.items() if name.startswith(("Hot", "High"))]
    assert all(fill.hatched for fill in cold)
    assert not any(fill.hatched for fill in hot)
    sides = Graduated((-0.1, 0.0, 0.1), middle=0.0).legend()
    assert [fill.hatched for _, fill in sides] == [True, True, False, False]


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=6, unique=True), st.booleans())
def test_no_two_steps_look_alike(breaks: list[int], diverging: bool) -> None:
    fills = Graduated(sorted(breaks), middle=sorted(breaks)[len(breaks) // 2] if diverging else None)
    legend = fills.legend()
    assert len({fill for _, fill in legend}) == len({text for text, _ in legend}) == len(breaks) + 1


def test_labels_do_not_cover_one_another() -> None:
    places = [(index % 5 * 15.0, index // 5 * 1.0) for index in range(400)]
    labels = [f"Place {index}" for index in range(400)]
    root = parsed(MapDrawing("t", [Places("p", places, labels=labels)], metres=1.0, width=400, height=300))
    boxes = [
        (float(element.get("x", "0")), float(element.get("y", "0")))
        for element in root.iter(f"{SVG}text")
        if (element.text or "").startswith("Place ")
    ]
    assert 0 < len(boxes) < 400
    for index, (x, y) in enumerate(boxes):
        assert not any(abs(x - a) < 35 and abs(y - b) < 11 for a, b in boxes[index + 1 :])


@pytest.mark.parametrize(
    ("drawing", "message"),
    [
        (MapDrawing("t", [Areas("Parcels", [square(0, math.nan)])]), "Parcels: a coordinate is not"),
        (MapDrawing("t", [Places("Sales", [(math.inf, 0)])]), "Sales: a coordinate is not"),
        (MapDrawing("t", [Paths("Roads", [[[(0, 0), (1, math.nan)]]])]), "Roads: a coordinate is not"),
        (MapDrawing("t", [Areas("A", [square(0, 0)], ["x"], Classes({"y": Fill("#000000")}))]), "A: 'x' is none"),
        (MapDrawing("t", [Areas("A", [square(0, 0)], [math.nan], Graduated((1,)))]), "A: nan is no number"),
        (MapDrawing("t", [Areas("A", [square(0, 0)], [1, 2], Graduated((1,)))]), "A: 2 values for 1 features"),
        (MapDrawing("t", [Areas("A", [square(0, 0)], [1], Graduated((2, 1)))]), "increasing"),
        (MapDrawing("t", [Areas("A", [square(0, 0)], [1], Graduated((1,), middle=3))]), "none of the breaks"),
        (MapDrawing("t", [], width=50), "too few"),
    ],
)
def test_what_cannot_be_drawn_says_why(drawing: MapDrawing, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        drawing.svg()


def test_no_features_and_one_point_are_maps_too() -> None:
    assert "Nothing to show" in texts(parsed(MapDrawing("t", [Areas("a", [])])))
    assert len(shapes(parsed(MapDrawing("t", [Areas("a", [[[[(5.0, 5.0)]]]])], metres=1.0)))) == 1


def test_ten_thousand_parcels_stay_a_small_file() -> None:
    parcels = [square(x * 30.0, y * 30.0, 28.0) for x in range(100) for y in range(100)]
    text = MapDrawing("t", [Areas("Parcels", parcels, ["Hot spot, 99% confidence"] * 10_000, HOT_AND_COLD)], metres=1.0)
    assert len(text.svg()) < 500_000
