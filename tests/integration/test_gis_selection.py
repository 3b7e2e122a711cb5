"""What filters and areas select, beside geopandas and pandas on the same data."""

import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry import box, mapping, shape

from gis_export.area import parse
from gis_export.engine import export
from gis_export.formats import ExportFormat
from gis_export.selection import LayerSource, Predicate
from gis_export.where import where
from terrafusion.counties import Field, FieldType
from terrafusion.filters import check, read

CRS = "EPSG:2927"
SIDE = 15
FIELDS = [
    Field(name="number", type=FieldType.INTEGER),
    Field(name="whole", type=FieldType.INTEGER),
    Field(name="big", type=FieldType.INTEGER64),
    Field(name="ratio", type=FieldType.REAL),
    Field(name="name", type=FieldType.STRING),
    Field(name="select", type=FieldType.STRING),
    Field(name="flag", type=FieldType.BOOLEAN),
    Field(name="day", type=FieldType.DATE),
    Field(name="moment", type=FieldType.DATETIME),
]
WORDS = [
    "abc",
    "ABC",
    "abd",
    "it's",
    "50%",
    "a_b",
    "axb",
    "Größe",
    "größe",
    "",
    " ",
    "!x",
    "a!b",
    '"q"',
    "02138",
    "02139",
]


@pytest.fixture(scope="module")
def frame() -> geopandas.GeoDataFrame:
    """A grid of touching squares with every type, nulls in every column, and words that quoting could break."""
    cells = SIDE * SIDE
    random = np.random.default_rng(8)
    squares = [
        box(1.9e6 + x * 5000, 3e5 + y * 5000, 1.9e6 + (x + 1) * 5000, 3e5 + (y + 1) * 5000)
        for x in range(SIDE)
        for y in range(SIDE)
    ]

    def holes(values: Any, dtype: str) -> Any:
        return pd.Series(values, dtype=dtype).mask(random.random(cells) < 0.15)

    return geopandas.GeoDataFrame(
        {
            "number": np.arange(cells, dtype="int32"),
            "whole": holes(random.integers(-5, 6, cells), "Int32"),
            "big": holes(2**53 + random.integers(-3, 4, cells), "Int64"),
            "ratio": holes(random.integers(-8, 9, cells) / 4, "Float64"),
            "name": holes(random.choice(WORDS, cells), "object"),
            "select": holes(random.choice(WORDS, cells), "object"),
            "flag": holes(random.random(cells) < 0.5, "boolean"),
            "day": holes(
                pd.to_datetime("2024-02-27") + pd.to_timedelta(random.integers(0, 5, cells), "D"), "datetime64[ms]"
            ),
            "moment": holes(
                pd.to_datetime("2024-03-01T12:00:00Z") + pd.to_timedelta(random.integers(0, 8, cells) * 500, "ms"),
                "datetime64[ms, UTC]",
            ),
        },
        geometry=squares,
        crs=CRS,
    )


@pytest.fixture(scope="module")
def source(frame: geopandas.GeoDataFrame, tmp_path_factory: pytest.TempPathFactory) -> LayerSource:
    path = tmp_path_factory.mktemp("source") / "grid.fgb"
    frame.to_file(path, driver="FlatGeobuf")
    return LayerSource("grid", str(path), {"day": "Date"})


@dataclass(frozen=True)
class Condition:
    """A condition as CQL2, and as pandas decides it: true, false or unknown."""

    text: str
    decide: Callable[[pd.DataFrame], Any]


COMPARE = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
NUMBERS = ("whole", "ratio")


def known(values: Any, *columns: Any) -> Any:
    """A mask that is unknown where one of the columns has no value."""
    mask = pd.Series(
        np.asarray(values.fillna(False) if hasattr(values, "fillna") else values, dtype=bool), dtype="boolean"
    )
    for column in columns:
        mask = mask.mask(np.asarray(column.isna()))
    return mask


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@st.composite
def number_conditions(draw: st.DrawFn) -> Condition:
    column, word = draw(st.sampled_from(NUMBERS)), draw(st.sampled_from(list(COMPARE)))
    value = draw(st.integers(-6, 6) | st.integers(-20, 20).map(lambda n: n / 4))
    factor, offset = draw(st.integers(-3, 3)), draw(st.integers(-5, 5))
    other = draw(st.sampled_from(NUMBERS))
    return draw(
        st.sampled_from(
            [
                Condition(f"{column} {word} {value}", lambda f: known(COMPARE[word](f[column], value), f[column])),
                Condition(f"{value} {word} {column}", lambda f: known(COMPARE[word](value, f[column]), f[column])),
                Condition(
                    f"{column} * {factor} + {offset} {word} {other}",
                    lambda f: known(COMPARE[word](f[column] * factor + offset, f[other]), f[column], f[other]),
                ),
                Condition(
                    f"{column} / 4 {word} {value}",
                    lambda f: known(COMPARE[word](f[column].astype("Float64") / 4, value), f[column]),
                ),
                Condition(
                    f"whole % 3 {word} {factor}",
                    lambda f: known(COMPARE[word](np.fmod(f["whole"].fillna(0).astype(int), 3), factor), f["whole"]),
                ),
                Condition(
                    f"{column} BETWEEN {min(value, offset)} AND {max(value, offset)}",
                    lambda f: known(f[column].between(min(value, offset), max(value, offset)), f[column]),
                ),
                Condition(
                    f"{column} IN ({factor}, {offset}, {value})",
                    lambda f: known(f[column].isin([factor, offset, value]), f[column]),
                ),
            ]
        )
    )


@st.composite
def text_conditions(draw: st.DrawFn) -> Condition:
    column = draw(st.sampled_from(["name", "select"]))
    name = f'"{column}"'
    word = draw(st.sampled_from(WORDS) | st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=3))
    word = word.replace("\\", "/")
    more = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=9))
    listed = ", ".join(map(quoted, more))
    pattern = word.replace("%", r"\%").replace("_", r"\_")
    digits, sign = draw(st.sampled_from(["02138", "02139", "0213", "5", " ", ""])), draw(st.sampled_from(list(COMPARE)))

    def text(f: pd.DataFrame) -> Any:
        return f[column].fillna("\0").astype(str)

    return draw(
        st.sampled_from(
            [
                Condition(f"{name} = {quoted(word)}", lambda f: known(text(f) == word, f[column])),
                Condition(f"{name} <> {quoted(word)}", lambda f: known(text(f) != word, f[column])),
                Condition(f"{name} IN ({listed})", lambda f: known(text(f).isin(more), f[column])),
                Condition(
                    f"{name} LIKE {quoted(pattern + '%')}", lambda f: known(text(f).str.startswith(word), f[column])
                ),
                Condition(
                    f"{name} LIKE {quoted('%' + pattern + '%')}",
                    lambda f: known(text(f).str.contains(word, regex=False), f[column]),
                ),
                Condition(f"casei({name}) = casei('ABC')", lambda f: known(text(f).str.lower() == "abc", f[column])),
                Condition(
                    f"casei({name}) LIKE casei('gRÖ%')",
                    lambda f: known(text(f).str.lower().str.startswith("grö"), f[column]),
                ),
                Condition(
                    f"{name} {sign} {quoted(digits)}", lambda f: known(COMPARE[sign](text(f), digits), f[column])
                ),
            ]
        )
    )


@st.composite
def other_conditions(draw: st.DrawFn) -> Condition:
    word = draw(st.sampled_from(list(COMPARE)))
    day = draw(st.dates(pd.Timestamp("2024-02-26").date(), pd.Timestamp("2024-03-03").date()))
    moment = pd.Timestamp("2024-03-01T12:00:00Z") + pd.Timedelta(draw(st.integers(-1, 9)) * 500, "ms")
    zone = draw(st.sampled_from(["Z", "+05:30", "-08:00"]))
    written = moment.tz_convert("UTC" if zone == "Z" else f"UTC{zone}").isoformat(timespec="milliseconds")
    written = written.replace("+00:00", "Z")
    flag = draw(st.booleans())
    column = draw(st.sampled_from([field.name for field in FIELDS]))
    return draw(
        st.sampled_from(
            [
                Condition(
                    f"day {word} DATE('{day}')", lambda f: known(COMPARE[word](f["day"], pd.Timestamp(day)), f["day"])
                ),
                Condition(
                    f"moment {word} TIMESTAMP('{written}')",
                    lambda f: known(COMPARE[word](f["moment"], moment), f["moment"]),
                ),
                Condition(f"flag = {str(flag).lower()}", lambda f: known(f["flag"] == flag, f["flag"])),
                Condition("flag", lambda f: f["flag"].reset_index(drop=True)),
                Condition(f'"{column}" IS NULL', lambda f: known(f[column].isna())),
                Condition(f'"{column}" IS NOT NULL', lambda f: known(f[column].notna())),
            ]
        )
    )


def joined(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    def both(one: Condition, other: Condition) -> Condition:
        return Condition(f"({one.text} AND {other.text})", lambda f: one.decide(f) & other.decide(f))

    def either(one: Condition, other: Condition) -> Condition:
        return Condition(f"({one.text} OR {other.text})", lambda f: one.decide(f) | other.decide(f))

    negated = inner.map(lambda c: Condition(f"NOT ({c.text})", lambda f: ~c.decide(f)))
    return st.builds(both, inner, inner) | st.builds(either, inner, inner) | negated


CONDITIONS = st.recursive(number_conditions() | text_conditions() | other_conditions(), joined, max_leaves=5)
AREAS = st.none() | st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=6, unique=True)


def drawn_area(there: geopandas.GeoDataFrame, corners: Any) -> Any:
    """A convex polygon within the frame's box; None where the corners make none."""
    west, south, east, north = there.total_bounds
    points = [(west + x * (east - west), south + y * (north - south)) for x, y in corners]
    polygon = shapely.convex_hull(shapely.MultiPoint(points))
    return polygon if polygon.geom_type == "Polygon" and polygon.area > 1e-9 else None


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(condition=CONDITIONS, corners=AREAS)
def test_a_filter_and_an_area_select_what_pandas_and_geopandas_do(
    source: LayerSource,
    frame: geopandas.GeoDataFrame,
    tmp_path_factory: pytest.TempPathFactory,
    condition: Condition,
    corners: Any,
) -> None:
    sql = where(check(read(condition.text), FIELDS))
    there = frame.to_crs(4326)
    polygon = drawn_area(there, corners) if corners else None
    area = parse(mapping(polygon)) if polygon else None

    result = export(
        [replace(source, where=sql)],
        tmp_path_factory.mktemp("out"),
        "out",
        ExportFormat.FLATGEOBUF,
        area=area,
        attributes={"grid": ["number"]},
    )

    made = geopandas.read_file(result.path)
    selected = set(made["number"]) if len(made) else set()
    decided = np.asarray(condition.decide(frame).fillna(False), dtype=bool)
    sure = possible = np.ones(len(frame), dtype=bool)
    if area:
        drawn = shape(area.geojson)
        sure = shapely.area(shapely.intersection(there.geometry.values, drawn)) > 1e-12
        possible = shapely.distance(there.geometry.values, drawn) < 1e-9
    assert set(frame[decided & sure]["number"]) <= selected <= set(frame[decided & possible]["number"]), condition.text
    assert result.layers[0].record_count == len(selected)


@pytest.mark.parametrize("number", [2**53 - 1, 2**53 + 1, 2**53 + 2])
@pytest.mark.parametrize("sign", ["=", ">", "<="])
def test_integers_beyond_floating_point_are_told_apart(
    source: LayerSource, frame: geopandas.GeoDataFrame, tmp_path: Path, number: int, sign: str
) -> None:
    sql = where(check(read({"op": sign, "args": [{"property": "big"}, number]}), FIELDS))

    result = export([replace(source, where=sql)], tmp_path, "out", ExportFormat.GPKG, crs=CRS)

    integers = [None if pd.isna(v) else int(v) for v in frame["big"]]
    expected = {i for i, v in enumerate(integers) if v is not None and COMPARE[sign](v, number)}
    made = geopandas.read_file(result.path)
    assert set(made["number"]) == expected != set()


def test_a_long_list_and_a_long_chain_are_no_deeper_than_gdal_goes(
    source: LayerSource, frame: geopandas.GeoDataFrame, tmp_path: Path
) -> None:
    names = [{"op": "=", "args": [{"property": "name"}, f"nobody {n}"]} for n in range(600)]
    keys = {"op": "in", "args": [{"property": "name"}, [*(f"no {n}" for n in range(1_000)), "abc"]]}
    sql = where(check(read({"op": "or", "args": [*names, keys]}), FIELDS))

    result = export([replace(source, where=sql)], tmp_path, "out", ExportFormat.GPKG, crs=CRS)

    assert result.layers[0].record_count == int((frame["name"] == "abc").sum()) > 0


CIRCLE = {"type": "Polygon", "coordinates": [[[0.2, 0.2], [0.8, 0.25], [0.7, 0.8], [0.35, 0.75], [0.2, 0.2]]]}


@pytest.fixture(scope="module")
def polygon(frame: geopandas.GeoDataFrame) -> Any:
    west, south, east, north = frame.to_crs(4326).total_bounds
    ring = [(west + x * (east - west), south + y * (north - south)) for x, y in CIRCLE["coordinates"][0]]
    return shapely.Polygon(ring)


def in_feet(polygon: Any) -> Any:
    """The polygon as the engine understands it: straight in degrees."""
    return geopandas.GeoSeries([shapely.segmentize(polygon, 0.001)], crs=4326).to_crs(CRS)[0]


@pytest.mark.parametrize("sql", [None, '("whole" > 0)'])
def test_within_takes_what_lies_wholly_inside(
    source: LayerSource, frame: geopandas.GeoDataFrame, polygon: Any, tmp_path: Path, sql: str | None
) -> None:
    result = export(
        [replace(source, where=sql)],
        tmp_path,
        "out",
        ExportFormat.GPKG,
        crs=CRS,
        area=parse(mapping(polygon)),
        predicate=Predicate.WITHIN,
    )

    expected = frame[frame.within(in_feet(polygon))]
    expected = expected[(expected["whole"] > 0).fillna(False)] if sql else expected
    made = geopandas.read_file(result.path)
    assert set(made["number"]) == set(expected["number"]) != set()
    assert result.layers[0].record_count == len(expected)
    assert list(made.columns) == [*frame.columns]
    assert str(made["day"].dtype).startswith("datetime")


@pytest.mark.parametrize("export_format", [ExportFormat.GPKG, ExportFormat.GEOJSON, ExportFormat.GEOPARQUET])
def test_clip_cuts_at_the_edge(
    source: LayerSource, frame: geopandas.GeoDataFrame, polygon: Any, tmp_path: Path, export_format: ExportFormat
) -> None:
    result = export(
        [source],
        tmp_path,
        "out",
        export_format,
        crs="EPSG:4326",
        area=parse(mapping(polygon)),
        predicate=Predicate.CLIP,
    )

    feet = in_feet(polygon)
    expected = frame[frame.intersection(feet).area > 1].set_index("number").sort_index()
    read_back = geopandas.read_parquet if export_format is ExportFormat.GEOPARQUET else geopandas.read_file
    made = read_back(result.path).to_crs(CRS).set_index("number").sort_index()
    assert list(made.index) == list(expected.index)
    assert made.area.values == pytest.approx(expected.intersection(feet).area.values, rel=1e-4)
    assert (made.area < expected.area * 0.99).any()
    assert result.layers[0].record_count == len(expected)


@pytest.mark.parametrize("predicate", Predicate)
def test_points_and_lines_obey_the_area_too(tmp_path: Path, predicate: Predicate) -> None:
    lines = geopandas.GeoDataFrame(
        {"n": [1, 2, 3]},
        geometry=[
            shapely.LineString([(0, 0), (1, 0)]),
            shapely.LineString([(0.2, 0), (0.4, 0)]),
            shapely.LineString([(5, 5), (6, 6)]),
        ],
        crs=4326,
    )
    lines.to_file(tmp_path / "l.fgb", driver="FlatGeobuf")
    area = parse({"type": "bbox", "coordinates": [0.1, -0.1, 0.5, 0.1]})

    result = export(
        [LayerSource("l", str(tmp_path / "l.fgb"))], tmp_path, "out", ExportFormat.GPKG, area=area, predicate=predicate
    )

    made = geopandas.read_file(result.path).sort_values("n")
    assert list(made["n"]) == ([2] if predicate is Predicate.WITHIN else [1, 2])
    if predicate is Predicate.CLIP:
        assert shapely.length(made.geometry.values) == pytest.approx([0.4, 0.2])


def test_progress_is_told_under_a_filter(source: LayerSource, tmp_path: Path) -> None:
    seen: list[float] = []

    def note(fraction: float) -> bool:
        seen.append(fraction)
        return True

    export([replace(source, where='("number" >= 0)')], tmp_path, "out", ExportFormat.GPKG, progress=note)

    assert seen == sorted(seen)
    assert len(set(seen)) > 20
