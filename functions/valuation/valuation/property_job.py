"""The work of a property's job: its value, with reasons."""

from pathlib import Path
from typing import Any

from terrafusion.counties import CountyConfiguration
from terrafusion.counties.configuration import ValuationConfiguration
from terrafusion.errors import FailureReason, JobFailure
from terrafusion.jobs.model import Job
from terrafusion.jobs.work import Outcome, Progress, Work
from valuation.appraisal import Appraisal
from valuation.approaches import Approach
from valuation.office import Office
from valuation.plan import ValuationPlan

MOST_SALES = 60_000
"""So many sales a property's job trains on, when there is no model yet; more take a job of their own."""


def property_job(office: Office) -> Work:
    """Make the function that does a job's work."""

    def work(job: Job, _directory: Path, progress: Progress) -> Outcome:
        document = appraise(office, job, progress)
        return Outcome(message=summary(document), document=document)

    return work


def appraise(office: Office, job: Job, progress: Progress) -> dict[str, Any]:
    """The document of a property's value.

    Raises
    ------
    JobFailure
        `property_not_found`, `insufficient_sales`, or `insufficient_data` when no approach has a value.
    """
    return document_of(appraisal_of(office, job, progress), job, office.catalogue.configuration(job.county_id))


def appraisal_of(office: Office, job: Job, progress: Progress) -> Appraisal:
    """Value the job's property."""
    plan = ValuationPlan.from_document(job.parameters)
    tables = office.tables(job.county_id, job.dataset_version)
    subject = tables.property(plan.property_id or "")
    day = office.day(tables, plan.day)
    market = office.market(tables, day, progress, MOST_SALES)
    return Appraisal.of(market, subject, day)


def document_of(appraisal: Appraisal, job: Job, configuration: CountyConfiguration) -> dict[str, Any]:
    """The result's document, by the method asked for."""
    method = ValuationPlan.from_document(job.parameters).method
    if appraisal.dollars(method) is None:
        raise JobFailure(FailureReason.INSUFFICIENT_DATA, _why_not(appraisal, method))
    document = appraisal.document(method)
    return {
        "property_id": str(appraisal.values.subjects.records.texts("property_id")[0]),
        **document,
        **review_of(appraisal, document, configuration.valuation),
        "dataset_version": job.dataset_version,
    }


def review_of(appraisal: Appraisal, document: dict[str, Any], configuration: ValuationConfiguration) -> dict[str, Any]:
    """Whether a value is to be reviewed, and why: a building yet to come, no range, or little confidence."""
    score, threshold = document["confidence_score"], configuration.confidence_threshold_for_review
    reason = f"confidence {score:.2f} is below the county's {threshold:.2f}" if score < threshold else None
    if document["value_range"] is None:
        reason = f"there is no range: {document['range_unavailable']}"
    if appraisal.confidence.not_yet_built[0]:
        reason = "the building is of a later year than the valuation date"
    return {"needs_review": reason is not None, "review_reason": reason}


def summary(document: dict[str, Any]) -> str:
    """The job's message."""
    review = ", to be reviewed" if document["needs_review"] else ""
    ends = document["value_range"]
    span = f" (${ends['low']:,.0f} to ${ends['high']:,.0f})" if ends else ""
    return f"${document['estimated_value']:,.0f}{span}{review}"


def _why_not(appraisal: Appraisal, method: Approach) -> str:
    parts = appraisal.approaches(appraisal.comparables())
    reason = parts[method.value].get("unavailable") or "None of the approaches has a value."
    return f"There is no value by {method.value}: {reason}"
