"""A map: layers in a frame, with legend, scale bar, north arrow and labels that don't cover one another."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from terrafusion.charts import furniture, svg
from terrafusion.charts.geometry import TENTHS, Pen, middle
from terrafusion.charts.heading import foot_height, heading, heading_height, note
from terrafusion.charts.layers import Areas, Layer, Paths, Places
from terrafusion.charts.projection import Bounds, Projection, bounds, finite
from terrafusion.charts.style import AXIS, INK, MUTED, TEXT_SIZE, ink_on, text_width

MARGIN = 14.0
PADDING = 0.03  # of the frame, around what is shown


@dataclass(frozen=True, slots=True)
class MapDrawing:
    """A picture of a county's features, north up.

    Attributes
    ----------
    layers
        From the lowest to the topmost, all in the same coordinates.
    metres
        Length of the coordinates' unit, e.g. `projection.US_SURVEY_FOOT`; None for longitude and latitude, which are
        drawn equirectangular at the middle latitude.
    extent
        West, south, east, north of what is shown; None takes it from the layers.
    north
        False where the coordinates' north is not up.
    """

    title: str
    layers: Sequence[Layer]
    metres: float | None = None
    extent: Bounds | None = None
    subtitle: str = ""
    note: str = ""
    description: str = ""
    north: bool = True
    width: float = 680.0
    height: float = 520.0

    def svg(self) -> str:
        """The map as an SVG document; the same map is the same text.

        Raises
        ------
        ValueError
            Names the layer whose coordinates or values can't be drawn.
        """
        finite(self.layers)
        inner = self.width - 2 * MARGIN
        top = heading_height(self.title, self.subtitle, inner)
        legend = furniture.legend(self.layers)
        beside = furniture.legend_width(legend)
        frame = (
            MARGIN,
            top,
            self.width - MARGIN - (beside + 14 if beside else 0),
            self.height - foot_height(self.note, inner) - 6,
        )
        if frame[2] - frame[0] < 60 or frame[3] - frame[1] < 60:
            raise ValueError(f"{self.title}: {self.width:.0f} by {self.height:.0f} pixels are too few for this map")
        body = [
            *heading(self.title, self.subtitle, MARGIN, inner),
            *self._map(frame),
            *furniture.draw_legend(legend, frame[2] + 14, top + 4),
            *note(self.note, MARGIN, self.height, inner),
        ]
        description = self.description or ". ".join(
            part for part in (self.subtitle, ", ".join(layer.name for layer in self.layers if layer.name)) if part
        )
        return svg.picture(self.width, self.height, title=self.title, description=description or self.title, body=body)

    def _map(self, frame: Bounds) -> Iterator[str]:
        left, top, right, bottom = frame
        size = {"x": left, "y": top, "width": right - left, "height": bottom - top}
        clip = f"{svg.ID}-m"
        yield svg.element("defs", furniture.HATCHING + svg.element("clipPath", svg.element("rect", **size), id=clip))
        extent = self.extent or bounds(self.layers)
        if extent is None:
            place = ((left + right) / 2, (top + bottom) / 2)
            yield svg.element("rect", fill="none", stroke=AXIS, stroke_width=1, **size)
            yield svg.text("Nothing to show", *place, fill=MUTED, text_anchor="middle")
            return
        pad_x, pad_y = (right - left) * PADDING, (bottom - top) * PADDING
        inside = (left + pad_x, top + pad_y, right - pad_x, bottom - pad_y)
        projection = Projection.fit(extent, frame if self.extent else inside, self.metres)
        pen = Pen(projection, frame)
        content = "".join(
            part for number, layer in enumerate(self.layers) for part in _draw(number, layer, pen, projection, frame)
        )
        yield svg.element("g", content, clip_path=f"url(#{clip})")
        yield from _labels(self.layers, projection, frame)
        yield svg.element("rect", fill="none", stroke=AXIS, stroke_width=1, **size)
        yield from furniture.scale_bar(projection.metres_per_pixel, frame)
        if self.north:
            yield from furniture.north_arrow(right - 22, top + 14)


def _draw(number: int, layer: Layer, pen: Pen, projection: Projection, frame: Bounds) -> Iterator[str]:
    if isinstance(layer, Areas):
        yield from _areas(layer, pen, number)
    elif isinstance(layer, Paths):
        data = "".join(pen.lines(shape) for shape in layer.shapes)
        if data:
            dash = " ".join(str(float(part) * TENTHS) for part in layer.dash.split())
            line = svg.element("path", d=data, stroke_dasharray=dash)
            yield _tenths(
                line, fill="none", stroke=layer.colour, stroke_width=layer.width * TENTHS, stroke_linejoin="round"
            )
    else:
        yield from _places(layer, projection, frame)


def _tenths(content: str, **attributes: str | float) -> str:
    return svg.element("g", content, transform="scale(.1)", **attributes)


def _areas(layer: Areas, pen: Pen, number: int) -> Iterator[str]:
    """One group for each fill: hundreds of parcels share it."""
    _one_each(layer.name, "values", layer.shapes, layer.values)
    groups: dict[int | None, list[str]] = {}
    for index, shape in enumerate(layer.shapes):
        data = pen.area(shape)
        if data:
            place = layer.fills.place(layer.values[index], layer.name) if layer.fills and len(layer.values) else None
            groups.setdefault(place, []).append(f'<path d="{data}"/>')
    steps = layer.fills.legend() if layer.fills else []
    outline: dict[str, str | float] = {
        "stroke": layer.outline,
        "stroke_width": layer.outline_width * TENTHS,
        "stroke_linejoin": "round",
    }
    for place in sorted(groups, key=lambda place: -1 if place is None else place):
        fill = layer.blank if place is None else steps[place][1]
        content = "".join(groups[place])
        if not fill.hatched:
            yield _tenths(content, fill=fill.colour, fill_rule="evenodd", **outline)
            continue
        name = f"{svg.ID}-{number}-{place}"
        yield svg.element("defs", svg.element("g", content, id=name, fill_rule="evenodd"))
        twice = svg.element("use", href=f"#{name}", fill=fill.colour, **outline)
        yield _tenths(twice + svg.element("use", href=f"#{name}", fill=f"url(#{svg.ID}-h)"))


def _one_each(name: str, what: str, shapes: Sequence[object], values: Sequence[object]) -> None:
    if len(values) not in (0, len(shapes)):
        raise ValueError(f"{name}: {len(values)} {what} for {len(shapes)} features")


def _inside(at: tuple[float, float], frame: Bounds, margin: float = 0.0) -> bool:
    left, top, right, bottom = frame
    return left - margin <= at[0] <= right + margin and top - margin <= at[1] <= bottom + margin


def _places(layer: Places, projection: Projection, frame: Bounds) -> Iterator[str]:
    _one_each(layer.name, "values", layer.positions, layer.values)
    _one_each(layer.name, "signs", layer.positions, layer.signs)
    steps = layer.fills.legend() if layer.fills else []
    for index, position in enumerate(layer.positions):
        at = projection.pixel(position)
        if not _inside(at, frame, layer.radius):
            continue
        place = layer.fills.place(layer.values[index], layer.name) if layer.fills and len(layer.values) else None
        colour = layer.colour if place is None else steps[place][1].colour
        yield svg.symbol(layer.shape, *at, layer.radius, colour, stroke=layer.outline, stroke_width=1)
        if len(layer.signs):
            yield svg.text(
                layer.signs[index], at[0], at[1] + layer.radius * 0.42, size=layer.radius * 1.25, fill=ink_on(colour),
                text_anchor="middle", font_weight="700",
            )  # fmt: skip


def _labels(layers: Sequence[Layer], projection: Projection, frame: Bounds) -> Iterator[str]:
    """Labels of the topmost layers first; one that would cover another or leave the frame is tried at four sides."""
    taken: list[Bounds] = [furniture.scale_bar_place(frame)]
    for layer in layers:
        if isinstance(layer, Places):
            r = layer.radius
            spots = [projection.pixel(at) for at in layer.positions]
            taken += [(x - r, y - r, x + r, y + r) for x, y in spots if _inside((x, y), frame)]
    for layer in reversed(layers):
        anchors = _anchors(layer)
        _one_each(layer.name, "labels", anchors, layer.labels)
        for label, anchor in zip(layer.labels, anchors, strict=False):
            if not label or anchor is None:
                continue
            at = projection.pixel(anchor)
            if not _inside(at, frame):
                continue
            beside = layer.radius + 4 if isinstance(layer, Places) else 0.0
            box = _free(at, beside, text_width(label, TEXT_SIZE), taken, frame)
            if box:
                taken.append(box)
                yield svg.text(label, box[0], box[3] - 3, fill=INK, halo=True)


def _anchors(layer: Layer) -> list[tuple[float, float] | None]:
    if isinstance(layer, Places):
        return list(layer.positions)
    if not layer.labels:
        return [None] * len(layer.shapes)
    if isinstance(layer, Areas):
        return [middle(shape) for shape in layer.shapes]
    return [line[0][len(line[0]) // 2] if line and line[0] else None for line in layer.shapes]


def _free(
    at: tuple[float, float], beside: float, width: float, taken: Sequence[Bounds], frame: Bounds
) -> Bounds | None:
    """A box of a label's size near a place (on it when `beside` is 0) that is still free."""
    x, y = at
    half = TEXT_SIZE / 2 + 1
    boxes = [(x - width / 2, y - half, x + width / 2, y + half)]
    if beside:
        boxes = [
            (x + beside, y - half, x + beside + width, y + half),
            (x - beside - width, y - half, x - beside, y + half),
            (x - width / 2, y - beside - 2 * half, x + width / 2, y - beside),
            (x - width / 2, y + beside, x + width / 2, y + beside + 2 * half),
        ]
    left, top, right, bottom = frame
    for box in boxes:
        within = box[0] > left + 2 and box[1] > top + 2 and box[2] < right - 2 and box[3] < bottom - 2
        if within and not any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in taken):
            return box
    return None
