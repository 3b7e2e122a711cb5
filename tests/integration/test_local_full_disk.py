"""A disk that is full: what was acknowledged is safe, what was not has not happened, and it goes on with room."""

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.aws.endpoint import AwsEndpoint
from local.cloud import Cloud, CloudFailure
from local.invocation import InvokeResult
from tests.integration.engines import CREDENTIALS
from tests.integration.test_local_aws_engines import Server, wait_for_end
from tests.integration.test_local_cloud import Process, processes_of, write_template

TABLE = {
    "TableName": "kept",
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
}
PASS = json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})
LONG = "x" * 20_000


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[AwsEndpoint]:
    here = AwsEndpoint(tmp_path, CREDENTIALS, invoke=lambda _name, _payload: InvokeResult(b"{}"))
    here.start()
    here.create_table(TABLE)
    here.create_bucket("b")
    yield here
    here.client("dynamodb").delete_table(TableName="kept")  # moto's memory is the process's
    here.stop()


@contextmanager
def no_more_pages(aws: AwsEndpoint) -> Iterator[None]:
    """The journal's file cannot grow."""
    database = aws._journal._db
    (most,) = database.execute("PRAGMA max_page_count").fetchone()
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    database.execute(f"PRAGMA max_page_count = {pages}")
    yield
    database.execute(f"PRAGMA max_page_count = {most}")


def refused(call: Callable[..., Any], **arguments: Any) -> None:
    with pytest.raises(ClientError, match="The disk is full; nothing was stored") as error:
        call(**arguments)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 507
    assert error.value.response["Error"]["Code"] == "InsufficientStorage"


def test_an_item_that_was_not_kept_is_not_in_memory_either(aws: AwsEndpoint) -> None:
    client = aws.client("dynamodb")
    old = {"pk": {"S": "old"}, "n": {"N": "1"}}
    new = {"pk": {"S": "new"}, "text": {"S": LONG}}
    client.put_item(TableName="kept", Item=old)
    change = {
        "Key": {"pk": {"S": "old"}},
        "UpdateExpression": "SET n = :n, t = :t",
        "ExpressionAttributeValues": {":n": {"N": "2"}, ":t": {"S": LONG}},
    }

    with no_more_pages(aws):
        refused(client.put_item, TableName="kept", Item=new, ConditionExpression="attribute_not_exists(pk)")
        refused(client.update_item, TableName="kept", **change)
        both = [{"Put": {"TableName": "kept", "Item": new}}, {"Update": {"TableName": "kept", **change}}]
        refused(client.transact_write_items, TransactItems=both)
        delete = {"DeleteRequest": {"Key": {"pk": {"S": "old"}}}}
        refused(client.batch_write_item, RequestItems={"kept": [delete, {"PutRequest": {"Item": new}}]})
        assert client.scan(TableName="kept")["Items"] == [old]

    client.put_item(TableName="kept", Item=new, ConditionExpression="attribute_not_exists(pk)")
    assert len(client.scan(TableName="kept")["Items"]) == 2


def test_a_message_that_was_not_kept_is_not_received(aws: AwsEndpoint) -> None:
    client = aws.client("sqs")
    queue = aws.create_queue({"QueueName": "full"})

    with no_more_pages(aws):
        refused(client.send_message, QueueUrl=queue, MessageBody=LONG)
        entries = [{"Id": name, "MessageBody": LONG} for name in "ab"]
        refused(client.send_message_batch, QueueUrl=queue, Entries=entries)
        assert "Messages" not in client.receive_message(QueueUrl=queue)

    client.send_message(QueueUrl=queue, MessageBody="kept")
    assert [m["Body"] for m in client.receive_message(QueueUrl=queue)["Messages"]] == ["kept"]


def test_an_execution_that_was_not_kept_has_not_begun(aws: AwsEndpoint) -> None:
    client = aws.client("stepfunctions")
    machine = aws.create_state_machine("full", PASS)
    start = {"stateMachineArn": machine, "name": "once", "input": json.dumps({"text": LONG})}

    with no_more_pages(aws):
        refused(client.start_execution, **start)
        assert client.list_executions(stateMachineArn=machine)["executions"] == []

    assert wait_for_end(client, client.start_execution(**start)["executionArn"])["status"] == "SUCCEEDED"


@pytest.mark.parametrize("full", ["body", "row"])
def test_an_object_that_was_not_kept_leaves_the_old_one_whole(
    aws: AwsEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: str
) -> None:
    client = aws.client("s3")
    client.put_object(Bucket="b", Key="k", Body=b"old")
    files = set((tmp_path / "objects").rglob("*"))

    def no_room(_number: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        if full == "body":
            patch.setattr("local.aws.incoming.os.fsync", no_room)
        else:
            (pages,) = aws._store._db.execute("PRAGMA page_count").fetchone()
            aws._store._db.execute(f"PRAGMA max_page_count = {pages}")
        refused(client.put_object, Bucket="b", Key="k", Body=b"new", Metadata={"m": "x" * 1900})
        for number in range(9 if full == "row" else 0):  # rows of this size fill a page
            with pytest.raises(ClientError):
                client.put_object(Bucket="b", Key=f"k{number}", Body=b"new", Metadata={"m": "x" * 1900})

    assert client.get_object(Bucket="b", Key="k")["Body"].read() == b"old"
    assert {path for path in (tmp_path / "objects").rglob("*") if path.is_file()} <= files


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own, at the state folder's place."""
    folder = tmp_path / "state"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if done.returncode:
        pytest.skip(f"a file system of one's own needs root: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return ballast


def test_a_full_disk_takes_nothing_and_loses_nothing(tmp_path: Path, disk: Path) -> None:
    server = Server(tmp_path)
    here = server.start()
    table, objects, queue, flow = (here.client(s) for s in ("dynamodb", "s3", "sqs", "stepfunctions"))
    url = queue.get_queue_url(QueueName="q")["QueueUrl"]
    machine = flow.list_state_machines()["stateMachines"][0]["stateMachineArn"]
    item = {"pk": {"S": "old"}, "n": {"N": "1"}}
    table.put_item(TableName="t", Item=item)
    objects.put_object(Bucket="b", Key="k", Body=b"old")
    for body in ("received", "waiting"):
        queue.send_message(QueueUrl=url, MessageBody=body)
    (taken,) = queue.receive_message(QueueUrl=url, MaxNumberOfMessages=1)["Messages"]
    arn = flow.start_execution(stateMachineArn=machine, name="begun", input='{"job": "1"}')["executionArn"]
    files = {path for path in (disk / "objects").rglob("*") if path.is_file()}

    ballast = fill(disk)

    refused(table.put_item, TableName="t", Item={**item, "n": {"N": "2"}})
    refused(table.put_item, TableName="t", Item={"pk": {"S": "new"}})
    refused(objects.put_object, Bucket="b", Key="k", Body=b"new" * 10)
    refused(objects.put_object, Bucket="b", Key="k", Body=b"new" * 1_000_000)
    refused(queue.send_message, QueueUrl=url, MessageBody="refused")
    refused(queue.delete_message, QueueUrl=url, ReceiptHandle=taken["ReceiptHandle"])
    refused(flow.start_execution, stateMachineArn=machine, name="refused", input='{"job": "2"}')

    def check() -> None:
        assert table.scan(TableName="t")["Items"] == [item]
        assert objects.get_object(Bucket="b", Key="k")["Body"].read() == b"old"
        assert {path for path in (disk / "objects").rglob("*") if path.is_file()} == files
        with pytest.raises(flow.exceptions.ExecutionDoesNotExist):
            flow.describe_execution(executionArn=arn.replace("begun", "refused"))

    check()
    assert [m["Body"] for m in queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]] == ["waiting"]

    server.kill()
    ballast.unlink()
    (tmp_path / "released").touch()
    server.start()

    try:
        check()
        again = []
        while len(again) < 2:
            again += queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        assert sorted(m["Body"] for m in again) == ["received", "waiting"]
        assert wait_for_end(flow, arn)["status"] == "SUCCEEDED"
        refused_before = flow.start_execution(stateMachineArn=machine, name="refused", input='{"job": "2"}')
        assert wait_for_end(flow, refused_before["executionArn"])["status"] == "SUCCEEDED"
        table.put_item(TableName="t", Item={"pk": {"S": "new"}})
    finally:
        server.kill()


def test_it_goes_on_without_a_restart_when_there_is_room_again(tmp_path: Path, disk: Path) -> None:
    server = Server(tmp_path)
    here = server.start()
    try:
        table, flow = here.client("dynamodb"), here.client("stepfunctions")
        machine = flow.list_state_machines()["stateMachines"][0]["stateMachineArn"]
        arn = flow.start_execution(stateMachineArn=machine, name="ends", input='{"job": "1"}')["executionArn"]
        ballast = fill(disk)
        (tmp_path / "released").touch()
        refused(table.put_item, TableName="t", Item={"pk": {"S": "a"}})
        ballast.unlink()

        table.put_item(TableName="t", Item={"pk": {"S": "a"}})
        again = flow.start_execution(stateMachineArn=machine, name="next", input='{"job": "2"}')["executionArn"]
        assert wait_for_end(flow, again)["status"] == "SUCCEEDED"
        assert flow.describe_execution(executionArn=arn)["status"] in {"RUNNING", "SUCCEEDED"}
    finally:
        server.kill()


def test_a_cloud_says_that_its_disk_is_full_and_leaves_nothing_running(tmp_path: Path, disk: Path) -> None:
    template = write_template(tmp_path) / "template.yaml"
    ballast = fill(disk)
    with pytest.raises(CloudFailure, match=f"The disk of {disk} is full"):
        Cloud(template, disk, port=0).start()
    ballast.unlink()
    process = Process(tmp_path).start()
    try:
        process.get("/put/a")
        port = process.run["aws_url"]
        process.end(signal.SIGKILL)
        ballast = fill(disk)

        script = "import sys; from pathlib import Path; from local.cloud import Cloud\n"
        script += "Cloud(Path(sys.argv[1]), Path(sys.argv[2]), port=0).start()"
        done = subprocess.run([sys.executable, "-c", script, str(template), str(disk)], capture_output=True, text=True)

        assert done.returncode == 1
        assert f"DiskFull: The disk of {disk} is full." in done.stderr
        assert processes_of(disk) == []
        ballast.unlink()
        process.start()
        assert process.get("/get/a")["value"] == "put"
        assert process.run["aws_url"] == port
    finally:
        process.kill()
