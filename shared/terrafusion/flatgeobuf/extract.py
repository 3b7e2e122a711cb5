"""Some of a FlatGeobuf's features as a file of their own, with an index, made without reading the others.

Features lie in the order of the index' leaves, along a Hilbert curve, so that those of a range of numbers lie together
on the map and in the file: the header, the range's leaves and one range of bytes make the new file.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from terrafusion.flatgeobuf import index
from terrafusion.flatgeobuf.buffers import FlatGeobufError
from terrafusion.flatgeobuf.header import MAGIC, with_features
from terrafusion.flatgeobuf.index import Box
from terrafusion.flatgeobuf.reader import FlatGeobuf

PATCH_VERSION = b"\0"


def extract(
    source: FlatGeobuf,
    size: int,
    span: tuple[int, int],
    box: Box | None,
    target: Path,
    tick: Callable[[], None] = lambda: None,
) -> int:
    """Write features to a file of their own, and give how many there are; for none, no file is written.

    Parameters
    ----------
    size
        Bytes of the source.
    span
        Number of the first feature, and of the one after the last.
    box
        West, south, east, north in the file's CRS: only features whose boxes touch it.
    tick
        Called now and then; may raise to stop.

    Raises
    ------
    FlatGeobufError
        When the source has no index, is broken, or its features lie in another order than the index'.
    """
    if span[0] >= span[1]:
        return 0
    boxes, places = _leaves(source, span)
    ends = places[1:] + array("Q", [_end(source, size, span[1])])
    if any(end <= place for place, end in zip(places, ends, strict=True)):
        raise FlatGeobufError("the features don't lie in the order of the index")
    kept = range(len(places)) if box is None else _touching(boxes, box)
    if not kept:
        return 0
    if len(kept) < len(places):
        boxes = [array("d", (side[number] for number in kept)) for side in boxes]
    around = [pick(side) for pick, side in zip((min, min, max, max), boxes, strict=True)]
    with target.open("wb") as file:
        header = with_features(source.header_bytes, len(kept), around)
        file.write(MAGIC + PATCH_VERSION + len(header).to_bytes(4, "little") + header)
        file.writelines(index.pack(boxes, _moved(places, ends, kept), source.header.index_node_size))
        for octets in _octets(source, _runs(places, ends, kept)):
            tick()
            file.write(octets)
    return len(kept)


def _leaves(source: FlatGeobuf, span: tuple[int, int]) -> tuple[list["array[float]"], "array[int]"]:
    """West, south, east and north of each feature, and where it begins."""
    leaves = source.leaves(*span)
    words = array("d", leaves)
    return [words[side::5] for side in range(4)], array("Q", leaves)[4::5]


def _end(source: FlatGeobuf, size: int, number: int) -> int:
    """Where the feature before a number ends."""
    if number < source.header.features_count:
        return array("Q", source.leaves(number, number + 1))[4]
    return size - source.features_start


def _touching(boxes: list["array[float]"], box: Box) -> list[int]:
    west, south, east, north = box
    return [
        number
        for number, (w, s, e, n) in enumerate(zip(*boxes, strict=True))
        if w <= east and e >= west and s <= north and n >= south
    ]


def _moved(places: "array[int]", ends: "array[int]", kept: Iterable[int]) -> "array[int]":
    """Where the features begin when those that are kept follow each other."""
    moved, at = array("Q"), 0
    for number in kept:
        moved.append(at)
        at += ends[number] - places[number]
    return moved


def _runs(places: "array[int]", ends: "array[int]", kept: Iterable[int]) -> list[tuple[int, int]]:
    """Ranges of bytes that are kept, put together where they touch, none longer than one read."""
    runs: list[tuple[int, int]] = []
    for number in kept:
        start, end = places[number], ends[number]
        if runs and runs[-1][1] == start and end - runs[-1][0] <= index.MOST:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    return runs


def _octets(source: FlatGeobuf, runs: list[tuple[int, int]]) -> Iterator[bytes]:
    for start, end, inside in index.coalesced(runs):
        chunk = source.octets(start, end - start)
        yield b"".join(chunk[first - start : last - start] for first, last in inside)
