"""Draws the architecture out of the template: `python -m local.diagram` writes docs/images/architecture.svg."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.samples import PARAMETERS
from local.stack import FunctionSpec
from local.template import Template
from terrafusion.charts.style import AXIS, GRID, INK, LOOKS, MUTED
from terrafusion.charts.svg import element, path, picture, text

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "images" / "architecture.svg"

WIDTH, BOX, GAP, TOP = 1080.0, 24.0, 6.0, 92.0
COLUMNS = {"http": (190.0, 210.0), "hand-over": (450.0, 190.0), "work": (690.0, 210.0), "kept": (950.0, 120.0)}
HEADINGS = {"http": "Answer HTTP", "hand-over": "Hand over", "work": "Work, close, sweep", "kept": "Keep"}
COLOURS = {"http": LOOKS[0].colour, "hand-over": LOOKS[1].colour, "work": LOOKS[0].colour, "kept": MUTED}


@dataclass(frozen=True, slots=True)
class Box:
    """A named thing in a column, at a height."""

    name: str
    column: str
    y: float

    @property
    def left(self) -> tuple[float, float]:
        """Where arrows arrive."""
        return COLUMNS[self.column][0], self.y + BOX / 2

    @property
    def right(self) -> tuple[float, float]:
        """Where arrows leave."""
        x, width = COLUMNS[self.column]
        return x + width, self.y + BOX / 2

    def draw(self) -> Iterator[str]:
        """The box and its name."""
        x, width = COLUMNS[self.column]
        yield element("rect", x=x, y=self.y, width=width, height=BOX, rx=3, fill="#FFFFFF", stroke=COLOURS[self.column])
        yield text(self.name, x + 8, self.y + BOX / 2 + 4, size=11.5, fill=INK)


@dataclass(frozen=True, slots=True)
class Block:
    """The functions of one folder, what hands jobs to them, and the arrows between."""

    title: str
    columns: dict[str, list[str]]
    arrows: list[tuple[str, str]]

    @property
    def height(self) -> float:
        """Of the tallest column, with room for the title."""
        return max(len(names) for names in self.columns.values()) * (BOX + GAP) + 26

    def draw(self, y: float) -> Iterator[str]:
        """The block at a height."""
        yield element("rect", x=174, y=y, width=742, height=self.height, rx=5, fill="#F6F8FA", stroke=GRID)
        yield text(self.title, 184, y + 16, size=12, fill=MUTED, font_weight="bold")
        boxes = {
            name: Box(name, column, y + 22 + index * (BOX + GAP))
            for column, names in self.columns.items()
            for index, name in enumerate(names)
        }
        for start, end in self.arrows:
            yield from _arrow(boxes[start].right, boxes[end].left)
        for box in boxes.values():
            yield from box.draw()
        for name in self.columns["http"]:
            yield from _arrow((150, boxes[name].left[1]), boxes[name].left)


def blocks(template: Template) -> list[Block]:
    """One for each folder of functions, those without jobs first."""
    folders: dict[str, list[FunctionSpec]] = {}
    for function in template.functions.values():
        folders.setdefault(function.code.name, []).append(function)
    made = [_block(template, folder, functions) for folder, functions in folders.items()]
    return sorted(made, key=lambda block: len(block.columns["hand-over"]) > 0)


def _block(template: Template, folder: str, functions: Sequence[FunctionSpec]) -> Block:
    http = [f for f in functions if f.routes or f.name in {a.function for a in template.http_api.authorizers.values()}]
    work = [f for f in functions if f not in http]
    machines = [m for m in template.state_machines.values() if any(f.arn in m.definition for f in work)]
    queues = {
        q.queue_arn: q.queue_arn.rsplit(":", 1)[1].removeprefix("terrafusion-local-") for f in work for q in f.queues
    }
    names = {m.arn: f"{m.name.removeprefix('terrafusion-local-')} workflow" for m in machines}
    names |= {arn: f"{name} queue" for arn, name in queues.items()}
    arrows = [(_short(f), name) for f in http for arn, name in names.items() if _hands_over(f, arn)]
    arrows += [(names[m.arn], _short(f)) for m in machines for f in work if f.arn in m.definition]
    arrows += [(names[q.queue_arn], _short(f)) for f in work for q in f.queues]
    columns = {
        "http": [_short(f) for f in http],
        "hand-over": list(names.values()),
        "work": [f"{_short(f)}{_clock(f)}" for f in work],
    }
    clocks = {_short(f): f"{_short(f)}{_clock(f)}" for f in work}
    return Block(folder.replace("_", "-"), columns, [(a, clocks.get(b, b)) for a, b in arrows])


def _short(function: FunctionSpec) -> str:
    return function.logical_id.removesuffix("Function")


def _clock(function: FunctionSpec) -> str:
    return "  (scheduled)" if function.schedules else ""


def _hands_over(function: FunctionSpec, arn: str) -> bool:
    return any(value == arn or value.endswith(f"/{arn.rsplit(':', 1)[1]}") for value in function.environment.values())


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> Iterator[str]:
    x, y = end
    yield element("path", d=path([start, (x - 5, y)]), fill="none", stroke=AXIS, stroke_width=1.2)
    yield element("path", d=path([(x, y), (x - 7, y - 3.5), (x - 7, y + 3.5)], close=True), fill=AXIS)


def draw(template: Template) -> str:
    """The picture as SVG."""
    body: list[str] = [
        text("TerraFusion, as template.yaml deploys it", 20, 32, size=17, font_weight="bold"),
        text("Drawn from the template; each function has a role and a log group of its own.", 20, 52, fill=MUTED),
    ]
    for column, heading in HEADINGS.items():
        body.append(text(heading, COLUMNS[column][0], 80, size=12.5, fill=MUTED, font_weight="bold"))
    y = TOP
    for block in blocks(template):
        body += block.draw(y)
        y += block.height + 10
    body += _gateway(y, len(template.http_api.routes))
    kept = [*(t.name for t in template.tables.values()), *(b.name for b in template.buckets.values())]
    names = [name.removeprefix("terrafusion-local-").split("-123456789012")[0] for name in kept]
    for index, name in enumerate(names):
        kind = "table" if index < len(template.tables) else "bucket"
        body += Box(f"{name} {kind}", "kept", TOP + 22 + index * (BOX + GAP)).draw()
    described = "API Gateway calls functions; they hand jobs to queues and workflows, whose functions work on them."
    return picture(WIDTH, y + 10, title="Architecture", description=described, body=body)


def _gateway(bottom: float, routes: int) -> Iterator[str]:
    yield element(
        "rect", x=20, y=TOP, width=130, height=bottom - TOP - 10, rx=5, fill="#EEF2F7", stroke=LOOKS[0].colour
    )
    for index, line in enumerate(("clients", "over HTTPS", "", "API Gateway", "HTTP API,", f"{routes} routes")):
        yield text(line, 85, TOP + 30 + index * 17, size=12, text_anchor="middle", fill=INK)


if __name__ == "__main__":
    TARGET.write_text(draw(Template.load(ROOT / "template.yaml", PARAMETERS)), encoding="utf-8")
