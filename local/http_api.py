"""Reads the template's HTTP API: authorizers, CORS, throttling, and the functions' routes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from local.intrinsics import TemplateError
from local.stack import Authorizer, Cors, FunctionSpec, HttpApi, Route
from local.stanzas import Stanza, read_throttle


def read_http_api(stanza: Stanza, functions: Mapping[str, FunctionSpec]) -> HttpApi:
    """Read the API, with the routes that the functions' events add.

    Raises
    ------
    TemplateError
        When it cannot run here; an authorizer above all, as a route must not be open by mistake.
    """
    stanza.refuse("DefinitionBody", "DefinitionUri", why="routes come from the functions' events here")
    routes = [route for function in functions.values() for route in function.routes]
    authorizers = _read_authorizers(stanza, functions)
    keys = set()
    for route in routes:
        if route.authorizer is not None and route.authorizer not in authorizers:
            raise TemplateError(f"{stanza.where}.Auth: there is no authorizer {route.authorizer} for {route.key}")
        if route.key in keys:
            raise TemplateError(f"{stanza.where}: two events have the route {route.key}")
        keys.add(route.key)
    cors = stanza.get("CorsConfiguration")
    return HttpApi(stanza.logical_id, _throttled(stanza, routes), authorizers, _read_cors(cors) if cors else None)


def default_authorizer(stanza: Stanza) -> str | None:
    """The authorizer of routes that name none."""
    name = stanza.properties.get("Auth", {}).get("DefaultAuthorizer")
    return None if name is None else str(stanza.resolver.resolve(name, f"{stanza.where}.Auth.DefaultAuthorizer"))


def _read_authorizers(stanza: Stanza, functions: Mapping[str, FunctionSpec]) -> dict[str, Authorizer]:
    found = {}
    by_arn = {function.arn: function.name for function in functions.values()}
    for name, raw in stanza.properties.get("Auth", {}).get("Authorizers", {}).items():
        where = f"{stanza.where}.Auth.Authorizers.{name}"
        properties = stanza.resolver.resolve(
            {key: value for key, value in raw.items() if key != "FunctionInvokeRole"}, where
        )
        if "FunctionArn" not in properties:
            raise TemplateError(f"{where}: only a Lambda authorizer can run here")
        if str(properties.get("AuthorizerPayloadFormatVersion")) != "2.0" or not properties.get(
            "EnableSimpleResponses"
        ):
            raise TemplateError(f"{where}: only payload format 2.0 with EnableSimpleResponses can run here")
        if properties["FunctionArn"] not in by_arn:
            raise TemplateError(f"{where}.FunctionArn: {properties['FunctionArn']} is no function of this template")
        found[name] = _authorizer(name, by_arn[properties["FunctionArn"]], properties.get("Identity", {}), where)
    return found


def _authorizer(name: str, function: str, identity: Mapping[str, Any], where: str) -> Authorizer:
    for kind in ("Context", "StageVariables"):
        if kind in identity:
            raise TemplateError(f"{where}.Identity.{kind}: identity comes from headers and query strings here")
    headers = tuple(str(header).lower() for header in identity.get("Headers", []))
    query = tuple(str(parameter) for parameter in identity.get("QueryStrings", []))
    return Authorizer(name, function, headers, query, float(identity.get("ReauthorizeEvery", 0)))


def _throttled(stanza: Stanza, routes: Sequence[Route]) -> tuple[Route, ...]:
    default = read_throttle(stanza.get("DefaultRouteSettings", {}))
    own = {key: read_throttle(settings) for key, settings in stanza.get("RouteSettings", {}).items()}
    return tuple(replace(route, throttle=route.throttle or own.get(route.key) or default) for route in routes)


def _read_cors(value: Any) -> Cors:
    if not isinstance(value, Mapping):
        origin = "*" if value is True else str(value).strip("'")
        return Cors(origins=(origin,))
    age = value.get("MaxAge")
    return Cors(
        origins=_texts(value.get("AllowOrigins")),
        methods=tuple(method.upper() for method in _texts(value.get("AllowMethods"))),
        headers=tuple(header.lower() for header in _texts(value.get("AllowHeaders"))),
        expose=_texts(value.get("ExposeHeaders")),
        max_age=None if age is None else int(age),
        credentials=bool(value.get("AllowCredentials", False)),
    )


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(item) for item in value or ())
