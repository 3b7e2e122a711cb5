"""Charts: every mark on every scale that can hold it, and what must never get into a picture."""

import itertools
import math
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrafusion.charts import (
    LOOKS,
    Axis,
    Band,
    Bars,
    Cells,
    Chart,
    Histogram,
    Intervals,
    Label,
    Line,
    Multiples,
    Panel,
    Points,
    Rule,
    Scale,
    Span,
    Tone,
    Unit,
    amount,
)  # fmt: skip
from terrafusion.charts.axes import nice_step
from terrafusion.charts.style import DIVERGING, SEQUENTIAL, luminance, shorten, text_width, wrap
from terrafusion.charts.units import formatter

SVG = "{http://www.w3.org/2000/svg}"
numbers = st.floats(-1e15, 1e15, allow_nan=False)


def parsed(chart: Chart) -> ET.Element:
    text = chart.svg()
    assert "nan" not in text.replace("Nan", "").lower().split()
    assert text == chart.svg()
    return ET.fromstring(text)


def texts(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


@given(st.lists(st.tuples(numbers, numbers), max_size=12))
def test_any_finite_numbers_give_a_picture_with_finite_coordinates(pairs: list[tuple[float, float]]) -> None:
    xs, ys = [x for x, _ in pairs], [y for _, y in pairs]
    marks = [
        Line("line", xs, ys, points=True), Points("points", xs, ys), Band("band", xs, ys, ys), Bars("bars", xs, ys),
        Intervals("whiskers", xs, ys, ys, ys), Line("steps", xs, ys, step=True),
    ]  # fmt: skip
    root = parsed(Chart("Any", marks))
    for element in root.iter():
        for name in ("x", "y", "cx", "cy", "width", "height", "r"):
            assert math.isfinite(float(element.get(name, "0")))
        assert float(element.get("width", "0")) >= 0
        assert float(element.get("height", "0")) >= 0
        assert not {"nan", "inf"} & set(element.get("d", "").lower().replace("m", " ").replace("l", " ").split())


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "mark",
    [
        lambda v: Line("The mark", [1, 2], [1, v]), lambda v: Points("The mark", [v], [1]),
        lambda v: Bars("The mark", [1], [v]), lambda v: Bars("The mark", [1], [1], start=[v]),
        lambda v: Band("The mark", [1], [1], [v]), lambda v: Histogram("The mark", [0, 1], [v]),
        lambda v: Intervals("The mark", [1], [1], [v], [2]), lambda v: Rule(v, name="The mark"),
        lambda v: Span(0, v, "The mark"), lambda v: Label(1, v, "x", name="The mark"),
    ],
)  # fmt: skip
def test_what_is_not_a_number_is_refused_by_the_marks_name(mark: object, bad: float) -> None:
    with pytest.raises(ValueError, match="The mark"):
        Chart("t", [mark(bad)]).svg()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("chart", "message"),
    [
        (Chart("t", [Line("Price", [1], [0])], y=Axis(scale=Scale.LOG)), "Price: 0.0 can't stand on a logarithmic"),
        (Chart("t", [Line("Price", [1], [0])], x=Axis(scale=Scale.TIME)), "Price: 1 is not a date"),
        (Chart("t", [Line("Price", ["a"], [0])]), "Price: 'a' is not a number"),
        (Chart("t", [Line("Price", [1, 2], [0])]), "Price: columns of 2, 1 values"),
        (Chart("t", [Histogram("Sales", [1, 2], [1, 2])]), "Sales: 2 edges for 2 counts"),
        (Chart("t", [Bars("S", ["b"], [1])], x=Axis("Class", Scale.CATEGORY, categories=("a",))), "'b' is no category"),
        (Chart("t", [], width=60), "too few"),
        (Chart("t", [], y=Axis(low=2, high=1)), "can't run"),
    ],
)
def test_what_cannot_be_drawn_says_why(chart: Chart, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        chart.svg()


def test_text_from_data_stays_text() -> None:
    hostile = "a<script>&\"\x00'</svg>"
    root = parsed(Chart(hostile, [Line(hostile, [1], [1]), Points("b", [1], [2])], subtitle=hostile, note=hostile))
    assert not list(root.iter(f"{SVG}script"))
    assert "a<script>&\"\ufffd'</svg>" in texts(root)


def test_a_picture_says_what_it_shows_to_those_who_do_not_see_it() -> None:
    root = parsed(Chart("Ratios", [Points("Sale", [1], [1])], description="One sale at its price."))
    assert root.get("role") == "img"
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert description is not None
    assert (title.text, description.text) == ("Ratios", "One sale at its price.")
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"


def test_ids_of_different_pictures_differ() -> None:
    first, second = (parsed(Chart("t", [Line("a", [1, 2], [1, y])])) for y in (2, 3))
    ids = [{element.get("id") for element in root.iter() if element.get("id")} for root in (first, second)]
    assert not ids[0] & ids[1]


@pytest.mark.parametrize("scale", [Scale.LINEAR, Scale.TIME])
def test_no_data_and_one_point_are_pictures_too(scale: Scale) -> None:
    at = date(2024, 2, 29) if scale is Scale.TIME else 7
    assert "No data" in texts(parsed(Chart("t", [Line("a", [], [])], x=Axis(scale=scale))))
    (circle,) = parsed(Chart("t", [Points("a", [at], [3])], x=Axis(scale=scale))).iter(f"{SVG}circle")
    assert 100 < float(circle.get("cx", "0")) < 600


def test_a_bar_is_as_long_as_its_value() -> None:
    root = parsed(Chart("t", [Bars("Sales", ["a", "b"], [10, -5])], x=Axis(scale=Scale.CATEGORY)))
    first, second = [rect for rect in root.iter(f"{SVG}rect") if rect.get("fill") == LOOKS[0].colour]
    assert float(first.get("height", "0")) == pytest.approx(2 * float(second.get("height", "0")), abs=0.2)
    zero = float(first.get("y", "0")) + float(first.get("height", "0"))
    assert float(second.get("y", "0")) == pytest.approx(zero, abs=0.2)


def test_a_waterfall_hangs_together() -> None:
    labels = ["100", "+30", "-10", "120"]
    names = ["base", "area", "age", "value"]
    bars = Bars("Value", names, [100, 130, 120, 120], start=[0, 100, 130, 0], horizontal=True,
                tones=[Tone.TOTAL, Tone.GAIN, Tone.LOSS, Tone.TOTAL], labels=labels)  # fmt: skip
    root = parsed(Chart("t", [bars], y=Axis(scale=Scale.CATEGORY)))
    rects = list(root.iter(f"{SVG}rect"))[-4:]
    left = [float(rect.get("x", "0")) for rect in rects]
    right = [float(rect.get("x", "0")) + float(rect.get("width", "0")) for rect in rects]
    assert left[1] == pytest.approx(right[0], abs=0.2)
    assert right[2] == pytest.approx(right[1], abs=0.2)
    assert left[2] == pytest.approx(right[3], abs=0.2)
    assert [float(rect.get("y", "0")) for rect in rects] == sorted(float(rect.get("y", "0")) for rect in rects)


def test_a_gap_parts_a_line() -> None:
    root = parsed(Chart("t", [Line("a", [1, 2, 3, 4], [1, 2, None, 4])]))
    (line,) = [path for path in root.iter(f"{SVG}path") if path.get("stroke") == LOOKS[0].colour]
    assert line.get("d", "").count("M") == 2


def test_marks_of_one_name_share_look_and_legend() -> None:
    marks = [Band("Median", [1, 2], [1, 1], [3, 3]), Line("Median", [1, 2], [2, 2]), Points("Sales", [1], [2])]
    root = parsed(Chart("t", marks))
    assert texts(root).count("Median") == 1
    fills = {element.get("fill") for element in root.iter()}
    assert {LOOKS[0].colour, LOOKS[1].colour} <= fills
    assert LOOKS[2].colour not in fills


def test_a_panel_below_shares_the_time_axis() -> None:
    months = [date(2024, month, 1) for month in range(1, 13)]
    below = Panel(Axis("Sales"), [Bars("Sales", months, [5] * 12, width=20)])
    price = Line("Price", months, range(12))
    chart = Chart("t", [price], x=Axis(scale=Scale.TIME), y=Axis("Price"), below=below)
    written = texts(parsed(chart))
    assert written.count("2024") == 1
    assert {"Price", "Sales"} <= set(written)


def test_several_charts_stand_side_by_side() -> None:
    charts = [Chart(f"Area {index}", [Line("a", [1, 2], [1, index])], width=300, height=200) for index in range(3)]
    root = ET.fromstring(Multiples("All areas", charts).svg())
    inner = root.findall(f"{SVG}svg")
    assert [float(one.get("x", "")) for one in inner] == [0, 300, 0]
    assert float(inner[2].get("y", "")) == float(inner[0].get("y", "")) + 200
    assert float(root.get("height", "0")) >= float(inner[2].get("y", "")) + 200
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    with pytest.raises(ValueError, match="one at least"):
        Multiples("None", []).svg()


def test_many_points_stay_a_small_file() -> None:
    xs = [math.sin(index) for index in range(50_000)]
    ys = [math.cos(index * 1.7) for index in range(50_000)]
    assert len(Chart("t", [Points("Sale", xs, ys)]).svg()) < 2_500_000


def test_cells_are_coloured_from_low_to_high_and_keep_gaps() -> None:
    cells = Cells("Price", ["a", "b", "c"], ["x", "x", "x"], [1.0, 2.0, None])
    root = parsed(Chart("t", [cells], x=Axis(scale=Scale.CATEGORY), y=Axis(scale=Scale.CATEGORY)))
    fills = [rect.get("fill") for rect in root.iter(f"{SVG}rect") if rect.get("fill") in SEQUENTIAL]
    assert fills == [SEQUENTIAL[0], SEQUENTIAL[-1]]


def test_series_differ_without_colour() -> None:
    assert len({look.dash for look in LOOKS}) == len({look.shape for look in LOOKS}) == len(LOOKS)
    lights = sorted(luminance(look.colour) for look in LOOKS[:4])
    assert all((light + 0.05) / (dark + 0.05) > 1.3 for dark, light in itertools.pairwise(lights))
    assert all(1.05 / (luminance(look.colour) + 0.05) >= 3 for look in LOOKS)  # WCAG 1.4.11, on paper
    scale = [luminance(colour) for colour in SEQUENTIAL]
    assert scale == sorted(scale, reverse=True)
    sides = [luminance(colour) for colour in DIVERGING]
    assert sides[:4] == sorted(sides[:4])
    assert sides[3:] == sorted(sides[3:], reverse=True)


@given(st.floats(1e-9, 1e15))
def test_steps_are_nice_and_no_smaller(step: float) -> None:
    nice = nice_step(step)
    mantissa = nice / 10 ** math.floor(math.log10(nice) + 1e-9)
    assert nice >= step * (1 - 1e-9)
    assert any(math.isclose(mantissa, one, rel_tol=1e-6) for one in (1, 2, 2.5, 5))


@given(st.floats(-1e9, 1e9), st.floats(1e-3, 1e9))
def test_ticks_lie_on_the_axis_and_their_labels_tell_them_apart(low: float, width: float) -> None:
    fitted = Axis(low=low, high=low + width).fitted([])
    slack = max(width * 1e-6, abs(low) * 1e-9)
    assert all(fitted.start - slack <= tick.value <= fitted.end + slack for tick in fitted.ticks)
    if width > abs(low) * 0.01:
        assert len({tick.label for tick in fitted.ticks}) == len(fitted.ticks) >= 2


@given(st.datetimes(datetime(1900, 1, 1), datetime(2090, 1, 1)), st.floats(2, 40_000))  # noqa: DTZ001
def test_time_ticks_are_few_and_labelled_apart(start: datetime, days: float) -> None:
    end = min(start + timedelta(days=days), datetime(2199, 1, 1))  # noqa: DTZ001
    ticks = Axis(scale=Scale.TIME, low=start, high=end).fitted([]).ticks
    assert 1 <= len(ticks) <= 12
    assert "\n" in ticks[0].label or ticks[0].label.isdigit()


@pytest.mark.parametrize(
    ("first", "last", "labels"),
    [
        (date(2024, 1, 1), date(2024, 7, 1), ["Jan\n2024", "Feb", "Mar", "Apr", "May", "Jun", "Jul"]),
        (date(2023, 1, 1), date(2024, 7, 1), ["Q1\n2023", "Q2", "Q3", "Q4", "Q1\n2024", "Q2", "Q3"]),
        (date(2019, 1, 1), date(2025, 1, 1), ["2019", "2020", "2021", "2022", "2023", "2024", "2025"]),
        (date(2024, 12, 28), date(2025, 1, 2), ["Dec 28\n2024", "Dec 29", "Dec 30", "Dec 31", "Jan 1\n2025", "Jan 2"]),
    ],
)
def test_dates_are_ticked_by_day_month_quarter_and_year(first: date, last: date, labels: list[str]) -> None:
    assert [tick.label for tick in Axis(scale=Scale.TIME).fitted([first.toordinal(), last.toordinal()]).ticks] == labels


@pytest.mark.parametrize(
    ("unit", "values", "step", "written"),
    [
        (Unit.MONEY, [0, 250_000, 500_000], 250_000, ["$0", "$250K", "$500K"]),
        (Unit.MONEY, [-1_500_000, 1_500_000], 1_500_000, ["\u2212$1.5M", "$1.5M"]),
        (Unit.MONEY, [0, 2_500, 5_000], 2_500, ["$0", "$2,500", "$5,000"]),
        (Unit.PERCENT, [0, 0.025, 0.05], 0.025, ["0.0%", "2.5%", "5.0%"]),
        (Unit.RATIO, [0.9, 1.0], 0.1, ["0.90", "1.00"]),
        (Unit.NUMBER, [0, 50], 50, ["0", "50"]),
        (Unit.MONEY, [50_000, 1_000_000], 0, ["$50K", "$1M"]),
    ],
)
def test_numbers_are_written_as_people_read_them(
    unit: Unit, values: list[float], step: float, written: list[str]
) -> None:
    write = formatter(unit, values, step)
    assert [write(value) for value in values] == written


def test_single_amounts_are_written_in_full() -> None:
    assert amount(412_499.6, Unit.MONEY) == "$412,500"
    assert amount(-1_200, Unit.MONEY) == "\u2212$1,200"
    assert amount(-0.0321, Unit.PERCENT) == "\u22123.2%"
    assert amount(-0.00001, Unit.RATIO) == "0.00"


@given(st.text(max_size=60), st.floats(20, 300))
def test_wrapped_text_fits(text: str, width: float) -> None:
    assert all(text_width(line) <= width or line == "\u2026" for line in wrap(text, width))
    assert text_width(shorten(text, width)) <= max(width, text_width("\u2026"))


def test_charts_need_nothing_but_the_standard_library() -> None:
    program = (
        "import sys; before = set(sys.modules); import terrafusion.charts; "
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}; "
        "print(sorted(new - set(sys.stdlib_module_names) - {'terrafusion'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_moment_with_a_zone_stands_where_its_utc_moment_does() -> None:
    axis = Axis(scale=Scale.TIME)
    assert axis.position(datetime(2024, 1, 1, 12, tzinfo=UTC), "m") == axis.position(datetime(2024, 1, 1, 12), "m")  # noqa: DTZ001
