"""A client that asks for it is told, signed, when its export has ended."""

import hashlib
import hmac
import json
from typing import Any

import pytest

from tests.e2e.support import Client, LocalCloud, wait_until
from tests.e2e.test_bad_input import check_problem
from tests.e2e.test_bundles import data_bucket
from tests.unit import test_gis_callbacks

receiver = test_gis_callbacks.receiver

SECRET = b"of the sample county"


@pytest.fixture(scope="module")
def secret(cloud: LocalCloud) -> bytes:
    cloud.client("s3").put_object(Bucket=data_bucket(cloud), Key="secrets/sample/callback", Body=SECRET + b"\n")
    return SECRET


@pytest.mark.parametrize("more", [{}, {"features_per_part": 800}], ids=["of one file", "of parts"])
def test_the_end_is_told(secret: bytes, gis: Client, receiver: Any, more: dict[str, int]) -> None:
    url = f"http://127.0.0.1:{receiver.server_address[1]}/hook"
    job = gis.submit(parameters={"callback_url": url, **more})

    wait_until(lambda: receiver.seen, 60)

    ((_, headers, body),) = receiver.seen
    document = json.loads(body)
    assert (document["event"], document["job_id"]) == ("job.completed", job["job_id"])
    assert gis.http.get(document["links"]["results"]).json()["result"]["result_record_count"] > 0
    wanted = hmac.new(secret, headers["TerraFusion-Timestamp"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["TerraFusion-Signature"] == f"v1={wanted}"


def test_a_receiver_that_was_away_is_told_again(cloud: LocalCloud, secret: bytes, gis: Client, receiver: Any) -> None:
    receiver.status = 503
    gis.submit(parameters={"callback_url": f"http://127.0.0.1:{receiver.server_address[1]}/"})
    wait_until(lambda: receiver.seen, 60)

    receiver.status = 200
    wait_until(lambda: len(receiver.seen) >= 2, 60)

    assert receiver.seen[0][2] == receiver.seen[1][2]


WITH_PASSWORD = "https://user:secret@example.com/"  # pragma: allowlist secret


@pytest.mark.parametrize("url", ["ftp://example.com/", WITH_PASSWORD, "http://example.com /", "x"])
def test_an_address_that_cannot_be_is_refused(gis: Client, url: str) -> None:
    body = {
        "county_id": gis.county,
        "export_format": "GPKG",
        "layers": ["parcels"],
        "parameters": {"callback_url": url},
    }

    check_problem(gis.post("/gis-export/run", body), 422, "callback")
