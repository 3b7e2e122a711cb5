"""Extracts of a FlatGeobuf: GDAL reads from each what it reads from the same features of the whole."""

import itertools
from functools import cache
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from terrafusion.flatgeobuf import FlatGeobuf, FlatGeobufError, extract

CRS = "EPSG:2927"
SIZES = st.sampled_from([1, 2, 15, 16, 17, 255, 256, 257, 1_000])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("extracts")


@cache
def layer(folder: Path, count: int) -> Path:
    """A layer of boxes of many sizes, with text of many lengths."""
    rng = np.random.default_rng(count)
    west, south = rng.uniform(0, 1000, count), rng.uniform(0, 1000, count)
    boxes = shapely.box(west, south, west + rng.uniform(0.1, 40, count), south + rng.uniform(0.1, 40, count))
    text = ["ñ" * int(n) if n % 7 else None for n in rng.integers(0, 60, count)]
    frame = geopandas.GeoDataFrame({"number": np.arange(count), "text": text}, geometry=boxes, crs=CRS)
    path = folder / f"{count}.fgb"
    pyogrio.write_dataframe(frame, path, driver="FlatGeobuf", layer="lots", SPATIAL_INDEX="YES")
    return path


def made(path: Path, span: tuple[int, int], box: Any, target: Path) -> int:
    return extract(FlatGeobuf.open(path), path.stat().st_size, span, box, target)


def rows(frame: Any) -> list[tuple[int, str | None, bytes]]:
    return [(int(n), t, g.wkb) for n, t, g in zip(frame["number"], frame["text"], frame.geometry, strict=True)]


@settings(max_examples=60, deadline=None)
@given(count=SIZES, cuts=st.lists(st.floats(0, 1), max_size=4))
def test_ranges_give_every_feature_once_and_in_order(folder: Path, count: int, cuts: list[float]) -> None:
    path = layer(folder, count)
    ends = sorted({0, count, *(int(cut * count) for cut in cuts)})
    target = folder / "part.fgb"

    found: list[Any] = []
    for span in itertools.pairwise(ends):
        assert made(path, span, None, target) == span[1] - span[0]
        found += rows(pyogrio.read_dataframe(target))

    assert found == rows(pyogrio.read_dataframe(path))


@settings(max_examples=80, deadline=None)
@given(
    count=SIZES,
    span=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    corner=st.tuples(st.floats(0, 1000), st.floats(0, 1000)),
    side=st.floats(0, 600),
    chosen=st.booleans(),
)
def test_the_index_of_an_extract_selects_as_a_scan_does(
    folder: Path,
    count: int,
    span: tuple[float, float],
    corner: tuple[float, float],
    side: float,
    chosen: bool,
) -> None:
    """The box asked of the extract by its index; `chosen` ones were picked by another box before."""
    path, target = layer(folder, count), folder / "part.fgb"
    first, end = sorted(int(share * count) for share in span)
    around = (200.0, 200.0, 800.0, 800.0)
    asked = (*corner, corner[0] + side, corner[1] + side)

    count_made = made(path, (first, end), around if chosen else None, target)

    part = pyogrio.read_dataframe(path).iloc[first:end]
    bounds = part.geometry.bounds.to_numpy() if len(part) else np.empty((0, 4))
    touches = touching(bounds, around) if chosen else np.ones(len(part), bool)
    assert count_made == touches.sum()
    wanted = part[touches & touching(bounds, asked)] if len(part) else part
    if count_made:
        assert [row["number"] for row in numbers(target, asked)] == list(wanted["number"])
        read = pyogrio.read_dataframe(target, bbox=asked)
        assert sorted(read["number"]) == sorted(wanted["number"])
        info = pyogrio.read_info(target)
        assert info["features"] == count_made
        assert np.array(info["total_bounds"]) == pytest.approx(part[touches].total_bounds)


@pytest.mark.parametrize("count", [1, 16, 17, 257, 1_000])
def test_an_extract_of_all_is_the_file_that_gdal_wrote_byte_for_byte(folder: Path, count: int) -> None:
    path, target = layer(folder, count), folder / "all.fgb"

    made(path, (0, count), None, target)

    assert target.read_bytes()[8:] == path.read_bytes()[8:]  # before them a magic number, and a version of its own


def touching(bounds: Any, box: tuple[float, float, float, float]) -> Any:
    west, south, east, north = box
    return (bounds[:, 0] <= east) & (bounds[:, 2] >= west) & (bounds[:, 1] <= north) & (bounds[:, 3] >= south)


def numbers(path: Path, box: tuple[float, float, float, float]) -> list[dict[str, Any]]:
    return [feature.properties for feature in FlatGeobuf.open(path).features(box)]


@settings(max_examples=60, deadline=None)
@given(count=SIZES, corner=st.tuples(st.floats(0, 1000), st.floats(0, 1000)), most=st.sampled_from([1, 3, 50, 10**6]))
def test_outside_of_the_spans_no_feature_touches_the_box(
    folder: Path, count: int, corner: tuple[float, float], most: int
) -> None:
    path = layer(folder, count)
    box = (*corner, corner[0] + 120, corner[1] + 120)

    spans = FlatGeobuf.open(path).spans(box, most)

    assert all(end > start for start, end in spans)
    assert all(after[0] > before[1] for before, after in itertools.pairwise(spans))
    inside = np.zeros(count, bool)
    for start, end in spans:
        inside[start:end] = True
    wanted = touching(pyogrio.read_dataframe(path).geometry.bounds.to_numpy(), box)
    assert not (wanted & ~inside).any()
    if most == 10**6:
        assert (wanted == inside).all()


def test_nothing_is_no_file(folder: Path) -> None:
    target = folder / "none.fgb"

    assert made(layer(folder, 257), (3, 3), None, target) == 0
    assert made(layer(folder, 257), (0, 257), (5e3, 5e3, 6e3, 6e3), target) == 0

    assert not target.exists()


def test_only_the_range_s_bytes_are_read(folder: Path) -> None:
    path, target = layer(folder, 1_000), folder / "part.fgb"
    asked: list[tuple[int, int]] = []

    def read(offset: int, length: int) -> bytes:
        asked.append((offset, length))
        return path.read_bytes()[offset : offset + length]

    source = FlatGeobuf(read)
    asked.clear()
    extract(source, path.stat().st_size, (500, 510), None, target)

    assert sum(length for _, length in asked) < path.stat().st_size / 20


def test_a_file_without_an_index_or_out_of_order_is_refused(folder: Path) -> None:
    whole = pyogrio.read_dataframe(layer(folder, 16))
    bare = folder / "bare.fgb"
    pyogrio.write_dataframe(whole, bare, driver="FlatGeobuf", layer="lots", SPATIAL_INDEX="NO")
    with pytest.raises(FlatGeobufError, match="no index"):
        made(bare, (0, 3), None, folder / "part.fgb")

    mixed = bytearray(layer(folder, 16).read_bytes())
    start = len(mixed) - (len(mixed) - FlatGeobuf.open(layer(folder, 16)).features_start) - 16 * 40
    mixed[start + 32 : start + 40], mixed[start + 72 : start + 80] = (
        mixed[start + 72 : start + 80],
        mixed[start + 32 : start + 40],
    )
    turned = folder / "turned.fgb"
    turned.write_bytes(mixed)
    with pytest.raises(FlatGeobufError, match="order"):
        made(turned, (0, 16), None, folder / "part.fgb")
