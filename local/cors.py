"""The cross-origin headers of an HTTP API that configures CORS."""

from collections.abc import Mapping
from dataclasses import replace

from local.payload import HttpAnswer, HttpRequest
from local.stack import Cors

ANY_OF_SCHEME = ("http://*", "https://*")


def preflight(cors: Cors | None, request: HttpRequest) -> HttpAnswer | None:
    """The answer to a preflight request; None when the request is none, or is the routes' to answer."""
    headers = request.single_headers
    if cors is None or request.method != "OPTIONS" or "access-control-request-method" not in headers:
        return None
    granted = _granted(cors, headers)
    if granted:
        granted["access-control-allow-methods"] = ",".join(cors.methods)
        granted["access-control-allow-headers"] = ",".join(cors.headers)
        if cors.max_age is not None:
            granted["access-control-max-age"] = str(cors.max_age)
    return HttpAnswer(204, headers=tuple((name, value) for name, value in granted.items() if value))


def with_cors(cors: Cors | None, request: HttpRequest, answer: HttpAnswer) -> HttpAnswer:
    """The answer with the API's cross-origin headers in place of the function's."""
    if cors is None:
        return answer
    granted = _granted(cors, request.single_headers)
    if granted and cors.expose:
        granted["access-control-expose-headers"] = ",".join(cors.expose)
    kept = tuple(pair for pair in answer.headers if not pair[0].startswith("access-control-"))
    return replace(answer, headers=(*kept, *granted.items()))


def _granted(cors: Cors, headers: Mapping[str, str]) -> dict[str, str]:
    origin = headers.get("origin", "")
    schemes = tuple(scheme[:-1] for scheme in cors.origins if scheme in ANY_OF_SCHEME)
    everyone = "*" in cors.origins
    if not origin or not (everyone or origin in cors.origins or (schemes and origin.startswith(schemes))):
        return {}
    granted = {"access-control-allow-origin": "*" if everyone else origin}
    if cors.credentials:
        granted["access-control-allow-credentials"] = "true"
    return granted
