"""HTTP requests and answers in API Gateway's payload format 2.0."""

import base64
import json
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from local.resources import ACCOUNT, REGION
from local.routing import Match

API_ID = "local"
STAGE = "$default"
CONNECTION_HEADERS = frozenset(
    {"connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers of one connection: the server sets its own."""


class MalformedAnswer(Exception):
    """The function answered something that is no HTTP response."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as it came in; header names in lower case, the body whole."""

    method: str
    raw_path: str
    raw_query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    protocol: str = "HTTP/1.1"
    client: str = "127.0.0.1"
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def query(self) -> dict[str, str]:
        """The query parameters; repeated ones joined by commas."""
        return _joined(parse_qsl(self.raw_query, keep_blank_values=True))

    @property
    def single_headers(self) -> dict[str, str]:
        """The headers but cookies; repeated ones joined by commas."""
        return _joined((name, value) for name, value in self.headers if name != "cookie")

    @property
    def cookies(self) -> list[str]:
        """The cookies, one `name=value` each."""
        lines = (value for name, value in self.headers if name == "cookie")
        return [cookie.strip() for line in lines for cookie in line.split(";") if cookie.strip()]


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer to send."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


def function_event(request: HttpRequest, match: Match, context: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the function gets; `context` is the authorizer's, None on an open route."""
    event = _common(request, match)
    if context is not None:
        event["requestContext"]["authorizer"] = {"lambda": dict(context)}
    try:
        text, encoded = request.body.decode("utf-8"), False
    except UnicodeDecodeError:
        text, encoded = base64.b64encode(request.body).decode(), True
    event["isBase64Encoded"] = encoded
    if request.body:
        event["body"] = text
    return event


def authorizer_event(request: HttpRequest, match: Match, identity: Iterable[str]) -> dict[str, Any]:
    """What a Lambda authorizer gets."""
    path = unquote(request.raw_path)
    return {
        **_common(request, match),
        "type": "REQUEST",
        "routeArn": f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{API_ID}/{STAGE}/{request.method}{path}",
        "identitySource": list(identity),
    }


def read_answer(payload: bytes) -> HttpAnswer:
    """Read what a function answered; a value without `statusCode` is the body of a 200.

    Raises
    ------
    MalformedAnswer
    """
    value = json.loads(payload)
    if not isinstance(value, dict) or "statusCode" not in value:
        text = value if isinstance(value, str) else json.dumps(value)
        return HttpAnswer(200, text.encode(), (("content-type", "application/json"),))
    try:
        status = int(value["statusCode"])
        body = str(value.get("body") or "")
        content = base64.b64decode(body, validate=True) if value.get("isBase64Encoded") else body.encode()
        headers = [(str(name).lower(), _header(item)) for name, item in (value.get("headers") or {}).items()]
        cookies = [("set-cookie", str(cookie)) for cookie in value.get("cookies") or []]
    except (AttributeError, TypeError, ValueError) as error:
        raise MalformedAnswer(str(error)) from error
    if not 100 <= status <= 599:
        raise MalformedAnswer(f"status {status}")
    kept = tuple((name, item) for name, item in headers if name not in CONNECTION_HEADERS)
    if content and not any(name == "content-type" for name, _ in kept):
        kept = (*kept, ("content-type", "text/plain;charset=UTF-8"))
    return HttpAnswer(status, content, (*kept, *cookies))


def message(status: int, text: str) -> HttpAnswer:
    """An answer of API Gateway's own."""
    return HttpAnswer(status, json.dumps({"message": text}).encode(), (("content-type", "application/json"),))


def as_problem(answer: HttpAnswer, request_id: str) -> HttpAnswer:
    """An answer of API Gateway's own in the shape that all of this API's errors have; AWS sends the message alone."""
    text = json.loads(answer.body)["message"]
    body = {"error": text, "message": text, "errors": [], "request_id": request_id}
    return HttpAnswer(answer.status, json.dumps(body).encode(), answer.headers)


def _common(request: HttpRequest, match: Match) -> dict[str, Any]:
    now = time.time()
    path = unquote(request.raw_path)
    headers = request.single_headers
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": match.route.key,
        "rawPath": path,
        "rawQueryString": request.raw_query,
        "headers": {**headers, "x-forwarded-for": request.client, "x-forwarded-proto": "http"},
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": API_ID,
            "domainName": headers.get("host", "localhost"),
            "domainPrefix": API_ID,
            "http": {
                "method": request.method,
                "path": path,
                "protocol": request.protocol,
                "sourceIp": request.client,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": request.request_id,
            "routeKey": match.route.key,
            "stage": STAGE,
            "time": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now * 1000),
        },
    }
    if request.cookies:
        event["cookies"] = request.cookies
    if request.query:
        event["queryStringParameters"] = request.query
    if match.variables:
        event["pathParameters"] = dict(match.variables)
    return event


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    result: dict[str, str] = {}
    for name, value in pairs:
        result[name] = f"{result[name]},{value}" if name in result else value
    return result


def _header(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if "\n" in text or "\r" in text:
        raise ValueError("a header holds a line break")
    return text
