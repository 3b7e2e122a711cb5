"""A table of coloured cells: months by years, classes by neighbourhoods."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from terrafusion.charts import svg
from terrafusion.charts.axes import Value
from terrafusion.charts.frame import Frame
from terrafusion.charts.marks import aligned
from terrafusion.charts.style import DIVERGING, SEQUENTIAL, TEXT_SIZE, Look, ink_on, text_width
from terrafusion.charts.units import Unit, amount


@dataclass(frozen=True, slots=True)
class Cells:
    """A cell for each pair of categories, its number written in it where there is room; None is left blank.

    Attributes
    ----------
    middle
        Value from which colours diverge; None colours from the smallest to the largest.
    """

    name: str
    x: Sequence[str]
    y: Sequence[str]
    value: Sequence[float | None]
    unit: Unit = Unit.NUMBER
    middle: float | None = None
    look: Look | None = None

    def values(self) -> tuple[Sequence[Value], Sequence[Value]]:
        """See `Mark`."""
        aligned(self.name, self.x, self.y, self.value)
        return self.x, self.y

    def draw(self, frame: Frame, look: Look) -> Iterator[str]:  # noqa: ARG002
        """See `Mark`."""
        width = abs(frame.x.pixel(1) - frame.x.pixel(0)) - 1.5
        height = abs(frame.y.pixel(1) - frame.y.pixel(0)) - 1.5
        low, high = self._ends()
        for x, y, value in zip(self.x, self.y, self.value, strict=True):
            if value is None:
                continue
            middle_x, middle_y = frame.point(x, y, self.name)
            step = self._step(value, low, high)
            fill = (SEQUENTIAL if self.middle is None else DIVERGING)[step]
            place = {"x": middle_x - width / 2, "y": middle_y - height / 2, "width": width, "height": height}
            yield svg.element("rect", fill=fill, **place)
            written = amount(value, self.unit)
            if text_width(written) < width - 2 and height > TEXT_SIZE:
                yield svg.text(written, middle_x, middle_y + 4, text_anchor="middle", fill=ink_on(fill))

    def _ends(self) -> tuple[float, float]:
        known = [value for value in self.value if value is not None] or [0.0]
        if self.middle is None:
            return min(known), max(known)
        reach = max(abs(value - self.middle) for value in known)
        return self.middle - reach, self.middle + reach

    def _step(self, value: float, low: float, high: float) -> int:
        """Which of the palette's seven colours."""
        if high - low <= 0:
            return 3
        share = (value - low) / (high - low)
        if not 0 <= share <= 1:
            raise ValueError(f"{self.name}: {value} can't be drawn")
        return min(6, int(share * 7))

    def key(self, x: float, y: float, look: Look) -> Iterator[str]:  # noqa: ARG002
        """See `Mark`."""
        colours = SEQUENTIAL if self.middle is None else DIVERGING
        for index, colour in enumerate(colours[1::2]):
            yield svg.element("rect", x=x + index * 7.3, y=y - 6, width=7.3, height=12, fill=colour)
