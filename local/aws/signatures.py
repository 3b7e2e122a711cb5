"""AWS Signature Version 4, checked as AWS checks it: in headers, and in the query of a presigned link."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote

ALGORITHM = "AWS4-HMAC-SHA256"
CLOCK_SKEW = timedelta(minutes=15)
LONGEST_LINK = timedelta(days=7)
UNSIGNED = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who may call the local cloud's services."""

    access_key: str
    secret_key: str
    region: str = "us-west-2"
    account: str = "123456789012"


class Refused(Exception):
    """A request that AWS would refuse, with its error code and status."""

    def __init__(self, code: str, message: str, status: int = 403) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What a signature covers: path and query as sent, still encoded; header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """The query's parameters, decoded, in order."""
        pairs = (part.partition("=") for part in self.query.split("&") if part)
        return [(unquote(name), unquote(value)) for name, _, value in pairs]


def service_of(request: SignedRequest) -> str | None:
    """The service that the caller addressed with its signature, or None when there is no signature."""
    scope = dict(request.parameters).get("X-Amz-Credential") or _authorization(request).get("Credential", "")
    parts = scope.split("/")
    return parts[3] if len(parts) == 5 else None


def verify(request: SignedRequest, credentials: Credentials, payload_hash: str, moment: datetime) -> None:
    """Accept the request, or say why not.

    Parameters
    ----------
    payload_hash
        SHA-256 of the body in hex, or the name of a scheme, as `x-amz-content-sha256` gives it.

    Raises
    ------
    Refused
    """
    parameters = dict(request.parameters)
    if "X-Amz-Signature" in parameters:
        _verify_link(request, parameters, credentials, moment)
    elif request.headers.get("authorization", "").startswith(ALGORITHM):
        _verify_headers(request, credentials, payload_hash, moment)
    else:
        raise Refused("AccessDenied", "Access Denied")


def _verify_link(
    request: SignedRequest, parameters: Mapping[str, str], credentials: Credentials, moment: datetime
) -> None:
    try:
        signed_at = _date(parameters["X-Amz-Date"])
        lifetime = timedelta(seconds=int(parameters["X-Amz-Expires"]))
        names = parameters["X-Amz-SignedHeaders"].split(";")
        scope = parameters["X-Amz-Credential"]
    except (KeyError, ValueError) as error:
        raise Refused("AuthorizationQueryParametersError", "The link's parameters are malformed.", 400) from error
    if parameters.get("X-Amz-Algorithm") != ALGORITHM or not timedelta() <= lifetime <= LONGEST_LINK:
        raise Refused("AuthorizationQueryParametersError", "The link's parameters are malformed.", 400)
    if moment > signed_at + lifetime or signed_at > moment + CLOCK_SKEW:
        raise Refused("AccessDenied", "Request has expired")
    query = [(name, value) for name, value in request.parameters if name != "X-Amz-Signature"]
    expected = _signature(request, query, names, UNSIGNED, scope, parameters["X-Amz-Date"], credentials)
    _compare(expected, parameters["X-Amz-Signature"])


def _verify_headers(request: SignedRequest, credentials: Credentials, payload_hash: str, moment: datetime) -> None:
    parts = _authorization(request)
    date = request.headers.get("x-amz-date", "")
    try:
        names, scope, given = parts["SignedHeaders"].split(";"), parts["Credential"], parts["Signature"]
        signed_at = _date(date)
    except (KeyError, ValueError) as error:
        raise Refused("AuthorizationHeaderMalformed", "The authorization header is malformed.", 400) from error
    if abs(moment - signed_at) > CLOCK_SKEW:
        raise Refused("RequestTimeTooSkewed", "The request's time is too far from the server's.")
    _compare(_signature(request, request.parameters, names, payload_hash, scope, date, credentials), given)


def _signature(
    request: SignedRequest,
    query: Sequence[tuple[str, str]],
    header_names: Sequence[str],
    payload_hash: str,
    scope: str,
    date: str,
    credentials: Credentials,
) -> str:
    access_key, _, credential_scope = scope.partition("/")
    if access_key != credentials.access_key:
        raise Refused("InvalidAccessKeyId", "The access key is not one of this cloud's.")
    day, region, service, ending = (credential_scope.split("/") + [""] * 4)[:4]
    if "host" not in header_names or ending != "aws4_request":
        raise Refused("SignatureDoesNotMatch", "The signature does not cover what it must.")
    added = {n for n in request.headers if n.startswith("x-amz-")} - {*header_names, "x-amz-content-sha256"}
    if added:
        raise Refused("AccessDenied", "There were headers present in the request which were not signed")
    canonical = "\n".join(
        (
            request.method,
            request.path if service == "s3" else quote(request.path, safe="/-_.~"),
            "&".join(f"{quote(n, safe='-_.~')}={quote(v, safe='-_.~')}" for n, v in sorted(query)),
            *(f"{name}:{' '.join(request.headers.get(name, '').split())}" for name in header_names),
            "",
            ";".join(header_names),
            payload_hash,
        )
    )
    text = "\n".join((ALGORITHM, date, credential_scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{credentials.secret_key}".encode()
    for part in (day, region, service, ending):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, text.encode(), "sha256").hexdigest()


def _compare(expected: str, given: str) -> None:
    if not hmac.compare_digest(expected.encode(), given.encode()):
        raise Refused("SignatureDoesNotMatch", "The signature does not match the request.")


def _authorization(request: SignedRequest) -> dict[str, str]:
    _, _, rest = request.headers.get("authorization", "").partition(" ")
    pairs = (part.strip().partition("=") for part in rest.split(","))
    return {name: value for name, _, value in pairs}


def _date(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
