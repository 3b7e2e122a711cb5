"""Jobs: what they are, where they are kept, how they are submitted and worked on."""

from terrafusion.jobs.model import Job, JobStatus
from terrafusion.jobs.store import JobStore

__all__ = ["Job", "JobStatus", "JobStore"]
