"""What the platform must know of a plugin."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from terrafusion.metrics import JobMetrics, MetricSpec

if TYPE_CHECKING:
    from terrafusion.jobs.model import Job


def _nothing(_job: "Job") -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class Plugin:
    """A kind of job.

    `slug` is its name in routes and results; `metrics.label` names the request's member that tells its jobs apart
    (an export's format, a report's type), which its status documents carry as well; `members` gives what else
    they carry. `samples` are metrics of its own, one value each for a job that is completed. With `tells_queue` the
    status of a job that waits says how many are before it, and of one that runs when it may end; the plugin's API may
    then query the index `by_open`.
    """

    slug: str
    title: str
    metrics: JobMetrics
    samples: tuple[MetricSpec, ...] = ()
    members: Callable[["Job"], Mapping[str, Any]] = _nothing
    tells_queue: bool = False

    @property
    def permission_name(self) -> str:
        """The slug as permissions spell it: `execute_gis_export`."""
        return self.slug.replace("-", "_")

    @property
    def execute(self) -> str:
        """Permission to run and cancel."""
        return f"execute_{self.permission_name}"

    @property
    def view_status(self) -> str:
        """Permission to see and list jobs."""
        return f"view_{self.permission_name}_status"

    @property
    def view_results(self) -> str:
        """Permission to see and download results."""
        return f"view_{self.permission_name}_results"
