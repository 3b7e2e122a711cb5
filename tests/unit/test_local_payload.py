"""HTTP to payload 2.0 and back."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.payload import HttpAnswer, HttpRequest, MalformedAnswer, function_event, read_answer
from local.routing import Match
from local.stack import Route

MATCH = Match(Route("GET", "/a/{b}", "f"), {"b": "x"})


def test_a_request_becomes_an_event() -> None:
    request = HttpRequest(
        "GET",
        "/a/x%20y",
        "q=1&q=2&e=&p=%2B",
        (("host", "here"), ("x-n", "1"), ("x-n", "2"), ("cookie", "a=1; b=2"), ("user-agent", "test")),
    )

    event = function_event(request, MATCH, {"subject": "s"})

    assert event["version"] == "2.0"
    assert event["routeKey"] == event["requestContext"]["routeKey"] == "GET /a/{b}"
    assert (event["rawPath"], event["rawQueryString"]) == ("/a/x y", "q=1&q=2&e=&p=%2B")
    assert event["queryStringParameters"] == {"q": "1,2", "e": "", "p": "+"}
    assert event["cookies"] == ["a=1", "b=2"]
    assert (event["headers"]["x-n"], event["headers"]["host"]) == ("1,2", "here")
    assert "cookie" not in event["headers"]
    assert event["pathParameters"] == {"b": "x"}
    assert event["requestContext"]["http"]["userAgent"] == "test"
    assert event["requestContext"]["authorizer"] == {"lambda": {"subject": "s"}}
    assert "body" not in event


@given(st.binary(min_size=1))
def test_a_body_arrives_as_it_was_sent(body: bytes) -> None:
    event = function_event(HttpRequest("POST", "/a/x", "", (), body), MATCH, None)

    text = event["body"]
    assert (base64.b64decode(text) if event["isBase64Encoded"] else text.encode()) == body
    assert "authorizer" not in event["requestContext"]


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        ("hello", HttpAnswer(200, b"hello", (("content-type", "application/json"),))),
        ({"a": 1}, HttpAnswer(200, b'{"a": 1}', (("content-type", "application/json"),))),
        ({"statusCode": "204"}, HttpAnswer(204)),
        (
            {
                "statusCode": 201,
                "headers": {"Location": "/x", "Content-Length": "9", "X-B": True},
                "cookies": ["a=1", "b=2"],
                "body": base64.b64encode(b"\x00\xff").decode(),
                "isBase64Encoded": True,
            },
            HttpAnswer(
                201,
                b"\x00\xff",
                (
                    ("location", "/x"),
                    ("x-b", "true"),
                    ("content-type", "text/plain;charset=UTF-8"),
                    ("set-cookie", "a=1"),
                    ("set-cookie", "b=2"),
                ),
            ),
        ),
    ],
)
def test_what_a_function_answers_becomes_http(value: Any, answer: HttpAnswer) -> None:
    assert read_answer(json.dumps(value).encode()) == answer


@pytest.mark.parametrize(
    "value",
    [
        {"statusCode": "soon"},
        {"statusCode": 99},
        {"statusCode": 200, "headers": {"x": "a\r\nset-cookie: b"}},
        {"statusCode": 200, "headers": ["x"]},
        {"statusCode": 200, "body": "?", "isBase64Encoded": True},
    ],
)
def test_an_answer_that_is_no_http_is_refused(value: Any) -> None:
    with pytest.raises(MalformedAnswer):
        read_answer(json.dumps(value).encode())
