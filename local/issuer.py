"""The token issuer of one machine: a key made once, tokens signed with it, and the key set that verifies them."""

import json
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from local.private_files import keep_once

ISSUER = "https://terrafusion.local/"
AUDIENCE = "terrafusion"
DEFAULT_LIFETIME_SECONDS = 12 * 3600
ALGORITHM = "ES256"


class Issuer:
    """Issues tokens that the local cloud of one state folder accepts; the cloud need not run.

    Parameters
    ----------
    state
        The local cloud's folder; the key is made in it when first needed, readable by its owner alone.
    """

    issuer = ISSUER
    audience = AUDIENCE

    def __init__(self, state: Path) -> None:
        self._path = state / "issuer" / "key.pem"

    def token(
        self,
        subject: str,
        roles: Sequence[str],
        counties: Sequence[str],
        lifetime_seconds: float = DEFAULT_LIFETIME_SECONDS,
    ) -> str:
        """Sign a token for someone."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": subject,
            "roles": [str(role) for role in roles],
            "counties": list(counties),
            "iat": now,
            "nbf": now,
            "exp": now + int(lifetime_seconds),
        }
        return jwt.encode(claims, self._key, algorithm=ALGORITHM, headers={"kid": self._public["kid"]})

    def jwks(self) -> dict[str, Any]:
        """The key set, public halves only."""
        return {"keys": [self._public]}

    @cached_property
    def _key(self) -> ec.EllipticCurvePrivateKey:
        key = serialization.load_pem_private_key(keep_once(self._path, _new_key), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{self._path} does not hold an elliptic-curve key")
        return key

    @cached_property
    def _public(self) -> dict[str, Any]:
        public = self._key.public_key()
        digest = hashes.Hash(hashes.SHA256())
        digest.update(public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
        numbers: dict[str, Any] = json.loads(ECAlgorithm.to_jwk(public))
        return {**numbers, "kid": digest.finalize().hex()[:16], "use": "sig", "alg": ALGORITHM}


def _new_key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
