"""The one error tree. `terrafusion.http` turns it into answers, `terrafusion.jobs.work` into failure reasons."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class FailureReason(StrEnum):
    """Why a job ended FAILED, as in its status document and in the metrics' `failure_reason`."""

    PROPERTY_NOT_FOUND = "property_not_found"
    INSUFFICIENT_SALES = "insufficient_sales"
    INSUFFICIENT_DATA = "insufficient_data"
    INVALID_AREA = "invalid_area"
    EXPORT_TOO_LARGE = "export_too_large"
    DATASET_CHANGED = "dataset_changed"
    ENGINE_ERROR = "engine_error"
    PROCESSING_EXCEPTION = "processing_exception"
    DISPATCH_FAILED = "dispatch_failed"
    TIMEOUT = "timeout"
    WORKER_CRASHED = "worker_crashed"

    @property
    def is_fault(self) -> bool:
        """Whether the platform is to blame, and not the request or the data."""
        return self in {self.PROCESSING_EXCEPTION, self.DISPATCH_FAILED, self.WORKER_CRASHED}


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with a request: where it was and what was wrong."""

    field: str
    message: str


class TerraFusionError(Exception):
    """Root of everything the platform raises on purpose.

    `status` is the HTTP status a client sees, `title` the `error` member of the answer.
    """

    status = 500
    title = "Internal error"

    def __init__(self, message: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.errors = tuple(errors)


class InvalidRequest(TerraFusionError):
    """The request cannot be read: wrong type, unknown enum member, malformed identifier."""

    status = 400
    title = "Invalid request"


class Unauthenticated(TerraFusionError):
    """Nobody vouches for the caller."""

    status = 401
    title = "Unauthorized"


class Forbidden(TerraFusionError):
    """The caller is known, and may not do this."""

    status = 403
    title = "Forbidden"


class NotFound(TerraFusionError):
    """There is no such thing, or it is not the caller's to know of."""

    status = 404
    title = "Not found"


class Conflict(TerraFusionError):
    """The thing is in a state that does not allow this."""

    status = 409
    title = "Conflict"


class TooLarge(TerraFusionError):
    """The body is larger than the platform takes."""

    status = 413
    title = "Payload too large"


class Impossible(TerraFusionError):
    """The request was understood, and cannot be fulfilled: unknown layer, area beyond its limit."""

    status = 422
    title = "Unprocessable request"


class Unavailable(TerraFusionError):
    """Something the platform needs does not answer; trying again later may work."""

    status = 503
    title = "Service unavailable"
    retry_after_seconds = 5


class JobFailure(TerraFusionError):
    """The work of a job cannot be done; carries the reason the job ends with."""

    def __init__(self, reason: FailureReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class JobSuperseded(TerraFusionError):
    """The job was cancelled, or another attempt has taken it over: stop, and leave no trace."""
