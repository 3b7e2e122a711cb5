"""The resources of this deployment, for every entry of the plugin's."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from terrafusion.deployment import Deployment
from terrafusion.jobs.dispatch import Dispatcher, Handover, QueueDispatcher, WorkflowDispatcher
from terrafusion.jobs.model import Job, now
from valuation.plan import ValuationPlan
from valuation.plugin import PLUGIN


@dataclass(frozen=True, slots=True)
class ByMode:
    """Short jobs go by the queue, long ones by the workflow."""

    short: QueueDispatcher
    long: WorkflowDispatcher

    @property
    def patience(self) -> timedelta:
        """The workflow's; a queue's job is left alone until its own is over."""
        return min(self.short.patience, self.long.patience)

    def start(self, job: Job) -> None:
        """Have the job worked on."""
        self._of(job).start(job)

    def stop(self, job: Job, cause: str) -> None:
        """Stop the work on a job that has ended already."""
        self._of(job).stop(job, cause)

    def state(self, job: Job) -> Handover:
        """What became of a job; a message is under way while its queue may still deliver it."""
        dispatcher = self._of(job)
        if dispatcher is self.short and now() - job.updated_at < self.short.patience:
            return Handover.UNDER_WAY
        return dispatcher.state(job)

    def _of(self, job: Job) -> Dispatcher:
        return self.long if ValuationPlan.from_document(job.parameters).by_workflow else self.short


@cache
def deployment() -> Deployment:
    """The resources of this deployment."""
    return Deployment.here(PLUGIN.slug)


@cache
def dispatcher() -> ByMode:
    """How the plugin's jobs reach their workers."""
    return ByMode(deployment().queue, deployment().workflow)
