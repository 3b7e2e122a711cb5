"""Reading FlatGeobuf without GDAL: what GDAL reads from the same file is the measure."""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.loading import prepare
from terrafusion.flatgeobuf import ColumnType, FlatGeobuf, FlatGeobufError, Geometry, GeometryType
from terrafusion.flatgeobuf.index import levels
from terrafusion.storage import ObjectMissing, Storage

CRS = "EPSG:2927"


def shaped(geometry: Geometry | None) -> Any:
    """A geometry as shapely has it."""
    assert geometry is not None
    polygons = [shapely.Polygon(rings[0], rings[1:]) for rings in geometry.polygons]
    lines = [shapely.LineString(line) for line in geometry.lines]
    return {
        GeometryType.POINT: lambda: shapely.Point(*geometry.points),
        GeometryType.MULTI_POINT: lambda: shapely.MultiPoint(geometry.points),
        GeometryType.LINE_STRING: lambda: lines[0],
        GeometryType.MULTI_LINE_STRING: lambda: shapely.MultiLineString(lines),
        GeometryType.POLYGON: lambda: polygons[0],
        GeometryType.MULTI_POLYGON: lambda: shapely.MultiPolygon(polygons),
    }[geometry.type]()


def written(path: Path, frame: Any, **options: Any) -> Path:
    pyogrio.write_dataframe(frame, path, driver="FlatGeobuf", layer="lots", SPATIAL_INDEX="YES", **options)
    return path


def grid(count: int) -> Any:
    rng = np.random.default_rng(count)
    west, south = rng.uniform(0, 1000, count), rng.uniform(0, 1000, count)
    boxes = shapely.box(west, south, west + rng.uniform(0.1, 40, count), south + rng.uniform(0.1, 40, count))
    return geopandas.GeoDataFrame({"number": np.arange(count)}, geometry=boxes, crs=CRS)


@pytest.fixture(scope="module")
def lots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3,000 boxes: an index of four levels."""
    return written(tmp_path_factory.mktemp("fgb") / "lots.fgb", grid(3_000))


class Counted:
    """Reads a file and remembers what was asked for."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.asked: list[tuple[int, int]] = []

    def __call__(self, offset: int, length: int) -> bytes:
        self.asked.append((offset, length))
        return self.content[offset : offset + length]


texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
rows = st.fixed_dictionaries(
    {
        "text": st.none() | texts,
        "whole": st.none() | st.integers(-(2**31), 2**31 - 1),
        "long": st.none() | st.integers(-(2**63), 2**63 - 1),
        "real": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "flag": st.none() | st.booleans(),
        # whole seconds: GDAL itself writes 59.001 s before 1970 as the next minute
        "moment": st.none()
        | st.datetimes(pd.Timestamp("1900-01-01"), pd.Timestamp("2100-01-01")).map(
            lambda at: at.replace(microsecond=0)
        ),
    }
)


@settings(max_examples=40, deadline=None)
@given(st.lists(rows, min_size=1, max_size=8))
def test_every_column_type_and_null_is_read_as_gdal_wrote_it(records: list[dict[str, Any]]) -> None:
    import pyarrow as pa

    types = [
        ("text", pa.string()), ("whole", pa.int32()), ("long", pa.int64()), ("real", pa.float64()),
        ("flag", pa.bool_()), ("moment", pa.timestamp("ms")),
    ]  # fmt: skip
    columns = {name: pa.array([record[name] for record in records], kind) for name, kind in types}
    shapes = shapely.to_wkb(shapely.points(np.arange(len(records)), 0.0))
    table = pa.table({**columns, "geometry": pa.array(shapes, pa.binary())})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.fgb"
        pyogrio.write_arrow(table, path, driver="FlatGeobuf", geometry_name="geometry", geometry_type="Point", crs=CRS)
        file = FlatGeobuf.open(path)
        features = sorted(file.features(), key=lambda feature: feature.geometry.points)  # type: ignore[union-attr]
    kinds = [
        ColumnType.STRING,
        ColumnType.INT,
        ColumnType.LONG,
        ColumnType.DOUBLE,
        ColumnType.BOOL,
        ColumnType.DATETIME,
    ]
    assert [column.type for column in file.header.columns] == kinds
    for feature, record, moment in zip(features, records, columns["moment"].to_pylist(), strict=True):
        found = dict(feature.properties)
        text = found.pop("moment")
        assert (None if text is None else pd.Timestamp(text.replace("/", "-"))) == moment
        assert found == {name: record[name] for name in found}


@pytest.mark.parametrize(
    "wkt",
    [
        "POINT (1 2)", "MULTIPOINT ((1 2), (3 4))", "LINESTRING (0 0, 1 1, 2 0)", "POLYGON ((0 0, 1 0, 1 1, 0 0))",
        "MULTILINESTRING ((0 0, 1 1), (2 2, 3 3, 4 4))", "MULTILINESTRING ((0 0, 1 1))",
        "POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (1 1, 2 1, 2 2, 1 1), (4 4, 5 4, 5 5, 4 4))",
        "MULTIPOLYGON (((0 0, 9 0, 9 9, 0 9, 0 0), (1 1, 2 1, 2 2, 1 1)), ((20 20, 21 20, 21 21, 20 20)))",
        "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)))", "POLYGON Z ((0 0 5, 1 0 6, 1 1 7, 0 0 5))",
    ],
)  # fmt: skip
@pytest.mark.parametrize("mixed", [False, True])
def test_geometries_come_back_point_for_point(wkt: str, mixed: bool, tmp_path: Path) -> None:
    shape = shapely.from_wkt(wkt)
    frame = geopandas.GeoDataFrame({"a": [1]}, geometry=[shape], crs=CRS)
    path = written(tmp_path / "one.fgb", frame, **({"geometry_type": "Unknown"} if mixed else {}))
    file = FlatGeobuf.open(path)
    (feature,) = file.features()
    assert (file.header.geometry_type == GeometryType.UNKNOWN) == mixed
    assert shaped(feature.geometry).equals_exact(shapely.force_2d(shape))


coordinate = st.floats(-50, 1100)


@settings(max_examples=60, deadline=None)
@given(st.tuples(coordinate, coordinate, st.floats(0, 400), st.floats(0, 400)))
def test_a_box_finds_what_gdal_finds(lots: Path, box: tuple[float, float, float, float]) -> None:
    west, south, width, height = box
    sides = (west, south, west + width, south + height)
    found = [feature.properties["number"] for feature in FlatGeobuf.open(lots).features(sides)]
    assert found == list(pyogrio.read_dataframe(lots, bbox=sides)["number"])


@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 256, 257, 4_097])
def test_every_size_of_index_is_searched(count: int, tmp_path: Path) -> None:
    frame = grid(count)
    file = FlatGeobuf.open(written(tmp_path / "lots.fgb", frame))
    everything = [feature.properties["number"] for feature in file.features()]
    assert sorted(everything) == list(range(count))
    assert [feature.properties["number"] for feature in file.features((-1, -1, 2_000, 2_000))] == everything
    for number in (0, count - 1):
        bounds = tuple(frame.geometry[number].bounds)
        assert number in {feature.properties["number"] for feature in file.features(bounds)}
    assert not list(file.features((5_000, 5_000, 6_000, 6_000)))


def test_levels_add_up() -> None:
    assert levels(1, 16) == [(1, 2), (0, 1)]
    assert levels(16, 16) == [(1, 17), (0, 1)]
    assert levels(17, 16) == [(3, 20), (1, 3), (0, 1)]


def test_a_box_takes_few_requests_and_little_of_the_file(lots: Path) -> None:
    read = Counted(lots.read_bytes())
    found = list(FlatGeobuf(read).features((400, 400, 420, 420)))
    assert found
    assert len(read.asked) <= 12
    assert sum(length for _, length in read.asked) < len(read.content)


def test_features_larger_than_a_request_are_read_whole(tmp_path: Path) -> None:
    circles = [shapely.Point(index * 10, 0).buffer(4, quad_segs=40_000) for index in range(4)]
    frame = geopandas.GeoDataFrame({"number": range(4)}, geometry=circles, crs=CRS)
    file = FlatGeobuf.open(written(tmp_path / "circles.fgb", frame))
    for features in (list(file.features()), list(file.features((-9, -9, 99, 9)))):
        assert sorted(feature.properties["number"] for feature in features) == [0, 1, 2, 3]
        for feature in features:
            assert shaped(feature.geometry).equals_exact(circles[feature.properties["number"]])


def test_a_loaded_county_is_read_with_its_crs_and_dates(tmp_path: Path) -> None:
    source = tmp_path / "lots.gpkg"
    frame = grid(30)
    frame["pin"] = [f"00{number}" for number in range(30)]
    frame["sold"] = pd.date_range("2024-02-29", periods=30).astype("datetime64[ms]")
    pyogrio.write_dataframe(frame, source)
    prepared = prepare(source, "parcels", tmp_path / "prepared", key="pin")
    file = FlatGeobuf.open(prepared.directory / "data.fgb")
    assert file.header.crs == CRS
    assert file.header.geometry_type == GeometryType.MULTI_POLYGON
    assert file.header.features_count == 30
    oracle = geopandas.read_file(prepared.directory / "data.fgb")
    for feature, (_, row) in zip(file.features(), oracle.iterrows(), strict=True):
        assert shaped(feature.geometry).equals_exact(row.geometry)
        assert list(feature.properties) == list(oracle.columns[:-1])
        assert {name: value for name, value in feature.properties.items() if name != "sold"} == {
            name: row[name] for name in feature.properties if name != "sold"
        }
        assert pd.Timestamp(feature.properties["sold"]).tz_localize(None) == pd.Timestamp(row["sold"]).tz_localize(None)


def test_a_file_without_index_is_read_but_not_searched(tmp_path: Path) -> None:
    path = tmp_path / "plain.fgb"
    pyogrio.write_dataframe(grid(20), path, driver="FlatGeobuf", SPATIAL_INDEX="NO")
    file = FlatGeobuf.open(path)
    assert len(list(file.features())) == 20
    with pytest.raises(FlatGeobufError, match="no index"):
        list(file.features((0, 0, 1, 1)))


def test_an_empty_layer_has_no_features(tmp_path: Path) -> None:
    file = FlatGeobuf.open(written(tmp_path / "none.fgb", grid(3).iloc[:0], geometry_type="Polygon"))
    assert list(file.features()) == []
    assert list(file.features((0, 0, 1, 1))) == []


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"fgb\x02fgb\x00" + bytes(90), b"fgb\x03fgb\x01", b"SQLite format 3\x00"]
)
def test_what_is_no_flatgeobuf_is_refused(content: bytes) -> None:
    with pytest.raises(FlatGeobufError):
        FlatGeobuf(Counted(content))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return written(tmp_path_factory.mktemp("fgb") / "small.fgb", grid(40)).read_bytes()


def read_all(content: bytes) -> int:
    file = FlatGeobuf(Counted(content))
    return len(list(file.features())) + len(list(file.features((0, 0, 2_000, 2_000))))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_file_cut_short_is_an_error_never_fewer_features(small: bytes, data: st.DataObject) -> None:
    assert read_all(small) == 80
    with pytest.raises(FlatGeobufError):
        read_all(small[: data.draw(st.integers(0, len(small) - 1))])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_broken_bytes_end_in_one_kind_of_error(small: bytes, data: st.DataObject) -> None:
    broken = bytearray(small)
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(small) - 1))] = data.draw(st.integers(0, 255))
    with suppress(FlatGeobufError):
        read_all(bytes(broken))


def test_an_object_is_read_by_ranges(data: Storage, lots: Path) -> None:
    key = "drawing/lots.fgb"
    data.upload(lots, key, "application/octet-stream")
    read: Callable[[int, int], bytes] = lambda offset, length: data.read_range(key, offset, length)  # noqa: E731
    box = (100.0, 100.0, 200.0, 200.0)
    assert list(FlatGeobuf(read).features(box)) == list(FlatGeobuf.open(lots).features(box))
    size = lots.stat().st_size
    assert data.read_range(key, size - 3, 100) == lots.read_bytes()[-3:]
    assert data.read_range(key, size + 5, 10) == b""
    with pytest.raises(ObjectMissing):
        data.read_range("drawing/none", 0, 1)
