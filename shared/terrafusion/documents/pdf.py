"""PDF set by Typst: a template and data in, a tagged file that is the same to the byte out."""

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from terrafusion import fonts

HOUSE = Path(__file__).with_name("house.typ")
_PICTURE = re.compile(r"[a-z0-9][a-z0-9_-]*\.svg")


class DocumentError(Exception):
    """A template can't be set with the data that it was given: an error of ours, not of who asked."""


@dataclass(frozen=True, slots=True)
class Pdf:
    """A file's bytes and how many pages it has."""

    content: bytes
    pages: int


def pdf(
    template: Path, data: Mapping[str, Any], *, made_at: datetime, pictures: Mapping[str, str] | None = None
) -> Pdf:
    """Set a template as PDF/UA-1 with embedded fonts.

    Parameters
    ----------
    template
        A `.typ` file that imports `house.typ`; it reads the data as `json("data.json")`. Text in the data stays text:
        Typst interprets none of it.
    data
        What JSON can hold. Characters that the typeface lacks become boxes.
    made_at
        The moment that the file says it was made; the same moment and data give the same bytes.
    pictures
        SVG documents by file name, `[a-z0-9_-]+.svg`, for the template's `picture`.

    Raises
    ------
    DocumentError
        When Typst refuses, e.g. a picture without a description.
    """
    import typst

    with TemporaryDirectory(prefix="document-") as name:
        directory = Path(name)
        shutil.copyfile(HOUSE, directory / HOUSE.name)
        shutil.copyfile(template, directory / "document.typ")
        text = json.dumps(_printable(data), allow_nan=False, ensure_ascii=False)
        (directory / "data.json").write_text(text, encoding="utf-8")
        for file_name, svg in (pictures or {}).items():
            if not _PICTURE.fullmatch(file_name):
                raise DocumentError(f"{file_name!r} is no name for a picture")
            (directory / file_name).write_text(drawable(svg), encoding="utf-8")
        compiler = typst.Compiler(directory / "document.typ", root=directory, font_paths=_fonts())
        moment = made_at if made_at.tzinfo else made_at.replace(tzinfo=UTC)
        try:
            content: Any = compiler.compile(format="pdf", pdf_standards="ua-1", timestamp=moment)
            pages = json.loads(compiler.query("<pages>", field="value", one=True))
        except typst.TypstError as error:
            raise DocumentError(f"{template.name}: {error.message} {' '.join(error.hints)}".rstrip()) from error
    return Pdf(content, pages)


def drawable(svg: str) -> str:
    """A picture whose texts hold only what the typeface has a sign for."""
    known = fonts.characters()
    return "".join(c if ord(c) in known or c in "\n\t\r" else fonts.REPLACEMENT for c in svg)


@cache
def _fonts() -> Any:
    import typst

    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[fonts.DIRECTORY])


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return fonts.printable(value)
    if isinstance(value, Mapping):
        return {key: _printable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_printable(item) for item in value]
    return value
