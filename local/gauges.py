"""What only the local cloud can tell at a look: how deep its queues are, and the open jobs by state.

CloudWatch has the first of itself, as metrics of the queues.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

QUEUE_MESSAGES = "terrafusion_queue_messages"
QUEUE_OLDEST = "terrafusion_queue_oldest_message_seconds"
OPEN_JOBS = "terrafusion_open_jobs"
OPEN_STATES = ("PENDING", "RUNNING")


@dataclass(frozen=True, slots=True)
class Depth:
    """A queue's messages, those under way included, and the age of the oldest in seconds."""

    messages: int
    oldest_seconds: float


class LocalGauges(Collector):
    """Gauges that are measured when somebody looks.

    Parameters
    ----------
    depths
        Gives the depth of each queue by name.
    open_jobs
        Gives the number of jobs that have not ended, by plugin and state.
    """

    def __init__(
        self,
        depths: Callable[[], Mapping[str, Depth]],
        open_jobs: Callable[[], Mapping[tuple[str, str], int]],
    ) -> None:
        self._depths = depths
        self._open_jobs = open_jobs

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Measure."""
        messages = GaugeMetricFamily(QUEUE_MESSAGES, "Messages in a queue, those under way included.", labels=["queue"])
        oldest = GaugeMetricFamily(QUEUE_OLDEST, "Age of the oldest message of a queue.", labels=["queue"])
        for queue, depth in sorted(self._depths().items()):
            messages.add_metric([queue], depth.messages)
            oldest.add_metric([queue], depth.oldest_seconds)
        jobs = GaugeMetricFamily(OPEN_JOBS, "Jobs that have not ended, by state.", labels=["plugin", "status"])
        counts = self._open_jobs()
        for plugin in sorted({plugin for plugin, _ in counts}):
            for status in OPEN_STATES:
                jobs.add_metric([plugin, status], counts.get((plugin, status), 0))
        return messages, oldest, jobs
