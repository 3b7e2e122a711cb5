"""When something is wrong: the same figures for Prometheus on a laptop and for CloudWatch."""

WINDOW_MINUTES = 10
"""Jobs are judged by those of so many minutes."""

FAILURE_SHARE = 0.2
FEWEST_ENDED = 5
"""So many of the jobs that ended may have failed, once at least this many did."""

QUANTILE = 0.95
FEWEST_TIMED = 5
"""A plugin's budget is for this quantile of its jobs' durations, once there are this many."""

FAULTS = 5
"""Requests and jobs that failed by the platform's own fault, in the window."""

RELEASE_MINUTES = 5
RELEASE_FAULTS = 2
"""So many faults within so many minutes take a release back: a canary lasts five, and sees a tenth of the requests."""

HTTP_FAILURE_SHARE = 0.05
FEWEST_REQUESTS = 20
HTTP_SECONDS = 2.5
"""Bound of a bucket, for the same quantile of all requests."""

QUEUE_SECONDS = 300
"""For so long a message may wait."""

SILENCE_SECONDS = 1800
"""Twice the longest run of a worker: who is silent for longer has no worker."""

SWEPT_JOBS = 5
"""Jobs that a sweep had to do something about, in the window."""

CRASHES = 3
"""Invocations that ended without an answer, in the window."""

TIME_SHARE = 0.9
"""Share of its time limit that a worker may use."""
