"""A county's columns by standard field, from a file."""

from pathlib import Path
from typing import Any

import yaml

from cli.loading.errors import LoadError


def read_mapping(file: Path) -> dict[str, str]:
    """Read `standard: column` lines of a YAML or JSON file, at the top or under `field_map`.

    Raises
    ------
    LoadError
        When the file is missing or something else.
    """
    try:
        document: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise LoadError(f"{file.name} cannot be read as a mapping: {error}") from error
    if isinstance(document, dict) and "field_map" in document:
        document = document["field_map"]
    if not isinstance(document, dict) or not all(isinstance(text, str) for pair in document.items() for text in pair):
        raise LoadError(f"{file.name} is no mapping; write lines like `sale_price: PRICE`.")
    return document
