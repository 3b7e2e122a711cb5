"""The token issuer of one machine."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jwt
import pytest

from local.issuer import Issuer


def verified(token: str, issuer: Issuer) -> dict[str, object]:
    (key,) = jwt.PyJWKSet.from_dict(issuer.jwks()).keys
    assert jwt.get_unverified_header(token)["kid"] == key.key_id
    return dict(jwt.decode(token, key, algorithms=["ES256"], audience="terrafusion", issuer=issuer.issuer))


def test_a_token_says_who_and_what_and_the_key_set_verifies_it(tmp_path: Path) -> None:
    issuer = Issuer(tmp_path)

    claims = verified(issuer.token("anna", ["GISStaff"], ["king"], lifetime_seconds=60), issuer)

    assert (claims["sub"], claims["roles"], claims["counties"]) == ("anna", ["GISStaff"], ["king"])
    assert claims["exp"] == int(str(claims["iat"])) + 60


def test_the_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    token = Issuer(tmp_path).token("anna", [], [])

    assert verified(token, Issuer(tmp_path))["sub"] == "anna"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "issuer").iterdir()] == [0o600]
    assert "d" not in Issuer(tmp_path).jwks()["keys"][0]


def test_issuers_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        keys = list(threads.map(lambda _: Issuer(tmp_path).jwks()["keys"][0]["kid"], range(8)))

    assert len(set(keys)) == 1


def test_another_machine_s_token_does_not_verify(tmp_path: Path) -> None:
    token = Issuer(tmp_path / "a").token("anna", [], [])

    (key,) = jwt.PyJWKSet.from_dict(Issuer(tmp_path / "b").jwks()).keys
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, key, algorithms=["ES256"], audience="terrafusion")
