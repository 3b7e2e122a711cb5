"""HTML pages in one file: styles and pictures inside, no scripts, readable aloud and on paper."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

DIRECTORY = Path(__file__).resolve().parent


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
    """Markup of a picture that draws only: no scripts, no foreign content, no outside addresses."""
    from markupsafe import Markup

    text = svg.strip()
    lower = text.lower()
    if not text.startswith("<svg ") or any(word in lower for word in ("<script", "<foreignobject", " onload=", "<!")):
        raise ValueError("what is no drawing can't stand in a page")
    return Markup(text)  # noqa: S704
