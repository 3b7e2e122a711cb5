"""The issuer's public keys: fetched, judged, kept for a while."""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from types import MappingProxyType
from typing import Any
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
)

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from jwt.exceptions import PyJWTError

log = logging.getLogger(__name__)

KEPT_SECONDS = 600
PAUSE_SECONDS = 30
"""Between two reads that tokens cause by naming unknown keys, and after a read that failed."""

FIRST_PAUSE_SECONDS = 1
"""The same while there are no keys at all, and so no token can pass."""

FETCH_SECONDS = 5
MAX_SET_BYTES = 256 * 1024
LEAST_RSA_BITS = 2048


class KeysUnavailable(Exception):
    """The issuer's keys have never been read: no token can be judged, and none must be called invalid."""


class KeyUnknown(Exception):
    """The issuer publishes no usable key of that id."""


class SetUnusable(ValueError):
    """What is at the issuer's address is no set of keys; the text says why."""


class KeyUnusable(Exception):
    """A key of the set that must not verify our tokens; the text says why."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public key and the one algorithm it serves: a token cannot choose another."""

    algorithm: str
    public: RSAPublicKey | EllipticCurvePublicKey


class IssuerKeys:
    """The keys that an issuer publishes as a JSON Web Key Set.

    A set is good for ten minutes, so a key that the issuer takes away is refused after that. It is read again earlier
    when a token names a key that is not in it, but not more often than every thirty seconds: ids cost nothing to make
    up. While a read fails, the last good set stays.

    Parameters
    ----------
    url
        Where the set is; redirections are not followed.
    clock
        Seconds. The wall clock, because the monotonic one may stand still while Lambda keeps a function frozen.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.time) -> None:
        self._url = url
        self._clock = clock
        self._keys: Mapping[str, Key] | None = None
        self._read_at = float("-inf")
        self._tried_at = float("-inf")

    def find(self, kid: str) -> Key:
        """The key of an id.

        Raises
        ------
        KeyUnknown
        KeysUnavailable
        """
        if self._keys is None or self._is_older(self._read_at, KEPT_SECONDS) or kid not in self._keys:
            self._refresh()
        if self._keys is None:
            raise KeysUnavailable(f"The keys at {self._url} have not been read.")
        if kid not in self._keys:
            raise KeyUnknown(f"the issuer has no key {kid!r}")
        return self._keys[kid]

    def _refresh(self) -> None:
        pause = FIRST_PAUSE_SECONDS if self._keys is None else PAUSE_SECONDS
        if not self._is_older(self._tried_at, pause):
            return
        self._tried_at = self._clock()
        try:
            found = _read_set(_fetch(self._url))
        except (OSError, HTTPException, ValueError) as error:
            log.warning("The issuer's keys at %s could not be read: %s", self._url, error)
            return
        self._keys = MappingProxyType(found)
        self._read_at = self._tried_at

    def _is_older(self, moment: float, seconds: float) -> bool:
        """A moment in the future counts as old, too: the clock was set back."""
        return not 0 <= self._clock() - moment < seconds


def _fetch(url: str) -> bytes:
    """The body of a 200, within the limits of time and size."""
    opener = OpenerDirector()  # without the handlers for file:, ftp: and redirections that urlopen has
    for handler in (ProxyHandler, HTTPHandler, HTTPSHandler, HTTPDefaultErrorHandler, HTTPErrorProcessor):
        opener.add_handler(handler())
    deadline = time.monotonic() + FETCH_SECONDS
    response = opener.open(url, timeout=FETCH_SECONDS)
    if response is None:
        raise SetUnusable("the address is neither http nor https")
    body = bytearray()
    with response:
        while part := response.read1(MAX_SET_BYTES):
            body += part
            if len(body) > MAX_SET_BYTES:
                raise SetUnusable(f"the set is larger than {MAX_SET_BYTES} bytes")
            if time.monotonic() > deadline:
                raise TimeoutError(f"the set took more than {FETCH_SECONDS} s")
    return bytes(body)


def _read_set(body: bytes) -> dict[str, Key]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise SetUnusable(f"it is no JSON: {error}") from error
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise SetUnusable("it is no JSON Web Key Set")
    found: dict[str, Key] = {}
    for kid, key in _usable(listed):
        found.setdefault(kid, key)
    return found


def _usable(listed: list[Any]) -> Iterator[tuple[str, Key]]:
    """The keys that may verify tokens. One that may not is passed over: its neighbours still count."""
    for jwk in listed:
        try:
            yield _kid(jwk), _read_key(jwk)
        except KeyUnusable as refusal:
            log.warning("A key of the issuer's is passed over: %s", refusal)


def _kid(jwk: Any) -> str:
    kid = jwk.get("kid") if isinstance(jwk, dict) else None
    if not isinstance(kid, str) or not kid:
        raise KeyUnusable("it has no id")
    return kid


def _read_key(jwk: dict[str, Any]) -> Key:
    kind = jwk.get("kty")
    reader = READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise KeyUnusable(f"{jwk['kid']}: of type {kind}")
    if "d" in jwk:
        raise KeyUnusable(f"{jwk['kid']}: its private half is published")
    if jwk.get("use", "sig") != "sig":
        raise KeyUnusable(f"{jwk['kid']}: for use {jwk['use']}")
    try:
        key = reader(jwk)
    except (PyJWTError, ValueError, TypeError, KeyError) as error:
        raise KeyUnusable(f"{jwk['kid']}: {error}") from error
    if jwk.get("alg", key.algorithm) != key.algorithm:
        raise KeyUnusable(f"{jwk['kid']}: for algorithm {jwk['alg']}")
    return key


def _read_rsa(jwk: dict[str, Any]) -> Key:
    public = RSAAlgorithm.from_jwk(jwk)
    if not isinstance(public, RSAPublicKey) or public.key_size < LEAST_RSA_BITS:
        raise KeyUnusable(f"{jwk['kid']}: fewer than {LEAST_RSA_BITS} bits")
    return Key("RS256", public)


def _read_ec(jwk: dict[str, Any]) -> Key:
    if jwk.get("crv") != "P-256":
        raise KeyUnusable(f"{jwk['kid']}: on curve {jwk.get('crv')}")
    public = ECAlgorithm.from_jwk(jwk)
    if not isinstance(public, EllipticCurvePublicKey):
        raise KeyUnusable(f"{jwk['kid']}: no public key")
    return Key("ES256", public)


READERS: Mapping[str, Callable[[dict[str, Any]], Key]] = MappingProxyType({"RSA": _read_rsa, "EC": _read_ec})
