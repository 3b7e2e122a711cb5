"""The state machine of a job, as a table: what the contract says of states holds for every transition."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrafusion.jobs import Job, JobStatus
from terrafusion.jobs.model import TERMINAL
from terrafusion.jobs.transitions import (
    CANCEL,
    CLAIM,
    CLAIM_DELIVERED,
    CLOSE,
    CLOSE_STALE,
    COMPLETE,
    FAIL,
    REPORT,
    TRANSITIONS,
    Transition,
)

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def job(status: JobStatus, **changes: Any) -> Job:
    values = {
        "job_id": "1",
        "plugin": "p",
        "county_id": "c",
        "status": status,
        "message": "",
        "parameters": {},
        "requested_by": "ada",
        "dataset_version": "v",
        "created_at": MOMENT,
        "updated_at": MOMENT,
        **changes,
    }
    return Job.model_validate(values)


def reachable(start: JobStatus) -> set[JobStatus]:
    found = {start}
    while True:
        more = {t.target for t in TRANSITIONS if found & set(t.sources)} | found
        if more == found:
            return found
        found = more


def test_every_state_can_be_reached_and_every_job_can_end() -> None:
    assert reachable(JobStatus.PENDING) == set(JobStatus)
    for state in set(JobStatus) - TERMINAL:
        assert any(state in t.sources and t.target.is_terminal for t in TRANSITIONS)


@pytest.mark.parametrize("transition", TRANSITIONS, ids=lambda t: t.name)
def test_nothing_follows_a_terminal_state(transition: Transition) -> None:
    assert not TERMINAL & set(transition.sources)
    for state in TERMINAL:
        assert not transition.allows(job(state, attempt="1"), attempt="1", version=1, moment=MOMENT)


def test_only_work_that_was_begun_is_completed() -> None:
    assert [t.name for t in TRANSITIONS if t.target is JobStatus.COMPLETED] == ["complete"]
    assert set(COMPLETE.sources) == {JobStatus.RUNNING}


@given(held=st.text(min_size=1), asks=st.text(min_size=1))
def test_only_the_attempt_that_has_a_job_writes_to_it(held: str, asks: str) -> None:
    running = job(JobStatus.RUNNING, attempt=held)

    for transition in (REPORT, COMPLETE, FAIL):
        assert transition.allows(running, attempt=asks) == (held == asks)
    assert CLAIM.allows(running, attempt=asks) == (held < asks)


@given(st.integers(-100, 100))
def test_a_second_delivery_takes_a_job_only_when_the_first_cannot_be_running(seconds: int) -> None:
    running = job(JobStatus.RUNNING, attempt="a", lease_until=MOMENT)

    taken = CLAIM_DELIVERED.allows(running, attempt="b", moment=MOMENT + timedelta(seconds=seconds))

    assert taken == (seconds > 0)


@given(seen=st.integers(1, 5), found=st.integers(1, 5))
def test_what_was_decided_on_an_old_reading_does_not_happen(seen: int, found: int) -> None:
    running = job(JobStatus.RUNNING, version=found)

    assert CLOSE_STALE.allows(running, version=seen) == (seen == found)
    assert CLOSE.allows(running)
    assert CANCEL.allows(running)
