"""Lambda's Invoke: over HTTP, and as the client that a workflow's tasks use."""

import json
import re
import threading
from collections.abc import Callable
from io import BytesIO
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import ClientError

from local.aws.server import Answer
from local.aws.signatures import Refused, SignedRequest
from local.invocation import InvokeError, InvokeResult

INVOKE_PATH = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")

REFUSALS: dict[str, int] = {
    InvokeError.THROTTLED: 429,
    InvokeError.TOO_LARGE: 413,
    InvokeError.UNKNOWN_FUNCTION: 404,
    InvokeError.SERVICE: 500,
}
"""Errors of the platform's, which Lambda answers with a status, and not as a function's failure."""

Invoker = Callable[[str, bytes], InvokeResult]


def no_functions(_name: str, _payload: bytes) -> InvokeResult:
    """An invoker for an endpoint without functions."""
    return InvokeResult.failure(InvokeError.UNHANDLED, "ResourceNotFoundException", "no functions")


def answer_invoke(request: SignedRequest, payload: bytes, invoke: Invoker) -> Answer:
    """Lambda's answer to an Invoke over HTTP."""
    match = INVOKE_PATH.fullmatch(request.path)
    if match is None:
        raise Refused("UnknownOperation", "Of Lambda only Invoke is offered here.", 501)
    name = function_name(unquote(match[1]))
    if request.headers.get("x-amz-invocation-type") == "Event":
        threading.Thread(target=invoke, args=(name, payload), daemon=True).start()
        return Answer(202, {})
    result = invoke(name, payload)
    if result.error in REFUSALS:
        body = json.dumps({"Message": json.loads(result.payload)["errorMessage"]}).encode()
        return Answer(REFUSALS[result.error], {"x-amzn-errortype": result.error}, [body])
    error = {"x-amz-function-error": result.error} if result.error else {}
    return Answer(200, {"content-type": "application/json", **error}, [result.payload])


class LambdaClient:
    """The part of a boto3 Lambda client that a workflow's task uses, in this process."""

    def __init__(self, invoke: Invoker) -> None:
        self._invoke = invoke

    def invoke(self, **request: Any) -> dict[str, Any]:
        """Invoke a function and wait for its answer; what the platform refuses is raised, as boto3 raises it."""
        payload = request.get("Payload", b"{}")
        result = self._invoke(
            function_name(request["FunctionName"]), payload if isinstance(payload, bytes) else payload.encode()
        )
        if result.error in REFUSALS:
            details = {"Code": result.error, "Message": json.loads(result.payload)["errorMessage"]}
            metadata = {"HTTPStatusCode": REFUSALS[result.error], "RequestId": ""}
            raise ClientError({"Error": details, "ResponseMetadata": metadata}, "Invoke")  # type: ignore[typeddict-item]
        answer = {
            "StatusCode": 200,
            "ExecutedVersion": "$LATEST",
            "Payload": BytesIO(result.payload),
            "ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": {}, "RequestId": "", "RetryAttempts": 0},
        }
        return answer | ({"FunctionError": result.error} if result.error else {})


def function_name(reference: str) -> str:
    """The bare name in a function's ARN, with or without a version or alias."""
    return reference.split(":function:", 1)[-1].split(":", 1)[0]
