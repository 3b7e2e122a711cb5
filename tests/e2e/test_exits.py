"""Every way in which work can vanish, and how its job ends all the same."""

import hashlib
import json
import os
import signal
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from terrafusion.jobs import Job, JobStatus, JobStore
from terrafusion.jobs.model import now, timestamp
from terrafusion.storage import Storage
from tests.e2e.support import TERMINAL, Client, LocalCloud, load_sample, terrafusion, wait_until
from tests.plugins.with_layer_digest import template_with_layer_digest

DIGEST_WORKER = "LayerDigestWorkerFunction"


@pytest.fixture(scope="module")
def plugged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A cloud with a fifth plugin, whose jobs come by a queue."""
    if request.config.getoption("--api") or request.config.getoption("--sam"):
        pytest.skip("reaches into the local cloud's processes; another deployment is tested")
    folder = tmp_path_factory.mktemp("plugged")
    terrafusion("sample", "--parcels", "1500", "--output", str(folder / "files"))
    here = LocalCloud(folder / "state", template_with_layer_digest(folder / "project"))
    here.start()
    load_sample(here, "sample", folder / "files", ("parcels", "zoning"))
    yield here
    here.stop()


@pytest.fixture(scope="module")
def client(plugged: LocalCloud) -> Iterator[Client]:
    """An assessor of the county."""
    headers = {"authorization": f"Bearer {plugged.token('Assessor', 'sample')}"}
    with httpx.Client(base_url=plugged.url, headers=headers, timeout=60) as http:
        yield Client(http, "sample")


@pytest.fixture
def store(plugged: LocalCloud) -> JobStore:
    """The cloud's job table, for states that only an accident at the right moment makes."""
    results = Storage(plugged.client("s3"), plugged.run["buckets"]["ResultsBucket"])
    return JobStore(plugged.client("dynamodb"), plugged.run["tables"]["JobsTable"], results, keep_days=7)


def digest(client: Client, passes: int = 1) -> dict[str, Any]:
    return client.run("layer-digest", {"layer": "parcels", "passes": passes})


def metric(cloud: LocalCloud, name: str, **labels: str) -> float:
    """The sum of a counter's samples that have these labels."""
    lines = [line for line in httpx.get(f"{cloud.url}/metrics").text.splitlines() if line.startswith(f"{name}{{")]
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if all(text in line for text in wanted))


def invoke(cloud: LocalCloud, function: str, event: dict[str, Any]) -> dict[str, Any]:
    answer = cloud.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
    assert "FunctionError" not in answer, answer["Payload"].read()
    return dict(json.loads(answer["Payload"].read()))


def age(cloud: LocalCloud, job_id: str) -> None:
    """Let a job have been silent for an hour."""
    cloud.client("dynamodb").update_item(
        TableName=cloud.run["tables"]["JobsTable"],
        Key={"pk": {"S": f"JOB#{job_id}"}, "sk": {"S": "JOB"}},
        UpdateExpression="SET updated_at = :past, lease_until = :past",
        ExpressionAttributeValues={":past": {"S": str(timestamp(now() - timedelta(hours=1)))}},
    )


def test_a_result_has_several_files_and_a_link_for_each(client: Client) -> None:
    result = client.result(digest(client))
    assert [file["name"] for file in result["files"]] == ["digest.json", "SHA256SUMS"]
    assert result["download_url"] == result["files"][0]["download_url"]
    for file in result["files"]:
        content = httpx.get(file["download_url"]).content
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["size_bytes"], file["sha256"])
    assert f"{result['sha256']}  data.fgb" in httpx.get(result["files"][1]["download_url"]).text


def test_a_download_gives_the_file_that_is_named(client: Client) -> None:
    job = client.wait(digest(client))
    main, named, unknown = (
        client.http.get(job["links"]["download"], params=params)
        for params in ({}, {"file": "SHA256SUMS"}, {"file": "../request.json"})
    )
    assert "digest.json" in main.headers["location"]
    assert "SHA256SUMS" in named.headers["location"]
    assert unknown.status_code == 404
    assert "It has digest.json, SHA256SUMS." in unknown.json()["message"]


def test_a_job_that_comes_by_a_queue_is_done(plugged: LocalCloud, client: Client) -> None:
    before = metric(plugged, "layer_digest_jobs_completed_total")
    job = digest(client)

    result = client.result(job)

    objects = plugged.client("s3")
    bucket = plugged.run["buckets"]["DataBucket"]
    keys = [
        o["Key"] for o in objects.list_objects_v2(Bucket=bucket, Prefix="counties/sample/layers/parcels/")["Contents"]
    ]
    (key,) = [key for key in keys if key.endswith("data.fgb")]
    assert result["bytes"] == objects.head_object(Bucket=bucket, Key=key)["ContentLength"]
    assert httpx.get(result["download_url"]).json()["sha256"] == result["sha256"]
    wait_until(lambda: metric(plugged, "layer_digest_jobs_completed_total") == before + 1)


def test_a_message_delivered_again_does_no_second_work(plugged: LocalCloud, client: Client) -> None:
    before = metric(plugged, "layer_digest_jobs_completed_total")
    job = digest(client, passes=200)
    queue = plugged.run["queues"]["LayerDigestQueue"]
    sqs = plugged.client("sqs")
    for _ in range(5):
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"job_id": job["job_id"]}))

    done = client.wait(job)

    assert done["status"] == "COMPLETED"
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"job_id": job["job_id"]}))
    wait_until(lambda: _waiting(sqs, queue) == 0, seconds=60)
    assert client.wait(job)["updated_at"] == done["updated_at"]
    assert metric(plugged, "layer_digest_jobs_completed_total") == before + 1
    stored = plugged.client("s3").list_objects_v2(
        Bucket=plugged.run["buckets"]["ResultsBucket"], Prefix=f"results/layer-digest/sample/{job['job_id']}/"
    )
    assert len({o["Key"].rsplit("/", 2)[1] for o in stored["Contents"]}) == 1, "one attempt left a result"


def _waiting(sqs: Any, queue: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    return sum(int(n) for n in sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"].values())


def test_a_worker_killed_each_time_fails_the_job_through_the_dead_letter_queue(
    plugged: LocalCloud, client: Client
) -> None:
    job = digest(client, passes=10_000)

    def killed_until_it_ends() -> dict[str, Any] | None:
        last = client.http.get(job["links"]["status"]).json()
        for pid in plugged.workers(DIGEST_WORKER):
            os.kill(pid, signal.SIGKILL)
        return dict(last) if last["status"] in TERMINAL else None

    last = wait_until(killed_until_it_ends, seconds=120)

    assert (last["status"], last["failure_reason"]) == ("FAILED", "worker_crashed")
    wait_until(lambda: metric(plugged, "layer_digest_jobs_failed_total", failure_reason="worker_crashed") == 1)


def test_work_that_does_not_fit_into_the_worker_s_time_fails_with_that_reason(
    plugged: LocalCloud, client: Client
) -> None:
    before = metric(plugged, "layer_digest_jobs_failed_total", failure_reason="timeout")

    last = client.wait(digest(client, passes=10_000))

    assert (last["status"], last["failure_reason"]) == ("FAILED", "timeout")
    wait_until(lambda: metric(plugged, "layer_digest_jobs_failed_total", failure_reason="timeout") == before + 1)


def test_work_that_takes_more_memory_than_it_has_fails_the_job(plugged: LocalCloud, client: Client) -> None:
    job = client.run("layer-digest", {"layer": "parcels", "copies": 5_000})

    last = wait_until(lambda: _ended(client, job), seconds=120)

    assert (last["status"], last["failure_reason"]) == ("FAILED", "worker_crashed")
    assert "memory" in (plugged.state / "logs" / f"{DIGEST_WORKER}.log").read_text().lower()


def _ended(client: Client, job: dict[str, Any]) -> dict[str, Any] | None:
    last = client.http.get(job["links"]["status"]).json()
    return dict(last) if last["status"] in TERMINAL else None


def test_a_message_that_names_no_job_stays_for_a_person_and_stops_nobody(plugged: LocalCloud, client: Client) -> None:
    sqs, queues = plugged.client("sqs"), plugged.run["queues"]
    for body in ("not json", '{"job": 1}', "[]"):
        sqs.send_message(QueueUrl=queues["LayerDigestQueue"], MessageBody=body)

    assert client.wait(digest(client))["status"] == "COMPLETED"

    wait_until(lambda: _waiting(sqs, queues["LayerDigestDlq"]) == 3, seconds=120)


def pending(store: JobStore, like: str) -> Job:
    """A job like another, as it is when the API's process died right after it had written it."""
    model, moment = store.get(like), now()
    job = Job(
        job_id=str(uuid.uuid4()),
        plugin=model.plugin,
        county_id=model.county_id,
        status=JobStatus.PENDING,
        message="Waiting for a worker",
        parameters=model.parameters,
        decided=model.decided,
        requested_by="ada",
        dataset_version=model.dataset_version,
        created_at=moment,
        updated_at=moment,
        type_label=model.type_label,
    )
    store.create(job)
    return job


@pytest.mark.parametrize("plugin", ["layer-digest", "gis-export"])
def test_a_job_that_was_written_and_never_handed_over_is_done_after_the_sweep(
    plugged: LocalCloud, client: Client, store: JobStore, plugin: str
) -> None:
    bodies: dict[str, dict[str, Any]] = {
        "layer-digest": {"layer": "zoning"},
        "gis-export": {"export_format": "GeoJSON", "layers": ["zoning"]},
    }
    model = client.run(plugin, bodies[plugin])
    client.wait(model)
    lost = pending(store, model["job_id"])
    prefix = plugin.replace("-", "_")
    submitted = metric(plugged, f"{prefix}_jobs_submitted_total")
    age(plugged, lost.job_id)
    sweep = "LayerDigestSweepFunction" if plugin == "layer-digest" else "GisExportSweepFunction"

    findings = invoke(plugged, sweep, {})
    assert findings.get("counted") == 1, "first it is counted, which is a write"
    age(plugged, lost.job_id)
    assert invoke(plugged, sweep, {}).get("dispatched_again") == 1

    wait_until(lambda: store.get(lost.job_id).status is JobStatus.COMPLETED, seconds=60)
    wait_until(lambda: metric(plugged, f"{prefix}_jobs_submitted_total") == submitted + 1)
    assert store.get(lost.job_id).uncounted == frozenset()


def test_a_workflow_that_somebody_aborted_leaves_no_job_running(
    plugged: LocalCloud, client: Client, store: JobStore
) -> None:
    job = client.submit("KML", ("parcels", "zoning"))
    machine = plugged.run["state_machines"]["GisExportWorkflow"]
    arn = f"{machine.replace(':stateMachine:', ':execution:')}:{job['job_id']}"
    wait_until(lambda: client.http.get(job["links"]["status"]).json()["status"] == "RUNNING")
    workers = plugged.workers("GisExportWorkerFunction")
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    plugged.client("stepfunctions").stop_execution(executionArn=arn, cause="by hand")
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    age(plugged, job["job_id"])

    wait_until(lambda: invoke(plugged, "GisExportSweepFunction", {}).get("closed") == 1, seconds=30)

    last = client.wait(job)
    assert (last["status"], last["failure_reason"]) == ("FAILED", "worker_crashed")


def test_a_running_job_is_left_alone_by_the_sweep(plugged: LocalCloud, client: Client) -> None:
    job = client.submit("KML", ("parcels", "zoning"))
    age(plugged, job["job_id"])

    findings = invoke(plugged, "GisExportSweepFunction", {})

    assert "closed" not in findings
    assert client.wait(job)["status"] == "COMPLETED"


def test_events_that_a_dead_process_did_not_count_are_counted_by_the_sweep(
    plugged: LocalCloud, client: Client, store: JobStore
) -> None:
    model = client.run("layer-digest", {"layer": "zoning"})
    client.wait(model)
    before = metric(plugged, "layer_digest_jobs_cancelled_total")
    dead = pending(store, model["job_id"])
    assert store.cancel(dead.job_id, "Cancelled by a process that died then") is not None
    age(plugged, dead.job_id)

    invoke(plugged, "LayerDigestSweepFunction", {})
    invoke(plugged, "LayerDigestSweepFunction", {})

    wait_until(lambda: metric(plugged, "layer_digest_jobs_cancelled_total") == before + 1)
    assert store.get(dead.job_id).uncounted == frozenset()
