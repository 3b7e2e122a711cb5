"""SVG as text: elements, numbers, escaping. Nothing that is not a finite number gets into a picture."""

import math
import re
import zlib
from collections.abc import Iterable

from terrafusion.charts.style import FONT_FAMILY, INK, LINE_HEIGHT, PAPER, TEXT_SIZE, Shape

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})
LIMIT = 100_000.0  # pixels; what lies further out is clipped anyway, and renderers lose precision there


def number(value: float) -> str:
    """A coordinate to a tenth of a pixel.

    Raises
    ------
    ValueError
        For NaN and infinities.
    """
    if not math.isfinite(value):
        raise ValueError(f"a picture can't hold the coordinate {value}")
    text = f"{max(-LIMIT, min(LIMIT, value)):.1f}"
    text = text.removesuffix(".0")
    return "0" if text == "-0" else text


def escape(text: str) -> str:
    """Text for element content and double-quoted attributes; characters that XML forbids become U+FFFD."""
    return _FORBIDDEN.sub("\ufffd", text).translate(_ENTITIES)


def element(name: str, content: str | None = None, /, **attributes: str | float) -> str:
    """One element; `_` in a name stands for `-`, and a trailing one is dropped (`class_`)."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value) if isinstance(value, str) else number(value)}"'
        for key, value in attributes.items()
        if value != ""
    )
    return f"<{name}{written}/>" if content is None else f"<{name}{written}>{content}</{name}>"


def text(
    content: str, x: float, y: float, *, size: float = TEXT_SIZE, fill: str = INK, halo: bool = False,
    **attributes: str | float,
) -> str:  # fmt: skip
    """A text at its baseline; with a halo it stays legible on anything."""
    if halo:
        attributes |= {"paint_order": "stroke", "stroke": PAPER, "stroke_width": 3, "stroke_linejoin": "round"}
    return element("text", escape(content), x=x, y=y, font_size=size, fill=fill, **attributes)


def lines(
    content: Iterable[str], x: float, y: float, *, size: float = TEXT_SIZE, **attributes: str | float
) -> list[str]:
    """Several lines of text, the first with its baseline at y."""
    return [
        text(line, x, y + index * size * LINE_HEIGHT, size=size, **attributes)  # type: ignore[arg-type]
        for index, line in enumerate(content)
    ]


def path(points: Iterable[tuple[float, float]], *, close: bool = False) -> str:
    """A path's data through points; steps that round to nothing are left out."""
    steps: list[str] = []
    last = ""
    for x, y in points:
        step = f"{number(x)} {number(y)}"
        if step != last:
            steps.append(step)
            last = step
    if not steps:
        return ""
    return "M" + "L".join(steps) + ("h0" if len(steps) == 1 else "") + ("Z" if close else "")


_POLYGONS = {
    Shape.TRIANGLE: ((0, -1.25), (1.1, 0.75), (-1.1, 0.75)),
    Shape.DIAMOND: ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
    Shape.SQUARE: ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    Shape.STAR: tuple(
        (radius * math.sin(math.pi * k / 5), -radius * math.cos(math.pi * k / 5))
        for k, radius in enumerate((1.45, 0.6) * 5)
    ),
}


def symbol(shape: Shape, x: float, y: float, radius: float, colour: str, **attributes: str | float) -> str:
    """A point's symbol around a place."""
    if shape in _POLYGONS:
        corners = ((x + radius * dx, y + radius * dy) for dx, dy in _POLYGONS[shape])
        return element("path", d=path(corners, close=True), fill=colour, **attributes)
    if shape is Shape.CROSS:
        r = radius
        d = path([(x - r, y - r), (x + r, y + r)]) + path([(x + r, y - r), (x - r, y + r)])
        return element("path", d=d, fill="none", stroke=colour, stroke_width=max(1.2, radius / 2))
    if shape is Shape.RING:
        return element("circle", cx=x, cy=y, r=radius, fill=PAPER, stroke=colour, stroke_width=1.5)
    return element("circle", cx=x, cy=y, r=radius, fill=colour, **attributes)


def picture(width: float, height: float, *, title: str, description: str, body: Iterable[str]) -> str:
    """A whole SVG document that says what it shows; `{id}` in the body becomes a name of the picture's own."""
    content = "\n".join(body)
    identity = f"p{zlib.crc32(f'{title} {description}'.encode()):08x}{zlib.crc32(content.encode()):08x}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="{identity}-t {identity}-d" '
        f'viewBox="0 0 {number(width)} {number(height)}" width="{number(width)}" height="{number(height)}" '
        f'font-family="{FONT_FAMILY}">\n'
        f'<title id="{identity}-t">{escape(title)}</title>\n<desc id="{identity}-d">{escape(description)}</desc>\n'
        f'<rect width="{number(width)}" height="{number(height)}" fill="{PAPER}"/>\n'
        f"{content.replace(ID, identity)}\n</svg>\n"
    )


ID = "\ue000id"
"""Stands for the picture's own prefix of ids until it is known."""
