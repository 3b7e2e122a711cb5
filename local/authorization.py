"""Asks Lambda authorizers who may pass, and remembers their answers for as long as the template says."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local.invocation import InvokeResult
from local.payload import HttpRequest, authorizer_event
from local.routing import Match
from local.stack import Authorizer

CACHE_SIZE = 10_000


class Refused(Exception):
    """The request may not pass; `status` is 401 without an identity, 403 with one, 500 when the authorizer failed."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class _Verdict:
    authorized: bool
    context: Mapping[str, Any]
    expires: float


class Authorization:
    """The authorizers of one API.

    Parameters
    ----------
    invoke
        Calls a function by name.
    clock
        Seconds, from anywhere.
    """

    def __init__(
        self,
        authorizers: Mapping[str, Authorizer],
        invoke: Callable[[str, bytes], InvokeResult],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._authorizers = authorizers
        self._invoke = invoke
        self._clock = clock
        self._cache: dict[tuple[str, tuple[str, ...]], _Verdict] = {}

    def check(self, request: HttpRequest, match: Match) -> Mapping[str, Any] | None:
        """The authorizer's context for a request that may pass; None on an open route.

        Raises
        ------
        Refused
        """
        if match.route.authorizer is None:
            return None
        authorizer = self._authorizers[match.route.authorizer]
        identity = _identity(authorizer, request)
        key = (authorizer.name, identity)
        verdict = self._cache.get(key)
        if verdict is None or verdict.expires <= self._clock():
            verdict = self._ask(authorizer, request, match, identity)
            self._remember(key, verdict)
        if not verdict.authorized:
            raise Refused(403)
        return verdict.context

    def _ask(self, authorizer: Authorizer, request: HttpRequest, match: Match, identity: tuple[str, ...]) -> _Verdict:
        event = authorizer_event(request, match, identity)
        result = self._invoke(authorizer.function, json.dumps(event).encode())
        answer = None if result.error else json.loads(result.payload)
        if not isinstance(answer, dict) or not isinstance(answer.get("isAuthorized"), bool):
            raise Refused(500)
        context = answer.get("context") or {}
        if not isinstance(context, dict):
            raise Refused(500)
        return _Verdict(answer["isAuthorized"], context, self._clock() + authorizer.ttl_seconds)

    def _remember(self, key: tuple[str, tuple[str, ...]], verdict: _Verdict) -> None:
        now = self._clock()
        # without an identity to tell callers apart, one's verdict would be everyone's
        if verdict.expires <= now or not key[1]:
            return
        if len(self._cache) >= CACHE_SIZE:
            self._cache = {k: v for k, v in self._cache.items() if v.expires > now}
        if len(self._cache) < CACHE_SIZE:
            self._cache[key] = verdict


def _identity(authorizer: Authorizer, request: HttpRequest) -> tuple[str, ...]:
    """The values of the identity sources."""
    headers, query = request.single_headers, request.query
    sources = [headers.get(name) for name in authorizer.headers] + [query.get(name) for name in authorizer.query]
    values = tuple(value for value in sources if value)
    if len(values) < len(sources):
        raise Refused(401)
    return values
