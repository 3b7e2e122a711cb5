"""How pressing what is wrong is, the same in Prometheus' alerts and CloudWatch's alarms."""

from enum import StrEnum


class Severity(StrEnum):
    """Whom it tells, and when."""

    PAGE = "page"
    """Somebody at once, each by itself."""
    TICKET = "ticket"
    """Whoever looks next, all together."""
