"""Whatever comes twice, late, in the wrong order or not at all: one end, one result, one count."""

import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

import terrafusion.jobs.work
import terrafusion.storage
from local.aws.endpoint import AwsEndpoint
from terrafusion.errors import Conflict, FailureReason, JobFailure, TerraFusionError
from terrafusion.jobs import Job, JobStatus, JobStore
from terrafusion.jobs.dispatch import Handover
from terrafusion.jobs.model import now
from terrafusion.jobs.service import Accepted
from terrafusion.jobs.store import JobStore as Store
from terrafusion.jobs.transitions import TRANSITIONS
from terrafusion.jobs.work import Attempt, Outcome, Progress, ResultFile, result_of
from terrafusion.storage import Storage
from tests.integration.job_world import ADA, ALIVE, OVERDUE, World, done
from tests.integration.test_job_store import make

CALLS = st.one_of(st.none(), st.integers(0, 8))
"""At which of its calls a process dies; None is at none."""
OUTCOMES = st.sampled_from(["done", "fails", "raises", "vanishes"])


class Lifecycle(RuleBasedStateMachine):
    """Some jobs, and all that may happen to them, processes dying at any call included."""

    make_world: ClassVar[Callable[[], World]]
    jobs = Bundle("jobs")

    @initialize()
    def begin(self) -> None:
        self.world = type(self).make_world()
        self.ended: dict[str, tuple[JobStatus, str | None]] = {}
        self.known: list[str] = []

    @rule(target=jobs, calls=CALLS, after=st.booleans(), undelivered=st.booleans())
    def submit(self, calls: int | None, after: bool, undelivered: bool) -> str:
        key = uuid.uuid4().hex
        self.world.handovers.fails = undelivered
        with self.world.fuse.lit(calls, after=after):
            try:
                self.world.service.submit(ADA, "a", key, Accepted({"n": 1}))
            except TerraFusionError:
                assert undelivered
        self.world.handovers.fails = False
        found = self.world.store.page(self.world.plugin.slug, ["a"], limit=100).jobs
        self.known = [j.job_id for j in found]
        return next((j.job_id for j in found if j.dataset_version == key), str(uuid.uuid4()))

    @rule(job=jobs, retry=st.integers(0, 4), calls=CALLS, after=st.booleans(), outcome=OUTCOMES, inside=st.data())
    def workflow_attempt(self, job: str, retry: int, calls: int | None, after: bool, outcome: str, inside: Any) -> None:
        attempt = Attempt.of_workflow(f"2026-01-01T00:00:00Z#{retry}")
        self._attempt(job, attempt, calls, after, outcome, inside)

    @rule(
        job=jobs,
        message=st.sampled_from("mn"),
        calls=CALLS,
        after=st.booleans(),
        outcome=OUTCOMES,
        inside=st.data(),
    )
    def message(self, job: str, message: str, calls: int | None, after: bool, outcome: str, inside: Any) -> None:
        self._attempt(job, Attempt.of_message(message, 1), calls, after, outcome, inside)

    @rule(job=jobs, calls=CALLS, after=st.booleans())
    def cancel(self, job: str, calls: int | None, after: bool) -> None:
        with self.world.fuse.lit(calls, after=after), suppress(TerraFusionError):
            self.world.service.cancel(ADA, job)

    @rule(job=jobs, calls=CALLS, after=st.booleans())
    def close(self, job: str, calls: int | None, after: bool) -> None:
        with self.world.fuse.lit(calls, after=after), suppress(TerraFusionError):
            self.world.closer.close(job, {"Error": "Runtime.ExitError"})

    @rule(job=jobs, state=st.sampled_from(Handover))
    def lose_sight(self, job: str, state: Handover) -> None:
        self.world.handovers.given[job] = state

    @rule(calls=CALLS, after=st.booleans(), later=st.sampled_from([0, 90, 100_000]))
    def sweep(self, calls: int | None, after: bool, later: int) -> None:
        with self.world.fuse.lit(calls, after=after):
            self.world.sweep.run(now() + timedelta(seconds=later))

    @invariant()
    def an_end_stays(self) -> None:
        for job_id in self.known:
            job = self.world.store.get(job_id)
            end = (job.status, job.result_key)
            if job.status.is_terminal:
                assert self.ended.setdefault(job_id, end) == end

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        for job_id in self.known:
            self.world.handovers.given[job_id] = Handover.ENDED
        for _ in range(3):
            self.world.sweep.run(now() + timedelta(days=2))
        self.an_end_stays()
        for job_id in self.known:
            job = self.world.store.get(job_id)
            ends = {JobStatus.COMPLETED: "completed", JobStatus.FAILED: "failed", JobStatus.CANCELLED: "cancelled"}
            assert self.world.counted(job_id) == {"submitted": 1, ends[job.status]: 1}
            stored = result_of(job, self.world.results)
            assert (stored is not None) == (job.status is JobStatus.COMPLETED)
            assert stored is None or stored["result"]["attempt"] == job.attempt
            assert (job.failure_reason is not None) == (job.status is JobStatus.FAILED)
        assert not list(self.world.store.open_jobs(self.world.plugin.slug, now() + timedelta(days=9)))

    def _attempt(self, job: str, attempt: Attempt, calls: int | None, after: bool, outcome: str, inside: Any) -> None:
        def work(claimed: Job, directory: Path, progress: Progress) -> Outcome:
            if inside.draw(st.booleans(), label="something happens meanwhile"):
                self._meanwhile(job, inside)
            if outcome == "fails":
                raise JobFailure(FailureReason.ENGINE_ERROR, "no")
            if outcome == "raises":
                raise ArithmeticError("a mistake")
            return done(claimed, directory, progress)

        dies_at = 2 if outcome == "vanishes" and calls is None else calls
        with self.world.fuse.lit(dies_at, after=after), suppress(TerraFusionError):
            self.world.worker.run(job, attempt, inside.draw(st.sampled_from([ALIVE, OVERDUE])), work)

    def _meanwhile(self, job: str, inside: Any) -> None:
        what = inside.draw(st.sampled_from(["cancel", "close", "take over", "second delivery", "sweep"]))
        with self.world.fuse.lit(None, after=False):
            if what == "cancel":
                self.cancel(job, None, False)
            elif what == "close":
                self.close(job, None, False)
            elif what == "sweep":
                self.sweep(None, False, 100_000)
            else:
                later = Attempt.of_workflow("2026-01-01T00:00:00Z#9")
                attempt = later if what == "take over" else Attempt.of_message("o", 2)
                self.world.worker.run(job, attempt, ALIVE, done)


def test_one_end_one_result_one_count(endpoint: AwsEndpoint, bucket_names: dict[str, str], data: Storage) -> None:
    class Here(Lifecycle):
        make_world = staticmethod(lambda: World(endpoint, bucket_names["ResultsBucket"], data))

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=40, stateful_step_count=14, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


STATES = st.sampled_from(JobStatus)
MOMENTS = st.integers(-60, 60).map(lambda seconds: timedelta(seconds=seconds + 0.5))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    transition=st.sampled_from(TRANSITIONS),
    state=STATES,
    held=st.sampled_from([None, "1", "2", "3"]),
    asks=st.sampled_from(["1", "2", "3"]),
    version=st.integers(1, 3),
    lease=st.none() | MOMENTS,
)
def test_the_table_s_conditions_are_those_of_the_state_machine(
    store: JobStore, transition: Any, state: JobStatus, held: str | None, asks: str, version: int, lease: Any
) -> None:
    lease_until: datetime | None = None if lease is None else now() + lease
    job = make(status=state, attempt=held, version=2, lease_until=lease_until)
    store.create(job)

    expected = transition.allows(job, attempt=asks, version=version, moment=now())

    assert _applies(store, job, transition, asks, version) == expected


def _applies(store: Store, job: Job, transition: Any, attempt: str, version: int) -> bool:
    try:
        store._apply(job.job_id, transition, {}, attempt=attempt, version=version)
    except TerraFusionError:
        return False
    return True


def test_a_job_that_could_not_be_handed_over_says_so_and_frees_its_key(
    endpoint: AwsEndpoint, bucket_names: dict[str, str], data: Storage
) -> None:
    world = World(endpoint, bucket_names["ResultsBucket"], data)
    world.handovers.fails = True

    with pytest.raises(TerraFusionError, match="submit it again"):
        world.service.submit(ADA, "a", "v", Accepted({}))

    (job,) = world.store.page(world.plugin.slug, ["a"]).jobs
    assert (job.status, job.failure_reason) == (JobStatus.FAILED, "dispatch_failed")
    assert world.counted(job.job_id) == {"submitted": 1, "failed": 1}
    assert 'status_on_submit":"FAILED"' in world.lines.getvalue()
    with pytest.raises(Conflict):
        world.service.cancel(ADA, job.job_id)


@pytest.mark.parametrize("at", ["small", "large"])
def test_a_job_that_is_cancelled_while_its_files_are_kept_leaves_none(
    endpoint: AwsEndpoint, bucket_names: dict[str, str], data: Storage, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """An upload learns of it while it is under way; what was kept before is taken back."""
    world = World(endpoint, bucket_names["ResultsBucket"], data)
    job = world.service.submit(ADA, "a", "v", Accepted({}))
    monkeypatch.setattr(terrafusion.jobs.work, "REPORT_EVERY_SECONDS", 0)
    monkeypatch.setattr(terrafusion.storage, "TICK_SECONDS", 0)
    upload, uploaded = Storage.upload, []

    def watched(storage: Storage, path: Path, key: str, media_type: str, tick: Callable[[], None]) -> None:
        def cancel() -> None:
            if path.name == at:
                world.service.cancel(ADA, job.job_id)
            tick()

        upload(storage, path, key, media_type, cancel)
        uploaded.append(path.name)

    def work(claimed: Job, directory: Path, progress: Progress) -> Outcome:
        for name, size in (("small", 1_000), ("large", 40_000_000)):
            (directory / name).write_bytes(bytes(size))
        files = [ResultFile(directory / name, name, "text/plain") for name in ("small", "large")]
        return Outcome("done", {}, files[0], (files[1],))

    monkeypatch.setattr(Storage, "upload", watched)
    status = world.worker.run(job.job_id, Attempt.of_workflow("2026-01-01T00:00:00Z#0"), ALIVE, work)

    prefix = f"results/{world.plugin.slug}/a/{job.job_id}/"
    kept = endpoint.client("s3").list_objects_v2(Bucket=bucket_names["ResultsBucket"], Prefix=prefix)
    assert status is JobStatus.CANCELLED
    assert uploaded == (["small"] if at == "large" else [])
    assert "Contents" not in kept
