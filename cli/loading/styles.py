"""A layer's style for QGIS, as an operator hands it over: a QML file, checked before it is kept."""

import re
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat  # nosec B407  declarations are refused before anything could be expanded

from cli.loading.errors import LoadError

STYLE = "style.qml"
MAX_BYTES = 1_000_000
DECLARATION = re.compile(r"<!DOCTYPE\s+qgis\b[^\[>]*>")
"""What QGIS itself begins a style with; it has no need of it when it reads."""
NO_CODE = frozenset({"", "0"})


def read_style(file: Path) -> str:
    """Read a style: the root is `qgis`, nothing is declared, no code of a form is carried.

    Raises
    ------
    LoadError
        Naming what is wrong.
    """
    try:
        content = file.read_bytes()
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LoadError(f"{file.name} cannot be read as a style: {error}") from error
    if len(content) > MAX_BYTES:
        raise LoadError(f"{file.name} has {len(content):,} bytes; a style has at most {MAX_BYTES:,}.")
    text = DECLARATION.sub("", text, count=1)
    _Reading(file.name).check(text)
    return text


class _Reading:
    """Goes through a style's elements."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._path: list[str] = []
        self._root = ""
        self._code = ""

    def check(self, text: str) -> None:
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = lambda *_: self._refuse("it declares a document type or entities")
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = lambda _: self._path.pop()
        parser.CharacterDataHandler = self._text
        try:
            parser.Parse(text.encode(), True)
        except expat.ExpatError as error:
            self._refuse(f"it is not XML: {error}")
        if self._root != "qgis":
            self._refuse(f"its root is '{self._root}', not 'qgis'; save it from QGIS as a layer style file")
        if self._code.strip() not in NO_CODE:
            self._refuse("its form runs Python; save it without")

    def _begin(self, name: str, _attributes: dict[str, str]) -> None:
        self._root = self._root or name
        self._path.append(name)

    def _text(self, text: str) -> None:
        if self._path[-1] == "editforminitcodesource":
            self._code += text

    def _refuse(self, why: str) -> NoReturn:
        raise LoadError(f"{self._name} cannot be a layer's style: {why}.")
