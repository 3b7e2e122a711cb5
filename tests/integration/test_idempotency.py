"""The same key and request: one job, however often and however much at once."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from local.aws.endpoint import AwsEndpoint
from terrafusion.errors import Conflict
from terrafusion.jobs.idempotency import KEPT, IdempotencyKey, IdempotencyKeys
from terrafusion.jobs.service import Accepted
from terrafusion.storage import Storage
from tests.integration.job_world import ADA, JOBS_TABLE, World


@pytest.fixture
def world(endpoint: AwsEndpoint, bucket_names: dict[str, str], data: Storage) -> World:
    return World(endpoint, bucket_names["ResultsBucket"], data)


def key(text: str = "k", subject: str = "ada", **request: object) -> IdempotencyKey:
    return IdempotencyKey.of("lives", subject, text, request or {"layers": ["parcels"]})


def submit(world: World, once: IdempotencyKey) -> str:
    before = world.service.submitted_before(once)
    return (before or world.service.submit(ADA, "a", "v", Accepted({}), once)).job_id


def test_the_same_key_and_request_find_the_first_job(world: World) -> None:
    text = uuid.uuid4().hex

    first = submit(world, key(text))

    assert submit(world, key(text)) == first
    assert list(world.handovers.given) == [first]
    assert world.counted(first) == {"submitted": 1}


def test_the_same_key_with_another_request_is_a_conflict(world: World) -> None:
    text = uuid.uuid4().hex
    submit(world, key(text, layers=["parcels"]))

    with pytest.raises(Conflict, match="Idempotency-Key"):
        submit(world, key(text, layers=["zoning"]))


def test_a_request_is_the_same_in_whatever_order_its_members_come() -> None:
    assert key(a=1, b={"c": 2, "d": 3}) == key(b={"d": 3, "c": 2}, a=1)
    assert key(a=1) != key(a="1")


def test_others_keys_are_others(world: World) -> None:
    text = uuid.uuid4().hex

    assert submit(world, key(text)) != submit(world, key(text, subject="grace"))


def test_a_key_serves_again_after_a_day(world: World, endpoint: AwsEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    text = uuid.uuid4().hex
    first = submit(world, key(text))
    from terrafusion.jobs import idempotency

    later = idempotency.now() + KEPT
    monkeypatch.setattr(idempotency, "now", lambda: later)

    assert submit(world, key(text)) != first


def test_only_the_job_that_has_a_key_frees_it(world: World, endpoint: AwsEndpoint) -> None:
    once = key(uuid.uuid4().hex)
    first = submit(world, once)
    keys = IdempotencyKeys(endpoint.client("dynamodb"), JOBS_TABLE)

    keys.release(once, "another")
    assert keys.job_id(once) == first
    keys.release(once, first)
    assert keys.job_id(once) is None
    assert keys.job_id(replace(once, request="x")) is None


def test_sixteen_at_once_make_one_job(world: World) -> None:
    with ThreadPoolExecutor(16) as pool:
        for _ in range(10):
            once = key(uuid.uuid4().hex)
            before = len(world.handovers.given)

            made = set(pool.map(submit, [world] * 16, [once] * 16))

            assert len(made) == 1
            assert len(world.handovers.given) == before + 1
