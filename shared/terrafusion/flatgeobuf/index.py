"""The packed Hilbert R-tree between header and features: which features' boxes touch a box.

Nodes are 40 bytes: west, south, east, north, offset. The root is first, the leaves are last. An inner node's offset is
the number of its first child, a leaf's the place of its feature.
"""

import struct
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
    west, south, east, north = box
    bounds = levels(items, node_size)
    groups = [bounds[-1]]
    for level in range(len(bounds) - 1, -1, -1):
        found: list[int] = []
        for nodes in _nodes(read, groups):
            found += [n[4] for n in nodes if n[0] <= east and n[2] >= west and n[1] <= north and n[3] >= south]
        if level == 0:
            return sorted(found)
        first, end = bounds[level - 1]
        if any(not first <= child < end for child in found):
            raise FlatGeobufError("the index points outside of itself")
        groups = [(child, min(child + node_size, end)) for child in sorted(found)]
    return []


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
