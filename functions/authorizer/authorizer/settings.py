"""Whose tokens count, and what their roles grant."""

import ipaddress
import socket
from urllib.parse import urlsplit

from pydantic import Field, Json, ValidationInfo, field_validator

from terrafusion.roles import RoleBook
from terrafusion.settings import Settings

LOCAL_STAGE = "local"


class AuthorizerSettings(Settings):
    """The authorizer's environment; `role_permissions` replaces the whole default book."""

    stage: str
    jwt_issuer: str
    jwt_audience: str
    jwks_url: str
    role_permissions: Json[RoleBook] = Field(default_factory=RoleBook.default)

    @field_validator("jwt_issuer", "jwks_url")
    @classmethod
    def _comes_from_outside(cls, value: str, info: ValidationInfo) -> str:
        """A deployment that trusts its own machine's keys, or keys that anybody can exchange on the way, is open."""
        if info.data.get("stage") == LOCAL_STAGE:
            return value
        try:
            address = urlsplit(value)
            host = address.hostname or ""
        except ValueError as error:
            raise ValueError("must be an https address outside of local runs") from error
        if address.scheme != "https" or not host:
            raise ValueError("must be an https address outside of local runs")
        if _is_this_machine(host):
            raise ValueError("must not be this machine outside of local runs")
        return value


def _is_this_machine(host: str) -> bool:
    name = host.rstrip(".").lower()
    if name in {"localhost", "localhost.localdomain"} or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(_as_address(name))
    except (ValueError, OSError):
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_unspecified)


def _as_address(name: str) -> str:
    """Short and decimal forms (127.1, 2130706433) in full: a resolver takes them, `ipaddress` does not."""
    return name if ":" in name else socket.inet_ntoa(socket.inet_aton(name))
