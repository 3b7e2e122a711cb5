"""Charts and maps as SVG, in pure Python: deterministic, accessible, legible in grey.

`Chart(title, marks, x, y).svg()` draws marks on axes; `MapDrawing(title, layers).svg()` draws features of a county.
"""

from terrafusion.charts.annotations import Label, Rule, Span
from terrafusion.charts.axes import Axis, Scale
from terrafusion.charts.bars import Bars, Histogram, Intervals
from terrafusion.charts.cells import Cells
from terrafusion.charts.chart import Chart, Panel
from terrafusion.charts.layers import CLUSTERS, HOT_AND_COLD, Areas, Classes, Fill, Graduated, Paths, Places
from terrafusion.charts.maps import MapDrawing
from terrafusion.charts.marks import Mark
from terrafusion.charts.multiples import Multiples
from terrafusion.charts.projection import FOOT, US_SURVEY_FOOT
from terrafusion.charts.series import Band, Line, Points
from terrafusion.charts.style import FONT_FAMILY, LOOKS, Look, Shape, Tone
from terrafusion.charts.units import Unit, amount

__all__ = [
    "CLUSTERS",
    "FONT_FAMILY",
    "FOOT",
    "HOT_AND_COLD",
    "LOOKS",
    "US_SURVEY_FOOT",
    "Areas",
    "Axis",
    "Band",
    "Bars",
    "Cells",
    "Chart",
    "Classes",
    "Fill",
    "Graduated",
    "Histogram",
    "Intervals",
    "Label",
    "Line",
    "Look",
    "MapDrawing",
    "Mark", "Multiples",
    "Panel",
    "Paths",
    "Places",
    "Points",
    "Rule",
    "Scale",
    "Shape",
    "Span",
    "Tone",
    "Unit",
    "amount",
]  # fmt: skip
