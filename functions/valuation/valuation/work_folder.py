"""What the steps of a long job hand on to each other: files in the results bucket, below the job's `work/`."""

from dataclasses import dataclass

from terrafusion.jobs.model import Job
from terrafusion.storage import Storage

SELECTION, PACKET, CARD, SCREENING = "selection.json", "packet.json", "card.json", "screening.csv"


@dataclass(frozen=True, slots=True)
class WorkFolder:
    """The files of one job's steps."""

    results: Storage
    job: Job

    def key(self, name: str) -> str:
        """The key of a file."""
        return f"results/{self.job.plugin}/{self.job.county_id}/{self.job.job_id}/work/{name}"
