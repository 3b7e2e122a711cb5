"""Token buckets, one for each throttled route."""

import time
from collections.abc import Callable

from local.stack import Throttle


class Bucket:
    """Lets `burst` requests through at once and `rate` a second in the long run.

    Parameters
    ----------
    clock
        Seconds, from anywhere.
    """

    def __init__(self, limits: Throttle, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._tokens = limits.burst
        self._filled = clock()

    def take(self) -> bool:
        """Whether one more request may pass."""
        now = self._clock()
        self._tokens = min(self._limits.burst, self._tokens + (now - self._filled) * self._limits.rate)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
