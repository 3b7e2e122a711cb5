"""The FastAPI factory: request ids, one error body, request metrics."""

import logging
import os
import re
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, RootModel
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from terrafusion import __version__
from terrafusion.auth import Principal
from terrafusion.errors import FieldError, InvalidRequest, TerraFusionError, TooLarge, Unavailable
from terrafusion.logs import about
from terrafusion.metrics import EmfSink, count_request
from terrafusion.settings import MetricSettings

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 5_000_000
"""A function takes 6 MB with everything around the body."""

STARTS_WITH_A_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def _as_text(value: Any) -> Any:
    if not isinstance(value, str) or not STARTS_WITH_A_DAY.match(value):
        raise ValueError("must be a date and a time, as 2026-03-01T08:00:00Z is")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError("lies before the year 1 or after 9999 in UTC") from None


Moment = Annotated[datetime, BeforeValidator(_as_text), AfterValidator(_in_utc)]
"""A moment in a query, in UTC; pydantic alone would take a number for seconds since 1970."""


class FieldProblem(BaseModel):
    """One thing wrong with a request."""

    field: str
    message: str


class Problem(BaseModel):
    """The body of every error."""

    error: str
    message: str
    errors: list[FieldProblem]
    request_id: str


class Refusal(BaseModel):
    """The gateway's own answer, given before any of our code is reached."""

    message: str


class ProblemOrRefusal(RootModel[Problem | Refusal]):
    """The body of an error that the gateway may have met first."""


BY_THE_GATEWAY = frozenset({401, 403, 413, 429, 500, 503})
"""What API Gateway may answer itself, the authorizer's verdict above all."""

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemOrRefusal if status in BY_THE_GATEWAY else Problem, "description": text}
    for status, text in {
        400: "The request cannot be read.",
        401: "No valid token.",
        403: "A permission or a county is missing.",
        404: "There is no such thing for this caller.",
        409: "The state of things does not allow it.",
        413: "The body is too large.",
        422: "The request was understood and cannot be fulfilled.",
        429: "Too many requests.",
        500: "The platform failed.",
        503: "Try again later.",
    }.items()
}


def principal(request: Request) -> Principal:
    """The caller that the authorizer vouched for."""
    context = request.scope.get("aws.event", {}).get("requestContext", {})
    caller = Principal.from_context(context.get("authorizer", {}).get("lambda"))
    address = str(context.get("http", {}).get("sourceIp", ""))
    return replace(caller, request_id=request.state.request_id, address=address)


Caller = Annotated[Principal, Depends(principal)]


Term = Annotated[str, Field(min_length=1, max_length=200)]
"""What a query looks for; nothing is no term."""


def _known_query(request: Request) -> None:
    """Refuse parameters that a route does not take, or takes once: what is misspelt would be passed over in silence."""
    route = request.scope["route"]
    if not route.include_in_schema:  # the one that answers for routes that there are not
        return
    known = {parameter.alias for parameter in route.dependant.query_params}
    takes = f"It takes {', '.join(sorted(known))}." if known else "It takes none."
    given = Counter(name for name, _ in request.query_params.multi_items())
    errors = [
        FieldError(name, f"No such parameter. {takes}" if name not in known else "Given more than once.")
        for name, times in given.items()
        if name not in known or times > 1
    ]
    if errors:
        wrong = "has no parameter" if errors[0].field not in known else "takes once the parameter"
        raise InvalidRequest(f"{request.url.path} {wrong} '{errors[0].field}'. {takes}", errors)


def create_app(title: str, service: str) -> FastAPI:
    """Make a plugin's application.

    Parameters
    ----------
    title
        What the plugin is called in the API's description.
    service
        What its metrics are recorded under.
    """
    app = FastAPI(
        title=title,
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        responses=PROBLEMS,
        dependencies=[Depends(_known_query)],
    )
    app.add_exception_handler(TerraFusionError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_unreadable)
    app.add_exception_handler(HTTPException, _on_http)
    namespace = MetricSettings.read(os.environ).metrics_namespace
    app.add_middleware(_Envelope, metrics=EmfSink(service, namespace=namespace))
    return app


def problem(
    request_id: str,
    status: int,
    title: str,
    message: str,
    errors: tuple[FieldError, ...] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The answer that every error becomes."""
    body = {
        "error": title,
        "message": message,
        "errors": [{"field": e.field, "message": e.message} for e in errors],
        "request_id": request_id,
    }
    return JSONResponse(body, status, headers)


async def _on_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TerraFusionError)  # noqa: S101  registered for these alone
    if error.status >= 500:
        log.error("%s", error.message, exc_info=error)
    headers = {"retry-after": str(error.retry_after_seconds)} if isinstance(error, Unavailable) else None
    return problem(request.state.request_id, error.status, error.title, error.message, error.errors, headers)


async def _on_unreadable(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101  registered for these alone
    found = error.errors()
    if any(e["type"] == "json_invalid" or tuple(e["loc"]) == ("body",) for e in found):
        text = "Request payload must be JSON."
        return problem(request.state.request_id, 400, "Invalid request format", text)
    errors = tuple(FieldError(_where(e["loc"]), _what(e)) for e in found)
    message = "; ".join(f"{e.field}: {e.message}" for e in errors[:3])
    return problem(request.state.request_id, 400, "Invalid request", message, errors)


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  registered for these alone
    allowed = (error.headers or {}).get("Allow", "")
    texts = {
        400: ("Invalid request format", "Request payload must be JSON."),
        404: ("Not found", f"There is no {request.url.path} here; see /api/v1/docs."),
        405: ("Method not allowed", f"{request.url.path} takes {allowed}, not {request.method}."),
    }
    title, message = texts.get(error.status_code, (str(error.detail), str(error.detail)))
    return problem(request.state.request_id, error.status_code, title, message, headers=error.headers)


def _where(location: tuple[int | str, ...]) -> str:
    inner = location[1:] if location and location[0] in {"body", "query", "path", "header"} else location
    return ".".join(str(part) for part in inner)


def _what(error: Mapping[str, Any]) -> str:
    return str(error["msg"]).removeprefix("Value error, ")


class _Envelope:
    """Around every request: its id, the limit on its body, its metrics, and an answer when the code fails.

    A body is read as JSON whatever its content type says, as all bodies of this API are.
    """

    def __init__(self, app: ASGIApp, metrics: EmfSink) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        context = scope.get("aws.event", {}).get("requestContext", {})
        request_id = context.get("requestId") or str(uuid.uuid4())
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                headers["cache-control"] = "no-store"
            await send(message)

        try:
            with about({"request_id": request_id}):
                await self._logged(scope, receive, send_with_id)
        finally:
            self._count(scope, status or 500, time.perf_counter() - started)

    async def _logged(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = scope["state"]["request_id"]
        try:
            await self._checked(scope, receive, send)
        except Exception:
            log.exception("request %s failed", request_id)
            answer = problem(request_id, 500, "Internal error", "The request failed; give its id when you report it.")
            await answer(scope, receive, send)

    async def _checked(self, scope: Scope, receive: Receive, send: Send) -> None:
        length = Headers(scope=scope).get("content-length", "")
        if length.isdigit() and int(length) > MAX_BODY_BYTES:
            text = f"The body has {int(length):,} bytes; the limit is {MAX_BODY_BYTES:,}."
            answer = problem(scope["state"]["request_id"], 413, TooLarge.title, text)
            await answer(scope, receive, send)
            return
        if scope["method"] == "POST":
            kept = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
            scope["headers"] = [*kept, (b"content-type", b"application/json")]
        await self._app(scope, receive, send)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route = scope.get("route")
        endpoint = getattr(route, "path", "unknown")
        count_request(self._metrics, str(scope["method"]), endpoint, status, seconds)
