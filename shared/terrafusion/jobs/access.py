"""Who may do what with which job: asked beside the data, whatever was asked before."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from terrafusion.audit import Action, AuditLog, AuditRecord
from terrafusion.auth import Principal
from terrafusion.errors import Forbidden, NotFound
from terrafusion.jobs.model import Job, now
from terrafusion.jobs.store import JobStore
from terrafusion.plugins import Plugin

Published = Callable[[], Iterable[str]]
"""Reads which counties there are."""


@dataclass(frozen=True, slots=True)
class JobAccess:
    """The jobs of one plugin, as far as a caller may reach them; what is denied is recorded."""

    plugin: Plugin
    store: JobStore
    audit: AuditLog

    def job(self, principal: Principal, permission: str, job_id: str) -> Job:
        """A job the caller may see; another county's is as unknown as none.

        Raises
        ------
        Forbidden
            When the permission is missing.
        NotFound
        """
        principal.require(permission)
        job = self.store.get(job_id)
        if job.plugin != self.plugin.slug:
            raise NotFound(f"There is no job {job_id}.")
        if not principal.sees(job.county_id):
            self.audit.add(self.record(principal, Action.DENIED, job.county_id, job_id, permission))
            raise NotFound(f"There is no job {job_id}.")
        return job

    def run(self, principal: Principal, county_id: str) -> None:
        """Refuse unless the caller may run jobs of the county's.

        Raises
        ------
        Forbidden
        """
        principal.require(self.plugin.execute)
        try:
            principal.require_county(county_id)
        except Forbidden:
            self.audit.add(self.record(principal, Action.DENIED, county_id, detail=self.plugin.execute))
            raise

    def counties(self, principal: Principal, county_id: str | None, published: Published) -> list[str]:
        """Counties whose jobs a list is to hold: none when the one asked for is not the caller's."""
        principal.require(self.plugin.view_status)
        return counties_of(principal, county_id, published)

    def record(
        self, principal: Principal, action: Action, county_id: str, job_id: str | None = None, detail: str | None = None
    ) -> AuditRecord:
        """What the caller does, as the audit keeps it."""
        return AuditRecord(
            county_id=county_id,
            at=now(),
            actor=principal.subject,
            action=action,
            plugin=self.plugin.slug,
            job_id=job_id,
            request_id=principal.request_id,
            address=principal.address,
            detail=detail,
        )


def counties_of(principal: Principal, county_id: str | None, published: Published) -> list[str]:
    """The counties that a list covers: the one asked for, or all of the caller's."""
    if county_id is not None:
        return [county_id] if principal.sees(county_id) else []
    return list(published()) if principal.sees_every_county else sorted(principal.counties)
