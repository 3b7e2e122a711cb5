"""The rectangle that marks are drawn in: two axes with their pixels."""

from dataclasses import dataclass, field

from terrafusion.charts.axes import Axis, Fitted, Value


@dataclass(frozen=True, slots=True)
class Side:
    """An axis along pixels; `last` lies above `first` for y, as pixels run downwards."""

    fitted: Fitted
    first: float
    last: float

    @property
    def axis(self) -> Axis:
        """The axis as it was asked for."""
        return self.fitted.axis

    def pixel(self, position: float) -> float:
        """Pixel of a position."""
        return self.first + self.fitted.share(position) * (self.last - self.first)

    def clamped(self, position: float) -> float:
        """A position within the axis' ends."""
        return self.fitted.clamped(position)


@dataclass(frozen=True, slots=True)
class Frame:
    """Both axes in pixels."""

    x: Side
    y: Side
    _labels: list[int] = field(default_factory=list)

    @property
    def top(self) -> float:
        """Pixel of the upper edge, whichever way y runs."""
        return min(self.y.first, self.y.last)

    def point(self, x: Value, y: Value, mark: str) -> tuple[float, float]:
        """Pixels of a pair of values; an error names the mark."""
        return self.x.pixel(self.x.axis.position(x, mark)), self.y.pixel(self.y.axis.position(y, mark))

    def stagger(self) -> float:
        """Where the next label at the frame's top goes below the ones before, so that they don't cover one another."""
        self._labels.append(0)
        return (len(self._labels) - 1) % 4 * 14.0
