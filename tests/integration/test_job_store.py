"""Jobs in the table: legal changes happen once, all others not at all."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.aws.endpoint import AwsEndpoint
from local.leases import end_leases
from terrafusion.errors import FailureReason, InvalidRequest, JobSuperseded, NotFound
from terrafusion.http.jobs import expected_end
from terrafusion.jobs import Job, JobStatus, JobStore
from terrafusion.jobs.model import TERMINAL, JobEvent, now
from terrafusion.jobs.transitions import CLAIM_DELIVERED
from terrafusion.storage import Storage
from terrafusion.transactions import ConditionFailed
from tests.integration.job_world import JOBS_TABLE


def make(county: str = "a", plugin: str = "gis-export", **changes: Any) -> Job:
    moment = now()
    values = {
        "job_id": str(uuid.uuid4()),
        "plugin": plugin,
        "county_id": county,
        "status": JobStatus.PENDING,
        "message": "Waiting",
        "parameters": {"box": [-119.25, 46.5]},
        "requested_by": "ada",
        "dataset_version": "v1",
        "created_at": moment,
        "updated_at": moment,
        "type_label": "GPKG",
    }
    return Job.model_validate({**values, **changes})


def claim(store: JobStore, job_id: str, attempt: str) -> Job | None:
    """Claim for an attempt that may take a minute."""
    return store.claim(job_id, attempt, now() + timedelta(seconds=60))


@pytest.fixture
def job(store: JobStore) -> Job:
    """A job that waits."""
    job = make()
    store.create(job)
    return job


def test_a_job_is_read_as_it_was_written(store: JobStore, job: Job) -> None:
    assert store.get(job.job_id) == job


def test_parameters_too_large_for_an_item_are_kept_whole(store: JobStore) -> None:
    large = make(parameters={"ring": [[i / 7, -i / 3] for i in range(30_000)]})

    store.create(large)

    assert store.get(large.job_id) == large
    assert claim(store, large.job_id, "1") is not None


def test_an_id_serves_once(store: JobStore, job: Job) -> None:
    with pytest.raises(ConditionFailed) as failed:
        store.create(job)
    assert failed.value.index == 0


def test_an_unknown_job_is_not_found(store: JobStore) -> None:
    with pytest.raises(NotFound):
        store.get(str(uuid.uuid4()))
    assert claim(store, str(uuid.uuid4()), "1") is None
    assert store.cancel(str(uuid.uuid4()), "") is None


def test_a_job_whose_time_is_over_is_gone_though_the_table_still_has_it(store: JobStore) -> None:
    old = make(county="old", created_at=now() - timedelta(days=8))

    store.create(old)

    with pytest.raises(NotFound):
        store.get(old.job_id)
    assert store.page("gis-export", ["old"]).jobs == ()


def test_a_later_attempt_takes_over_and_the_earlier_one_can_do_nothing_more(store: JobStore, job: Job) -> None:
    first, second = "2026-01-01T00:00:00Z#0", "2026-01-01T00:00:00Z#1"
    assert claim(store, job.job_id, first) is not None
    assert claim(store, job.job_id, first) is None, "a duplicate of the same attempt"

    assert claim(store, job.job_id, second) is not None

    for late in (
        lambda: store.report(job.job_id, first, 50, ""),
        lambda: store.complete(job.job_id, first, "key", ""),
        lambda: store.fail_attempt(job.job_id, first, FailureReason.ENGINE_ERROR, ""),
    ):
        with pytest.raises(JobSuperseded):
            late()
    assert claim(store, job.job_id, first) is None
    store.report(job.job_id, second, 50, "half")
    assert store.complete(job.job_id, second, "key", "done").status is JobStatus.COMPLETED


def test_the_clock_of_a_job_starts_with_its_first_claim(store: JobStore, job: Job) -> None:
    first = claim(store, job.job_id, "1")
    second = claim(store, job.job_id, "2")

    assert first is not None
    assert second is not None
    assert first.started_at == second.started_at is not None


@pytest.mark.parametrize("end", sorted(TERMINAL))
def test_nothing_follows_an_end(store: JobStore, job: Job, end: JobStatus) -> None:
    claim(store, job.job_id, "1")
    if end is JobStatus.COMPLETED:
        store.complete(job.job_id, "1", "key", "done")
    elif end is JobStatus.FAILED:
        store.close(job.job_id, FailureReason.TIMEOUT, "over")
    else:
        store.cancel(job.job_id, "over")
    ended = store.get(job.job_id)
    assert ended.completed_at is not None

    assert claim(store, job.job_id, "2") is None
    assert store.close(job.job_id, FailureReason.TIMEOUT, "again") is None
    assert store.close(job.job_id, FailureReason.TIMEOUT, "again", ended.version) is None
    assert store.cancel(job.job_id, "again") is None
    with pytest.raises(JobSuperseded):
        store.complete(job.job_id, "1", "other", "again")

    assert store.get(job.job_id) == ended


def test_pages_join_to_the_whole_list_of_several_counties(store: JobStore) -> None:
    start = datetime(2099, 1, 1, tzinfo=UTC)
    made = [make(county="bc"[i % 2], created_at=start + timedelta(seconds=i // 3)) for i in range(25)]
    for job in made:
        store.create(job)
    store.create(make(county="d", created_at=start))
    store.create(make(county="b", plugin="valuation", created_at=start))

    seen: list[Job] = []
    cursor = None
    while True:
        page = store.page("gis-export", ["b", "c"], limit=4, cursor=cursor)
        seen += page.jobs
        cursor = page.next_cursor
        if cursor is None:
            break

    assert [job.job_id for job in seen] == [
        job.job_id for job in sorted(made, key=lambda j: (j.created_at, j.job_id), reverse=True)
    ]


def test_pages_are_filtered_by_state_and_time(store: JobStore) -> None:
    start = datetime(2099, 1, 1, tzinfo=UTC)
    made = [make(county="f", created_at=start + timedelta(seconds=i)) for i in range(6)]
    for job in made:
        store.create(job)
    store.cancel(made[1].job_id, "")
    store.cancel(made[4].job_id, "")

    def ids(**filters: Any) -> list[str]:
        return [job.job_id for job in store.page("gis-export", ["f"], **filters).jobs]

    assert ids(status=JobStatus.CANCELLED) == [made[4].job_id, made[1].job_id]
    assert ids(created_after=made[3].created_at) == [made[5].job_id, made[4].job_id]
    assert ids(created_after=made[5].created_at) == []
    assert ids(status=JobStatus.CANCELLED, limit=1) == [made[4].job_id]


@pytest.mark.parametrize("cursor", ["x", "%%%", "bm9uc2Vuc2U", "é"])
def test_a_cursor_that_is_none_is_refused(store: JobStore, cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        store.page("gis-export", ["a"], cursor=cursor)


def test_a_change_decided_on_an_old_reading_is_refused(store: JobStore, job: Job) -> None:
    seen = store.get(job.job_id)
    claim(store, job.job_id, "1")

    assert store.close(job.job_id, FailureReason.WORKER_CRASHED, "silent", seen.version) is None
    assert not store.touch(seen, "again")

    current = store.get(job.job_id)
    assert current.status is JobStatus.RUNNING
    assert store.close(job.job_id, FailureReason.WORKER_CRASHED, "silent", current.version) is not None


class Stammering:
    """A client whose answers get lost: the SDK sends each update a second time."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def update_item(self, **request: Any) -> Any:
        self._client.update_item(**request)
        return self._client.update_item(**request)


def test_a_write_whose_answer_was_lost_counts_as_done(store: JobStore, results: Storage, endpoint: AwsEndpoint) -> None:
    stammering = JobStore(Stammering(endpoint.client("dynamodb")), "terrafusion-local-jobs", results, keep_days=7)
    job = make()
    store.create(job)

    assert claim(stammering, job.job_id, "1") is not None
    assert stammering.complete(job.job_id, "1", "key", "done").result_key == "key"

    assert store.get(job.job_id).status is JobStatus.COMPLETED


def test_a_job_is_open_until_it_is_over_and_counted(store: JobStore) -> None:
    plugin = f"p-{uuid.uuid4().hex}"
    job = make(plugin=plugin)
    store.create(job)

    def open_ids() -> list[str]:
        return [j.job_id for j in store.open_jobs(plugin, now() + timedelta(seconds=1))]

    assert open_ids() == [job.job_id]
    store.settle(job, JobEvent.SUBMITTED)
    assert open_ids() == [job.job_id]
    ended = store.cancel(job.job_id, "over")
    assert ended is not None
    assert ended.uncounted == {JobEvent.ENDED}
    assert open_ids() == [job.job_id]
    store.settle(ended, JobEvent.ENDED)
    assert open_ids() == []
    assert store.get(job.job_id).uncounted == frozenset()


@pytest.mark.parametrize("order", [(JobEvent.SUBMITTED, JobEvent.ENDED), (JobEvent.ENDED, JobEvent.SUBMITTED)])
def test_events_are_settled_in_any_order(store: JobStore, order: tuple[JobEvent, JobEvent]) -> None:
    plugin = f"p-{uuid.uuid4().hex}"
    job = make(plugin=plugin)
    store.create(job)
    ended = store.cancel(job.job_id, "over")
    assert ended is not None

    for event in order:
        store.settle(ended, event)

    assert list(store.open_jobs(plugin, now() + timedelta(seconds=1))) == []


def test_jobs_that_wait_know_how_many_are_before_them(store: JobStore) -> None:
    plugin = f"queue-{uuid.uuid4().hex[:8]}"
    jobs = [make(plugin=plugin) for _ in range(3)]
    for waiting in jobs:
        store.create(waiting)

    assert [store.before(waiting) for waiting in jobs] == [0, 1, 2]
    assert claim(store, jobs[0].job_id, "1")
    assert [store.before(waiting) for waiting in jobs[1:]] == [0, 1]


@pytest.mark.parametrize(("progress", "seconds"), [(0, None), (25, 40), (50, 20), (99, 10.1)])
def test_a_running_job_is_expected_to_end_as_it_began(progress: int, seconds: float | None) -> None:
    start = now()
    running = make(
        status=JobStatus.RUNNING, progress=progress, started_at=start, updated_at=start + timedelta(seconds=10)
    )

    end = expected_end(running, start + timedelta(seconds=1))

    assert (end is None) is (seconds is None)
    if end and seconds:
        assert (end - start).total_seconds() == pytest.approx(seconds, abs=0.01)
    assert expected_end(make(), start) is None


def test_at_the_cloud_s_start_the_leases_of_the_dead_are_over(store: JobStore, endpoint: AwsEndpoint, job: Job) -> None:
    claim(store, job.job_id, "first")
    assert store.claim(job.job_id, "second", now(), CLAIM_DELIVERED) is None

    assert end_leases(endpoint.client("dynamodb"), JOBS_TABLE) >= 1

    assert store.claim(job.job_id, "second", now() + timedelta(seconds=60), CLAIM_DELIVERED) is not None
    with pytest.raises(JobSuperseded):
        store.report(job.job_id, "first", 10, "")
