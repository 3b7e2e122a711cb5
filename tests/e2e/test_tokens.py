"""The known attacks on JSON Web Tokens, over HTTP: each is refused on every route, and no job comes of it."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from local.issuer import Issuer
from tests.e2e.support import Client, LocalCloud

HOUR = 3600
REQUEST = {"export_format": "GPKG", "layers": ["zoning"]}
ROUTES = (
    ("POST", "/gis-export/run"),
    ("GET", "/gis-export/status/{job_id}"),
    ("GET", "/gis-export/results/{job_id}"),
    ("POST", "/gis-export/cancel/{job_id}"),
    ("GET", "/gis-export/list"),
    ("GET", "/gis-export/download/{job_id}"),
    ("GET", "/counties"),
)


@dataclass(frozen=True)
class Forge:
    """What an attacker may have seen, and the issuer's own key for tokens that are wrong in one claim alone."""

    cloud: LocalCloud
    county: str

    @cached_property
    def key(self) -> Any:
        return serialization.load_pem_private_key((self.cloud.state / "issuer/key.pem").read_bytes(), None)

    @cached_property
    def stranger(self) -> ec.EllipticCurvePrivateKey:
        return ec.generate_private_key(ec.SECP256R1())

    @cached_property
    def jwk(self) -> dict[str, Any]:
        (key,) = Issuer(self.cloud.state).jwks()["keys"]
        return dict(key)

    @property
    def pem(self) -> bytes:
        encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        return bytes(self.key.public_key().public_bytes(encoding, form))

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        times = {"iat": now, "nbf": now, "exp": now + HOUR}
        who = {"sub": "mallory", "roles": ["GISStaff"], "counties": [self.county]}
        return {"iss": Issuer.issuer, "aud": Issuer.audience, **who, **times, **changes}

    def sign(self, claims: dict[str, Any] | None = None, key: Any = None, **header: Any) -> str:
        """A token by the issuer's key, or another one; a header's member that is None is left out."""
        named = {k: v for k, v in {"kid": self.jwk["kid"], **header}.items() if v is not None}
        return jwt.encode(claims or self.claims(), key or self.key, "ES256", headers=named)

    def by_hand(self, header: dict[str, Any], signature: Callable[[bytes], bytes]) -> str:
        """A token that no library would make."""
        signed = f"{part(header)}.{part(self.claims())}"
        return f"{signed}.{encoded(signature(signed.encode()))}"

    def by_secret(self, secret: bytes) -> str:
        """The public key for a shared secret."""
        header = {"alg": "HS256", "kid": self.jwk["kid"]}
        return self.by_hand(header, lambda signed: hmac.digest(secret, signed, hashlib.sha256))

    def edited(self, **changes: Any) -> str:
        """Other claims under a good token's signature."""
        head, _, signature = self.sign().split(".")
        return f"{head}.{part(self.claims(**changes))}.{signature}"

    def brought_jwk(self) -> dict[str, Any]:
        numbers = json.loads(ECAlgorithm.to_jwk(self.stranger.public_key()))
        return {**numbers, "kid": "mine"}


def part(document: dict[str, Any]) -> str:
    return encoded(json.dumps(document).encode())


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def soon() -> int:
    return int(time.time()) + HOUR


Attack = Callable[[Forge], str]
ATTACKS: dict[str, Attack] = {
    "no algorithm": lambda f: f.by_hand({"alg": "none", "kid": f.jwk["kid"]}, lambda _: b""),
    "no algorithm, and a signature": lambda f: f.by_hand({"alg": "None", "kid": f.jwk["kid"]}, lambda _: b"x" * 64),
    "HS256 by the public key's PEM": lambda f: f.by_secret(f.pem),
    "HS256 by the public key's PEM, trimmed": lambda f: f.by_secret(f.pem.strip()),
    "HS256 by the public key's JWK": lambda f: f.by_secret(json.dumps(f.jwk).encode()),
    "HS256 by no key at all": lambda f: f.by_secret(b""),
    "a blank signature": lambda f: f.by_hand({"alg": "ES256", "kid": f.jwk["kid"]}, lambda _: bytes(64)),
    "unknown key id": lambda f: f.sign(kid="nobody"),
    "no key id": lambda f: f.sign(kid=None),
    "key id that is a path": lambda f: f.sign(kid="../../../dev/null"),
    "another key under the right id": lambda f: f.sign(key=f.stranger),
    "expired": lambda f: f.sign(f.claims(exp=int(time.time()) - HOUR)),
    "never expires": lambda f: f.sign({k: v for k, v in f.claims().items() if k != "exp"}),
    "not valid yet": lambda f: f.sign(f.claims(nbf=soon())),
    "issued in the future": lambda f: f.sign(f.claims(iat=soon(), exp=soon() + HOUR)),
    "for somebody else": lambda f: f.sign(f.claims(aud="another-api")),
    "for nobody": lambda f: f.sign({k: v for k, v in f.claims().items() if k != "aud"}),
    "from another issuer": lambda f: f.sign(f.claims(iss="https://evil.example/")),
    "of nobody": lambda f: f.sign(f.claims(sub="")),
    "without roles": lambda f: f.sign(f.claims(roles=[])),
    "of a role that is none": lambda f: f.sign(f.claims(roles=["Superuser"])),
    "a wildcard for a county": lambda f: f.sign(f.claims(counties=["*"])),
    "role raised": lambda f: f.edited(roles=["ITAdmin"]),
    "county changed": lambda f: f.edited(counties=["elsewhere"]),
    "life prolonged": lambda f: f.edited(exp=soon() + HOUR),
    "key brought along": lambda f: f.sign(key=f.stranger, jwk=f.brought_jwk()),
    "key brought along under its own id": lambda f: f.sign(key=f.stranger, kid="mine", jwk=f.brought_jwk()),
    "address of a key set brought along": lambda f: f.sign(key=f.stranger, kid="mine", jku="https://evil.example/jwks"),
    "address of a certificate brought along": lambda f: f.sign(key=f.stranger, x5u="https://evil.example/x5u"),
    "an extension demanded": lambda f: f.sign(crit=["exp"]),
    "a second signature": lambda f: f"{f.sign()}.{f.sign().rsplit('.', 1)[1]}",
    "a comma behind it": lambda f: f"{f.sign()},",
    "huge": lambda f: f.sign(f.claims(note="x" * 20_000)),
    "garbage": lambda _: "garbage",
    "garbage in three parts": lambda _: f"{encoded(b'{}')}.e30.AAAA",
    "brackets without end": lambda _: f"{encoded(b'[' * 5_000)}.e30.AAAA",
}
SCHEMES: dict[str, Callable[[str], list[str]]] = {
    "another scheme": lambda token: [f"Basic {token}"],
    "no scheme": lambda token: [token],
    "no token": lambda _: ["Bearer"],
    "two schemes": lambda token: ["Basic eDp5", f"Bearer {token}"],
    "two schemes, turned round": lambda token: [f"Bearer {token}", "Basic eDp5"],
    "the token twice": lambda token: [f"Bearer {token}", f"Bearer {token}"],
    "two schemes in one": lambda token: [f"Bearer {token}, Basic eDp5"],
    "the scheme twice": lambda token: [f"Bearer Bearer {token}"],
}


@pytest.fixture(scope="module")
def forge(cloud: LocalCloud, county: str) -> Forge:
    return Forge(cloud, county)


@pytest.fixture(scope="module")
def finished(as_role: Callable[..., Client]) -> dict[str, Any]:
    """A job of the county, with a result that is worth stealing."""
    gis = as_role("GISStaff")
    return gis.wait(gis.submit())


def statuses(client: Client, job_id: str, authorization: list[str]) -> list[int]:
    """What every route answers to the headers."""
    headers = [("authorization", value) for value in authorization]
    body = {"county_id": client.county, **REQUEST}
    return [
        httpx.request(
            method,
            f"{client.address}/api/v1{path.format(job_id=job_id)}",
            headers=headers,
            json=body if path.endswith("run") else None,
            timeout=60,
        ).status_code
        for method, path in ROUTES
    ]


def jobs_of(client: Client) -> list[str]:
    return [job["job_id"] for job in client.get("/gis-export/list", limit=100).json()["items"]]


def test_the_forge_makes_tokens_that_pass(forge: Forge, gis: Client) -> None:
    """Else every attack below would fail for another reason than its own."""
    answer = httpx.get(f"{gis.address}/api/v1/counties", headers={"authorization": f"Bearer {forge.sign()}"})

    assert answer.status_code == 200
    assert [county["county_id"] for county in answer.json()["items"]] == [forge.county]


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_forged_token_opens_nothing(forge: Forge, gis: Client, finished: dict[str, Any], attack: str) -> None:
    before = jobs_of(gis)

    found = statuses(gis, finished["job_id"], [f"Bearer {ATTACKS[attack](forge)}"])

    assert set(found) <= {401, 403}
    assert jobs_of(gis) == before


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_good_token_in_a_bad_header_opens_nothing(
    forge: Forge, gis: Client, finished: dict[str, Any], scheme: str
) -> None:
    before = jobs_of(gis)

    found = statuses(gis, finished["job_id"], SCHEMES[scheme](forge.sign()))

    assert set(found) <= {401, 403}
    assert jobs_of(gis) == before


def test_a_good_token_of_another_county_finds_nothing(
    as_role: Callable[..., Client], gis: Client, finished: dict[str, Any]
) -> None:
    stranger, job_id, before = as_role("Assessor", "elsewhere"), finished["job_id"], jobs_of(gis)

    assert stranger.post("/gis-export/run", {"county_id": gis.county, **REQUEST}).status_code == 403
    for path in ("status", "results", "download"):
        assert stranger.get(f"/gis-export/{path}/{job_id}").status_code == 404
    assert stranger.post(f"/gis-export/cancel/{job_id}").status_code == 404
    assert job_id not in jobs_of(stranger)
    assert jobs_of(gis) == before
