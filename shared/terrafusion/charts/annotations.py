"""Reference lines, shaded ranges and texts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from terrafusion.charts import svg
from terrafusion.charts.axes import Value
from terrafusion.charts.frame import Frame
from terrafusion.charts.style import PAPER, RANGE, RULE, Look, text_width


@dataclass(frozen=True, slots=True)
class Rule:
    """A straight line across the chart at a value of y, or of x when `upright`, with its meaning beside it."""

    value: Value
    label: str = ""
    upright: bool = False
    colour: str = RULE
    dash: str = "5 3"
    name: str = ""
    look: Look | None = None

    def values(self) -> tuple[Sequence[Value], Sequence[Value]]:
        """See `Mark`."""
        return ([self.value], ()) if self.upright else ((), [self.value])

    def draw(self, frame: Frame, look: Look) -> Iterator[str]:  # noqa: ARG002
        """See `Mark`."""
        along = frame.x if self.upright else frame.y
        place = along.pixel(along.axis.position(self.value, self.label or "rule"))
        ends = (
            [(place, frame.y.last), (place, frame.y.first)]
            if self.upright
            else [(frame.x.first, place), (frame.x.last, place)]
        )
        yield svg.element("path", d=svg.path(ends), stroke=PAPER, stroke_width=3.4, stroke_opacity=0.75)
        yield svg.element("path", d=svg.path(ends), stroke=self.colour, stroke_width=1.4, stroke_dasharray=self.dash)
        if not self.label:
            return
        if not self.upright:
            yield svg.text(self.label, frame.x.last - 4, place - 4, fill=self.colour, text_anchor="end", halo=True)
            return
        left = place + 5 + text_width(self.label) > frame.x.last
        shift, anchor = (-5, "end") if left else (5, "start")
        y = frame.top + 11 + frame.stagger()
        yield svg.text(self.label, place + shift, y, fill=self.colour, text_anchor=anchor, halo=True)

    def key(self, x: float, y: float, look: Look) -> Iterator[str]:  # noqa: ARG002
        """See `Mark`."""
        yield svg.element(
            "path", d=svg.path([(x, y), (x + 22, y)]), stroke=self.colour, stroke_width=1.4, stroke_dasharray=self.dash
        )


@dataclass(frozen=True, slots=True)
class Span:
    """A shaded range of y, or of x when `upright`: what a standard allows, a recession."""

    low: Value
    high: Value
    name: str = ""
    upright: bool = False
    colour: str = RANGE
    look: Look | None = None

    def values(self) -> tuple[Sequence[Value], Sequence[Value]]:
        """See `Mark`."""
        ends = [self.low, self.high]
        return (ends, ()) if self.upright else ((), ends)

    def draw(self, frame: Frame, look: Look) -> Iterator[str]:  # noqa: ARG002
        """See `Mark`."""
        along = frame.x if self.upright else frame.y
        first, last = sorted(
            along.pixel(along.clamped(along.axis.position(end, self.name or "span"))) for end in (self.low, self.high)
        )
        across = frame.y if self.upright else frame.x
        start, end = sorted((across.first, across.last))
        (x, right), (y, bottom) = ((first, last), (start, end)) if self.upright else ((start, end), (first, last))
        yield svg.element("rect", x=x, y=y, width=right - x, height=bottom - y, fill=self.colour)

    def key(self, x: float, y: float, look: Look) -> Iterator[str]:  # noqa: ARG002
        """See `Mark`."""
        yield svg.element("rect", x=x, y=y - 6, width=22, height=12, fill=self.colour)


@dataclass(frozen=True, slots=True)
class Label:
    """A text at a place, with a halo."""

    x: Value
    y: Value
    text: str
    anchor: str = "start"
    bold: bool = False
    name: str = ""
    look: Look | None = None

    def values(self) -> tuple[Sequence[Value], Sequence[Value]]:
        """See `Mark`."""
        return [self.x], [self.y]

    def draw(self, frame: Frame, look: Look) -> Iterator[str]:  # noqa: ARG002
        """See `Mark`."""
        x, y = frame.point(self.x, self.y, self.text)
        shift = {"start": 6, "end": -6}.get(self.anchor, 0)
        yield svg.text(
            self.text, x + shift, y - 5, text_anchor=self.anchor, halo=True, font_weight="700" if self.bold else ""
        )

    def key(self, x: float, y: float, look: Look) -> Iterator[str]:  # noqa: ARG002
        """See `Mark`."""
        yield from ()
