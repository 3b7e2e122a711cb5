"""The authorizer's Lambda entry (HTTP API, payload 2.0, simple responses)."""

import os
from functools import cache
from typing import Any, Self

from pydantic import model_validator

from authorizer.tokens import TokenRefused, Verifier
from terrafusion.logs import configure
from terrafusion.settings import Settings

logger = configure("authorizer")


class AuthorizerSettings(Settings):
    """Whose tokens count."""

    stage: str
    jwt_issuer: str
    jwt_audience: str
    jwks_url: str

    @model_validator(mode="after")
    def _keys_travel_safely(self) -> Self:
        if self.stage != "local" and not self.jwks_url.startswith("https://"):
            raise ValueError("JWKS_URL must be https outside of local runs")
        return self


@cache
def verifier() -> Verifier:
    """The verifier of this deployment."""
    settings = AuthorizerSettings.read(os.environ)
    return Verifier(settings.jwt_issuer, settings.jwt_audience, settings.jwks_url)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Say who calls, or that nobody is vouched for."""
    scheme, _, token = event.get("headers", {}).get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        return {"isAuthorized": False, "context": {}}
    try:
        principal = verifier().principal(token.strip())
    except TokenRefused as refusal:
        logger.info("token refused", reason=str(refusal))
        return {"isAuthorized": False, "context": {}}
    return {"isAuthorized": True, "context": principal.to_context()}
