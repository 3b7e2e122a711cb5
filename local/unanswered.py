"""Requests that the gateway answers itself with 500 or more, as the function's code did not: it did not start, or died.

Functions count the requests that they answer, failures too; these would be counted by nobody.
"""

import io
from collections.abc import Callable

from terrafusion.metrics import EmfSink, count_request

SERVICE = "gateway"
CATCH_ALL = "$default"
UNKNOWN = "unknown"
"""The endpoint of a request that no route of ours answers, as functions have it."""


class Unanswered:
    """Counts them under the metrics of all requests.

    Parameters
    ----------
    feed
        Takes a line of EMF.
    """

    def __init__(self, feed: Callable[[str], object]) -> None:
        self._feed = feed

    def count(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count one; `path` is its route's."""
        lines = io.StringIO()
        endpoint = UNKNOWN if path == CATCH_ALL else path
        count_request(EmfSink(SERVICE, stream=lines), method, endpoint, status, seconds)
        for line in lines.getvalue().splitlines():
            self._feed(line)
