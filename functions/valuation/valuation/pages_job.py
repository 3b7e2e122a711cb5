"""The work that ends a property's job with a packet, or a model's with its card: PDF out of what was found."""

import json
from pathlib import Path

from terrafusion.counties import Catalogue
from terrafusion.jobs.model import Job
from terrafusion.jobs.shares import WorkFolder
from terrafusion.jobs.work import Outcome, Progress, ResultFile, Work
from terrafusion.storage import Storage
from valuation.card_pages import card_pdf
from valuation.models import Mode
from valuation.packet import packet_pdf
from valuation.plan import ValuationPlan
from valuation.surroundings import look_around
from valuation.work_folder import CARD, PACKET, SCREENING

PDF = "application/pdf"


def pages_job(catalogue: Catalogue, data: Storage, results: Storage) -> Work:
    """Make the function that does a job's last part."""

    def work(job: Job, directory: Path, progress: Progress) -> Outcome:
        folder = WorkFolder(results, job)
        if ValuationPlan.from_document(job.parameters).mode is Mode.TRAIN:
            return _card(results, folder, job, directory)
        progress(0.6, "Setting the packet")
        return _packet(catalogue, data, results, folder, directory)

    return work


def _packet(catalogue: Catalogue, data: Storage, results: Storage, folder: WorkFolder, directory: Path) -> Outcome:
    job = folder.job
    found = results.read_json(folder.key(PACKET))
    snapshot = catalogue.snapshot(job.county_id, job.dataset_version)
    places = found["pages"]["places"]
    ids = [found["result"]["property_id"], *found["result"]["comparables_used"]]
    around = look_around(catalogue, data, snapshot, ids, [places["subject"], *places["comparables"]])
    name = catalogue.configuration(job.county_id).name or job.county_id
    made = packet_pdf(
        found["result"], found["pages"], around, office=name, made_at=job.created_at.replace(microsecond=0)
    )
    path = directory / "appeal_packet.pdf"
    path.write_bytes(made.content)
    value = found["result"]["estimated_value"]
    return Outcome(
        message=f"${value:,.0f}, packet of {made.pages} pages",
        document={**found["result"], "pages": made.pages},
        file=ResultFile(path, path.name, PDF, "report_location"),
    )


def _card(results: Storage, folder: WorkFolder, job: Job, directory: Path) -> Outcome:
    card = results.read_json(folder.key(CARD))
    made = card_pdf(card, office=job.county_id, made_at=job.created_at.replace(microsecond=0))
    paths = {name: directory / name for name in ("model_card.pdf", "model_card.json", "screening.csv")}
    paths["model_card.pdf"].write_bytes(made.content)
    paths["model_card.json"].write_text(json.dumps(card, sort_keys=True, indent=1), encoding="utf-8")
    results.download(folder.key(SCREENING), paths["screening.csv"])
    reconciled = card["hold_out"]["approaches"]["reconciled"]
    return Outcome(
        message=f"Model {card['model_version']}: median ratio {reconciled['median_ratio']}, COD {reconciled['cod']}",
        document={
            "model_version": card["model_version"],
            "dataset_version": job.dataset_version,
            "known_until": card["known_until"],
            "summary": {name: card[name] for name in ("data", "screening", "market_time")}
            | {"hold_out": card["hold_out"]["approaches"]},
            "pages": made.pages,
        },
        file=ResultFile(paths["model_card.pdf"], "model_card.pdf", PDF, "result_location"),
        attachments=(
            ResultFile(paths["model_card.json"], "model_card.json", "application/json"),
            ResultFile(paths["screening.csv"], "screening.csv", "text/csv; charset=utf-8"),
        ),
    )
