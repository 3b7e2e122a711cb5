"""The work of a digest job: reads a layer's file and writes down what it is."""

import hashlib
import json
from pathlib import Path

from terrafusion.counties import Catalogue
from terrafusion.jobs.model import Job
from terrafusion.jobs.work import Outcome, Progress, ResultFile, Work
from terrafusion.storage import Storage


def digest_job(catalogue: Catalogue, data: Storage) -> Work:
    """Make the function that does a job's work."""

    def work(job: Job, directory: Path, progress: Progress) -> Outcome:
        layer = catalogue.snapshot(job.county_id, job.dataset_version).layers[job.parameters["layer"]]
        body = data.read(catalogue.file_key(job.county_id, layer, "data.fgb"))
        held = [bytearray(body) for _ in range(job.parameters["copies"])]
        for done in range(job.parameters["passes"]):
            digest = hashlib.sha256(held[-1]).hexdigest()
            progress(done / job.parameters["passes"], "Reading")
        path = directory / "digest.json"
        path.write_text(json.dumps({"layer": layer.layer, "bytes": len(body), "sha256": digest}))
        sums = directory / "SHA256SUMS"
        sums.write_text(f"{digest}  data.fgb\n")
        return Outcome(
            message=f"{len(body):,} bytes",
            document={"bytes": len(body), "sha256": digest},
            file=ResultFile(path, path.name, "application/json", "result_file_location"),
            attachments=(ResultFile(sums, sums.name, "text/plain"),),
        )

    return work
