"""What every mark on a chart can do; the marks themselves are in `series`, `bars`, `cells` and `annotations`."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from terrafusion.charts.axes import Value
from terrafusion.charts.frame import Frame
from terrafusion.charts.style import Look


class Mark(Protocol):
    """Something drawn on a chart's axes."""

    @property
    def name(self) -> str:
        """What the legend calls it, and errors; "" leaves it out of the legend. One name, one look."""

    @property
    def look(self) -> Look | None:
        """Its own look; None takes the next of the palette."""

    def values(self) -> tuple[Sequence[Value], Sequence[Value]]:
        """What the axes x and y must hold."""

    def draw(self, frame: Frame, look: Look) -> Iterator[str]:
        """The mark as SVG elements."""

    def key(self, x: float, y: float, look: Look) -> Iterator[str]:
        """Its sign in the legend: 22 pixels wide from x, centred on y."""


def aligned(name: str, *columns: Sequence[object]) -> None:
    """Refuse columns of different lengths.

    Raises
    ------
    ValueError
        Names the mark.
    """
    if len({len(column) for column in columns}) > 1:
        raise ValueError(f"{name}: columns of {', '.join(str(len(column)) for column in columns)} values")
