"""Objects in S3: read, write, and links that are signed only when somebody asks for one."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
from boto3.s3.transfer import TransferConfig, create_transfer_manager
from botocore.config import Config
from botocore.exceptions import ClientError
from s3transfer.subscribers import BaseSubscriber

TICK_SECONDS = 0.25


class ObjectMissing(Exception):
    """There is no object under that key."""


class ObjectChanged(Exception):
    """A conditional write lost: somebody else wrote the object first."""


@dataclass(frozen=True, slots=True)
class Link:
    """A presigned link and when it dies."""

    url: str
    expires_at: datetime


def s3_client(region: str) -> Any:
    """An S3 client that signs with SigV4; the endpoint comes from AWS_ENDPOINT_URL when that is set."""
    config = Config(signature_version="s3v4", retries={"mode": "standard", "max_attempts": 4})
    return boto3.client("s3", region_name=region, config=config)


class _Ended(BaseSubscriber):
    """Learns that a transfer has ended, however."""

    def __init__(self) -> None:
        self.event = threading.Event()

    def on_done(self, future: Any, **_: Any) -> None:  # noqa: ARG002  as its base has it
        self.event.set()


class Storage:
    """One bucket."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self.bucket = bucket

    def uri(self, key: str) -> str:
        """The object's `s3://` address."""
        return f"s3://{self.bucket}/{key}"

    def read(self, key: str) -> bytes:
        """All of an object; for small ones.

        Raises
        ------
        ObjectMissing
        """
        return self.read_with_tag(key)[0]

    def read_with_tag(self, key: str) -> tuple[bytes, str]:
        """All of an object, and the tag that `write` takes to replace just this state of it."""
        try:
            response = self._client.get_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if _code(error) in {"NoSuchKey", "404"}:
                raise ObjectMissing(key) from error
            raise
        return response["Body"].read(), response["ETag"]

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        """Some of an object's bytes; fewer where it ends, none beyond its end.

        Raises
        ------
        ObjectMissing
        """
        try:
            response = self._client.get_object(
                Bucket=self.bucket, Key=key, Range=f"bytes={offset}-{offset + length - 1}"
            )
        except ClientError as error:
            if _code(error) in {"NoSuchKey", "404"}:
                raise ObjectMissing(key) from error
            if _code(error) in {"InvalidRange", "416"}:
                return b""
            raise
        return bytes(response["Body"].read())

    def read_json(self, key: str) -> Any:
        """An object's JSON."""
        return json.loads(self.read(key))

    def write(
        self, key: str, body: bytes, content_type: str, *, replacing: str | None = None, new: bool = False
    ) -> None:
        """Write a small object in one step, on condition when asked.

        Parameters
        ----------
        replacing
            Tag of the state that may be replaced.
        new
            Only when there is no such object yet.

        Raises
        ------
        ObjectChanged
            When the condition does not hold.
        """
        condition = {"IfMatch": replacing} if replacing else {"IfNoneMatch": "*"} if new else {}
        try:
            self._client.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType=content_type, **condition)
        except ClientError as error:
            if _code(error) in {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}:
                raise ObjectChanged(key) from error
            raise

    def write_json(self, key: str, document: Any, *, replacing: str | None = None, new: bool = False) -> None:
        """Write a JSON document; see `write`."""
        body = json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
        self.write(key, body, "application/json", replacing=replacing, new=new)

    def upload(self, path: Path, key: str, content_type: str, tick: Callable[[], None] | None = None) -> None:
        """Upload a file of any size; the object appears whole or not at all.

        `tick` is called now and then meanwhile; what it raises stops the upload, and is raised here.
        """
        ended = _Ended()
        with create_transfer_manager(self._client, TransferConfig()) as manager:
            upload = manager.upload(str(path), self.bucket, key, {"ContentType": content_type}, [ended])
            try:
                while tick and not ended.event.wait(TICK_SECONDS):
                    tick()
            except BaseException:
                upload.cancel()
                raise
            upload.result()

    def download(self, key: str, path: Path) -> None:
        """Download an object of any size to a file, which appears whole or not at all.

        Raises
        ------
        ObjectMissing
        """
        try:
            self._client.download_file(self.bucket, key, str(path))
        except ClientError as error:
            if _code(error) in {"NoSuchKey", "404"}:
                raise ObjectMissing(key) from error
            raise

    def delete(self, key: str) -> None:
        """Delete an object; none there is no error."""
        self._client.delete_object(Bucket=self.bucket, Key=key)

    def folders(self, prefix: str) -> Iterator[str]:
        """Names of the 'folders' right below a prefix that ends in `/`."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix, Delimiter="/")
        for page in pages:
            for entry in page.get("CommonPrefixes", ()):
                yield entry["Prefix"][len(prefix) :].rstrip("/")

    def link(self, key: str, file_name: str, seconds: int) -> Link:
        """Sign a link to download an object under a file name; dies after `seconds`."""
        expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)
        disposition = f"attachment; filename=\"{_ascii(file_name)}\"; filename*=UTF-8''{quote(file_name)}"
        url = self._client.generate_presigned_url(
            "get_object",
            Params={"Bucket": self.bucket, "Key": key, "ResponseContentDisposition": disposition},
            ExpiresIn=seconds,
        )
        return Link(url, expires_at)


def _ascii(name: str) -> str:
    return "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "_" for c in name)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
