"""Callbacks: signed, to public addresses alone, judged once and connected to as judged."""

import hashlib
import hmac
import http.server
import ipaddress
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from gis_export.callbacks import Endpoint, RefusedAddress, Undelivered, is_public, post, signature

SECRET = b"a county's secret"
DOCUMENT = {"event": "job.completed", "job_id": "3e0f9d0c-4a54-4dd6-9b02-9b8f6a2a1111"}


class Receiver(http.server.BaseHTTPRequestHandler):
    """Keeps what it is sent; answers as its server says."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.seen.append((self.path, dict(self.headers), body))  # type: ignore[attr-defined]
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.send_header("location", "http://127.0.0.1:1/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Any]:
    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.seen, server.status = [], 200
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_what_arrives_can_be_verified_as_the_docs_say(receiver: Any) -> None:
    port = receiver.server_address[1]

    post(f"http://127.0.0.1:{port}/hook?a=1", DOCUMENT, SECRET, 1_700_000_000, loopback=True)

    ((path, headers, body),) = receiver.seen
    assert path == "/hook?a=1"
    assert json.loads(body) == DOCUMENT
    assert headers["Host"] == f"127.0.0.1:{port}"
    expected = hmac.new(SECRET, headers["TerraFusion-Timestamp"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(headers["TerraFusion-Signature"], f"v1={expected}")
    assert headers["TerraFusion-Delivery"] == DOCUMENT["job_id"]


def test_a_signature_is_of_the_time_and_the_body() -> None:
    one = signature(SECRET, 1, b"{}")

    assert one not in {signature(SECRET, 2, b"{}"), signature(SECRET, 1, b"{ }"), signature(b"other", 1, b"{}")}


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 500, 503])
def test_anything_but_success_is_tried_again_and_no_redirect_followed(receiver: Any, status: int) -> None:
    receiver.status = status

    with pytest.raises(Undelivered, match=str(status)):
        post(f"http://127.0.0.1:{receiver.server_address[1]}/", DOCUMENT, SECRET, 1, loopback=True)

    assert len(receiver.seen) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "ftp://example.com/",
        "https:///hook",
        "https://user:pass@example.com/",  # pragma: allowlist secret
        "//example.com",
        "https://example.com/#part",
        "file:///etc/passwd",
        "https://exa mple.com/",
        "https://example.com:99999/",
        "",
        "https://example.com/\r\nX: y",
        "https://bücher.example/",
        "https://" + "a" * 2_000 + ".example/",
        "javascript:alert(1)",
        "gopher://127.0.0.1:6379/_FLUSHALL",
    ],
)
def test_an_address_that_is_none_for_callbacks_is_refused(url: str) -> None:
    with pytest.raises(RefusedAddress):
        Endpoint.parse(url)


@pytest.mark.parametrize("host", ["hooks..county.gov", ".county.gov", f"{'a' * 64}.com"])
def test_a_name_that_no_resolver_takes_is_refused_when_it_is_read(host: str) -> None:
    with pytest.raises(RefusedAddress, match="no host's name"):
        Endpoint.parse(f"https://{host}/hook")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.0.3",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "0.0.0.0",
        "100.64.0.1",
        "192.0.0.8",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:db8::1",
        "64:ff9b:1::7f00:1",
        "fec0::1",
        "::7f00:1",
        "::ffff:0:7f00:1",
        "3fff::1",
        "5f00::1",
        "192.88.99.1",
    ],
)
def test_no_address_of_anybody_s_own_network_is_public(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_public(ipaddress.ip_address(address))
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("it connected"))

    with pytest.raises(RefusedAddress, match="not public"):
        post("https://rebind.example/", DOCUMENT, SECRET, 1)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:2800:220:1::1"])
def test_public_addresses_are(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


def test_one_private_address_among_public_ones_is_one_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, 443)) for a in ("93.184.216.34", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)

    with pytest.raises(RefusedAddress):
        post("https://mixed.example/", DOCUMENT, SECRET, 1)


def test_a_name_that_changes_its_meaning_is_resolved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was judged is what is connected to: a second look-up would already find the loopback."""
    answers = iter(["93.184.216.34", "127.0.0.1"])
    connected: list[Any] = []

    def resolve(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), 443))]

    def connect(address: Any, *_: Any, **__: Any) -> Any:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)

    with pytest.raises(Undelivered):
        post("https://rebind.example/", DOCUMENT, SECRET, 1)

    assert connected == [("93.184.216.34", 443)]


def test_loopback_is_for_local_runs() -> None:
    with pytest.raises(RefusedAddress):
        Endpoint.parse("http://127.0.0.1/")
    with pytest.raises(RefusedAddress, match="not public"):
        Endpoint.parse("https://127.0.0.1/").address()
    assert Endpoint.parse("http://127.0.0.1/", loopback=True).address(loopback=True) == "127.0.0.1"
    with pytest.raises(RefusedAddress):
        Endpoint.parse("https://10.0.0.1/", loopback=True).address(loopback=True)
