"""A chart: title, axes, marks and legend, laid out and written as SVG."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from terrafusion.charts import svg
from terrafusion.charts.annotations import Span
from terrafusion.charts.axes import Axis, Fitted, Scale
from terrafusion.charts.frame import Frame, Side
from terrafusion.charts.heading import foot_height, heading, heading_height, note
from terrafusion.charts.marks import Mark
from terrafusion.charts.style import AXIS, GRID, INK, LOOKS, MUTED, TEXT_SIZE, Look, shorten, text_width, wrap

MARGIN = 14.0
GAP = 16.0  # between stacked panels
LEGEND_ROW = 19.0
MOST_LABEL_SHARE = 0.38  # of the chart's width, for the names at a category axis
MOST_TILTED = 130.0


@dataclass(frozen=True, slots=True)
class Panel:
    """A second row of marks over the same x axis, such as sales volumes below a price trend."""

    y: Axis
    marks: Sequence[Mark]
    share: float = 0.3
    """Of the chart's drawing height."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture with axes.

    Attributes
    ----------
    description
        What the picture shows, in a sentence or two, for those who don't see it.
    note
        Source, number of sales, what was left out.
    below
        A second panel over the same x axis.
    width, height
        In pixels of 1/96 inch.
    """

    title: str
    marks: Sequence[Mark]
    x: Axis = field(default_factory=Axis)
    y: Axis = field(default_factory=Axis)
    subtitle: str = ""
    note: str = ""
    description: str = ""
    below: Panel | None = None
    legend: bool = True
    width: float = 680.0
    height: float = 400.0

    def svg(self) -> str:
        """The chart as an SVG document; the same chart is the same text.

        Raises
        ------
        ValueError
            Names the mark whose values can't be drawn.
        """
        panels = [Panel(self.y, self.marks, 1.0), *([self.below] if self.below else [])]
        looks = _looks(mark for panel in panels for mark in panel.marks)
        body = [*heading(self.title, self.subtitle, MARGIN, self.width - 2 * MARGIN)]
        top = heading_height(self.title, self.subtitle, self.width - 2 * MARGIN)
        if self.legend:
            entries = _entries(panels)
            body += _legend(entries, looks, top, self.width)
            top += _legend_rows(entries, self.width) * LEGEND_ROW
        body += self._panels(panels, looks, top)
        body += note(self.note, MARGIN, self.height, self.width - 2 * MARGIN)
        return svg.picture(
            self.width, self.height, title=self.title, description=self.description or self._summary(), body=body
        )

    def _summary(self) -> str:
        shown = ", ".join(dict.fromkeys(mark.name for mark in self.marks if mark.name))
        axes = " by ".join(axis.title for axis in (self.y, self.x) if axis.title)
        return ". ".join(part for part in (self.subtitle, axes, shown) if part) or self.title

    def _panels(self, panels: Sequence[Panel], looks: dict[str, Look], top: float) -> Iterator[str]:
        x, ys = self._fit(panels)
        left = MARGIN + max(_label_room(y, self.width) for y in ys)
        right = self.width - MARGIN - _right_room(x, panels)
        tilted = _is_tilted(x, right - left)
        bottom = self.height - foot_height(self.note, self.width - 2 * MARGIN) - _below_axis(x, tilted)
        titles = [24.0 if panel.y.title else 8.0 for panel in panels]
        room = bottom - top - sum(titles) - GAP * (len(panels) - 1)
        if room < 40 or right - left < 40:
            raise ValueError(f"{self.title}: {self.width:.0f} by {self.height:.0f} pixels are too few for this chart")
        shares = [1 - panels[1].share, panels[1].share] if len(panels) > 1 else [1.0]
        for panel, y, share, title in zip(panels, ys, shares, titles, strict=True):
            upper = top + title
            lower = upper + room * share
            frame = Frame(Side(x, left, right), _upright(y, upper, lower))
            yield from self._panel(panel, frame, looks)
            top = lower + GAP
        yield from _x_axis(Side(x, left, right), bottom, tilted)

    def _fit(self, panels: Sequence[Panel]) -> tuple[Fitted, list[Fitted]]:
        values = [[mark.values() for mark in panel.marks] for panel in panels]
        x = self.x.with_categories(at for rows in values for xs, _ in rows for at in xs)
        names = [(mark.name or type(mark).__name__) for panel in panels for mark in panel.marks]
        columns = [xs for rows in values for xs, _ in rows]
        positions = [x.position(at, name) for name, column in zip(names, columns, strict=True) for at in column]
        ys = []
        for panel, rows in zip(panels, values, strict=True):
            y = panel.y.with_categories(at for _, column in rows for at in column)
            ys.append(
                y.fitted(
                    [
                        y.position(at, mark.name or type(mark).__name__)
                        for mark, (_, column) in zip(panel.marks, rows, strict=True)
                        for at in column
                    ]
                )
            )
        return x.fitted(positions, tight=True), ys

    def _panel(self, panel: Panel, frame: Frame, looks: dict[str, Look]) -> Iterator[str]:
        left, right = frame.x.first, frame.x.last
        upper, lower = min(frame.y.first, frame.y.last), max(frame.y.first, frame.y.last)
        if panel.y.title:
            yield svg.text(panel.y.title, MARGIN, upper - 12, fill=MUTED, size=TEXT_SIZE)
        for mark in panel.marks:
            if isinstance(mark, Span):
                yield from mark.draw(frame, looks[mark.name])
        yield from _grid(frame, upright=False)
        if frame.x.axis.scale in (Scale.LINEAR, Scale.LOG):
            yield from _grid(frame, upright=True)
        clip = f"{svg.ID}-{upper:.0f}"
        area = svg.element("rect", x=left - 6, y=upper - 6, width=right - left + 12, height=lower - upper + 12)
        yield svg.element("clipPath", area, id=clip)
        drawn = [
            part for mark in panel.marks if not isinstance(mark, Span) for part in mark.draw(frame, looks[mark.name])
        ]
        if not any(any(column) for mark in panel.marks for column in map(_filled, mark.values())):
            drawn.append(svg.text("No data", (left + right) / 2, (upper + lower) / 2, fill=MUTED, text_anchor="middle"))
        shapes = [part for part in drawn if not part.startswith("<text")]
        yield svg.element("g", "".join(shapes), clip_path=f"url(#{clip})")
        yield svg.element("path", d=svg.path(_baseline(frame)), stroke=AXIS, stroke_width=1)
        yield from (part for part in drawn if part.startswith("<text"))


def _filled(column: Sequence[object]) -> Sequence[bool]:
    return [value is not None for value in column]


def _looks(marks: Iterator[Mark]) -> dict[str, Look]:
    """One look for each name, in the order in which the palette has them."""
    looks: dict[str, Look] = {}
    given = 0
    for mark in marks:
        if mark.look is not None:
            looks[mark.name] = mark.look
        elif mark.name not in looks:
            looks[mark.name] = LOOKS[given % len(LOOKS)]
            given += 1 if mark.name and not hasattr(mark, "colour") else 0
    return looks


def _baseline(frame: Frame) -> list[tuple[float, float]]:
    """Where values start: zero where it is on the axis, else the axis' low end."""
    if frame.y.axis.scale is Scale.CATEGORY:
        zero = frame.x.axis.scale is Scale.LINEAR and frame.x.fitted.start < 0 < frame.x.fitted.end
        place = frame.x.pixel(0) if zero else frame.x.first
        return [(place, frame.y.first), (place, frame.y.last)]
    zero = frame.y.axis.scale is Scale.LINEAR and frame.y.fitted.start < 0 < frame.y.fitted.end
    place = frame.y.pixel(0) if zero else frame.y.first
    return [(frame.x.first, place), (frame.x.last, place)]


def _upright(y: Fitted, upper: float, lower: float) -> Side:
    """Numbers grow upwards; categories are read downwards."""
    return Side(y, upper, lower) if y.axis.scale is Scale.CATEGORY else Side(y, lower, upper)


def _grid(frame: Frame, *, upright: bool) -> Iterator[str]:
    along, across = (frame.x, frame.y) if upright else (frame.y, frame.x)
    categories = along.axis.scale is Scale.CATEGORY
    shown = [tick for tick in along.fitted.ticks if not categories]
    data = "".join(
        svg.path(
            [(place, across.first), (place, across.last)] if upright else [(across.first, place), (across.last, place)]
        )
        for place in (along.pixel(tick.value) for tick in shown)
    )
    if data:
        yield svg.element("path", d=data, stroke=GRID, stroke_width=1)
    if not upright:
        yield from _y_labels(frame)


def _y_labels(frame: Frame) -> Iterator[str]:
    width = frame.x.first - MARGIN - 8
    for tick in frame.y.fitted.ticks:
        label = wrap(tick.label, width)
        y = frame.y.pixel(tick.value) + 4 - (len(label) - 1) * TEXT_SIZE * 0.625
        yield from svg.lines(label, frame.x.first - 8, y, fill=INK, text_anchor="end")


def _label_room(y: Fitted, width: float) -> float:
    """What the labels left of an axis need, gap included."""
    widest = max((text_width(tick.label) for tick in y.ticks), default=0.0)
    return min(widest, width * MOST_LABEL_SHARE if y.axis.scale is Scale.CATEGORY else widest) + 9


def _right_room(x: Fitted, panels: Sequence[Panel]) -> float:
    """Half of the last label, and what is written to the right of horizontal marks."""
    last = max((text_width(line) for line in x.ticks[-1].label.split("\n")), default=0.0) / 2 if x.ticks else 0.0
    beside = [
        text_width(label)
        for panel in panels
        for mark in panel.marks
        if getattr(mark, "horizontal", False)
        for label in getattr(mark, "labels", ())
    ]
    return max(6.0, 0.0 if x.axis.scale is Scale.CATEGORY else last, max(beside, default=0.0) + 6)


def _is_tilted(x: Fitted, width: float) -> bool:
    """Whether names at a category axis are too wide to stand side by side on two lines."""
    if x.axis.scale is not Scale.CATEGORY:
        return False
    room = width / max(1, len(x.ticks)) - 6
    return any(
        text_width(line) > room or line.endswith("…") for tick in x.ticks for line in wrap(tick.label, room, lines=2)
    )


def _below_axis(x: Fitted, tilted: bool) -> float:
    title = 19.0 if x.axis.title else 4.0
    if tilted:
        widest = max(min(text_width(tick.label), MOST_TILTED) for tick in x.ticks)
        return title + 14 + widest * 0.6
    two = any("\n" in tick.label or (x.axis.scale is Scale.CATEGORY and " " in tick.label) for tick in x.ticks)
    return title + (34.0 if two else 20.0)


def _x_axis(side: Side, bottom: float, tilted: bool) -> Iterator[str]:
    ticks = side.fitted.ticks
    room = abs(side.last - side.first) / max(1, len(ticks)) - 6
    if side.axis.scale is not Scale.CATEGORY:
        marks = "".join(svg.path([(at, bottom), (at, bottom + 4)]) for at in (side.pixel(tick.value) for tick in ticks))
        if marks:
            yield svg.element("path", d=marks, stroke=AXIS, stroke_width=1)
    for tick in ticks:
        x, y = side.pixel(tick.value), bottom + 16
        if tilted:
            label = shorten(tick.label, min(MOST_TILTED, (x - 4) / 0.79))
            turn = f"rotate(-38 {svg.number(x + 3)} {svg.number(y - 3)})"
            yield svg.text(label, x + 3, y - 3, text_anchor="end", transform=turn)
        else:
            label_lines = wrap(tick.label, room) if side.axis.scale is Scale.CATEGORY else tick.label.split("\n")
            yield from svg.lines(label_lines, x, y, text_anchor="middle")
    if side.axis.title:
        y = bottom + _below_axis(side.fitted, tilted) - 3
        yield svg.text(side.axis.title, (side.first + side.last) / 2, y, fill=MUTED, text_anchor="middle")


def _entries(panels: Sequence[Panel]) -> dict[str, list[Mark]]:
    """Marks by the name that the legend gives them; none when there is only one, as the title says what it is."""
    entries: dict[str, list[Mark]] = {}
    for panel in panels:
        for mark in panel.marks:
            if mark.name:
                entries.setdefault(mark.name, []).append(mark)
    return entries if len(entries) > 1 else {}


def _legend_places(entries: dict[str, list[Mark]], width: float) -> Iterator[tuple[str, float, int]]:
    x, row = MARGIN, 0
    for name in entries:
        needed = 30 + text_width(name) + 20
        if x > MARGIN and x + needed > width - MARGIN:
            x, row = MARGIN, row + 1
        yield name, x, row
        x += needed


def _legend_rows(entries: dict[str, list[Mark]], width: float) -> int:
    return max((row + 1 for _, _, row in _legend_places(entries, width)), default=0)


def _legend(entries: dict[str, list[Mark]], looks: dict[str, Look], top: float, width: float) -> Iterator[str]:
    for name, x, row in _legend_places(entries, width):
        y = top + row * LEGEND_ROW + 6
        for mark in entries[name]:
            yield from mark.key(x, y, looks[name])
        yield svg.text(name, x + 28, y + 4)
