"""Bars, histograms and intervals."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from terrafusion.charts import svg
from terrafusion.charts.axes import Value
from terrafusion.charts.frame import Frame
from terrafusion.charts.marks import aligned
from terrafusion.charts.style import TONES, Look, Tone


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars from a start (0 unless given) to a value, along y, or along x when `horizontal`.

    Attributes
    ----------
    at
        Where each bar stands: a category, or the middle of its span on another axis.
    width
        Breadth: share of a category's room, or in the axis' own unit (days on a time axis).
    tones
        What each bar means, where they differ; with `labels`, which are written at their ends.
    """

    name: str
    at: Sequence[Value]
    to: Sequence[float]
    start: Sequence[float] | None = None
    width: float = 0.7
    horizontal: bool = False
    tones: Sequence[Tone] = ()
    labels: Sequence[str] = ()
    look: Look | None = None

    def values(self) -> tuple[Sequence[Value], Sequence[Value]]:
        """See `Mark`. Bars beside one another on a number or time axis need room for half of one at the ends."""
        aligned(
            self.name, self.at, self.to, *(c for c in (self.start, self.tones, self.labels) if c is not None and len(c))
        )
        along = [*self.to, *((0.0,) if self.start is None else self.start)]
        return (along, self._ends()) if self.horizontal else (self._ends(), along)

    def _ends(self) -> Sequence[Value]:
        ends: list[Value] = []
        for at in self.at:
            if isinstance(at, str):
                ends.append(at)
            elif isinstance(at, date):
                moment = at if isinstance(at, datetime) else datetime(at.year, at.month, at.day, tzinfo=UTC)
                half = timedelta(days=self.width / 2)
                ends += [moment - half, moment + half]
            else:
                ends += [at - self.width / 2, at + self.width / 2]
        return ends

    def draw(self, frame: Frame, look: Look) -> Iterator[str]:
        """See `Mark`."""
        across, along = (frame.y, frame.x) if self.horizontal else (frame.x, frame.y)
        for index, (at, to) in enumerate(zip(self.at, self.to, strict=True)):
            middle = across.axis.position(at, self.name)
            first, last = across.pixel(middle - self.width / 2), across.pixel(middle + self.width / 2)
            base = self.start[index] if self.start is not None else 0.0
            ends = along.pixel(along.axis.position(base, self.name)), along.pixel(along.axis.position(to, self.name))
            tone = self.tones[index] if self.tones else Tone.PLAIN
            gap = 0.5 if abs(last - first) > 4 else 0.0
            breadth = (min(first, last) + gap, abs(last - first) - 2 * gap)
            yield self._bar(breadth, (min(ends), abs(ends[1] - ends[0])), TONES.get(tone, look.colour))
            if self.labels:
                yield self._label(self.labels[index], (first + last) / 2, ends[0], ends[1])

    def _bar(self, breadth: tuple[float, float], length: tuple[float, float], colour: str) -> str:
        (x, width), (y, height) = (length, breadth) if self.horizontal else (breadth, length)
        return svg.element("rect", x=x, y=y, width=width, height=height, fill=colour)

    def _label(self, label: str, middle: float, start: float, end: float) -> str:
        if self.horizontal:
            ahead = end >= start
            anchor = "start" if ahead else "end"
            return svg.text(label, end + (5 if ahead else -5), middle + 4, text_anchor=anchor, halo=True)
        return svg.text(label, middle, end - 5 if end <= start else end + 14, text_anchor="middle", halo=True)

    def key(self, x: float, y: float, look: Look) -> Iterator[str]:
        """See `Mark`."""
        yield svg.element("rect", x=x + 3, y=y - 6, width=16, height=12, fill=look.colour)


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts (or densities) between edges that need not be evenly spaced; one more edge than counts."""

    name: str
    edges: Sequence[float]
    counts: Sequence[float]
    look: Look | None = None

    def values(self) -> tuple[Sequence[Value], Sequence[Value]]:
        """See `Mark`."""
        if len(self.edges) != len(self.counts) + 1:
            raise ValueError(f"{self.name}: {len(self.edges)} edges for {len(self.counts)} counts")
        return self.edges, [0.0, *self.counts]

    def draw(self, frame: Frame, look: Look) -> Iterator[str]:
        """See `Mark`."""
        base = frame.point(self.edges[0], 0.0, self.name)[1] if self.counts else 0.0
        for left, right, count in zip(self.edges, self.edges[1:], self.counts, strict=False):
            x, y = frame.point(left, count, self.name)
            width = frame.point(right, count, self.name)[0] - x
            gap = 0.5 if width > 3 else 0.0
            rect = {"x": x + gap, "y": min(y, base), "width": max(0.0, width - 2 * gap), "height": abs(base - y)}
            yield svg.element("rect", fill=look.colour, **rect)

    def key(self, x: float, y: float, look: Look) -> Iterator[str]:
        """See `Mark`."""
        yield svg.element("rect", x=x + 3, y=y - 6, width=16, height=12, fill=look.colour)


@dataclass(frozen=True, slots=True)
class Intervals:
    """A value with whiskers to its interval's ends, at each place; along x when `horizontal`."""

    name: str
    at: Sequence[Value]
    value: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    horizontal: bool = False
    labels: Sequence[str] = ()
    look: Look | None = None

    def values(self) -> tuple[Sequence[Value], Sequence[Value]]:
        """See `Mark`."""
        aligned(self.name, self.at, self.value, self.low, self.high, *([self.labels] if self.labels else []))
        along = [*self.value, *self.low, *self.high]
        return (along, self.at) if self.horizontal else (self.at, along)

    def draw(self, frame: Frame, look: Look) -> Iterator[str]:
        """See `Mark`."""
        for index, row in enumerate(zip(self.at, self.value, self.low, self.high, strict=True)):
            at, *numbers = row
            ends = [
                frame.point(n, at, self.name) if self.horizontal else frame.point(at, n, self.name) for n in numbers
            ]
            (x, y), low, high = ends
            cap = (0, 4) if self.horizontal else (4, 0)
            data = svg.path([low, high]) + "".join(
                svg.path([(ex - cap[0], ey - cap[1]), (ex + cap[0], ey + cap[1])]) for ex, ey in (low, high)
            )
            yield svg.element("path", d=data, fill="none", stroke=look.colour, stroke_width=1.6)
            yield svg.symbol(look.shape, x, y, 4.2, look.colour)
            if self.labels:
                place = (high[0] + 6, high[1] + 4) if self.horizontal else (high[0], high[1] - 6)
                anchor = "start" if self.horizontal else "middle"
                yield svg.text(self.labels[index], *place, text_anchor=anchor, halo=True)

    def key(self, x: float, y: float, look: Look) -> Iterator[str]:
        """See `Mark`."""
        data = (
            svg.path([(x, y), (x + 22, y)])
            + svg.path([(x, y - 4), (x, y + 4)])
            + svg.path([(x + 22, y - 4), (x + 22, y + 4)])
        )
        yield svg.element("path", d=data, fill="none", stroke=look.colour, stroke_width=1.6)
        yield svg.symbol(look.shape, x + 11, y, 4.2, look.colour)
