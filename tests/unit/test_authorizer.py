"""Only tokens that the issuer signed, for us and for now, vouch for anybody."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from authorizer.tokens import TokenRefused, Verifier

ISSUER = "https://issuer.example/"
AUDIENCE = "terrafusion"

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLISHED = {
    "keys": [
        {**RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True), "kid": "rsa", "use": "sig", "alg": "RS256"},
        {**ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True), "kid": "ec", "use": "sig", "alg": "ES256"},
    ]
}


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    """A verifier that reads the keys from a server, as it does from an issuer."""

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(PUBLISHED).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Keys) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Verifier(ISSUER, AUDIENCE, f"http://127.0.0.1:{server.server_port}/jwks.json")
        server.shutdown()


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    base = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ada",
        "iat": now,
        "exp": now + 600,
        "roles": ["GISStaff"],
        "counties": ["benton"],
    }
    return {k: v for k, v in {**base, **changes}.items() if v is not None}


def token(payload: dict[str, Any], key: Any = RSA_KEY, algorithm: str = "RS256", kid: str = "rsa") -> str:
    return jwt.encode(payload, key, algorithm, headers={"kid": kid})


@pytest.mark.parametrize(("key", "algorithm", "kid"), [(RSA_KEY, "RS256", "rsa"), (EC_KEY, "ES256", "ec")])
def test_a_good_token_names_its_caller(verifier: Verifier, key: Any, algorithm: str, kid: str) -> None:
    caller = verifier.principal(token(claims(), key, algorithm, kid))

    assert caller.subject == "ada"
    assert caller.counties == {"benton"}
    assert caller.has("execute_gis_export")
    assert not caller.has("execute_valuation")


def test_an_it_admin_sees_every_county(verifier: Verifier) -> None:
    assert verifier.principal(token(claims(roles=["ITAdmin"], counties=[]))).sees("anywhere")


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": int(time.time()) - 3600},
        {"nbf": int(time.time()) + 3600},
        {"aud": "other"},
        {"iss": "https://elsewhere.example/"},
        {"sub": None},
        {"exp": None},
        {"iat": None},
        {"counties": "benton"},
        {"counties": ["*"]},
        {"counties": ["benton franklin"]},
        {"counties": [7]},
        {"roles": "ITAdmin"},
    ],
)
def test_wrong_claims_are_refused(verifier: Verifier, changes: dict[str, Any]) -> None:
    with pytest.raises(TokenRefused):
        verifier.principal(token(claims(**changes)))


def test_a_stranger_s_signature_is_refused(verifier: Verifier) -> None:
    with pytest.raises(TokenRefused):
        verifier.principal(token(claims(), STRANGER))


def test_an_unknown_key_id_is_refused(verifier: Verifier) -> None:
    with pytest.raises(TokenRefused):
        verifier.principal(token(claims(), kid="nobody"))


def test_the_key_of_one_algorithm_does_not_serve_another(verifier: Verifier) -> None:
    with pytest.raises(TokenRefused):
        verifier.principal(token(claims(), EC_KEY, "ES256", "rsa"))


def test_an_edited_payload_is_refused(verifier: Verifier) -> None:
    head, _, signature = token(claims()).split(".")
    edited = _part(claims(counties=["franklin"]))

    with pytest.raises(TokenRefused):
        verifier.principal(f"{head}.{edited}.{signature}")


def test_no_algorithm_is_refused(verifier: Verifier) -> None:
    with pytest.raises(TokenRefused):
        verifier.principal(f"{_part({'alg': 'none', 'kid': 'rsa'})}.{_part(claims())}.")


def test_the_public_key_is_no_shared_secret(verifier: Verifier) -> None:
    """The classic confusion: HS256 with the published RSA key as the secret."""
    pem = RSA_KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    signed = f"{_part({'alg': 'HS256', 'kid': 'rsa'})}.{_part(claims())}"
    signature = base64.urlsafe_b64encode(hmac.new(pem, signed.encode(), hashlib.sha256).digest()).decode().rstrip("=")

    with pytest.raises(TokenRefused):
        verifier.principal(f"{signed}.{signature}")


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "." * 5])
def test_what_is_no_token_is_refused(verifier: Verifier, text: str) -> None:
    with pytest.raises(TokenRefused):
        verifier.principal(text)


def _part(document: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")
