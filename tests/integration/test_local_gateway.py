"""The HTTP API of a template: routes, authorizers, CORS, limits, as API Gateway has them."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from local.failures import PortInUse
from local.gateway import MAX_BODY_BYTES, Gateway, GatewayServer
from local.runtime import Functions
from local.template import Template

TEMPLATE = """
Globals:
  Function: {Runtime: python3.13, CodeUri: code/, Timeout: 20}
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      Auth:
        DefaultAuthorizer: Token
        Authorizers:
          Token:
            FunctionArn: !GetAtt Guard.Arn
            AuthorizerPayloadFormatVersion: "2.0"
            EnableSimpleResponses: true
            Identity: {Headers: [Authorization], ReauthorizeEvery: 3600}
          Fresh:
            FunctionArn: !GetAtt Guard.Arn
            AuthorizerPayloadFormatVersion: "2.0"
            EnableSimpleResponses: true
            Identity: {Headers: [Authorization], QueryStrings: [key]}
      RouteSettings: {"GET /rare": {ThrottlingBurstLimit: 2, ThrottlingRateLimit: 0.001}}
  Guard: {Type: AWS::Serverless::Function, Properties: {Handler: app.guard}}
  Echo:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.echo
      Events:
        One: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: GET, Path: "/things/{id}"}}
        Fresh: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: GET, Path: /fresh, Auth: {Authorizer: Fresh}}}
        Open: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: ANY, Path: /open, Auth: {Authorizer: NONE}}}
        Rare: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: GET, Path: /rare, Auth: {Authorizer: NONE}}}
        Slow:
          Type: HttpApi
          Properties:
            {ApiId: !Ref Api, Method: POST, Path: /slow, Auth: {Authorizer: NONE}, TimeoutInMillis: 300}
"""
CODE = """
import base64, json, time

asked = 0

def guard(event, context):
    global asked
    asked += 1
    (token, *rest) = event["identitySource"]
    if token == "crash": raise RuntimeError("secret detail")
    if token == "odd": return {"allowed": True}
    return {"isAuthorized": token.startswith("good"), "context": {"token": token, "asked": asked, "rest": rest,
        "type": event["type"], "arn": event["routeArn"]}}

def echo(event, context):
    body = event.get("body", "")
    if event["isBase64Encoded"]:
        return {"statusCode": 200, "isBase64Encoded": True, "body": body,
            "headers": {"content-type": "application/octet-stream"}}
    given = json.loads(body) if body.startswith("{") else {}
    if "sleep" in given: time.sleep(given["sleep"])
    if "crash" in given: raise RuntimeError("secret detail")
    if "answer" in given: return given["answer"]
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(event)}
"""


@dataclass(frozen=True)
class Running:
    """A gateway, the lines of its access log, and the requests that no function answered."""

    url: str
    log: list[str]
    unanswered: list[tuple[str, str, int]]

    def get(self, path: str, token: str | None = None, **options: Any) -> httpx.Response:
        headers = {**options.pop("headers", {}), **({"authorization": token} if token else {})}
        return httpx.get(self.url + path, headers=headers, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return httpx.post(self.url + path, timeout=30, **options)


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Running]]:
    """Serve the HTTP API of a template with the functions above."""
    closing: list[Callable[[], None]] = []

    def start(text: str) -> Running:
        folder = tmp_path_factory.mktemp("gateway")
        (folder / "code").mkdir()
        (folder / "code" / "app.py").write_text(CODE)
        (folder / "template.yaml").write_text(text)
        template = Template.load(folder / "template.yaml")
        functions = Functions(template.functions.values(), {}, lambda *_: None, scratch=folder / "scratch")
        log: list[str] = []
        unanswered: list[tuple[str, str, int]] = []

        def tell(method: str, route: str, status: int, seconds: float) -> None:
            assert seconds >= 0
            unanswered.append((method, route, status))

        pages = {"/page": lambda: ("text/plain", b"a page")}
        server = GatewayServer(0)
        gateway = Gateway(template.http_api, functions.invoke, on_access=log.append, on_unanswered=tell, extra=pages)
        server.start(gateway)
        closing.extend([functions.stop, server.stop])
        return Running(server.url, log, unanswered)

    yield start
    for close in reversed(closing):
        close()


@pytest.fixture(scope="module")
def api(serve: Callable[[str], Running]) -> Running:
    return serve(TEMPLATE)


def gateway_message(response: httpx.Response) -> tuple[int, str]:
    """Status and message of an answer of the gateway's own, in the shape of all errors."""
    body = response.json()
    assert body == {
        "error": body["message"],
        "message": body["message"],
        "errors": [],
        "request_id": body["request_id"],
    }
    return response.status_code, body["message"]


def test_a_request_goes_to_its_function_and_its_answer_comes_back(api: Running) -> None:
    response = api.get("/things/a%2Fb?q=1&q=2", "good", headers={"cookie": "a=1"})

    event = response.json()
    assert response.status_code == 200
    assert (event["routeKey"], event["pathParameters"]) == ("GET /things/{id}", {"id": "a/b"})
    assert event["queryStringParameters"] == {"q": "1,2"}
    assert event["cookies"] == ["a=1"]
    assert event["headers"]["host"] == api.url.removeprefix("http://")


def test_bytes_go_through_unchanged_both_ways(api: Running) -> None:
    content = bytes(range(256)) * 1000

    response = api.post("/open", content=content)

    assert (response.content, response.headers["content-type"]) == (content, "application/octet-stream")


def test_head_has_no_body(api: Running) -> None:
    response = httpx.head(f"{api.url}/open")

    assert (response.status_code, response.content) == (200, b"")
    assert int(response.headers["content-length"]) > 0


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        ({"statusCode": 418, "body": "tea"}, 418, "tea"),
        ({"statusCode": 204}, 204, ""),
        ("just text", 200, "just text"),
        ({"a": 1}, 200, '{"a": 1}'),
    ],
)
def test_answers_of_every_form(api: Running, answer: Any, status: int, text: str) -> None:
    response = api.post("/open", json={"answer": answer})

    assert (response.status_code, response.text) == (status, text)


@pytest.mark.parametrize("given", [{"crash": 1}, {"answer": {"statusCode": "soon"}}])
def test_a_failing_function_is_a_500_without_its_inner_life(api: Running, given: dict[str, Any]) -> None:
    assert gateway_message(api.post("/open", json=given)) == (500, "Internal Server Error")


def test_a_function_that_takes_too_long_is_a_503(api: Running) -> None:
    assert gateway_message(api.post("/slow", json={"sleep": 2})) == (503, "Service Unavailable")


@pytest.mark.parametrize(("method", "path"), [("GET", "/nowhere"), ("PUT", "/things/1"), ("HEAD", "/things/1")])
def test_a_route_that_is_not_there(api: Running, method: str, path: str) -> None:
    response = httpx.request(method, api.url + path, headers={"authorization": "good"})

    assert response.status_code == 404
    assert method == "HEAD" or response.json()["message"] == "Not Found"


@pytest.mark.parametrize("size", [MAX_BODY_BYTES + 1, 20_000_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_ten_megabytes_is_a_413(api: Running, size: int, chunked: bool) -> None:
    content = (b"x" * 1_000_003 for _ in range(size // 1_000_003 + 1)) if chunked else b"x" * size

    assert gateway_message(api.post("/open", content=content)) == (413, "Request Entity Too Large")


def test_a_body_that_a_function_cannot_take_is_a_413(api: Running) -> None:
    assert api.post("/open", content=b"x" * 7_000_000).status_code == 413
    assert api.post("/open", json={"pad": "x" * 5_500_000, "answer": "ok"}).text == "ok"


def test_a_page_of_the_cloud_s_own_is_in_front_of_the_routes(api: Running) -> None:
    response = api.get("/page")

    assert (response.text, response.headers["content-type"]) == ("a page", "text/plain")
    assert api.post("/page").status_code == 404


@pytest.mark.parametrize(
    ("token", "status", "message"),
    [
        (None, 401, "Unauthorized"),
        ("bad", 403, "Forbidden"),
        ("crash", 500, "Internal Server Error"),
        ("odd", 500, "Internal Server Error"),
    ],
)
def test_who_may_not_pass(api: Running, token: str | None, status: int, message: str) -> None:
    for _ in range(2):
        response = api.get("/things/1", token)
        assert (response.status_code, response.json()["message"]) == (status, message)


def test_the_authorizer_s_context_reaches_the_function(api: Running) -> None:
    context = api.get("/things/1", "good-context").json()["requestContext"]["authorizer"]["lambda"]

    assert (context["token"], context["type"]) == ("good-context", "REQUEST")
    assert context["arn"].endswith("/$default/GET/things/1")
    assert "authorizer" not in api.post("/open").json()["requestContext"]


def test_an_authorizer_s_answer_holds_as_long_as_the_template_says(api: Running) -> None:
    def asked(path: str, token: str) -> int:
        return int(api.get(path, token).json()["requestContext"]["authorizer"]["lambda"]["asked"])

    assert asked("/things/1", "good-1") == asked("/things/2", "good-1")
    assert asked("/things/1", "good-1") != asked("/things/1", "good-2")
    assert asked("/fresh?key=1", "good-1") != asked("/fresh?key=1", "good-1")


def test_every_identity_source_must_be_there(api: Running) -> None:
    assert api.get("/fresh", "good").status_code == 401
    context = api.get("/fresh?key=k", "good").json()["requestContext"]["authorizer"]["lambda"]
    assert context["rest"] == ["k"]


def test_a_throttled_route_is_a_429(api: Running) -> None:
    assert [api.get("/rare").status_code for _ in range(3)] == [200, 200, 429]
    assert gateway_message(api.get("/rare")) == (429, "Too Many Requests")
    assert api.get("/open").status_code == 200


def test_the_access_log_tells_neither_tokens_nor_queries(api: Running) -> None:
    api.get("/things/4711?secret=question", "good-secret")

    line = api.log[-1]
    assert line.startswith("GET /things/{id} 200 ")
    assert float(line.split()[3]) > 0
    assert not [word for word in ("4711", "question", "good-secret") if any(word in entry for entry in api.log)]


def test_what_no_function_answered_is_told_and_what_one_did_is_not(api: Running) -> None:
    api.unanswered.clear()

    api.post("/open", content='{"crash": 1}')
    api.post("/open", content='{"answer": {"statusCode": "none"}}')
    api.get("/things/1", "crash")
    api.post("/slow", content='{"sleep": 2}')
    assert api.post("/open", content='{"answer": {"statusCode": 500, "body": "its own"}}').status_code == 500
    assert api.get("/things/1").status_code == 401
    assert api.get("/nowhere").status_code == 404

    assert api.unanswered == [
        ("POST", "/open", 500),
        ("POST", "/open", 500),
        ("GET", "/things/{id}", 500),
        ("POST", "/slow", 503),
    ]


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(PortInUse, match=rf"Port {port} .* --port"):
            GatewayServer(port)


CORS = """
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      CorsConfiguration:
        AllowOrigins: ["https://a.example"]
        AllowMethods: [GET, POST]
        AllowHeaders: [Authorization]
        ExposeHeaders: [X-Request-Id]
        MaxAge: 600
        AllowCredentials: true
  Echo:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      CodeUri: code/
      Handler: app.echo
      Events: {Post: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: POST, Path: /a}}}
"""


def test_cross_origin_requests_are_answered_as_configured(serve: Callable[[str], Running]) -> None:
    api = serve(CORS)

    def preflight(origin: str) -> httpx.Response:
        headers = {"origin": origin, "access-control-request-method": "POST"}
        return httpx.request("OPTIONS", f"{api.url}/anything", headers=headers)

    answer = preflight("https://a.example")
    assert answer.status_code == 204
    assert {k: v for k, v in answer.headers.items() if k.startswith("access-control")} == {
        "access-control-allow-origin": "https://a.example",
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET,POST",
        "access-control-allow-headers": "authorization",
        "access-control-max-age": "600",
    }
    assert "access-control-allow-origin" not in preflight("https://b.example").headers

    given = {"answer": {"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*"}}}
    response = api.post("/a", json=given, headers={"origin": "https://a.example"})
    assert response.headers["access-control-allow-origin"] == "https://a.example"
    assert response.headers["access-control-expose-headers"] == "X-Request-Id"
    assert "access-control-allow-origin" not in api.post("/a", json=given).headers
