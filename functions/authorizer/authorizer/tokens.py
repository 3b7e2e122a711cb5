"""Verifies JSON Web Tokens against the issuer's published keys."""

from collections.abc import Mapping
from typing import Any

import jwt
from jwt import PyJWKClient
from jwt.exceptions import PyJWTError

from terrafusion.auth import EVERY_COUNTY, Principal, Role, permissions_of

ALGORITHMS = {"RSA": "RS256", "EC": "ES256"}
"""The one algorithm accepted for each type of key: a token cannot choose."""

LEEWAY_SECONDS = 30
KEY_CACHE_SECONDS = 600


class TokenRefused(Exception):
    """The token vouches for nobody; the text says why, for the log and not for the caller."""


class Verifier:
    """Checks tokens of one issuer for one audience.

    Parameters
    ----------
    jwks_url
        Where the issuer publishes its keys; they are cached, and read again when a token names one that is not known.
    """

    def __init__(self, issuer: str, audience: str, jwks_url: str) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = PyJWKClient(jwks_url, cache_keys=True, lifespan=KEY_CACHE_SECONDS, timeout=5)

    def principal(self, token: str) -> Principal:
        """Who the token vouches for.

        Raises
        ------
        TokenRefused
        """
        try:
            key = self._keys.get_signing_key_from_jwt(token)
            claims = jwt.decode(
                token,
                key.key,
                algorithms=[ALGORITHMS[key.key_type or ""]],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except (PyJWTError, KeyError) as error:
            raise TokenRefused(f"{type(error).__name__}: {error}") from error
        return _principal(claims)


def _principal(claims: Mapping[str, Any]) -> Principal:
    roles = _names(claims, "roles")
    counties = [EVERY_COUNTY] if Role.IT_ADMIN in roles else _names(claims, "counties")
    return Principal(str(claims["sub"]), permissions_of(roles), frozenset(counties))


def _names(claims: Mapping[str, Any], claim: str) -> list[str]:
    """A claim that lists names; one with a blank or a wildcard in it would read as something else further on."""
    value = claims.get(claim, [])
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise TokenRefused(f"claim '{claim}' is not a list of names")
    if any(not name or EVERY_COUNTY in name or any(c.isspace() for c in name) for name in value):
        raise TokenRefused(f"claim '{claim}' holds a name with a blank or a wildcard")
    return value
