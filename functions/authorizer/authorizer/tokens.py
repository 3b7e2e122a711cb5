"""Verifies JSON Web Tokens against the issuer's published keys."""

import re
from collections.abc import Mapping
from typing import Any

import jwt
from jwt.exceptions import PyJWTError

from authorizer.keys import IssuerKeys, Key, KeyUnknown
from terrafusion.auth import EVERY_COUNTY, Principal
from terrafusion.roles import RoleBook, RolesConflict

LEEWAY_SECONDS = 30
REQUIRED = ("exp", "iat", "iss", "aud", "sub")
MAX_TOKEN_CHARACTERS = 8_192
COMPACT_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
"""Python's base64 drops what it does not know, so that a token with a comma in it would read as one without."""

ABSURD = (RecursionError, OverflowError)
"""What JSON nested thousands deep, or a time of 1e999, raises in the library."""


class TokenRefused(Exception):
    """The token vouches for nobody; the text says why, for the log and not for the caller."""


class Verifier:
    """Checks tokens of one issuer for one audience.

    Of a token's header only `kid` and `alg` count: the key is the issuer's, and `alg` must be the one the key is for.
    Keys that a token brings along (`jwk`, `jku`, `x5c`, `x5u`) are not looked at.
    """

    def __init__(self, issuer: str, audience: str, keys: IssuerKeys, roles: RoleBook) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._roles = roles

    def principal(self, token: str) -> Principal:
        """Who the token vouches for.

        Raises
        ------
        TokenRefused
        KeysUnavailable
            When no token can be judged.
        """
        if len(token) > MAX_TOKEN_CHARACTERS or not COMPACT_FORM.fullmatch(token):
            raise TokenRefused("not a signed token")
        try:
            key = self._key(jwt.get_unverified_header(token))
            return self._caller(self._claims(token, key))
        except (PyJWTError, KeyUnknown, RolesConflict, *ABSURD) as error:
            raise TokenRefused(f"{type(error).__name__}: {error}") from error

    def _key(self, header: Mapping[str, Any]) -> Key:
        if "crit" in header:
            raise TokenRefused("it demands extensions, and we have none")
        kid = header.get("kid")
        if not isinstance(kid, str) or not kid:
            raise TokenRefused("it names no key")
        return self._keys.find(kid)

    def _claims(self, token: str, key: Key) -> Mapping[str, Any]:
        return jwt.decode(
            token,
            key.public,
            algorithms=[key.algorithm],
            audience=self._audience,
            issuer=self._issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": list(REQUIRED)},
        )

    def _caller(self, claims: Mapping[str, Any]) -> Principal:
        if not claims["sub"].strip():
            raise TokenRefused("claim 'sub' is empty")
        grant = self._roles.grant(_names(claims, "roles"))
        if grant is None:
            raise TokenRefused("its roles grant nothing")
        counties = [EVERY_COUNTY] if grant.every_county else _names(claims, "counties")
        return Principal(claims["sub"], grant.permissions, frozenset(counties), frozenset(_names(claims, "roles")))


def _names(claims: Mapping[str, Any], claim: str) -> list[str]:
    """A claim that lists names; one with a blank or a wildcard in it would read as something else further on."""
    value = claims.get(claim, [])
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise TokenRefused(f"claim '{claim}' is not a list of names")
    if any(not name or EVERY_COUNTY in name or any(c.isspace() for c in name) for name in value):
        raise TokenRefused(f"claim '{claim}' holds a name with a blank or a wildcard")
    return value
