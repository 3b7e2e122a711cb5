"""What readers of the audit see."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from terrafusion.audit import Action


class AuditEntry(BaseModel):
    """One record. `job_id` is null where no job came to be; `detail` says what was denied."""

    model_config = ConfigDict(from_attributes=True)

    county_id: str
    at: datetime
    actor: str
    action: Action
    plugin: str
    job_id: str | None
    request_id: str | None
    address: str | None
    detail: str | None


class AuditEntries(BaseModel):
    """A page of records, newest first."""

    items: list[AuditEntry]
    next_cursor: str | None
