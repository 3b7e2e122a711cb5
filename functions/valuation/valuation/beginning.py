"""The first part of a long job, by its mode, and what is to follow."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from terrafusion.jobs.model import Job
from terrafusion.jobs.shares import WorkFolder
from terrafusion.jobs.work import Part, Progress
from terrafusion.storage import Storage
from valuation.batch_job import select
from valuation.evidence_pages import property_pages
from valuation.models import Mode
from valuation.office import Office
from valuation.plan import ValuationPlan
from valuation.property_job import appraisal_of, document_of
from valuation.work_folder import CARD, PACKET, SCREENING


class Next(StrEnum):
    """What follows the first part."""

    CHUNKS = "chunks"
    PAGES = "pages"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Begun:
    """What a first part came to."""

    next: Next
    chunks: int = 0

    @classmethod
    def over(cls) -> "Begun":
        """The job is over, or somebody else's."""
        return cls(Next.NOTHING)


def begin(office: Office, results: Storage) -> Part[Begun]:
    """Make the function that does a job's first part."""

    def part(job: Job, _directory: Path, progress: Progress) -> Begun:
        return PARTS[ValuationPlan.from_document(job.parameters).mode](office, results, job, progress)

    return part


def _property(office: Office, results: Storage, job: Job, progress: Progress) -> Begun:
    appraisal = appraisal_of(office, job, progress)
    document = document_of(appraisal, job, office.catalogue.configuration(job.county_id))
    pages = property_pages(appraisal, office.library.card(job.county_id, document["model_version"]))
    results.write_json(WorkFolder(results, job).key(PACKET), {"result": document, "pages": pages})
    return Begun(Next.PAGES)


def _train(office: Office, results: Storage, job: Job, progress: Progress) -> Begun:
    plan = ValuationPlan.from_document(job.parameters)
    tables = office.tables(job.county_id, job.dataset_version)
    market = office.market(tables, office.day(tables, plan.day), progress)
    folder, version = WorkFolder(results, job), market.model.version
    results.write_json(folder.key(CARD), office.library.card(job.county_id, version))
    screening = office.library.screening(job.county_id, version)
    results.write(folder.key(SCREENING), screening.encode(), "text/csv; charset=utf-8")
    return Begun(Next.PAGES)


def _batch(office: Office, results: Storage, job: Job, progress: Progress) -> Begun:
    return Begun(Next.CHUNKS, select(office, results, job, progress))


PARTS: Mapping[Mode, Callable[[Office, Storage, Job, Progress], Begun]] = {
    Mode.PROPERTY: _property,
    Mode.TRAIN: _train,
    Mode.BATCH: _batch,
}
