"""Which route of an HTTP API takes a request."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from local.stack import Route

DEFAULT = "$default"
VARIABLE = re.compile(r"\{([^{}+]+)(\+?)\}")


@dataclass(frozen=True, slots=True)
class Match:
    """A route, and what its path's variables stand for."""

    route: Route
    variables: Mapping[str, str]


class Router:
    """Finds the most specific route, as API Gateway does.

    Segment by segment a literal goes before `{name}` and that before `{name+}`; `$default` is last. Of two routes with
    the same path, the one that names the method goes before ANY.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = sorted(((_pattern(route.path), route) for route in routes), key=lambda pair: _rank(pair[1]))

    def find(self, method: str, raw_path: str) -> Match | None:
        """The route of a request.

        Parameters
        ----------
        raw_path
            As it was sent, percent-encoded, so that an encoded slash is part of a variable's value.
        """
        for pattern, route in self._routes:
            if route.method not in {method, "ANY"}:
                continue
            found = pattern.fullmatch(raw_path)
            if found:
                names = (name for name, _ in VARIABLE.findall(route.path))
                values = (unquote(value) for value in found.groups())
                return Match(route, dict(zip(names, values, strict=True)))
        return None


def _pattern(path: str) -> re.Pattern[str]:
    if path == DEFAULT:
        return re.compile(".*", re.DOTALL)
    parts = []
    for segment in path.split("/"):
        variable = VARIABLE.fullmatch(segment)
        if variable is None:
            parts.append("".join(f"(?:{re.escape(c)}|{_encoded(c)})" for c in segment))
        else:
            parts.append("(.+)" if variable[2] else "([^/]+)")
    return re.compile("/".join(parts))


def _encoded(character: str) -> str:
    return "".join(f"%(?i:{byte:02x})" for byte in character.encode())


def _rank(route: Route) -> tuple[tuple[int, ...], bool]:
    """Sorts the most specific first."""
    if route.path == DEFAULT:
        return (9,), False
    kinds = []
    for segment in route.path.split("/"):
        variable = VARIABLE.fullmatch(segment)
        kinds.append(0 if variable is None else 2 if variable[2] else 1)
    return tuple(kinds), route.method == "ANY"
