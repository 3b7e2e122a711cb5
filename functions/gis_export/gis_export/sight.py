"""Who may look at an export: it may tell of fields that its own requester may see, and others may not."""

from terrafusion.auth import Principal
from terrafusion.counties.configuration import hidden_from
from terrafusion.errors import Forbidden
from terrafusion.jobs.model import Job

HIDDEN = "hidden"
"""Under this a job records, by role, which fields of its own the role may not see."""


def require_sight(caller: Principal, job: Job) -> None:
    """Refuse an export to somebody who may not see all that it tells.

    Raises
    ------
    Forbidden
        Naming the fields.
    """
    hidden = hidden_from(job.decided.get(HIDDEN, {}), caller.roles)
    if hidden:
        raise Forbidden(
            f"Job {job.job_id} tells of {', '.join(sorted(hidden))}, which your roles may not see. Ask for the same "
            "export: yours is without."
        )
