"""Cancelling, completing, failing and closing the same jobs at once."""

import random
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from terrafusion.errors import Conflict
from terrafusion.jobs import Job, JobStatus
from terrafusion.jobs.model import now
from terrafusion.jobs.service import Accepted
from terrafusion.jobs.work import Attempt, Outcome, Progress, result_of
from tests.integration.job_world import ADA, ALIVE, World, done

CLIENTS = 64
ENDS = {JobStatus.COMPLETED: "completed", JobStatus.FAILED: "failed", JobStatus.CANCELLED: "cancelled"}


def race(world: World, count: int, seed: int) -> Counter[JobStatus]:
    """Let 64 clients race for `count` jobs; gives how the jobs ended. Each must have had one winner, one count."""
    chance = random.Random(seed)
    jobs = [world.service.submit(ADA, "a", "v", Accepted({})).job_id for _ in range(count)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        runs = []
        for job in jobs:
            contenders = [(_work, chance.uniform(0, 0.05)), *((_cancel, chance.uniform(0, 0.1)) for _ in range(3))]
            chance.shuffle(contenders)
            runs.append((job, [pool.submit(what, world, job, pause) for what, pause in contenders]))
        ends = Counter(_judge(world, job, outcomes) for job, outcomes in runs)
    assert not list(world.store.open_jobs(world.plugin.slug, now()))
    return ends


def _work(world: World, job: str, pause: float) -> JobStatus | None:
    def work(claimed: Job, directory: Path, progress: Progress) -> Outcome:
        time.sleep(pause)
        return done(claimed, directory, progress)

    status = world.worker.run(job, Attempt.of_workflow("2026-01-01T00:00:00Z#0"), ALIVE, work)
    return JobStatus.COMPLETED if status is JobStatus.COMPLETED else None


def _cancel(world: World, job: str, pause: float) -> JobStatus | None:
    time.sleep(pause)
    try:
        return world.service.cancel(ADA, job).status
    except Conflict:
        return None


def _judge(world: World, job_id: str, outcomes: list[Future[JobStatus | None]]) -> JobStatus:
    winners = [outcome.result() for outcome in outcomes if outcome.result() is not None]
    job = world.store.get(job_id)
    assert winners == [job.status], f"{job_id}: {winners}, and the table says {job.status}"
    assert world.counted(job_id) == {"submitted": 1, ENDS[job.status]: 1}
    assert (result_of(job, world.results) is not None) == (job.status is JobStatus.COMPLETED)
    return job.status
