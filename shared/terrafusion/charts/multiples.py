"""Several charts as one picture, side by side: the same marks for each neighborhood or year."""

from collections.abc import Sequence
from dataclasses import dataclass

from terrafusion.charts import svg
from terrafusion.charts.chart import MARGIN, Chart
from terrafusion.charts.heading import foot_height, heading, heading_height, note


@dataclass(frozen=True, slots=True)
class Multiples:
    """Charts in rows, each at its own size; give all the same axis ends, so that they can be compared."""

    title: str
    charts: Sequence[Chart]
    columns: int = 2
    subtitle: str = ""
    note: str = ""
    description: str = ""

    def svg(self) -> str:
        """The picture as an SVG document; see `Chart.svg`.

        Raises
        ------
        ValueError
            Also for no charts.
        """
        if not self.charts or self.columns < 1:
            raise ValueError(f"{self.title}: several charts need one at least, and a column")
        cell_width = max(chart.width for chart in self.charts)
        cell_height = max(chart.height for chart in self.charts)
        width = cell_width * min(self.columns, len(self.charts))
        top = heading_height(self.title, self.subtitle, width - 2 * MARGIN)
        rows = -(-len(self.charts) // self.columns)
        height = top + rows * cell_height + foot_height(self.note, width - 2 * MARGIN)
        body = [*heading(self.title, self.subtitle, MARGIN, width - 2 * MARGIN)]
        for index, chart in enumerate(self.charts):
            x, y = index % self.columns * cell_width, top + index // self.columns * cell_height
            place = f'<svg x="{svg.number(x)}" y="{svg.number(y)}" '
            body.append(chart.svg().replace("<svg ", place, 1).rstrip())
        body += note(self.note, MARGIN, height, width - 2 * MARGIN)
        described = self.description or "; ".join(chart.title for chart in self.charts)
        return svg.picture(width, height, title=self.title, description=described, body=body)
