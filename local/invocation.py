"""The result of invoking a function, as every caller sees it."""

import json
from dataclasses import dataclass
from enum import StrEnum


class InvokeError(StrEnum):
    """Why an invocation has no result."""

    UNHANDLED = "Unhandled"
    """The function failed; the payload describes how."""
    THROTTLED = "TooManyRequestsException"
    TOO_LARGE = "RequestTooLargeException"
    UNKNOWN_FUNCTION = "ResourceNotFoundException"
    SERVICE = "ServiceException"
    """The platform itself could not run the function."""


@dataclass(frozen=True, slots=True)
class InvokeResult:
    """What a function answered.

    Attributes
    ----------
    payload
        JSON: the function's value or, after an error, `{"errorType", "errorMessage", …}`.
    error
        None, or an `InvokeError`.
    """

    payload: bytes
    error: str | None = None

    @classmethod
    def failure(cls, error: InvokeError, kind: str, message: str) -> "InvokeResult":
        """An error that the platform found, not the function."""
        return cls(json.dumps({"errorType": kind, "errorMessage": message}).encode(), error)
