"""The authorizer's Lambda entry (HTTP API, payload 2.0, simple responses)."""

import os
from functools import cache
from typing import Any

from authorizer.keys import IssuerKeys
from authorizer.settings import AuthorizerSettings
from authorizer.tokens import TokenRefused, Verifier
from terrafusion.logs import configure
from terrafusion.metrics import AUTHORIZATIONS, EmfSink
from terrafusion.settings import MetricSettings

logger = configure("authorizer")


@cache
def verifier() -> Verifier:
    """The verifier of this deployment."""
    settings = AuthorizerSettings.read(os.environ)
    keys = IssuerKeys(settings.jwks_url)
    return Verifier(settings.jwt_issuer, settings.jwt_audience, keys, settings.role_permissions)


@cache
def metrics() -> EmfSink:
    """Where verdicts are counted."""
    return EmfSink("authorizer", namespace=MetricSettings.read(os.environ).metrics_namespace)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Say who calls, or that nobody is vouched for; without the issuer's keys it fails, and the caller is told 500."""
    answer = _judge(event)
    metrics().record(AUTHORIZATIONS, 1, {"outcome": "granted" if answer["isAuthorized"] else "refused"})
    return answer


def _judge(event: dict[str, Any]) -> dict[str, Any]:
    headers = {name.lower(): value for name, value in event.get("headers", {}).items()}  # SAM leaves them as sent
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        return {"isAuthorized": False, "context": {}}
    try:
        principal = verifier().principal(token.strip())
    except TokenRefused as refusal:
        logger.info("token refused", reason=str(refusal))
        return {"isAuthorized": False, "context": {}}
    return {"isAuthorized": True, "context": principal.to_context()}


if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:  # in Lambda: a deployment that is set up wrongly fails its init
    verifier()
