"""Lines, bands and points."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from terrafusion.charts import svg
from terrafusion.charts.axes import Value
from terrafusion.charts.frame import Frame
from terrafusion.charts.marks import aligned
from terrafusion.charts.style import Look, Shape

MANY_POINTS = 2_000
"""From here on positions are rounded to whole pixels and equal ones drawn once, so that files stay small."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points in the order given; None for y leaves a gap. `step` holds a value until the next."""

    name: str
    x: Sequence[Value]
    y: Sequence[Value | None]
    step: bool = False
    points: bool = False
    look: Look | None = None
    width: float = 2.0

    def values(self) -> tuple[Sequence[Value], Sequence[Value]]:
        """See `Mark`."""
        aligned(self.name, self.x, self.y)
        return self.x, [y for y in self.y if y is not None]

    def _runs(self, frame: Frame) -> Iterator[list[tuple[float, float]]]:
        run: list[tuple[float, float]] = []
        for x, y in zip(self.x, self.y, strict=True):
            if y is None:
                yield run
                run = []
                continue
            place = frame.point(x, y, self.name)
            if self.step and run:
                run.append((place[0], run[-1][1]))
            run.append(place)
        yield run

    def draw(self, frame: Frame, look: Look) -> Iterator[str]:
        """See `Mark`."""
        data = "".join(svg.path(run) for run in self._runs(frame))
        if data:
            yield svg.element(
                "path", d=data, fill="none", stroke=look.colour, stroke_width=self.width, stroke_dasharray=look.dash,
                stroke_linejoin="round", stroke_linecap="butt" if look.dash else "round",
            )  # fmt: skip
        if self.points:
            for run in self._runs(frame):
                yield from (svg.symbol(look.shape, x, y, 3.2, look.colour) for x, y in run)

    def key(self, x: float, y: float, look: Look) -> Iterator[str]:
        """See `Mark`."""
        yield svg.element(
            "path", d=svg.path([(x, y), (x + 22, y)]), fill="none", stroke=look.colour, stroke_width=self.width,
            stroke_dasharray=look.dash,
        )  # fmt: skip
        if self.points:
            yield svg.symbol(look.shape, x + 11, y, 3.2, look.colour)


@dataclass(frozen=True, slots=True)
class Band:
    """The area between two lines, such as a confidence interval."""

    name: str
    x: Sequence[Value]
    low: Sequence[Value]
    high: Sequence[Value]
    look: Look | None = None

    def values(self) -> tuple[Sequence[Value], Sequence[Value]]:
        """See `Mark`."""
        aligned(self.name, self.x, self.low, self.high)
        return self.x, [*self.low, *self.high]

    def draw(self, frame: Frame, look: Look) -> Iterator[str]:
        """See `Mark`."""
        upper = [frame.point(x, y, self.name) for x, y in zip(self.x, self.high, strict=True)]
        lower = [frame.point(x, y, self.name) for x, y in zip(self.x, self.low, strict=True)]
        if upper:
            outline = svg.path([*upper, *reversed(lower)], close=True)
            yield svg.element("path", d=outline, fill=look.colour, fill_opacity=0.2)

    def key(self, x: float, y: float, look: Look) -> Iterator[str]:
        """See `Mark`."""
        yield svg.element("rect", x=x, y=y - 6, width=22, height=12, fill=look.colour, fill_opacity=0.2)


@dataclass(frozen=True, slots=True)
class Points:
    """A point at each pair of values."""

    name: str
    x: Sequence[Value]
    y: Sequence[Value]
    radius: float = 2.4
    opacity: float = 0.55
    look: Look | None = None

    def values(self) -> tuple[Sequence[Value], Sequence[Value]]:
        """See `Mark`."""
        aligned(self.name, self.x, self.y)
        return self.x, self.y

    def draw(self, frame: Frame, look: Look) -> Iterator[str]:
        """See `Mark`."""
        places = [frame.point(x, y, self.name) for x, y in zip(self.x, self.y, strict=True)]
        if len(places) > MANY_POINTS:
            places = list(dict.fromkeys((float(round(x)), float(round(y))) for x, y in places))
        if look.shape is Shape.CIRCLE:
            circles = (f'<circle cx="{svg.number(x)}" cy="{svg.number(y)}" r="{self.radius}"/>' for x, y in places)
            yield svg.element("g", "".join(circles), fill=look.colour, fill_opacity=f"{self.opacity:g}")
        else:
            symbols = (svg.symbol(look.shape, x, y, self.radius, look.colour) for x, y in places)
            yield svg.element("g", "".join(symbols), opacity=f"{self.opacity:g}")

    def key(self, x: float, y: float, look: Look) -> Iterator[str]:
        """See `Mark`."""
        yield svg.symbol(look.shape, x + 11, y, 4, look.colour)
