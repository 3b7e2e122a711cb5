"""The object store, through boto3 and through GDAL, as their users drive it."""

import hashlib
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import geopandas
import httpx
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry import Point

from local.aws.endpoint import AwsEndpoint
from tests.integration.engines import CREDENTIALS

BUCKET = "things"
BOX = (99.5, 99.5, 199.5, 199.5)
KEYS = ["a", "a/b", "a/b/c d", "ä/ö+%41&=?#~", "x" * 900, "//double", "../up", "trailing/", "日本", "a'b\"c<d>"]


@pytest.fixture(scope="module")
def s3(endpoint: AwsEndpoint) -> Any:
    endpoint.create_bucket(BUCKET)
    return endpoint.client("s3")


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


@pytest.mark.parametrize("key", KEYS)
def test_any_key_is_written_read_listed_and_deleted(s3: Any, key: str) -> None:
    body = key.encode() * 3

    s3.put_object(Bucket=BUCKET, Key=key, Body=body, ContentType="text/x", Metadata={"m": "1"})

    read = s3.get_object(Bucket=BUCKET, Key=key)
    assert (read["Body"].read(), read["ContentType"], read["Metadata"]) == (body, "text/x", {"m": "1"})
    assert key in [o["Key"] for o in s3.list_objects_v2(Bucket=BUCKET, Prefix=key)["Contents"]]
    s3.delete_object(Bucket=BUCKET, Key=key)
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=BUCKET, Key=key)
    assert code(error) == "NoSuchKey"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=3000), first=st.integers(0, 3500), length=st.integers(1, 3500))
def test_a_range_is_the_slice_it_names(s3: Any, body: bytes, first: int, length: int) -> None:
    s3.put_object(Bucket=BUCKET, Key="range", Body=body)
    wanted = f"bytes={first}-{first + length - 1}"

    if first >= len(body):
        with pytest.raises(ClientError) as error:
            s3.get_object(Bucket=BUCKET, Key="range", Range=wanted)
        assert code(error) == "InvalidRange"
    else:
        answer = s3.get_object(Bucket=BUCKET, Key="range", Range=wanted)
        assert answer["Body"].read() == body[first : first + length]
        assert answer["ContentRange"].endswith(f"/{len(body)}")


def test_a_large_file_goes_up_in_parts_and_comes_back_the_same(s3: Any, tmp_path: Path) -> None:
    there, back = tmp_path / "there", tmp_path / "back"
    there.write_bytes(os.urandom(1 << 20) * 37)

    s3.upload_file(str(there), BUCKET, "large")
    s3.download_file(BUCKET, "large", str(back))

    assert hashlib.sha256(there.read_bytes()).digest() == hashlib.sha256(back.read_bytes()).digest()
    assert s3.head_object(Bucket=BUCKET, Key="large")["ETag"].endswith('-5"')


def test_an_upload_that_is_dropped_leaves_nothing(s3: Any) -> None:
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="dropped")["UploadId"]
    part = s3.upload_part(Bucket=BUCKET, Key="dropped", UploadId=upload, PartNumber=1, Body=b"x")

    with pytest.raises(ClientError) as error:
        s3.complete_multipart_upload(
            Bucket=BUCKET, Key="dropped", UploadId=upload,
            MultipartUpload={"Parts": [{"PartNumber": 2, "ETag": part["ETag"]}]},
        )  # fmt: skip
    assert code(error) == "InvalidPart"
    s3.abort_multipart_upload(Bucket=BUCKET, Key="dropped", UploadId=upload)
    with pytest.raises(ClientError):
        s3.head_object(Bucket=BUCKET, Key="dropped")


def test_of_many_conditional_writes_one_wins(s3: Any) -> None:
    def put(number: int) -> str:
        try:
            s3.put_object(Bucket=BUCKET, Key=f"race-{number // 8}", Body=str(number).encode(), IfNoneMatch="*")
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "won"

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(put, range(80)))

    for first in range(0, 80, 8):
        assert sorted(won[first : first + 8]) == ["PreconditionFailed"] * 7 + ["won"]


def test_only_the_named_state_is_replaced(s3: Any) -> None:
    first = s3.put_object(Bucket=BUCKET, Key="state", Body=b"1")["ETag"]
    s3.put_object(Bucket=BUCKET, Key="state", Body=b"2", IfMatch=first)

    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=BUCKET, Key="state", Body=b"3", IfMatch=first)

    assert code(error) == "PreconditionFailed"
    assert s3.get_object(Bucket=BUCKET, Key="state")["Body"].read() == b"2"


def test_pages_of_a_list_join_and_fold_at_the_delimiter(s3: Any) -> None:
    names = [f"list/{a}/{b}" for a in range(4) for b in range(5)] + ["list/top", "list/z z"]
    for name in names:
        s3.put_object(Bucket=BUCKET, Key=name, Body=b"")

    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, Prefix="list/", PaginationConfig={"PageSize": 3}
    )
    folded = s3.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, Prefix="list/", Delimiter="/", PaginationConfig={"PageSize": 2}
    )

    assert [o["Key"] for page in pages for o in page["Contents"]] == sorted(names)
    folded_pages = list(folded)
    assert [p["Prefix"] for page in folded_pages for p in page.get("CommonPrefixes", ())] == [
        f"list/{a}/" for a in range(4)
    ]
    assert [o["Key"] for page in folded_pages for o in page.get("Contents", ())] == ["list/top", "list/z z"]


def test_a_copy_is_the_same(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="original", Body=b"text", ContentType="text/plain")

    s3.copy_object(Bucket=BUCKET, Key="copy", CopySource={"Bucket": BUCKET, "Key": "original"})

    copy = s3.get_object(Bucket=BUCKET, Key="copy")
    assert (copy["Body"].read(), copy["ContentType"]) == (b"text", "text/plain")


def test_a_body_that_is_not_the_one_signed_is_not_stored(s3: Any, endpoint: AwsEndpoint) -> None:
    url = s3.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": "md5"})

    answer = httpx.put(url, content=b"other", headers={"content-md5": "AAAAAAAAAAAAAAAAAAAAAA=="})

    assert answer.status_code == 400
    with pytest.raises(ClientError):
        s3.head_object(Bucket=BUCKET, Key="md5")


def test_gdal_reads_a_layer_in_place(s3: Any, endpoint: AwsEndpoint, tmp_path: Path) -> None:
    frame = geopandas.GeoDataFrame({"n": range(2000)}, geometry=[Point(i, i) for i in range(2000)], crs=4326)
    frame.to_file(tmp_path / "points.fgb", driver="FlatGeobuf")
    s3.upload_file(str(tmp_path / "points.fgb"), BUCKET, "gis/points.fgb")
    environment = {
        "AWS_S3_ENDPOINT": endpoint.url.removeprefix("http://"),
        "AWS_HTTPS": "NO",
        "AWS_VIRTUAL_HOSTING": "FALSE",
        "AWS_REGION": "us-west-2",
        "AWS_ACCESS_KEY_ID": CREDENTIALS.access_key,
        "AWS_SECRET_ACCESS_KEY": CREDENTIALS.secret_key,
    }
    # in a process of its own: pyogrio holds the interpreter's lock, which the server in this one needs
    script = f"import pyogrio; print(len(pyogrio.read_dataframe('/vsis3/{BUCKET}/gis/points.fgb', bbox={BOX})))"
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60)

    assert done.stdout.strip() == "100", done.stderr


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "POST"])
def test_without_a_signature_nothing_is_served(s3: Any, endpoint: AwsEndpoint, method: str) -> None:
    s3.put_object(Bucket=BUCKET, Key="private", Body=b"x")

    assert httpx.request(method, f"{endpoint.url}/{BUCKET}/private").status_code == 403
    assert httpx.get(f"{endpoint.url}/moto-api/data.json").status_code == 403


def test_another_s_keys_open_nothing(endpoint: AwsEndpoint) -> None:
    stranger = boto3.client(
        "s3", endpoint_url=endpoint.url, region_name="us-west-2", aws_access_key_id="tests", aws_secret_access_key="no"
    )

    with pytest.raises(ClientError) as error:
        stranger.list_buckets()
    assert code(error) == "SignatureDoesNotMatch"


@pytest.mark.parametrize("key", [*KEYS[:5], "日本"])
def test_a_link_opens_what_it_names_for_as_long_as_it_says(s3: Any, key: str) -> None:
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"content")
    parameters = {"Bucket": BUCKET, "Key": key, "ResponseContentDisposition": 'attachment; filename="ü.zip"'}
    link = s3.generate_presigned_url("get_object", Params=parameters, ExpiresIn=60)

    assert httpx.get(link).content == b"content"
    for bad in (
        link.replace("Expires=60", "Expires=600"),
        link[:-1] + ("0" if link[-1] != "0" else "1"),
        link + "&x=1",
        link.replace("filename", "filenam"),
        link.replace(f"/{BUCKET}/", f"/{BUCKET}/other-", 1),
    ):
        assert httpx.get(bad).status_code == 403, bad
    for method in ("PUT", "DELETE", "HEAD", "POST"):
        assert httpx.request(method, link).status_code == 403
    expired = s3.generate_presigned_url("get_object", Params=parameters, ExpiresIn=1)
    time.sleep(2.1)
    answer = httpx.get(expired)
    assert (answer.status_code, "Request has expired" in answer.text) == (403, True)
