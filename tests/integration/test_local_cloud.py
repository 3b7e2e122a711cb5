"""The whole local cloud on a template of its own: what is new in a template works, survives, and ends."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config

from local.cloud import Cloud, CloudFailure, PortInUse, data_bucket_offline
from tests.e2e.support import terrafusion

TEMPLATE = """
Parameters:
  Stage: {Type: String}
  JwksUrl: {Type: String}
Globals:
  Function:
    Runtime: python3.13
    CodeUri: code/
    Timeout: 60
    Environment:
      Variables:
        STAGE: !Ref Stage
        JWKS_URL: !Ref JwksUrl
        TABLE: !Ref Things
        BUCKET: !Ref Files
        QUEUE_URL: !Ref Work
        FLOW_ARN: !Ref Flow
Resources:
  Things:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: !Sub things-${Stage}
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
  Files: {Type: AWS::S3::Bucket, Properties: {BucketName: !Sub "files-${Stage}"}}
  Dead: {Type: AWS::SQS::Queue}
  Work:
    Type: AWS::SQS::Queue
    Properties: {VisibilityTimeout: 1, RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 1}}
  Api:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.api
      Events:
        Any: {Type: HttpApi, Properties: {Method: ANY, Path: "/{do}/{key}"}}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.worker
      Events:
        Work: {Type: SQS, Properties: {Queue: !GetAtt Work.Arn, BatchSize: 1}}
        Dead: {Type: SQS, Properties: {Queue: !GetAtt Dead.Arn}}
  Step: {Type: AWS::Serverless::Function, Properties: {Handler: app.step}}
  Flow:
    Type: AWS::Serverless::StateMachine
    Properties:
      Definition:
        StartAt: Step
        States: {Step: {Type: Task, Resource: "${StepArn}", End: true}}
      DefinitionSubstitutions: {StepArn: !GetAtt Step.Arn}
"""
CODE = """
import json, os, time
import boto3
from terrafusion.metrics import GIS_EXPORT, EmfSink

def table(): return boto3.resource("dynamodb").Table(os.environ["TABLE"])
def put(key, value): table().put_item(Item={"pk": key, "value": value})
def get(key): return table().get_item(Key={"pk": key}).get("Item", {}).get("value")

def api(event, context):
    key = event["pathParameters"]["key"]
    match event["pathParameters"]["do"]:
        case "put": put(key, "put")
        case "queue": boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE_URL"], MessageBody=key)
        case "flow": boto3.client("stepfunctions").start_execution(
            stateMachineArn=os.environ["FLOW_ARN"], name=key, input=json.dumps({"key": key}))
        case "file": boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key=key, Body=key.encode())
        case "count": EmfSink("test").record(GIS_EXPORT.completed, 1, {"county_id": key, "export_format": "GPKG"})
        case "say": print("a line", key)
    return {"value": get(key), "stage": os.environ["STAGE"], "jwks": os.environ["JWKS_URL"]}

def worker(event, context):
    for record in event["Records"]:
        if record["body"].startswith("poison") and not record["eventSourceARN"].endswith(":Dead"):
            raise ValueError("poison")
        put(record["body"], record["eventSourceARN"].rsplit(":", 1)[1])

def step(event, context):
    if event["key"].startswith("slow"):
        put(event["key"], "begun")
        end = time.time() + (2 if os.path.exists(os.environ["LAMBDA_TASK_ROOT"] + "/hurry") else 600)
        while time.time() < end: time.sleep(0.05)
    put(event["key"], "stepped")
"""
PROCESS = """
import sys
from pathlib import Path
from local.cloud import Cloud
cloud = Cloud(Path(sys.argv[1]), Path(sys.argv[2]), port=0)
cloud.start()
cloud.serve_forever()
"""


class Process:
    """A local cloud in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Process":
        with (self.folder / "log").open("ab") as log:
            arguments = [str(self.folder / "template.yaml"), str(self.state)]
            self._process = subprocess.Popen([sys.executable, "-c", PROCESS, *arguments], stdout=log, stderr=log)
        pid = self._process.pid
        eventually(lambda: (self.state / "run.json").exists() and self.run["pid"] == pid)
        return self

    @property
    def run(self) -> dict[str, Any]:
        return dict(json.loads((self.state / "run.json").read_text()))

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def get(self, path: str) -> dict[str, Any]:
        response = httpx.get(self.run["url"] + path, timeout=30)
        assert response.status_code == 200, (response.text, self.log)
        return dict(response.json())

    def client(self, service: str) -> Any:
        keys = self.run["credentials"]
        session: Any = boto3.session.Session()
        return session.client(
            service,
            endpoint_url=self.run["aws_url"],
            region_name=keys["region"],
            aws_access_key_id=keys["access_key"],
            aws_secret_access_key=keys["secret_key"],
            config=Config(signature_version="s3v4"),
        )

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        assert self._process is not None
        self._process.send_signal(how)
        return self._process.wait(timeout=30)

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.end(signal.SIGKILL)


def processes_of(state: Path) -> list[int]:
    """Every process that was started for a state folder, the supervisor aside."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(state) in (entry / "environ").read_bytes().decode(errors="ignore"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def eventually(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + 30
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, "did not come true"
        time.sleep(0.05)


def write_template(folder: Path) -> Path:
    (folder / "code").mkdir()
    (folder / "code" / "app.py").write_text(CODE)
    (folder / "template.yaml").write_text(TEMPLATE)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_template(tmp_path)


@pytest.fixture
def cloud(folder: Path) -> Iterator[Process]:
    """A cloud to be stopped and changed."""
    process = Process(folder).start()
    yield process
    process.kill()


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A cloud to be left running."""
    process = Process(write_template(tmp_path_factory.mktemp("steady"))).start()
    yield process
    process.kill()


def test_what_a_template_describes_works_together(steady: Process) -> None:
    first = steady.get("/put/a")
    assert (first["value"], first["stage"]) == ("put", "local")
    assert httpx.get(first["jwks"]).json()["keys"][0]["alg"] == "ES256"

    steady.get("/queue/b")
    eventually(lambda: steady.get("/get/b")["value"] == "Work")
    steady.get("/queue/poison")
    eventually(lambda: steady.get("/get/poison")["value"] == "Dead")
    steady.get("/flow/c")
    eventually(lambda: steady.get("/get/c")["value"] == "stepped")


def with_function(cloud: Process, name: str, code: str) -> None:
    """Start the cloud again with one more function, which answers `/{name}/here`."""
    cloud.end()
    (cloud.folder / "code" / f"{name}.py").write_text(code)
    route = f"{{Type: HttpApi, Properties: {{Method: GET, Path: /{name}/here}}}}"
    added = f"""
  {name.title()}:
    Type: AWS::Serverless::Function
    Properties: {{Handler: {name}.handler, Events: {{Get: {route}}}}}
"""
    with (cloud.folder / "template.yaml").open("a") as file:
        file.write(added)
    cloud.start()


def test_a_function_and_a_route_that_are_added_work_without_a_change_elsewhere(cloud: Process) -> None:
    with_function(cloud, "more", "def handler(event, context): return {'new': event['rawPath']}")

    assert cloud.get("/more/here") == {"new": "/more/here"}
    assert cloud.get("/get/here")["value"] is None


def test_metrics_come_from_the_functions_lines_and_the_rest_is_logged(steady: Process) -> None:
    for _ in range(3):
        steady.get("/count/king")
    steady.get("/say/hello")

    sample = 'gis_export_jobs_completed_total{county_id="king",export_format="GPKG"} 3.0\n'
    eventually(lambda: sample in httpx.get(steady.run["url"] + "/metrics").text)
    response = httpx.get(steady.run["url"] + "/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    eventually(lambda: "a line hello" in (steady.state / "logs" / "Api.log").read_text())
    assert "_aws" not in (steady.state / "logs" / "Api.log").read_text()
    assert "[Api] a line hello" in steady.log
    access = (steady.state / "logs" / "access.log").read_text()
    assert " GET /{do}/{key} 200 " in access
    assert "king" not in access


def test_a_function_that_cannot_start_is_counted_as_its_code_would_have(cloud: Process) -> None:
    with_function(cloud, "broken", "raise ImportError('no such library')")

    assert [httpx.get(cloud.run["url"] + "/broken/here", timeout=30).status_code for _ in range(2)] == [500, 500]

    text = httpx.get(cloud.run["url"] + "/metrics").text
    assert 'gateway_http_requests_total{endpoint="/broken/here",http_status="500",method="GET"} 2.0\n' in text
    assert 'gateway_http_request_duration_seconds_count{endpoint="/broken/here",method="GET"} 2.0\n' in text
    assert 'terrafusion_faults_total{kind="http"} 2.0\n' in text


def test_state_links_and_unfinished_work_survive_a_restart(cloud: Process) -> None:
    cloud.get("/put/a")
    cloud.get("/file/report")
    bucket = cloud.run["buckets"]["Files"]
    link = cloud.client("s3").generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "report"})
    cloud.get("/flow/slow")
    eventually(lambda: cloud.get("/get/slow")["value"] == "begun")

    assert cloud.end(signal.SIGINT) == 0
    (cloud.folder / "code" / "hurry").touch()
    cloud.start()

    assert cloud.get("/get/a")["value"] == "put"
    assert httpx.get(link).text == "report"
    eventually(lambda: cloud.get("/get/slow")["value"] == "stepped")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_is_left_behind(cloud: Process, how: signal.Signals) -> None:
    cloud.get("/flow/slow")
    eventually(lambda: cloud.get("/get/slow")["value"] == "begun")
    assert processes_of(cloud.state)

    status = cloud.end(how)

    assert status == (-how if how is signal.SIGKILL else 0)
    eventually(lambda: not processes_of(cloud.state))
    assert (cloud.state / "run.json").exists() == (how is signal.SIGKILL)


def test_what_is_secret_is_its_owner_s_alone_and_nothing_listens_elsewhere(steady: Process) -> None:
    secret = [steady.state / "run.json", steady.state / "credentials.json", steady.state]
    assert [stat.S_IMODE(path.stat().st_mode) for path in secret] == [0o600, 0o600, 0o700]
    assert {steady.run["url"].rsplit(":", 1)[0], steady.run["aws_url"].rsplit(":", 1)[0]} == {"http://127.0.0.1"}
    for url in (steady.run["url"], steady.run["aws_url"]):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", int(url.rsplit(":", 1)[1])), timeout=5).close()


def test_a_second_cloud_on_the_same_folder_is_refused(steady: Process) -> None:
    with pytest.raises(CloudFailure, match=f"process {steady.run['pid']}"):
        Cloud(steady.folder / "template.yaml", steady.state, port=0).start()

    assert steady.get("/put/a")["value"] == "put"


def test_a_port_that_is_taken_is_named_and_nothing_is_left(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(PortInUse, match=f"Port {port} .*--port"):
            Cloud(folder / "template.yaml", folder / "state", port=port).start()


def test_a_template_that_cannot_run_is_named_and_nothing_is_left(folder: Path) -> None:
    with (folder / "template.yaml").open("a") as file:
        file.write("  Old: {Type: AWS::Serverless::Api}\n")

    with pytest.raises(CloudFailure, match=r"Resources\.Old: AWS::Serverless::Api cannot run here"):
        Cloud(folder / "template.yaml", folder / "state", port=0).start()

    assert not (folder / "state" / "run.json").exists()
    assert processes_of(folder / "state") == []
    (folder / "template.yaml").write_text(TEMPLATE)
    with data_bucket_offline(folder / "state", folder / "template.yaml", "Files"):
        """The folder is free again."""


def test_a_bucket_is_there_while_the_cloud_is_not(folder: Path) -> None:
    with data_bucket_offline(folder / "state", folder / "template.yaml", "Files") as (client, name):
        client.put_object(Bucket=name, Key="early", Body=b"bird")

    process = Process(folder).start()
    try:
        body = process.client("s3").get_object(Bucket=process.run["buckets"]["Files"], Key="early")["Body"].read()
    finally:
        process.end()
    assert body == b"bird"


def test_loading_into_a_folder_that_a_starting_cloud_has_says_so(folder: Path) -> None:
    file = folder / "sales.csv"
    file.write_text("sale_id,sale_price\n1,250000\n")
    with data_bucket_offline(folder / "state", folder / "template.yaml", "Files"):
        command = ("load", "benton", "sales", str(file), "--key", "sale_id", "--state", str(folder / "state"))
        done = terrafusion(*command, check=False)

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"process {os.getpid()}" in done.stderr
