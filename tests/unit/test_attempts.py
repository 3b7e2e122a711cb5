"""Attempts of a worker are told apart by a token that grows."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from terrafusion.jobs.work import Attempt


def token(text: str) -> str:
    return Attempt.of_workflow(text).token


MOMENTS = st.integers(1_500_000_000, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(MOMENTS, st.integers(0, 999), st.integers(1, 999))
def test_a_later_retry_compares_greater(moment: datetime, retry: int, more: int) -> None:
    entered = moment.isoformat()

    assert token(f"{entered}#{retry}") < token(f"{entered}#{retry + more}")


@given(MOMENTS, st.integers(0, 999), st.integers(0, 999), st.integers(1, 10**9))
def test_a_state_entered_later_compares_greater_whatever_the_retries(
    moment: datetime, retry: int, other: int, seconds: int
) -> None:
    first, second = (f"{m:%Y-%m-%dT%H:%M:%S}.000Z" for m in (moment, moment + timedelta(seconds=seconds)))

    assert token(f"{first}#{retry}") < token(f"{second}#{other}")
