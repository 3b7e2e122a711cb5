"""Callbacks: a signed POST to an address that a client named, which must not lead into anybody's own network.

The name is resolved once, every address that it has is judged, and the connection goes to one of those: what the name
means a moment later does not matter. TLS is asked for the name. Redirects are not followed.
"""

import hashlib
import hmac
import http.client
import ipaddress
import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from terrafusion import __version__

TIMEOUT_SECONDS = 10.0
MAX_URL = 2_000
TIMESTAMP_HEADER, SIGNATURE_HEADER, DELIVERY_HEADER = (
    "TerraFusion-Timestamp",
    "TerraFusion-Signature",
    "TerraFusion-Delivery",
)
UNICAST = ipaddress.ip_network("2000::/3")
"""What of IPv6 is given to anybody (RFC 4291); beside it lie ways of writing addresses of IPv4, private ones too."""
NOT_PUBLIC = tuple(ipaddress.ip_network(t) for t in ("2002::/16", "3fff::/20", "192.0.0.0/24", "192.88.99.0/24"))
"""Tunnels, and what Python 3.11 lets by."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class RefusedAddress(ValueError):
    """Nothing will be sent there, now or later; the text says why."""


class Undelivered(Exception):
    """Nobody took the callback; trying again later may help."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a callback goes: `loopback` is allowed in local runs alone, and without TLS."""

    secure: bool
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str, *, loopback: bool = False) -> "Endpoint":
        """Read an address.

        Raises
        ------
        RefusedAddress
            When it is not one of https, names no host, or carries credentials.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise RefusedAddress(f"The callback's address cannot be read: {error}.") from None
        if len(url) > MAX_URL or any(ord(c) <= 32 or ord(c) > 126 for c in url):
            raise RefusedAddress(f"A callback's address is at most {MAX_URL:,} visible ASCII characters.")
        if parts.scheme != "https" and not (loopback and parts.scheme == "http"):
            raise RefusedAddress("A callback goes to an https address.")
        if not parts.hostname or parts.username is not None or parts.password is not None or parts.fragment:
            raise RefusedAddress("A callback's address names a host, and carries no credentials and no fragment.")
        try:
            parts.hostname.encode("idna")
        except UnicodeError:
            raise RefusedAddress(f"{parts.hostname} is no host's name: a part of it is empty or too long.") from None
        secure = parts.scheme == "https"
        query = f"?{parts.query}" if parts.query else ""
        return cls(secure, parts.hostname, port or (443 if secure else 80), (parts.path or "/") + query)

    def address(self, *, loopback: bool = False) -> str:
        """Resolve the host, and give an address to connect to.

        Raises
        ------
        RefusedAddress
            When any of the host's addresses is not public.
        Undelivered
            When it has none now.
        """
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise Undelivered(f"{self.host} cannot be resolved: {error}") from error
        addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
        for address in addresses:
            if not is_public(address) and not (loopback and address.is_loopback):
                raise RefusedAddress(f"{self.host} has the address {address}, which is not public.")
        return str(addresses[0])


def is_public(address: Address) -> bool:
    """Whether an address is anybody's on the Internet: not private, link-local, loopback, reserved or a tunnel."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if isinstance(address, ipaddress.IPv6Address) and address not in UNICAST:
        return False
    if any(address in network for network in NOT_PUBLIC):
        return False
    return address.is_global and not address.is_multicast


def signature(secret: bytes, timestamp: int, body: bytes) -> str:
    """What the signature's header says: `v1=` and the HMAC-SHA256 of the timestamp, a dot and the body, in hex."""
    return "v1=" + hmac.new(secret, str(timestamp).encode() + b"." + body, hashlib.sha256).hexdigest()


def post(url: str, document: Mapping[str, Any], secret: bytes, moment: int, *, loopback: bool = False) -> None:
    """Send a document, signed.

    Raises
    ------
    RefusedAddress
    Undelivered
        When nothing answers in time, or not with a status of 200 to 299.
    """
    endpoint = Endpoint.parse(url, loopback=loopback)
    address = endpoint.address(loopback=loopback)
    body = json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"TerraFusion/{__version__}",
        TIMESTAMP_HEADER: str(moment),
        SIGNATURE_HEADER: signature(secret, moment, body),
        DELIVERY_HEADER: str(document["job_id"]),
    }
    connection = _Connection(endpoint, address)
    try:
        connection.request("POST", endpoint.path, body, headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise Undelivered(f"{endpoint.host} did not answer: {error}") from error
    finally:
        connection.close()
    if not 200 <= status < 300:
        raise Undelivered(f"{endpoint.host} answered with status {status}.")


class _Connection(http.client.HTTPConnection):
    """A connection to an address that was judged, which speaks to a host by its name."""

    def __init__(self, endpoint: Endpoint, address: str) -> None:
        super().__init__(endpoint.host, endpoint.port, timeout=TIMEOUT_SECONDS)
        self._address = address
        self._secure = endpoint.secure
        self.default_port = 443 if endpoint.secure else 80  # so that `Host` leaves it out

    def connect(self) -> None:
        """Connect to the address, and ask for the name's certificate."""
        plain = socket.create_connection((self._address, self.port), TIMEOUT_SECONDS)
        self.sock = plain
        if self._secure:
            self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)
