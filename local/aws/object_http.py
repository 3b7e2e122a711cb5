"""S3's REST interface to the object store, path-style: the operations that boto3 and GDAL use."""

import base64
from collections.abc import Callable, Iterator
from email.utils import format_datetime
from typing import BinaryIO
from urllib.parse import quote
from xml.sax.saxutils import escape

from local.aws.bodies import CHECKSUM, receive
from local.aws.incoming import CHUNK_BYTES
from local.aws.multipart import Uploads
from local.aws.object_calls import (
    COPY_SOURCE,
    Call,
    bucket_and_key,
    elements,
    error_answer,
    iso,
    span,
    xml_answer,
)
from local.aws.objects import ObjectStore, StoredObject, StoreError
from local.aws.server import Answer
from local.aws.signatures import SignedRequest

MARKERS = ("uploads", "uploadId", "delete", "location")
OPTIONS = {
    *("prefix", "delimiter", "list-type", "max-keys", "continuation-token", "start-after", "marker", "encoding-type"),
    *("fetch-owner", "partNumber", "max-parts", "part-number-marker", "x-id"),
}
"""Parameters that do not change which operation is meant; any other names a feature that is not offered here."""


class ObjectService:
    """Answers S3's requests."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        uploads = Uploads(store)
        self._operations: dict[tuple[str, str, str], Callable[[Call], Answer]] = {
            ("service", "GET", ""): self._list_buckets,
            ("bucket", "HEAD", ""): self._head_bucket,
            ("bucket", "GET", ""): self._list,
            ("bucket", "GET", "location"): self._location,
            ("bucket", "POST", "delete"): self._delete_many,
            ("object", "PUT", ""): self._put,
            ("object", "GET", ""): self._get,
            ("object", "HEAD", ""): self._head,
            ("object", "DELETE", ""): self._delete,
            ("object", "POST", "uploads"): uploads.start,
            ("object", "PUT", "uploadId"): uploads.put_part,
            ("object", "GET", "uploadId"): uploads.list_parts,
            ("object", "POST", "uploadId"): uploads.finish,
            ("object", "DELETE", "uploadId"): uploads.drop,
        }

    def answer(self, request: SignedRequest, body: BinaryIO) -> Answer:
        """Do what a request asks, or say in S3's way why not."""
        try:
            call = Call.of(request, body)
            return self._operation(call)(call)
        except StoreError as error:
            return error_answer(error.code, error.status, error.message)

    def _operation(self, call: Call) -> Callable[[Call], Answer]:
        level = "object" if call.key else "bucket" if call.bucket else "service"
        marker = next((m for m in MARKERS if m in call.parameters), "")
        unknown = [
            name
            for name in call.parameters
            if name not in OPTIONS and name != marker and not name.startswith(("X-Amz-", "response-"))
        ]
        operation = self._operations.get((level, call.request.method, marker))
        if operation is None or unknown:
            feature = " ".join([marker, *unknown]).strip()
            raise StoreError("NotImplemented", 501, f"{call.request.method} {feature} of {level}s is not offered here.")
        return operation

    def _list_buckets(self, _: Call) -> Answer:
        entries = "".join(
            f"<Bucket><Name>{name}</Name><CreationDate>{iso(made)}</CreationDate></Bucket>"
            for name, made in self._store.buckets()
        )
        return xml_answer(200, f"<ListAllMyBucketsResult><Buckets>{entries}</Buckets></ListAllMyBucketsResult>")

    def _head_bucket(self, call: Call) -> Answer:
        self._store.check_bucket(call.bucket)
        return Answer(200, {})

    def _location(self, call: Call) -> Answer:
        self._store.check_bucket(call.bucket)
        return xml_answer(200, "<LocationConstraint>us-west-2</LocationConstraint>")

    def _list(self, call: Call) -> Answer:
        parameters = call.parameters
        limit = min(1000, call.number("max-keys", 1000, most=1 << 31))
        token = parameters.get("continuation-token")
        after = _unpacked(token) if token else parameters.get("start-after") or parameters.get("marker", "")
        prefix = parameters.get("prefix", "")
        page = self._store.page(call.bucket, prefix, parameters.get("delimiter", ""), after, limit)
        encode = quote if parameters.get("encoding-type") == "url" else escape
        objects = "".join(
            f"<Contents><Key>{encode(o.key)}</Key><LastModified>{iso(o.modified)}</LastModified>"
            f'<ETag>"{o.etag}"</ETag><Size>{o.size}</Size><StorageClass>STANDARD</StorageClass></Contents>'
            for o in page.objects
        )
        prefixes = "".join(f"<CommonPrefixes><Prefix>{encode(p)}</Prefix></CommonPrefixes>" for p in page.prefixes)
        more = page.next_after and (
            f"<NextContinuationToken>{_packed(page.next_after)}</NextContinuationToken>"
            if parameters.get("list-type") == "2"
            else f"<NextMarker>{encode(page.next_after)}</NextMarker>"
        )
        return xml_answer(
            200,
            f"<ListBucketResult><Name>{call.bucket}</Name><Prefix>{encode(prefix)}</Prefix>"
            f"<KeyCount>{len(page.objects) + len(page.prefixes)}</KeyCount><MaxKeys>{limit}</MaxKeys>"
            f"<IsTruncated>{str(bool(more)).lower()}</IsTruncated>{more or ''}"
            f"{'<EncodingType>url</EncodingType>' if encode is quote else ''}{objects}{prefixes}</ListBucketResult>",
        )

    def _put(self, call: Call) -> Answer:
        self._store.check_bucket(call.bucket)
        if COPY_SOURCE in call.headers:
            return self._copy(call)
        with self._store.receiving() as incoming:
            checksums = receive(call.body, call.headers, incoming)
            stored = self._store.put(call.bucket, call.key, incoming, call.kept_headers | checksums, call.condition)
        return Answer(200, {"etag": f'"{stored.etag}"', **checksums})

    def _copy(self, call: Call) -> Answer:
        source, body = self._store.open(*bucket_and_key(call.headers[COPY_SOURCE]))
        headers = source.headers
        if call.headers.get("x-amz-metadata-directive") == "REPLACE":
            headers = call.kept_headers | {n: v for n, v in headers.items() if n.startswith(CHECKSUM)}
        with body, self._store.receiving() as incoming:
            incoming.fill(body, source.size)
            stored = self._store.put(call.bucket, call.key, incoming, headers, call.condition)
        return xml_answer(
            200,
            f'<CopyObjectResult><ETag>"{stored.etag}"</ETag>'
            f"<LastModified>{iso(stored.modified)}</LastModified></CopyObjectResult>",
        )

    def _head(self, call: Call) -> Answer:
        return self._described(call, self._store.get(call.bucket, call.key))[0]

    def _get(self, call: Call) -> Answer:
        stored, body = self._store.open(call.bucket, call.key)
        try:
            answer, start, end = self._described(call, stored)
        except StoreError:
            body.close()
            raise
        return Answer(answer.status, answer.headers, _Slice(body, start, end))

    def _described(self, call: Call, stored: StoredObject) -> tuple[Answer, int, int]:
        """An object's headers, and where what was asked for starts and ends."""
        etag = f'"{stored.etag}"'
        if call.headers.get("if-none-match", "").strip('"') == stored.etag:
            return Answer(304, {"etag": etag}), 0, 0
        if call.headers.get("if-match", "*").strip('"') not in {stored.etag, "*"}:
            raise StoreError("PreconditionFailed", 412, "The object is not in the state that was named.")
        start, end, partial = span(call.headers.get("range"), stored.size)
        headers = {
            "etag": etag,
            "last-modified": format_datetime(stored.modified, usegmt=True),
            "accept-ranges": "bytes",
            "content-type": "binary/octet-stream",
            "content-length": str(end - start),
            **{n: v for n, v in stored.headers.items() if not n.startswith(CHECKSUM)},
            **_overrides(call),
        }
        if partial:
            headers["content-range"] = f"bytes {start}-{end - 1}/{stored.size}"
        elif call.headers.get("x-amz-checksum-mode") == "ENABLED":
            headers |= {n: v for n, v in stored.headers.items() if n.startswith(CHECKSUM)}
        return Answer(206 if partial else 200, headers), start, end

    def _delete(self, call: Call) -> Answer:
        self._store.delete(call.bucket, call.key)
        return Answer(204, {})

    def _delete_many(self, call: Call) -> Answer:
        keys = [element.text or "" for element in elements(call.document(), "Key")]
        for key in keys:
            self._store.delete(call.bucket, key)
        entries = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
        return xml_answer(200, f"<DeleteResult>{entries}</DeleteResult>")


class _Slice:
    """Bytes of an open file, in chunks; closes it."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self._file = file
        self._start = start
        self._left = end - start

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(self._start)
        while self._left and (chunk := self._file.read(min(CHUNK_BYTES, self._left))):
            self._left -= len(chunk)
            yield chunk

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _overrides(call: Call) -> dict[str, str]:
    """Headers that a link's parameters set."""
    headers = {n.removeprefix("response-"): v for n, v in call.parameters.items() if n.startswith("response-")}
    for name, value in headers.items():
        if not (value.isprintable() and all(ord(character) < 256 for character in value)):
            raise StoreError("InvalidArgument", 400, f"The value of response-{name} is not ISO-8859-1.")
    return headers


def _packed(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _unpacked(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except ValueError as error:
        raise StoreError("InvalidArgument", 400, "The continuation token is not one of this service's.") from error
