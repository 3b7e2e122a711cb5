"""Which route takes a request, and how many requests one takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.routing import Router
from local.stack import Route, Throttle
from local.throttle import Bucket

ROUTES = (
    Route("ANY", "$default", "f"),
    Route("ANY", "/{proxy+}", "f"),
    Route("GET", "/pets/{proxy+}", "f"),
    Route("GET", "/pets/dog/{id}", "f"),
    Route("GET", "/pets/dog/1", "f"),
    Route("ANY", "/pets/dog/1", "f"),
    Route("POST", "/pets/{kind}/{id}", "f"),
    Route("HEAD", "/heads", "f"),
)


@pytest.mark.parametrize(
    ("method", "path", "key", "variables"),
    [
        ("GET", "/pets/dog/1", "GET /pets/dog/1", {}),
        ("PUT", "/pets/dog/1", "ANY /pets/dog/1", {}),
        ("GET", "/pets/dog/2", "GET /pets/dog/{id}", {"id": "2"}),
        ("GET", "/pets/cat/1", "GET /pets/{proxy+}", {"proxy": "cat/1"}),
        ("POST", "/pets/cat/1", "POST /pets/{kind}/{id}", {"kind": "cat", "id": "1"}),
        ("GET", "/pets/dog/a%2Fb%20c", "GET /pets/dog/{id}", {"id": "a/b c"}),
        ("GET", "/test/5", "ANY /{proxy+}", {"proxy": "test/5"}),
        ("GET", "/pets/do%67/1", "GET /pets/dog/1", {}),
        ("HEAD", "/heads", "HEAD /heads", {}),
        ("GET", "/", "$default", {}),
    ],
)
def test_the_most_specific_route_takes_a_request(method: str, path: str, key: str, variables: dict[str, str]) -> None:
    match = Router(ROUTES).find(method, path)

    assert match is not None
    assert (match.route.key, match.variables) == (key, variables)


@pytest.mark.parametrize(("method", "path"), [("HEAD", "/a"), ("POST", "/a"), ("GET", "/a/"), ("GET", "/A")])
def test_without_a_default_the_rest_is_unknown(method: str, path: str) -> None:
    assert Router([Route("GET", "/a", "f")]).find(method, path) is None


@given(st.permutations(ROUTES), st.sampled_from(["/pets/dog/1", "/pets/dog/7", "/pets/x/y/z", "/other"]))
def test_the_order_in_the_template_does_not_matter(routes: list[Route], path: str) -> None:
    assert Router(routes).find("GET", path) == Router(ROUTES).find("GET", path)


@given(st.text(min_size=1).filter(lambda text: "\x00" not in text))
def test_a_variable_gets_back_what_was_encoded(value: str) -> None:
    from urllib.parse import quote

    match = Router([Route("GET", "/a/{v}/b", "f")]).find("GET", f"/a/{quote(value, safe='')}/b")

    assert match is not None
    assert match.variables == {"v": value}


@given(
    st.integers(1, 20),
    st.integers(1, 20),
    st.lists(st.floats(0, 2), max_size=60),
)
def test_a_bucket_never_lets_more_through_than_burst_and_rate(burst: int, rate: int, pauses: list[float]) -> None:
    now = 0.0
    bucket = Bucket(Throttle(rate, burst), clock=lambda: now)

    passed = 0
    for pause in pauses:
        now += pause
        passed += bucket.take()

    assert passed <= burst + rate * now + 1e-6


def test_a_bucket_lets_its_burst_through_and_fills_again() -> None:
    now = 0.0
    bucket = Bucket(Throttle(rate=2, burst=3), clock=lambda: now)

    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    now = 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]
