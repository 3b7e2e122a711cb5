"""The API's own description, as far as it says which methods a path knows."""

import json
import re

VERBS = ("get", "post", "put", "patch", "delete")
VARIABLE = re.compile(r"\\\{[^{}]+\\\}")


class Description:
    """An OpenAPI document."""

    def __init__(self, document: bytes) -> None:
        paths = json.loads(document)["paths"]
        self._paths = [(_pattern(path), _methods(operations)) for path, operations in paths.items()]

    def methods_of(self, path: str) -> tuple[str, ...]:
        """The methods of all routes that have the path; none where there is no such path."""
        found = {method for pattern, methods in self._paths if pattern.fullmatch(path) for method in methods}
        return tuple(sorted(found))


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(VARIABLE.sub("[^/]+", re.escape(path)))


def _methods(operations: dict[str, object]) -> tuple[str, ...]:
    return tuple(verb.upper() for verb in VERBS if verb in operations)
