"""Who calls: the permissions that a caller was given, and the counties it belongs to."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from terrafusion.errors import Forbidden, Unauthenticated

EVERY_COUNTY = "*"


class Role(StrEnum):
    """The contract's roles, for code that names one; what each grants is in `terrafusion.roles`."""

    ASSESSOR = "Assessor"
    VALUATION_STAFF = "ValuationStaff"
    REPORTING_STAFF = "ReportingStaff"
    GIS_STAFF = "GISStaff"
    MARKET_ANALYST = "MarketAnalyst"
    AUDITOR = "Auditor"
    IT_ADMIN = "ITAdmin"


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller as the authorizer vouched for it, and the request that it makes."""

    subject: str
    permissions: frozenset[str]
    counties: frozenset[str]
    roles: frozenset[str] = frozenset()
    request_id: str = ""
    address: str = ""

    @classmethod
    def from_context(cls, context: Mapping[str, Any] | None) -> "Principal":
        """Read the context that `to_context` wrote, as API Gateway hands it on.

        Raises
        ------
        Unauthenticated
            When there is none: the route was reached without the authorizer.
        """
        if not context or not context.get("subject"):
            raise Unauthenticated("No authorizer vouches for this request.")
        return cls(
            subject=str(context["subject"]),
            permissions=frozenset(str(context.get("permissions", "")).split()),
            counties=frozenset(str(context.get("counties", "")).split()),
            roles=frozenset(str(context.get("roles", "")).split()),
        )

    def to_context(self) -> dict[str, str]:
        """What the authorizer answers; a context's values are strings."""
        return {
            "subject": self.subject,
            "permissions": " ".join(sorted(self.permissions)),
            "counties": " ".join(sorted(self.counties)),
            "roles": " ".join(sorted(self.roles)),
        }

    def has(self, permission: str) -> bool:
        """Whether any of the caller's patterns grants the permission."""
        return any(fnmatchcase(permission, pattern) for pattern in self.permissions)

    @property
    def sees_every_county(self) -> bool:
        """Whether no county is closed to the caller."""
        return EVERY_COUNTY in self.counties

    def sees(self, county_id: str) -> bool:
        """Whether the county's data are the caller's to see."""
        return self.sees_every_county or county_id in self.counties

    def require(self, permission: str) -> None:
        """Refuse unless the permission is granted."""
        if not self.has(permission):
            raise Forbidden("Insufficient permissions")

    def require_county(self, county_id: str) -> None:
        """Refuse unless the county is the caller's."""
        if not self.sees(county_id):
            raise Forbidden(f"Your token does not cover county '{county_id}'.")
