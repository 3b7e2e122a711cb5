"""Charts and maps as SVG, in pure Python: deterministic, accessible, legible in grey.

`Chart(title, marks, x, y).svg()` draws marks on axes; `MapDrawing(title, layers).svg()` draws features of a county.
"""

from terrafusion.charts.annotations import Label, Rule, Span
from terrafusion.charts.axes import Axis, Scale
from terrafusion.charts.bars import Bars, Histogram, Intervals
from terrafusion.charts.cells import Cells
from terrafusion.charts.chart import Chart, Panel
from terrafusion.charts.marks import Mark
from terrafusion.charts.series import Band, Line, Points
from terrafusion.charts.style import FONT_FAMILY, LOOKS, Look, Shape, Tone
from terrafusion.charts.units import Unit, amount

__all__ = [
    "FONT_FAMILY", "LOOKS", "Axis", "Band", "Bars", "Cells", "Chart", "Histogram", "Intervals", "Label", "Line", "Look",
    "Mark", "Panel", "Points", "Rule", "Scale", "Shape", "Span", "Tone", "Unit", "amount",
]  # fmt: skip
