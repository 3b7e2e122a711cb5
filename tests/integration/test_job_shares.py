"""A job whose work is done side by side: progress only grows, whatever ends it stops the others, none counts twice."""

import random
import uuid
from pathlib import Path
from typing import Any

import pytest

from local.aws.endpoint import AwsEndpoint
from terrafusion.errors import FailureReason, JobFailure
from terrafusion.jobs.model import Job, JobStatus, now
from terrafusion.jobs.shares import END_PERCENT, Share, WorkFolder, tell, work_on_share
from terrafusion.jobs.work import Attempt, KeptFile, Outcome, Progress, result_of
from terrafusion.storage import Storage
from tests.integration.job_world import ALIVE, World

FIRST, LAST = (Attempt.of_workflow(f"2026-01-01T00:00:0{n}Z#0") for n in (1, 2))


@pytest.fixture
def world(endpoint: AwsEndpoint, results: Storage, data: Storage) -> World:
    return World(endpoint, results.bucket, data)


@pytest.fixture
def job(world: World) -> Job:
    """A job that a first step has begun."""
    moment = now()
    job = Job(
        job_id=str(uuid.uuid4()),
        plugin=world.plugin.slug,
        county_id="a",
        status=JobStatus.PENDING,
        message="",
        parameters={},
        requested_by="ada",
        dataset_version="v",
        created_at=moment,
        updated_at=moment,
    )
    world.store.create(job)
    begun = world.worker.run_or_begin(job.job_id, FIRST, ALIVE, lambda _job, _folder, _progress: ["shares"])
    assert begun == ["shares"]
    return job


def share(number: int, count: int = 7) -> Share:
    return Share(number, count, FIRST.token)


def work(job: Job, _directory: Path, _progress: Progress) -> str:
    return job.job_id


def test_progress_counts_what_is_done_in_whatever_order_and_however_often(world: World, job: Job) -> None:
    order = [n % 7 for n in range(14)]
    random.Random(3).shuffle(order)
    seen = [0]
    for number in order:
        assert work_on_share(world.worker, job.job_id, share(number), ALIVE, work) == job.job_id
        seen.append(world.store.get(job.job_id).progress)

    assert seen == sorted(seen)
    last = world.store.get(job.job_id)
    assert (last.progress, last.message) == (END_PERCENT, "7 of 7 parts are done")
    assert last.shares == dict.fromkeys(range(7), 100)


def test_shares_under_way_count_as_far_as_they_are_and_one_that_begins_again_takes_nothing_away(
    world: World, job: Job
) -> None:
    seen = []
    for number, percent in ((0, 40), (1, 80), (0, 99), (1, 0), (1, 60), (0, 100), (1, 100)):
        tell(world.store, job.job_id, share(number, 2), percent)
        seen.append(world.store.get(job.job_id).progress)

    assert seen == sorted(seen)
    assert seen[:3] == [5 + 85 * 40 // 200, 5 + 85 * 120 // 200, 5 + 85 * 179 // 200]
    assert seen[-1] == END_PERCENT


def test_a_slower_report_of_less_is_left_out(world: World, job: Job) -> None:
    world.store.report_forward(job.job_id, FIRST.token, 60, "more")
    world.store.report_forward(job.job_id, FIRST.token, 40, "less")

    last = world.store.get(job.job_id)
    assert (last.progress, last.message, last.status) == (60, "more", JobStatus.RUNNING)


def test_joining_goes_on_from_there(world: World, job: Job) -> None:
    for number in range(7):
        work_on_share(world.worker, job.job_id, share(number), ALIVE, work)
    key = WorkFolder(world.results, job).key("part.txt")
    world.results.write(key, b"part", "text/plain")
    seen: list[int] = []

    def join(claimed: Job, _directory: Path, _progress: Progress) -> Outcome:
        seen.append(claimed.progress)
        return Outcome("joined", {}, kept=(KeptFile(key, "part-0001.txt", "text/plain", 4, "sha"),))

    assert world.worker.run(job.job_id, LAST, ALIVE, join, goes_on=True) is JobStatus.COMPLETED

    assert seen == [END_PERCENT]
    document = result_of(world.store.get(job.job_id), world.results)
    assert document is not None
    assert document["files"] == [
        {"key": key, "name": "part-0001.txt", "media_type": "text/plain", "size_bytes": 4, "sha256": "sha"}
    ]
    assert work_on_share(world.worker, job.job_id, share(3), ALIVE, work) is None, "one that comes late"


def test_a_share_that_fails_ends_the_job_and_the_others_stop(world: World, job: Job) -> None:
    def fails(_job: Job, _directory: Path, _progress: Progress) -> str:
        raise JobFailure(FailureReason.ENGINE_ERROR, "the third is broken")

    assert work_on_share(world.worker, job.job_id, share(2), ALIVE, fails) is None

    last = world.store.get(job.job_id)
    assert (last.status, last.failure_reason, last.message) == (
        JobStatus.FAILED,
        "engine_error",
        "the third is broken",
    )
    ran: list[Any] = []
    assert work_on_share(world.worker, job.job_id, share(4), ALIVE, lambda *given: ran.append(given)) is None
    assert ran == []
    assert world.worker.run(job.job_id, LAST, ALIVE, lambda *_: Outcome("", {}), goes_on=True) is JobStatus.FAILED
    assert world.counted(job.job_id) == {"failed": 1}


def test_a_share_under_way_learns_that_the_job_was_cancelled(
    world: World, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("terrafusion.jobs.work.REPORT_EVERY_SECONDS", 0)
    ended: list[str] = []

    def long(_job: Job, _directory: Path, progress: Progress) -> str:
        progress(0.1, "going")
        world.store.cancel(job.job_id, "Cancelled")
        progress(0.2, "going")
        ended.append("never")
        return "done"

    assert work_on_share(world.worker, job.job_id, share(0), ALIVE, long) is None

    assert ended == []
    assert world.store.get(job.job_id).status is JobStatus.CANCELLED
