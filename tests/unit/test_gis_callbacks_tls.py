"""Callbacks over TLS: to a server whose certificate a test's own authority signed."""

import datetime as dt
import hashlib
import hmac
import http.server
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gis_export.callbacks import RefusedAddress, Undelivered, post
from tests.unit.test_gis_callbacks import DOCUMENT, SECRET, Receiver

HOST = "hooks.county.example"
LATE_SECONDS = 300
"""How old a receiver lets a timestamp be, as the docs advise."""


class Authority:
    """A certificate authority that nobody else knows."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder / name.replace(" ", "_")
        self._folder.mkdir()
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        own = self._builder(self._name, self._key).add_extension(x509.BasicConstraints(True, None), critical=True)
        self.file = self._folder / "authority.pem"
        self.file.write_bytes(own.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def certificate(self, host: str, *, days: int = 1) -> Path:
        """A file with a certificate for a host, and its key; ended already when `days` is less than 0."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        signed = self._builder(subject, key, days).add_extension(names, critical=False)
        path = self._folder / f"{host}{days}.pem"
        path.write_bytes(
            signed.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return path

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: int = 1) -> x509.CertificateBuilder:
        moment = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(moment - dt.timedelta(days=3))
            .not_valid_after(moment + dt.timedelta(days=days))
        )


@contextmanager
def listening(certificate: Path) -> Iterator[Any]:
    """An https server that keeps what it is sent."""
    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # a client that refuses the certificate hangs up
    server.seen, server.status = [], 200
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "Test authority")


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> Callable[[Authority], None]:
    """Have this process trust an authority, as an operator would, and find every host on this machine."""

    def trust(one: Authority) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(one.file))

    def here(_host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", here)
    return trust


def url(server: Any) -> str:
    return f"https://{HOST}:{server.server_address[1]}/hook?from=county"


def test_a_receiver_gets_it_and_can_verify_it(authority: Authority, trusting: Callable[[Authority], None]) -> None:
    trusting(authority)

    with listening(authority.certificate(HOST)) as server:
        post(url(server), DOCUMENT, SECRET, int(time.time()), loopback=True)

        ((path, headers, body),) = server.seen
        port = server.server_address[1]
    assert path == "/hook?from=county"
    assert headers["Host"] == f"{HOST}:{port}"
    assert json.loads(body) == DOCUMENT
    moment = headers["TerraFusion-Timestamp"]
    assert abs(time.time() - int(moment)) < LATE_SECONDS
    expected = hmac.new(SECRET, moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(headers["TerraFusion-Signature"], f"v1={expected}")


def test_a_certificate_of_nobody_trusted_is_refused(
    authority: Authority, tmp_path: Path, trusting: Callable[[Authority], None]
) -> None:
    trusting(Authority(tmp_path, "Another authority"))

    with listening(authority.certificate(HOST)) as server:
        with pytest.raises(Undelivered, match="certificate verify failed"):
            post(url(server), DOCUMENT, SECRET, 1, loopback=True)
        assert server.seen == []


@pytest.mark.parametrize("host", ["other.county.example", "county.example", "127.0.0.1"])
def test_a_certificate_of_another_name_is_refused(
    authority: Authority, trusting: Callable[[Authority], None], host: str
) -> None:
    trusting(authority)

    with listening(authority.certificate(host)) as server:
        with pytest.raises(Undelivered, match=r"[Hh]ostname mismatch|IP address mismatch"):
            post(url(server), DOCUMENT, SECRET, 1, loopback=True)
        assert server.seen == []


def test_a_certificate_that_has_ended_is_refused(authority: Authority, trusting: Callable[[Authority], None]) -> None:
    trusting(authority)

    with listening(authority.certificate(HOST, days=-1)) as server:
        with pytest.raises(Undelivered, match="expired"):
            post(url(server), DOCUMENT, SECRET, 1, loopback=True)
        assert server.seen == []


def test_a_trusted_certificate_does_not_make_an_address_public(
    authority: Authority, trusting: Callable[[Authority], None]
) -> None:
    trusting(authority)

    with listening(authority.certificate(HOST)) as server:
        with pytest.raises(RefusedAddress, match=r"127\.0\.0\.1, which is not public"):
            post(url(server), DOCUMENT, SECRET, 1)
        assert server.seen == []
