"""The packed Hilbert R-tree between header and features: which features' boxes touch a box.

Nodes are 40 bytes: west, south, east, north, offset. The root is first, the leaves are last. An inner node's offset is
the number of its first child, a leaf's the place of its feature.
"""

import struct
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence

from terrafusion.flatgeobuf.buffers import FlatGeobufError

NODE = struct.Struct("<4dQ")
Box = tuple[float, float, float, float]
Read = Callable[[int, int], bytes]


def levels(items: int, node_size: int) -> list[tuple[int, int]]:
    """First node and end of each level, from the leaves up to the root."""
    counts = [items]
    while counts[-1] > 1:
        counts.append(-(-counts[-1] // node_size))
    if len(counts) == 1:
        counts.append(1)
    ends = [sum(counts[level:]) for level in range(len(counts))]
    return [(end - count, end) for end, count in zip(ends, counts, strict=True)]


def size(items: int, node_size: int) -> int:
    """Bytes of an index."""
    return levels(items, node_size)[0][1] * NODE.size


def search(read: Read, items: int, node_size: int, box: Box) -> list[int]:
    """Places of the features whose boxes touch a box, ascending.

    Parameters
    ----------
    read
        Reads the index' bytes by their offset within it; called for a few ranges a level.
    """
    _, found = _descend(read, items, node_size, box)
    return sorted(place for _, place in found)


def spans(read: Read, items: int, node_size: int, box: Box, most: int) -> list[tuple[int, int]]:
    """Ranges of features, by number in the file, outside of which no feature's box touches a box.

    They are exact where at most some `most` nodes of every level touch it; else whole nodes stand for what is in them,
    so that neither time nor memory grows with the file.
    """
    level, found = _descend(read, items, node_size, box, most)
    first, width = levels(items, node_size)[level][0], node_size**level
    merged: list[tuple[int, int]] = []
    for number in sorted(number - first for number, _ in found):
        start, end = number * width, min((number + 1) * width, items)
        if merged and merged[-1][1] == start:
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return merged


def pack(boxes: Sequence["array[float]"], places: "array[int]", node_size: int) -> Iterator[bytes]:
    """Write an index, root first: the levels' bytes.

    Parameters
    ----------
    boxes
        West, south, east, north of each feature, in the file's order.
    places
        Where each feature begins, counted from the first.
    """
    bounds = levels(len(places), node_size)
    written = [_level(boxes, places)]
    for level in range(1, len(bounds)):
        width = range(0, len(boxes[0]), node_size)
        boxes = [
            array("d", (least_or_most(side[start : start + node_size]) for start in width))
            for least_or_most, side in zip((min, min, max, max), boxes, strict=True)
        ]
        first = bounds[level - 1][0]
        written.append(_level(boxes, array("Q", range(first, first + len(width) * node_size, node_size))))
    return reversed(written)


def _level(boxes: Sequence["array[float]"], offsets: "array[int]") -> bytes:
    words = array("d", bytes(NODE.size * len(offsets)))
    for side, values in enumerate(boxes):
        words[side::5] = values
    nodes = array("Q", words.tobytes())
    nodes[4::5] = offsets
    return nodes.tobytes()


def _descend(
    read: Read, items: int, node_size: int, box: Box, most: int | None = None
) -> tuple[int, list[tuple[int, int]]]:
    """The lowest level come to, 0 unless more than `most` nodes were found, and its nodes: number and offset."""
    west, south, east, north = box
    bounds = levels(items, node_size)
    groups = [bounds[-1]]
    for level in range(len(bounds) - 1, -1, -1):
        found: list[tuple[int, int]] = []
        for (start, _), nodes in zip(groups, _nodes(read, groups), strict=True):
            found += [
                (number, n[4])
                for number, n in enumerate(nodes, start)
                if n[0] <= east and n[2] >= west and n[1] <= north and n[3] >= south
            ]
        if level == 0 or (most is not None and len(found) > most):
            return level, found
        first, end = bounds[level - 1]
        if any(not first <= child < end for _, child in found):
            raise FlatGeobufError("the index points outside of itself")
        groups = [(child, min(child + node_size, end)) for _, child in sorted(found)]
    return 0, []


def _nodes(read: Read, groups: Sequence[tuple[int, int]]) -> Iterator[Iterable[tuple[float, float, float, float, int]]]:
    ranges = [(first * NODE.size, end * NODE.size) for first, end in groups]
    for start, end, inside in coalesced(ranges):
        buffer = read(start, end - start)
        for first, last in inside:
            yield NODE.iter_unpack(buffer[first - start : last - start])


GAP = 32 * 1024
"""Bytes that are read for nothing rather than asking again: about what a request costs in time."""
MOST = 4 * 1024 * 1024
"""Bytes of one request, at most: what is held in memory."""


def coalesced(
    ranges: Sequence[tuple[int, int]], *, gap: int = GAP, most: int = MOST
) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
    """Ascending ranges put together where they are close: start, end, and the ranges inside."""
    inside: list[tuple[int, int]] = []
    for first, last in ranges:
        if inside and (first - inside[-1][1] > gap or last - inside[0][0] > most):
            yield inside[0][0], inside[-1][1], inside
            inside = []
        inside.append((first, last))
    if inside:
        yield inside[0][0], inside[-1][1], inside
