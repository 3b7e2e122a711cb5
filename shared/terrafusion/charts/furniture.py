"""What a map needs beside its features: legend, scale bar, north arrow, hatching."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from terrafusion.charts import svg
from terrafusion.charts.layers import Areas, Classes, Fill, Graduated, Layer, Paths, Places
from terrafusion.charts.projection import FOOT, Bounds
from terrafusion.charts.style import INK, MUTED, PAPER, TEXT_SIZE, text_width, wrap

HATCHING = (
    f'<pattern id="{svg.ID}-h" width="50" height="50" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<path d="M0 0V50" stroke="#fff" stroke-width="16"/></pattern>'
    f'<pattern id="{svg.ID}-k" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<path d="M0 0V5" stroke="#fff" stroke-width="1.6"/></pattern>'
)
"""`-h` in tenths of a pixel for the map, `-k` in pixels for its legend."""

ROW = 19.0
WIDEST = 190.0
MILE = 5280.0


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the legend; without a layer it is a heading."""

    text: str
    layer: Layer | None = None
    fill: Fill | None = None


def legend(layers: Sequence[Layer]) -> list[Entry]:
    """What the legend says, topmost layer first; classes that no feature has are kept, as they say what was asked."""
    entries: list[Entry] = []
    for layer in reversed(layers):
        if not layer.name:
            continue
        fills: Classes | Graduated | None = None if isinstance(layer, Paths) else layer.fills
        if fills is None:
            entries.append(Entry(layer.name, layer))
            continue
        entries.append(Entry(layer.name))
        entries += [Entry(text, layer, fill) for text, fill in fills.legend()]
        if not isinstance(layer, Paths) and any(value is None for value in layer.values):
            entries.append(Entry("No value", layer, layer.blank if isinstance(layer, Areas) else Fill(layer.colour)))
    return entries


def legend_width(entries: Sequence[Entry]) -> float:
    """Pixels from the first sign to the longest text's end."""
    return max(
        (min(WIDEST, text_width(e.text, bold=e.layer is None) + (28 if e.layer else 0)) for e in entries), default=0.0
    )


def draw_legend(entries: Sequence[Entry], x: float, y: float) -> Iterator[str]:
    """The legend from its upper left corner."""
    for entry in entries:
        rows = wrap(entry.text, WIDEST - (28 if entry.layer else 0), bold=entry.layer is None)
        if entry.layer is None:
            y += 4
            yield from svg.lines(rows, x, y + 9, font_weight="700")
        else:
            yield from _sign(entry.layer, entry.fill, x, y + 5)
            yield from svg.lines(rows, x + 28, y + 9)
        y += ROW + (len(rows) - 1) * TEXT_SIZE * 1.25


def _sign(layer: Layer, fill: Fill | None, x: float, y: float) -> Iterator[str]:
    if isinstance(layer, Paths):
        line = svg.path([(x, y), (x + 20, y)])
        yield svg.element("path", d=line, stroke=layer.colour, stroke_width=layer.width, stroke_dasharray=layer.dash)
    elif isinstance(layer, Places):
        colour = fill.colour if fill else layer.colour
        yield svg.symbol(layer.shape, x + 10, y, min(6.5, layer.radius), colour, stroke=layer.outline, stroke_width=1)
    else:
        box = {"x": x, "y": y - 6, "width": 20, "height": 12}
        colour = fill.colour if fill else layer.fill
        yield svg.element("rect", fill=colour, stroke=layer.outline, stroke_width=max(0.5, layer.outline_width), **box)
        if fill and fill.hatched:
            yield svg.element("rect", fill=f"url(#{svg.ID}-k)", **box)


def _round_length(feet: float) -> tuple[float, str]:
    """The longest round length up to so many feet, in feet, and how it is written."""
    unit, name = (MILE, "mi") if feet >= MILE / 2 else (1.0, "ft")
    for power in range(6, -4, -1):
        for factor in (5, 2.5, 2, 1):
            length = factor * 10.0**power
            if length * unit <= feet and (unit > 1 or length >= 1):
                return length * unit, f"{length:,g} {name}"
    return feet, f"{feet:.2g} ft"


def scale_bar_place(frame: Bounds) -> Bounds:
    """The corner that the scale bar takes."""
    left, _, right, bottom = frame
    return left, bottom - 34, left + min(170.0, (right - left) * 0.4) + 30, bottom


def scale_bar(metres_per_pixel: float, frame: Bounds) -> Iterator[str]:
    """A bar of a round length in feet or miles in the frame's lower left corner."""
    left, _, right, bottom = frame
    most = min(140.0, (right - left) * 0.3)
    feet, written = _round_length(most * metres_per_pixel / FOOT)
    length = feet * FOOT / metres_per_pixel
    x, y = left + 12, bottom - 12
    box = {"x": left + 4, "y": bottom - 33, "width": length + 30, "height": 29, "rx": 3}
    yield svg.element("rect", fill=PAPER, fill_opacity=0.85, **box)
    yield svg.element("rect", x=x, y=y - 4, width=length / 2, height=5, fill=INK, stroke=INK, stroke_width=1)
    yield svg.element(
        "rect", x=x + length / 2, y=y - 4, width=length / 2, height=5, fill=PAPER, stroke=INK, stroke_width=1
    )
    yield svg.text("0", x, y - 9, size=10, text_anchor="middle")
    yield svg.text(written, x + length, y - 9, size=10, text_anchor="middle")


def north_arrow(x: float, y: float) -> Iterator[str]:
    """An arrow that points up, with an N."""
    yield svg.element("circle", cx=x, cy=y + 12, r=17, fill=PAPER, fill_opacity=0.85)
    yield svg.element("path", d=svg.path([(x, y), (x + 6, y + 16), (x, y + 12)], close=True), fill=INK)
    left = svg.path([(x, y), (x - 6, y + 16), (x, y + 12)], close=True)
    yield svg.element("path", d=left, fill=PAPER, stroke=INK, stroke_width=0.8)
    yield svg.text("N", x, y + 27, size=10.5, fill=MUTED, text_anchor="middle", font_weight="700")
