"""Schedule expressions, as EventBridge reads them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.schedule import Cron, parse_schedule

MONDAY = datetime(2026, 11, 23, 10, 7, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("rate(5 minutes)", MONDAY, MONDAY + timedelta(minutes=5)),
        ("rate(1 hour)", MONDAY, MONDAY + timedelta(hours=1)),
        ("rate(2 days)", MONDAY, MONDAY + timedelta(days=2)),
        ("cron(* * * * ? *)", MONDAY, datetime(2026, 11, 23, 10, 8, tzinfo=UTC)),
        ("cron(0 3 * * ? *)", MONDAY, datetime(2026, 11, 24, 3, 0, tzinfo=UTC)),
        ("cron(0/15 * * * ? *)", MONDAY, datetime(2026, 11, 23, 10, 15, tzinfo=UTC)),
        ("cron(5-10/5 10 * * ? *)", MONDAY, datetime(2026, 11, 23, 10, 10, tzinfo=UTC)),
        ("cron(0 18 ? * MON-FRI *)", MONDAY.replace(day=27, hour=19), datetime(2026, 11, 30, 18, 0, tzinfo=UTC)),
        ("cron(0 0 ? * FRI-MON *)", MONDAY, datetime(2026, 11, 27, 0, 0, tzinfo=UTC)),
        ("cron(0 0 ? * 1 *)", MONDAY, datetime(2026, 11, 29, 0, 0, tzinfo=UTC)),
        ("cron(30 8 1 JAN,JUL ? *)", MONDAY, datetime(2027, 1, 1, 8, 30, tzinfo=UTC)),
        ("cron(0 0 29 2 ? *)", MONDAY, datetime(2028, 2, 29, 0, 0, tzinfo=UTC)),
        ("cron(0 0 1 1 ? 2030/2)", MONDAY, datetime(2030, 1, 1, 0, 0, tzinfo=UTC)),
    ],
)
def test_the_next_time(expression: str, after: datetime, expected: datetime) -> None:
    assert parse_schedule(expression).next_after(after) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "rate(0 minutes)", "rate(5 weeks)", "cron(* * * * *)", "cron(* * * * * *)", "cron(* * ? * ? *)",
        "cron(60 * * * ? *)", "cron(0 0 L * ? *)", "cron(0 0 ? * 2#1 *)", "cron(0 0 15W * ? *)", "cron(*/0 * * * ? *)",
        "cron(0 0 31 2 ? *)", "cron(0 0 1 1 ? 1999)", "daily",
    ],
)  # fmt: skip
def test_what_is_wrong_unsupported_or_never_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_schedule(expression)


@given(
    st.integers(0, 4 * 366 * 24 * 3600).map(lambda seconds: MONDAY + timedelta(seconds=seconds)),
    st.sampled_from(["*/7 * * * ? *", "3,40 5-9 * * ? *", "0 12 ? * TUE,SAT *", "59 23 31 * ? *"]),
)
def test_the_next_time_is_the_first_minute_that_all_fields_allow(moment: datetime, fields: str) -> None:
    schedule = parse_schedule(f"cron({fields})")
    assert isinstance(schedule, Cron)

    found = schedule.next_after(moment)

    assert found is not None
    assert found > moment
    assert allowed(schedule, found)
    step = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
    while step < min(found, moment + timedelta(hours=12)):
        assert not allowed(schedule, step)
        step += timedelta(minutes=1)


def allowed(schedule: Cron, moment: datetime) -> bool:
    return (
        moment.minute in schedule.minutes
        and moment.hour in schedule.hours
        and moment.day in schedule.days_of_month
        and moment.month in schedule.months
        and moment.isoweekday() % 7 + 1 in schedule.days_of_week
        and moment.year in schedule.years
    )
