"""Whether a document is EMF as AWS specifies it: the schema, and what a schema cannot say."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SCHEMA = json.loads(Path(__file__).with_name("emf_schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
MOST_BYTES = 1_048_576
MOST_DIMENSION_CHARACTERS = 1024
MOST_VALUES = 100


def problems(document: dict[str, Any]) -> list[str]:
    """What is wrong with a document; nothing, when CloudWatch would take it."""
    found = [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(document)]
    return found or [*_size(document), *_targets(document)]


def _size(document: dict[str, Any]) -> Iterator[str]:
    if len(json.dumps(document).encode()) > MOST_BYTES:
        yield "the document is too large"


def _targets(document: dict[str, Any]) -> Iterator[str]:
    """The members of the root that directives refer to: dimensions are text, metrics numbers or lists of them."""
    for directive in document["_aws"]["CloudWatchMetrics"]:
        for name in {name for names in directive["Dimensions"] for name in names}:
            value = document.get(name)
            if not isinstance(value, str) or not 1 <= len(value) <= MOST_DIMENSION_CHARACTERS:
                yield f"dimension {name} is {value!r}"
        for metric in directive["Metrics"]:
            value = document.get(metric["Name"])
            values = value if isinstance(value, list) else [value]
            if not 1 <= len(values) <= MOST_VALUES or not all(
                isinstance(one, int | float) and not isinstance(one, bool) for one in values
            ):
                yield f"metric {metric['Name']} is {value!r}"
