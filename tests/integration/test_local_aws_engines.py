"""DynamoDB, SQS and Step Functions as the local cloud runs them: atomic, executing, and remembered."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.aws.endpoint import AwsEndpoint, StateInUse
from local.aws.journal import End, Journal
from local.invocation import InvokeError, InvokeResult
from tests.conftest import ROOT
from tests.integration.engines import CREDENTIALS

WORKER = "arn:aws:lambda:us-west-2:123456789012:function:worker"


class Functions:
    """Functions that a test answers for."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.answer: Callable[[dict[str, Any]], InvokeResult] = lambda _: InvokeResult(b"{}")

    def __call__(self, name: str, payload: bytes) -> InvokeResult:
        assert name == "worker"
        self.calls.append(json.loads(payload))
        return self.answer(self.calls[-1])


@pytest.fixture(scope="module")
def functions() -> Functions:
    return Functions()


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory, functions: Functions) -> Iterator[AwsEndpoint]:
    here = AwsEndpoint(tmp_path_factory.mktemp("engines"), CREDENTIALS, invoke=functions)
    here.start()
    here.create_table(
        {
            "TableName": "t",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        }
    )
    yield here
    here.stop()


def failure(kind: str) -> InvokeResult:
    return InvokeResult(json.dumps({"errorType": kind, "errorMessage": "as asked"}).encode(), "Unhandled")


def run(aws: AwsEndpoint, states: dict[str, Any], given: Any = None) -> dict[str, Any]:
    """Run a workflow of these states to its end."""
    client = aws.client("stepfunctions")
    machine = aws.create_state_machine(f"m{uuid.uuid4().hex[:8]}", json.dumps({"StartAt": "Work", "States": states}))
    arn = client.start_execution(stateMachineArn=machine, name="x", input=json.dumps(given or {}))["executionArn"]
    return wait_for_end(client, arn)


def wait_for_end(client: Any, arn: str) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while (found := client.describe_execution(executionArn=arn))["status"] == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return dict(found)


def work(**more: Any) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {
            "FunctionName": WORKER,
            "Payload": {
                "given.$": "$",
                "attempt.$": "States.Format('{}#{}', $$.State.EnteredTime, $$.State.RetryCount)",
            },
        },
        "End": True,
        **more,
    }


def test_of_many_conditional_writes_one_wins(aws: AwsEndpoint) -> None:
    client = aws.client("dynamodb")

    def claim(number: int) -> bool:
        try:
            client.put_item(
                TableName="t", Item={"pk": {"S": f"race{number // 8}"}}, ConditionExpression="attribute_not_exists(pk)"
            )
        except client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(claim, range(400)))

    assert [sum(won[i : i + 8]) for i in range(0, 400, 8)] == [1] * 50


def test_a_task_is_given_its_attempt_and_retried_with_a_greater_one(aws: AwsEndpoint, functions: Functions) -> None:
    functions.calls.clear()
    functions.answer = lambda _: failure("Runtime.ExitError") if len(functions.calls) < 3 else InvokeResult(b'{"n": 3}')
    retry = [{"ErrorEquals": ["Runtime.ExitError"], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 2}]

    ended = run(aws, {"Work": work(Retry=retry)}, {"job": 7})

    attempts = [call["attempt"] for call in functions.calls]
    assert (ended["status"], [call["given"] for call in functions.calls]) == ("SUCCEEDED", [{"job": 7}] * 3)
    assert attempts == sorted(set(attempts))
    assert [attempt.rsplit("#", 1)[1] for attempt in attempts] == ["0", "1", "2"]


def test_a_throttled_task_is_retried_under_lambda_s_own_error(aws: AwsEndpoint, functions: Functions) -> None:
    functions.calls.clear()
    throttled = InvokeResult.failure(InvokeError.THROTTLED, "TooManyRequestsException", "Rate Exceeded.")
    functions.answer = lambda _: throttled if len(functions.calls) < 3 else InvokeResult(b"{}")
    retry = [{"ErrorEquals": ["Lambda.TooManyRequestsException"], "IntervalSeconds": 1, "MaxAttempts": 5}]

    ended = run(aws, {"Work": work(Retry=retry)})

    assert (ended["status"], len(functions.calls)) == ("SUCCEEDED", 3)


def test_what_a_task_throws_is_caught_by_its_name(aws: AwsEndpoint, functions: Functions) -> None:
    functions.answer = lambda _: failure("Sandbox.Timedout")
    catch = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Close"}]

    ended = run(aws, {"Work": work(Catch=catch), "Close": {"Type": "Pass", "End": True}}, {"job": 7})

    output = json.loads(ended["output"])
    assert (ended["status"], output["job"], output["error"]["Error"]) == ("SUCCEEDED", 7, "Sandbox.Timedout")


def test_a_task_beyond_its_time_is_ended(aws: AwsEndpoint, functions: Functions) -> None:
    released = threading.Event()
    functions.answer = lambda _: InvokeResult(b"{}") if released.wait(20) else failure("x")

    ended = run(aws, {"Work": work(TimeoutSeconds=1)})

    released.set()
    assert ended["status"] in {"FAILED", "TIMED_OUT"}
    assert "Timeout" in ended.get("error", "States.Timeout")


def test_an_execution_is_stopped_and_its_name_serves_once(aws: AwsEndpoint, functions: Functions) -> None:
    functions.answer = lambda _: InvokeResult(b"{}")
    client = aws.client("stepfunctions")
    waiting = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 60, "End": True}}}
    machine = aws.create_state_machine("stopped", json.dumps(waiting))
    start = {"stateMachineArn": machine, "name": "once", "input": "{}"}
    arn = client.start_execution(**start)["executionArn"]
    assert client.start_execution(**start)["executionArn"] == arn

    client.stop_execution(executionArn=arn, cause="test")

    assert wait_for_end(client, arn)["status"] == "ABORTED"
    with pytest.raises(client.exceptions.ExecutionAlreadyExists):
        client.start_execution(**start)


def test_a_transaction_that_is_refused_leaves_all_as_it_was(aws: AwsEndpoint) -> None:
    client = aws.client("dynamodb")
    client.put_item(TableName="t", Item={"pk": {"S": "kept"}, "n": {"N": "1"}})
    client.put_item(TableName="t", Item={"pk": {"S": "gone"}})
    writes: list[dict[str, Any]] = [
        {"Put": {"TableName": "t", "Item": {"pk": {"S": "new"}}}},
        {
            "Update": {
                "TableName": "t",
                "Key": {"pk": {"S": "kept"}},
                "UpdateExpression": "SET n = :n",
                "ExpressionAttributeValues": {":n": {"N": "2"}},
            }
        },
        {"Delete": {"TableName": "t", "Key": {"pk": {"S": "gone"}}}},
    ]
    refused = {"TableName": "t", "Key": {"pk": {"S": "none"}}, "ConditionExpression": "attribute_exists(pk)"}

    with pytest.raises(client.exceptions.TransactionCanceledException):
        client.transact_write_items(TransactItems=[*writes, {"ConditionCheck": refused}])

    found = {pk: client.get_item(TableName="t", Key={"pk": {"S": pk}}).get("Item") for pk in ("new", "kept", "gone")}
    assert found == {"new": None, "kept": {"pk": {"S": "kept"}, "n": {"N": "1"}}, "gone": {"pk": {"S": "gone"}}}
    client.transact_write_items(TransactItems=writes)
    assert client.get_item(TableName="t", Key={"pk": {"S": "kept"}})["Item"]["n"] == {"N": "2"}


def test_an_execution_that_is_stopped_within_a_task_has_ended_at_once(aws: AwsEndpoint, functions: Functions) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold(_: dict[str, Any]) -> InvokeResult:
        entered.set()
        leave.wait(30)
        return InvokeResult(b"{}")

    functions.answer = hold
    client = aws.client("stepfunctions")
    machine = aws.create_state_machine("held", json.dumps({"StartAt": "Work", "States": {"Work": work()}}))
    arn = client.start_execution(stateMachineArn=machine, name="held", input="{}")["executionArn"]
    assert entered.wait(30)

    client.stop_execution(executionArn=arn, cause="test")

    try:
        assert client.describe_execution(executionArn=arn)["status"] == "ABORTED"
    finally:
        leave.set()


def test_a_folder_from_before_executions_had_a_status_still_serves(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as database:
        database.execute(
            "CREATE TABLE executions (arn TEXT PRIMARY KEY, machine TEXT NOT NULL, name TEXT NOT NULL,"
            " input TEXT NOT NULL, started REAL NOT NULL, ended REAL)"
        )
        database.execute("INSERT INTO executions VALUES ('a', 'm', 'n', '{}', 1.0, NULL)")
        database.commit()

    journal = Journal(tmp_path / "journal.sqlite")

    assert [execution.arn for execution in journal.open_executions()] == ["a"]
    journal.end_executions([End("a", "SUCCEEDED", 2.0)])
    assert journal.open_executions() == []
    journal.close()


def test_what_an_execution_was_is_known_longer_than_its_history(aws: AwsEndpoint, functions: Functions) -> None:
    functions.answer = lambda _: failure("Runtime.ExitError")
    client = aws.client("stepfunctions")
    before = run(aws, {"Work": work()}, {"job": 7})
    arn = before["executionArn"]
    executions = aws._engines.executions
    executions.drop_old()
    assert client.get_execution_history(executionArn=arn)["events"]
    executions._history_seconds, kept = -1, executions._history_seconds

    executions.drop_old()

    executions._history_seconds = kept
    with pytest.raises(client.exceptions.ExecutionDoesNotExist):
        client.get_execution_history(executionArn=arn)
    after = client.describe_execution(executionArn=arn)
    same = ("executionArn", "stateMachineArn", "name", "status", "input")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert after["status"] == "FAILED"
    assert abs(after["stopDate"] - before["stopDate"]) < timedelta(milliseconds=2)
    assert client.stop_execution(executionArn=arn)["stopDate"] == after["stopDate"]
    with pytest.raises(client.exceptions.ExecutionAlreadyExists):
        client.start_execution(stateMachineArn=before["stateMachineArn"], name="x", input=before["input"])
    with pytest.raises(client.exceptions.ExecutionDoesNotExist):
        client.describe_execution(executionArn=f"{arn}-other")


def test_a_start_that_is_refused_leaves_no_execution(aws: AwsEndpoint) -> None:
    client = aws.client("stepfunctions")
    definition = json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})
    machine = aws.create_state_machine("refused", definition)

    with pytest.raises(ClientError):
        client.start_execution(stateMachineArn=machine, name="once", input="{")

    assert client.start_execution(stateMachineArn=machine, name="once", input="{}")["executionArn"]


def test_a_waiting_receiver_gets_a_message_when_it_is_sent_and_no_other_does(aws: AwsEndpoint) -> None:
    client = aws.client("sqs")
    queue = aws.create_queue({"QueueName": "waited-for", "ReceiveMessageWaitTimeSeconds": 3})
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(client.receive_message, QueueUrl=queue) for _ in range(4)]
        for number in range(3):
            client.send_message(QueueUrl=queue, MessageBody=str(number))
        received = [m["Body"] for w in waiting for m in w.result().get("Messages", [])]

    assert sorted(received) == ["0", "1", "2"]


def test_a_message_that_is_never_deleted_ends_in_the_dead_letter_queue(aws: AwsEndpoint) -> None:
    client = aws.client("sqs")
    dead = aws.create_queue({"QueueName": "dead"})
    arn = client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = {"deadLetterTargetArn": arn, "maxReceiveCount": 2}
    queue = aws.create_queue({"QueueName": "work", "VisibilityTimeout": 1, "RedrivePolicy": policy})
    client.send_message(QueueUrl=queue, MessageBody="poison")

    deadline = time.monotonic() + 20
    while not (found := client.receive_message(QueueUrl=dead).get("Messages")):
        assert time.monotonic() < deadline
        client.receive_message(QueueUrl=queue)
        time.sleep(0.2)

    assert found[0]["Body"] == "poison"


def test_an_unsigned_call_is_refused_by_every_service(aws: AwsEndpoint) -> None:
    import httpx

    for target in ("DynamoDB_20120810.ListTables", "AmazonSQS.ListQueues", "AWSStepFunctions.ListStateMachines"):
        answer = httpx.post(aws.url, headers={"x-amz-target": target}, json={})
        assert answer.status_code == 403
    assert httpx.post(f"{aws.url}/2015-03-31/functions/worker/invocations", json={}).status_code == 403


def test_a_folder_serves_one_endpoint_at_a_time(tmp_path: Path) -> None:
    first = AwsEndpoint(tmp_path, CREDENTIALS)
    first.start()
    try:
        with pytest.raises(StateInUse, match=str(os.getpid())):
            AwsEndpoint(tmp_path, CREDENTIALS).start()
    finally:
        first.stop()


SERVER = """
    import sys, time
    from pathlib import Path
    from local.aws.endpoint import AwsEndpoint, Credentials
    from local.invocation import InvokeError, InvokeResult

    calls = Path(sys.argv[1]) / "calls"

    def invoke(name, payload):
        with calls.open("a") as file:
            file.write(payload.decode() + chr(10))
        if not (Path(sys.argv[1]) / "released").exists():
            time.sleep(60)
        return InvokeResult(b"{}")

    aws = AwsEndpoint(Path(sys.argv[1]) / "state", Credentials("tests", "tests-secret"), int(sys.argv[2]), invoke)
    aws.start()
    aws.create_bucket("b")
    aws.create_table({"TableName": "t", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}]})
    aws.create_queue({"QueueName": "q", "VisibilityTimeout": 600})
    definition = '{"StartAt": "W", "States": {"W": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",'
    definition += '"Parameters": {"FunctionName": "worker", "Payload": {"job.$": "$.job"}}, "End": true}}}'
    aws.create_state_machine("m", definition)
    aws.resume()
    print(aws.url, flush=True)
    time.sleep(600)
"""


class Server:
    """An endpoint in a process that can be killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = 0

    def start(self) -> AwsEndpoint:
        script = [sys.executable, "-c", textwrap.dedent(SERVER), str(self._folder), str(self._port)]
        self.process = subprocess.Popen(script, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        url = self.process.stdout.readline().strip()
        self._port = int(url.rsplit(":", 1)[1])
        return AwsEndpoint(self._folder, CREDENTIALS, self._port)  # for its clients alone; it is not started

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def called(folder: Path) -> list[str]:
    """What the server's function was called with; a call that is being written is none yet."""
    path = folder / "calls"
    return [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")] if path.exists() else []


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    server = Server(tmp_path)
    here = server.start()
    table, objects, queue, flow = (here.client(s) for s in ("dynamodb", "s3", "sqs", "stepfunctions"))
    url = queue.get_queue_url(QueueName="q")["QueueUrl"]
    machine = flow.list_state_machines()["stateMachines"][0]["stateMachineArn"]
    for number in range(20):
        table.put_item(TableName="t", Item={"pk": {"S": str(number)}, "n": {"N": "1"}})
    table.update_item(
        TableName="t",
        Key={"pk": {"S": "3"}},
        UpdateExpression="SET n = :n",
        ExpressionAttributeValues={":n": {"N": "2"}},
    )
    table.delete_item(TableName="t", Key={"pk": {"S": "4"}})
    objects.put_object(Bucket="b", Key="k", Body=b"kept", ContentType="text/x")
    objects.put_object(Bucket="b", Key="gone", Body=b"x")
    objects.delete_object(Bucket="b", Key="gone")
    queue.send_message(QueueUrl=url, MessageBody="waiting")
    queue.send_message(QueueUrl=url, MessageBody="done")
    received = []
    while len(received) < 2:
        received += queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    done = next(message for message in received if message["Body"] == "done")
    queue.delete_message(QueueUrl=url, ReceiptHandle=done["ReceiptHandle"])
    flow.start_execution(stateMachineArn=machine, name="cut-off", input='{"job": "1"}')
    deadline = time.monotonic() + 20
    while not called(tmp_path):
        assert time.monotonic() < deadline
        time.sleep(0.05)

    server.kill()
    (tmp_path / "released").touch()
    server.start()

    try:
        items = {i["pk"]["S"]: i["n"]["N"] for i in table.scan(TableName="t")["Items"]}
        assert items == {str(n): "2" if n == 3 else "1" for n in range(20) if n != 4}
        read = objects.get_object(Bucket="b", Key="k")
        assert (read["Body"].read(), read["ContentType"]) == (b"kept", "text/x")
        assert [o["Key"] for o in objects.list_objects_v2(Bucket="b")["Contents"]] == ["k"]
        again = queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
        assert [message["Body"] for message in again] == ["waiting"]
        arn = f"{machine.replace(':stateMachine:', ':execution:')}:cut-off"
        assert wait_for_end(flow, arn)["status"] == "SUCCEEDED"
        assert (tmp_path / "calls").read_text().splitlines() == ['{"job": "1"}'] * 2
    finally:
        server.kill()
    server.start()
    try:
        with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
            flow.start_execution(stateMachineArn=machine, name="cut-off", input='{"job": "1"}')
    finally:
        server.kill()


def test_an_execution_that_ended_is_not_run_again(tmp_path: Path) -> None:
    (tmp_path / "released").touch()
    server = Server(tmp_path)
    flow = server.start().client("stepfunctions")
    machine = flow.list_state_machines()["stateMachines"][0]["stateMachineArn"]
    arn = flow.start_execution(stateMachineArn=machine, name="done", input='{"job": "1"}')["executionArn"]
    before = wait_for_end(flow, arn)

    for _ in range(2):
        server.kill()
        server.start()

    try:
        after = flow.describe_execution(executionArn=arn)
        assert (after["status"], after["input"], after["name"]) == ("SUCCEEDED", '{"job": "1"}', "done")
        assert abs(after["startDate"] - before["startDate"]) < timedelta(seconds=1)
        assert after["stateMachineArn"] == machine
        # one that starts now comes after what resuming would have started
        again = flow.start_execution(stateMachineArn=machine, name="next", input='{"job": "2"}')
        wait_for_end(flow, again["executionArn"])
        assert (tmp_path / "calls").read_text().splitlines() == ['{"job": "1"}', '{"job": "2"}']
    finally:
        server.kill()
