"""HTML pages in one file: styles and pictures inside, no scripts, readable aloud and on paper."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

DIRECTORY = Path(__file__).resolve().parent

_TAG = re.compile(r"<[/]?([^\s/>]*)([^>]*)")
_ACTIVE = re.compile(r"""\s(on\w+|style)\s*=|href\s*=\s*(?!"#)""", re.IGNORECASE)
_DRAWING = frozenset(
    {"svg", "title", "desc", "rect", "g", "path", "circle", "text", "defs", "clipPath", "pattern", "use"}
)


def html(template: Path, data: Mapping[str, Any]) -> str:
    """Fill a template.

    Parameters
    ----------
    template
        A `.html` file that extends `base.html`, whose `pieces` it may use. All data is escaped; a picture from
        `terrafusion.charts` is let through by the filter `picture`, which takes SVG only.
    """
    return _environment(template.parent).get_template(template.name).render(data)


@cache
def _environment(directory: Path) -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader([directory, DIRECTORY]), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters["picture"] = _picture
    return environment


def _picture(svg: str) -> Any:
    """Markup of a picture that only draws: known elements, no handlers, no addresses but those within itself."""
    from markupsafe import Markup

    text = svg.strip()
    tags = _TAG.findall(text)
    if (
        not text.startswith("<svg ")
        or {name for name, _ in tags} - _DRAWING
        or any(_ACTIVE.search(rest) for _, rest in tags)
    ):
        raise ValueError("what is no drawing can't stand in a page")
    return Markup(text)  # noqa: S704 # nosec B704: checked above
