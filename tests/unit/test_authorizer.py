"""Only tokens that the issuer signed, for us and for now, vouch for anybody."""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from authorizer.keys import MAX_SET_BYTES, IssuerKeys, KeysUnavailable, KeyUnknown
from authorizer.settings import AuthorizerSettings
from authorizer.tokens import MAX_TOKEN_CHARACTERS, TokenRefused, Verifier
from terrafusion.roles import RoleBook

ROOT = Path(__file__).resolve().parents[2]
ISSUER = "https://issuer.example/"
AUDIENCE = "terrafusion"

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
RSA_JWK = {**RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True), "kid": "rsa", "use": "sig", "alg": "RS256"}
EC_JWK = {**ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True), "kid": "ec", "use": "sig", "alg": "ES256"}
STRANGER_JWK = {**RSAAlgorithm.to_jwk(STRANGER.public_key(), as_dict=True), "kid": "new"}
PUBLISHED = {"keys": [RSA_JWK, EC_JWK]}


class Issuer:
    """A little HTTP server that publishes keys, or fails to."""

    def __init__(self) -> None:
        self.content = json.dumps(PUBLISHED).encode()
        self.status = 200
        self.asked = 0
        issuer = self

        class Keys(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                self.send_response(issuer.status)
                self.send_header("content-length", str(len(issuer.content)))
                self.send_header("location", "/elsewhere")
                self.end_headers()
                self.wfile.write(issuer.content)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Keys)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/jwks.json"

    def publish(self, *keys: Any) -> None:
        self.content = json.dumps({"keys": keys}).encode()
        self.status = 200

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    yield made
    made.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(issuer: Issuer, clock: Clock) -> IssuerKeys:
    return IssuerKeys(issuer.url, clock)


@pytest.fixture
def verifier(keys: IssuerKeys) -> Verifier:
    """A verifier that reads the keys from a server, as it does from an issuer."""
    return Verifier(ISSUER, AUDIENCE, keys, RoleBook.default())


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


def token(
    payload: dict[str, Any], key: Any = RSA_KEY, algorithm: str = "RS256", kid: str | None = "rsa", **header: Any
) -> str:
    named = {} if kid is None else {"kid": kid}
    return jwt.encode(payload, key, algorithm, headers={**named, **header})


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
        {"iat": int(time.time()) + 3600},
        {"exp": float("inf")},
        {"exp": "tomorrow"},
        {"aud": "other"},
        {"iss": "https://elsewhere.example/"},
        {"sub": None},
        {"sub": ""},
        {"sub": " "},
        {"sub": 7},
        {"iss": None},
        {"aud": None},
        {"exp": None},
        {"iat": None},
        {"counties": "benton", "roles": "GISStaff"},
        {"counties": ["*"]},
        {"counties": ["benton franklin"]},
        {"counties": [7]},
        {"roles": "ITAdmin"},
        {"roles": []},
        {"roles": None},
        {"roles": ["Janitor"]},
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


DEEP = base64.urlsafe_b64encode(b"[" * 3000).decode()


@pytest.mark.parametrize(
    "text", ["", "x", "a.b.c", "." * 5, "W10.e30.eA", "bnVsbA.e30.eA", f"{DEEP}.e30.eA", "x" * 9000, "é.é.é"]
)
def test_what_is_no_token_is_refused(verifier: Verifier, text: str) -> None:
    with pytest.raises(TokenRefused):
        verifier.principal(text)


def test_nothing_may_be_added_to_a_token(verifier: Verifier) -> None:
    good = token(claims())

    for text in (f"{good},", f"{good} ", f"{good},{good}", f"{good}.", f"{good}="):
        with pytest.raises(TokenRefused):
            verifier.principal(text)


def test_a_token_of_absurd_length_is_refused_before_the_keys_are_asked(issuer: Issuer, verifier: Verifier) -> None:
    with pytest.raises(TokenRefused):
        verifier.principal(token(claims(note="x" * MAX_TOKEN_CHARACTERS)))
    assert issuer.asked == 0


def test_a_token_that_names_no_key_is_refused(verifier: Verifier) -> None:
    with pytest.raises(TokenRefused):
        verifier.principal(token(claims(), kid=None))


@pytest.mark.parametrize("kid", [7, "", ["rsa"], {"rsa": 1}])
def test_a_key_id_that_is_no_name_is_refused(verifier: Verifier, kid: Any) -> None:
    signed = f"{_part({'alg': 'RS256', 'kid': kid})}.{_part(claims())}.eA"

    with pytest.raises(TokenRefused):
        verifier.principal(signed)


@pytest.mark.parametrize("extension", [["exp"], ["b64"], ["urn:example"], []])
def test_a_token_that_demands_extensions_is_refused(verifier: Verifier, extension: list[str]) -> None:
    with pytest.raises(TokenRefused):
        verifier.principal(token(claims(), crit=extension))


@pytest.mark.parametrize("place", ["jwk", "jku", "x5u"])
def test_a_key_that_a_token_brings_along_is_not_used(issuer: Issuer, verifier: Verifier, place: str) -> None:
    brought = {"jwk": STRANGER_JWK, "jku": issuer.url, "x5u": issuer.url}[place]

    with pytest.raises(TokenRefused):
        verifier.principal(token(claims(), STRANGER, **{place: brought}))
    with pytest.raises(TokenRefused):
        verifier.principal(token(claims(), STRANGER, kid="new", **{place: brought}))


def test_a_deployment_s_own_roles_replace_the_default(keys: IssuerKeys) -> None:
    book = RoleBook.model_validate({"Clerk": {"permissions": ["execute_reporting"], "every_county": True}})
    verifier = Verifier(ISSUER, AUDIENCE, keys, book)

    clerk = verifier.principal(token(claims(roles=["Clerk"])))

    assert clerk.permissions == {"execute_reporting"}
    assert clerk.sees("anywhere")
    with pytest.raises(TokenRefused):
        verifier.principal(token(claims(roles=["GISStaff"])))


def test_keys_are_read_once_in_ten_minutes(issuer: Issuer, keys: IssuerKeys, clock: Clock) -> None:
    for _ in range(20):
        keys.find("rsa")
        clock.now += 29

    assert issuer.asked == 1


def test_a_new_key_is_good_at_once(issuer: Issuer, verifier: Verifier, clock: Clock) -> None:
    verifier.principal(token(claims()))
    clock.now += 60
    issuer.publish(RSA_JWK, STRANGER_JWK)

    caller = verifier.principal(token(claims(sub="eve"), STRANGER, kid="new"))

    assert caller.subject == "eve"


def test_a_key_that_is_taken_away_is_refused_after_ten_minutes(
    issuer: Issuer, verifier: Verifier, clock: Clock
) -> None:
    old = token(claims())
    verifier.principal(old)
    issuer.publish(EC_JWK)

    clock.now += 599
    verifier.principal(old)
    clock.now += 2
    with pytest.raises(TokenRefused):
        verifier.principal(old)
    assert verifier.principal(token(claims(), EC_KEY, "ES256", "ec")).subject == "ada"


def test_a_key_that_is_exchanged_under_its_id_counts_after_ten_minutes(
    issuer: Issuer, verifier: Verifier, clock: Clock
) -> None:
    verifier.principal(token(claims()))
    issuer.publish({**STRANGER_JWK, "kid": "rsa"})

    clock.now += 601

    assert verifier.principal(token(claims(), STRANGER)).subject == "ada"
    with pytest.raises(TokenRefused):
        verifier.principal(token(claims()))


def test_made_up_key_ids_do_not_hammer_the_issuer(issuer: Issuer, keys: IssuerKeys, clock: Clock) -> None:
    keys.find("rsa")
    clock.now += 60

    for number in range(100):
        with pytest.raises(KeyUnknown):
            keys.find(f"made-up-{number}")
        clock.now += 0.1
    assert issuer.asked == 2

    clock.now += 30
    with pytest.raises(KeyUnknown):
        keys.find("made-up")
    assert issuer.asked == 3


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (500, b"{}"),
        (302, json.dumps(PUBLISHED).encode()),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"keys": {}}'),
        (200, b"[" * 100_000),
        (200, b"\xff\xfe\xfd"),
        (200, json.dumps({**PUBLISHED, "padding": "x" * MAX_SET_BYTES}).encode()),
    ],
)
def test_the_last_good_keys_stay_while_a_read_fails(
    issuer: Issuer,
    verifier: Verifier,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    status: int,
    content: bytes,
) -> None:
    verifier.principal(token(claims()))
    issuer.status, issuer.content = status, content

    clock.now += 3600
    assert verifier.principal(token(claims())).subject == "ada"
    assert issuer.asked == 2
    assert "could not be read" in caplog.text

    verifier.principal(token(claims()))
    assert issuer.asked == 2, "it is left in peace for half a minute"
    issuer.publish(EC_JWK)
    clock.now += 31
    with pytest.raises(TokenRefused):
        verifier.principal(token(claims()))


def test_without_any_keys_no_token_is_called_invalid(issuer: Issuer, verifier: Verifier, clock: Clock) -> None:
    issuer.status = 503

    for _ in range(3):
        with pytest.raises(KeysUnavailable):
            verifier.principal(token(claims()))
    assert issuer.asked == 1

    issuer.publish(RSA_JWK)
    clock.now += 2
    assert verifier.principal(token(claims())).subject == "ada"


def test_an_issuer_that_is_not_there(issuer: Issuer, verifier: Verifier, clock: Clock) -> None:
    verifier.principal(token(claims()))
    issuer.stop()
    clock.now += 3600

    assert verifier.principal(token(claims())).subject == "ada"
    with pytest.raises(KeysUnavailable):
        IssuerKeys(issuer.url).find("rsa")


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/keys", "data:,x", "jwks"])
def test_keys_come_over_http_alone(url: str) -> None:
    with pytest.raises(KeysUnavailable):
        IssuerKeys(url).find("rsa")


def rsa_jwk(bits: int) -> dict[str, Any]:
    made = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    return {**RSAAlgorithm.to_jwk(made.public_key(), as_dict=True), "kid": "odd"}


def ec_jwk(curve: ec.EllipticCurve) -> dict[str, Any]:
    return {**ECAlgorithm.to_jwk(ec.generate_private_key(curve).public_key(), as_dict=True), "kid": "odd"}


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(rsa_jwk(1024), id="short RSA"),
        pytest.param(ec_jwk(ec.SECP384R1()), id="P-384"),
        pytest.param(ec_jwk(ec.SECP256K1()), id="secp256k1"),
        pytest.param({"kty": "oct", "k": "c2VjcmV0", "kid": "odd", "alg": "HS256"}, id="shared secret"),
        pytest.param({"kty": "OKP", "crv": "Ed25519", "x": "eA", "kid": "odd"}, id="Ed25519"),
        pytest.param({**STRANGER_JWK, "kid": "odd", "use": "enc"}, id="for encryption"),
        pytest.param({**STRANGER_JWK, "kid": "odd", "alg": "PS256"}, id="PS256"),
        pytest.param({**STRANGER_JWK, "kid": "odd", "alg": "HS256"}, id="HS256"),
        pytest.param({**EC_JWK, "kid": "odd", "alg": "RS256"}, id="algorithm of another type"),
        pytest.param({**RSAAlgorithm.to_jwk(STRANGER, as_dict=True), "kid": "odd"}, id="private half"),
        pytest.param({**RSA_JWK, "kid": "odd", "n": "%%%"}, id="no number"),
        pytest.param({**EC_JWK, "kid": "odd", "x": "eA"}, id="not on the curve"),
        pytest.param({"kty": "RSA", "kid": "odd"}, id="nothing in it"),
        pytest.param({"kty": ["RSA"], "kid": "odd"}, id="type is a list"),
    ],
)
def test_a_key_that_must_not_count_is_passed_over(issuer: Issuer, keys: IssuerKeys, odd: dict[str, Any]) -> None:
    issuer.publish(odd, "no key", {**RSA_JWK, "kid": None}, RSA_JWK)

    assert keys.find("rsa").algorithm == "RS256"
    with pytest.raises(KeyUnknown):
        keys.find("odd")


@pytest.mark.parametrize(("jwk", "algorithm"), [(RSA_JWK, "RS256"), (EC_JWK, "ES256")])
def test_a_key_need_not_say_what_it_is_for(
    issuer: Issuer, keys: IssuerKeys, jwk: dict[str, Any], algorithm: str
) -> None:
    issuer.publish({name: value for name, value in jwk.items() if name not in {"use", "alg"}})

    assert keys.find(jwk["kid"]).algorithm == algorithm


DEPLOYED = {
    "STAGE": "prod",
    "JWT_ISSUER": "https://login.benton.example/",
    "JWT_AUDIENCE": "terrafusion",
    "JWKS_URL": "https://login.benton.example/keys",
}


def test_a_deployment_s_settings() -> None:
    settings = AuthorizerSettings.read(DEPLOYED)

    assert settings.role_permissions == RoleBook.default()
    roles = '{"Clerk": {"permissions": ["view_*"]}}'
    assert AuthorizerSettings.read({**DEPLOYED, "ROLE_PERMISSIONS": roles}).role_permissions.names == ("Clerk",)


WRONG = [
    *(("JWT_ISSUER", value) for value in ("", " ", "login.example", "http://login.example/", "https://", "https://[")),
    *(("JWT_ISSUER", f"https://{host}/") for host in ("localhost", "127.0.0.1")),
    *(("JWKS_URL", value) for value in ("", "http://login.example/keys", "file:///keys", "ftp://login.example/keys")),
    *(
        ("JWKS_URL", f"https://{host}/keys")
        for host in (
            *("localhost", "LOCALHOST:8443", "localhost.", "a.localhost", "user@localhost", "127.0.0.1", "127.9.9.9"),
            *("127.1", "2130706433", "0x7f.1", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]"),
        )
    ),
    *(("ROLE_PERMISSIONS", value) for value in ("{", "{}", "[]", '{"Clerk": {"permissions": ["all"]}}')),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_deployment_that_is_set_up_wrongly_is_refused(name: str, value: str) -> None:
    with pytest.raises(RuntimeError, match=name):
        AuthorizerSettings.read({**DEPLOYED, name: value})


def test_a_local_run_may_trust_its_own_machine() -> None:
    local = {**DEPLOYED, "STAGE": "local", "JWKS_URL": "http://127.0.0.1:3000/.well-known/jwks.json"}

    assert AuthorizerSettings.read(local).jwks_url == local["JWKS_URL"]


def start(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Import the handler as Lambda's init does, in a process of its own."""
    path = os.pathsep.join([str(ROOT / "functions/authorizer"), str(ROOT / "shared")])
    return subprocess.run(
        [sys.executable, "-c", "import authorizer.handler"],
        env={"PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_function_that_is_set_up_wrongly_fails_its_init() -> None:
    in_lambda = {"AWS_LAMBDA_FUNCTION_NAME": "authorizer"}

    assert start({**DEPLOYED, **in_lambda}).returncode == 0
    failed = start({**DEPLOYED, **in_lambda, "JWKS_URL": "https://localhost/keys"})
    assert failed.returncode != 0
    assert "JWKS_URL: Value error, must not be this machine" in failed.stderr
    assert start({}).returncode == 0, "outside of Lambda the module can be read without settings"


def test_the_handler_answers_the_gateway(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = authorizer_handler(issuer, monkeypatch)

    assert handler({"headers": {"authorization": f"Bearer {token(claims())}"}}) == {
        "isAuthorized": True,
        "context": {
            "subject": "ada",
            "permissions": "execute_gis_export view_*",
            "counties": "benton",
            "roles": "GISStaff",
        },
    }
    assert handler({"headers": {"Authorization": f"Bearer {token(claims())}"}})["isAuthorized"] is True
    for header in (f"Basic {token(claims())}", "Bearer", "Bearer x", "", f"Bearer {token(claims())},Basic eDp5"):
        assert handler({"headers": {"authorization": header}})["isAuthorized"] is False
    assert handler({})["isAuthorized"] is False


def test_the_handler_fails_without_the_issuer_s_keys(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    issuer.status = 503

    with pytest.raises(KeysUnavailable):
        authorizer_handler(issuer, monkeypatch)({"headers": {"authorization": f"Bearer {token(claims())}"}})


def authorizer_handler(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], dict[str, Any]]:
    settings = {"STAGE": "local", "JWT_ISSUER": ISSUER, "JWT_AUDIENCE": AUDIENCE, "JWKS_URL": issuer.url}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    from authorizer import handler as module

    module.verifier.cache_clear()
    context = SimpleNamespace(
        function_name="a", memory_limit_in_mb=1, invoked_function_arn="a", aws_request_id="a", get_remaining_time=None
    )
    return lambda event: module.handler(event, context)


def _part(document: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")
