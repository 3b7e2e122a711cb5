"""S3's REST interface to the object store, path-style: the operations that boto3 and GDAL use."""

import errno
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Any, BinaryIO
from urllib.parse import quote, unquote
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from local.aws.bodies import receive
from local.aws.objects import CHUNK_BYTES, Condition, ObjectStore, StoredObject, StoreError
from local.aws.signatures import SignedRequest

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
MAX_XML_BYTES = 5_000_000
KEPT_HEADERS = ("content-type", "content-disposition", "content-encoding", "content-language", "cache-control")


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, headers, and a body in chunks."""

    status: int
    headers: dict[str, str]
    body: Iterable[bytes] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A request, taken apart."""

    request: SignedRequest
    bucket: str
    key: str
    parameters: Mapping[str, str]
    body: BinaryIO

    @property
    def headers(self) -> Mapping[str, str]:
        """The request's headers, names in lower case."""
        return self.request.headers


def error_answer(code: str, status: int, message: str) -> Answer:
    """S3's error document."""
    return _xml(status, f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>", bare=True)


class ObjectService:
    """Answers S3's requests."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def answer(self, request: SignedRequest, body: BinaryIO) -> Answer:
        """Do what a request asks, or say in S3's way why not."""
        bucket, _, key = unquote(request.path).lstrip("/").partition("/")
        call = Call(request, bucket, key, dict(request.parameters), body)
        try:
            return self._operation(call)(call)
        except StoreError as error:
            return error_answer(error.code, error.status, error.message)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                return error_answer("InsufficientStorage", 507, "The disk is full; nothing was stored.")
            raise

    def _operation(self, call: Call) -> Callable[[Call], Answer]:
        level = "object" if call.key else "bucket" if call.bucket else "service"
        marker = next(
            (m for m in ("uploads", "uploadId", "delete", "location", "versioning") if m in call.parameters), ""
        )
        operations: dict[tuple[str, str, str], Callable[[Call], Answer]] = {
            ("service", "GET", ""): self._list_buckets,
            ("bucket", "HEAD", ""): self._head_bucket,
            ("bucket", "GET", ""): self._list,
            ("bucket", "GET", "location"): self._location,
            ("bucket", "POST", "delete"): self._delete_many,
            ("object", "PUT", ""): self._put,
            ("object", "GET", ""): self._get,
            ("object", "HEAD", ""): self._get,
            ("object", "DELETE", ""): self._delete,
            ("object", "POST", "uploads"): self._start_upload,
            ("object", "PUT", "uploadId"): self._put_part,
            ("object", "GET", "uploadId"): self._list_parts,
            ("object", "POST", "uploadId"): self._finish_upload,
            ("object", "DELETE", "uploadId"): self._drop_upload,
        }
        operation = operations.get((level, call.request.method, marker))
        if operation is None:
            raise StoreError("NotImplemented", 501, f"{call.request.method} {marker} on a {level} is not offered here.")
        return operation

    def _list_buckets(self, _: Call) -> Answer:
        entries = "".join(
            f"<Bucket><Name>{name}</Name><CreationDate>{_iso(made)}</CreationDate></Bucket>"
            for name, made in self._store.buckets()
        )
        return _xml(200, f"<ListAllMyBucketsResult><Buckets>{entries}</Buckets></ListAllMyBucketsResult>")

    def _head_bucket(self, call: Call) -> Answer:
        self._store.check_bucket(call.bucket)
        return Answer(200, {})

    def _location(self, call: Call) -> Answer:
        self._store.check_bucket(call.bucket)
        return _xml(200, "<LocationConstraint>us-west-2</LocationConstraint>")

    def _list(self, call: Call) -> Answer:
        parameters = call.parameters
        limit = min(1000, int(parameters.get("max-keys", "1000")))
        after = parameters.get("continuation-token") or parameters.get("start-after") or parameters.get("marker", "")
        page = self._store.page(
            call.bucket, parameters.get("prefix", ""), parameters.get("delimiter", ""), after, limit
        )
        encode = quote if parameters.get("encoding-type") == "url" else escape
        objects = "".join(
            f"<Contents><Key>{encode(o.key)}</Key><LastModified>{_iso(o.modified)}</LastModified>"
            f'<ETag>"{o.etag}"</ETag><Size>{o.size}</Size><StorageClass>STANDARD</StorageClass></Contents>'
            for o in page.objects
        )
        prefixes = "".join(f"<CommonPrefixes><Prefix>{encode(p)}</Prefix></CommonPrefixes>" for p in page.prefixes)
        more = f"<NextContinuationToken>{escape(page.next_after)}</NextContinuationToken>" if page.next_after else ""
        return _xml(
            200,
            f"<ListBucketResult><Name>{call.bucket}</Name><Prefix>{encode(parameters.get('prefix', ''))}</Prefix>"
            f"<KeyCount>{len(page.objects) + len(page.prefixes)}</KeyCount><MaxKeys>{limit}</MaxKeys>"
            f"<IsTruncated>{str(page.next_after is not None).lower()}</IsTruncated>{more}"
            f"{'<EncodingType>url</EncodingType>' if encode is quote else ''}{objects}{prefixes}</ListBucketResult>",
        )

    def _put(self, call: Call) -> Answer:
        self._store.check_bucket(call.bucket)
        copied = call.headers.get("x-amz-copy-source")
        with self._store.receiving() as incoming:
            if copied:
                bucket, _, key = unquote(copied).lstrip("/").partition("/")
                source = self._store.get(bucket, key)
                with self._store.open(source) as body:
                    while chunk := body.read(CHUNK_BYTES):
                        incoming.write(chunk)
                stored = self._store.put(call.bucket, call.key, incoming, source.headers, Condition())
                return _xml(
                    200,
                    f'<CopyObjectResult><ETag>"{stored.etag}"</ETag>'
                    f"<LastModified>{_iso(stored.modified)}</LastModified></CopyObjectResult>",
                )
            receive(call.body, call.headers, incoming)
            stored = self._store.put(call.bucket, call.key, incoming, _kept(call.headers), _condition(call.headers))
        return Answer(200, {"ETag": f'"{stored.etag}"'})

    def _get(self, call: Call) -> Answer:
        stored = self._store.get(call.bucket, call.key)
        headers = {
            "ETag": f'"{stored.etag}"',
            "Last-Modified": format_datetime(stored.modified, usegmt=True),
            "Accept-Ranges": "bytes",
            "Content-Type": "binary/octet-stream",
            **{_served_name(name): value for name, value in stored.headers.items()},
        }
        for name, value in call.parameters.items():
            if name.startswith("response-"):
                headers[_served_name(name.removeprefix("response-"))] = value
        if call.headers.get("if-none-match", "").strip('"') == stored.etag:
            return Answer(304, {"ETag": headers["ETag"]})
        if "if-match" in call.headers and call.headers["if-match"].strip('"') not in {stored.etag, "*"}:
            raise StoreError("PreconditionFailed", 412, "The object is not in the state that was named.")
        start, end, partial = _range(call.headers.get("range"), stored.size)
        headers["Content-Length"] = str(end - start)
        if partial:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{stored.size}"
        body = () if call.request.method == "HEAD" else self._read(stored, start, end)
        return Answer(206 if partial else 200, headers, body)

    def _read(self, stored: StoredObject, start: int, end: int) -> Iterable[bytes]:
        file = self._store.open(stored)

        def chunks() -> Iterator[bytes]:
            with file:
                file.seek(start)
                left = end - start
                while left and (chunk := file.read(min(CHUNK_BYTES, left))):
                    left -= len(chunk)
                    yield chunk

        return chunks()

    def _delete(self, call: Call) -> Answer:
        self._store.delete(call.bucket, call.key)
        return Answer(204, {})

    def _delete_many(self, call: Call) -> Answer:
        keys = [element.text or "" for element in _elements(_document(call), "Key")]
        for key in keys:
            self._store.delete(call.bucket, key)
        entries = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
        return _xml(200, f"<DeleteResult>{entries}</DeleteResult>")

    def _start_upload(self, call: Call) -> Answer:
        upload = self._store.start_upload(call.bucket, call.key, _kept(call.headers))
        return _xml(
            200,
            f"<InitiateMultipartUploadResult><Bucket>{call.bucket}</Bucket><Key>{escape(call.key)}</Key>"
            f"<UploadId>{upload}</UploadId></InitiateMultipartUploadResult>",
        )

    def _put_part(self, call: Call) -> Answer:
        with self._store.receiving() as incoming:
            receive(call.body, call.headers, incoming)
            etag = self._store.put_part(
                call.parameters["uploadId"], int(call.parameters.get("partNumber", "0")), incoming
            )
        return Answer(200, {"ETag": f'"{etag}"'})

    def _list_parts(self, call: Call) -> Answer:
        entries = "".join(
            f'<Part><PartNumber>{p.number}</PartNumber><ETag>"{p.etag}"</ETag><Size>{p.size}</Size></Part>'
            for p in self._store.parts(call.parameters["uploadId"])
        )
        return _xml(200, f"<ListPartsResult><IsTruncated>false</IsTruncated>{entries}</ListPartsResult>")

    def _finish_upload(self, call: Call) -> Answer:
        wanted = [
            (int(_text(part, "PartNumber")), _text(part, "ETag").strip('"'))
            for part in _elements(_document(call), "Part")
        ]
        stored = self._store.finish_upload(call.parameters["uploadId"], wanted, _condition(call.headers))
        return _xml(
            200,
            f"<CompleteMultipartUploadResult><Bucket>{call.bucket}</Bucket><Key>{escape(call.key)}</Key>"
            f'<ETag>"{stored.etag}"</ETag></CompleteMultipartUploadResult>',
        )

    def _drop_upload(self, call: Call) -> Answer:
        self._store.drop_upload(call.parameters["uploadId"])
        return Answer(204, {})


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    kept = {n: v for n, v in headers.items() if n in KEPT_HEADERS or n.startswith("x-amz-meta-")}
    encodings = [e.strip() for e in kept.pop("content-encoding", "").split(",") if e.strip() not in {"", "aws-chunked"}]
    return kept | ({"content-encoding": ", ".join(encodings)} if encodings else {})


def _condition(headers: Mapping[str, str]) -> Condition:
    etag = headers.get("if-match")
    return Condition(headers.get("if-none-match") == "*", etag.strip('"') if etag else None)


def _range(header: str | None, size: int) -> tuple[int, int, bool]:
    """Start, end (exclusive) and whether it is a part; a header that is not understood asks for all."""
    unit, _, span = (header or "").partition("=")
    first, dash, last = span.partition("-")
    if unit.strip() != "bytes" or not dash or "," in span or not (first.isdigit() or last.isdigit()):
        return 0, size, False
    if first:
        start, end = int(first), min(size, int(last) + 1) if last else size
    else:
        start, end = max(0, size - int(last)), size
    if start >= size or end <= start:
        raise StoreError("InvalidRange", 416, "The range is not within the object.")
    return start, end, True


def _document(call: Call) -> ET.Element:
    length = int(call.headers.get("content-length") or 0)
    if length > MAX_XML_BYTES:
        raise StoreError("MalformedXML", 400, "The document is too large.")
    text = call.body.read(length)
    if b"<!" in text:
        raise StoreError("MalformedXML", 400, "The document declares what it must not.")
    try:
        return ET.fromstring(text)  # noqa: S314  no declarations, so no entities
    except ET.ParseError as error:
        raise StoreError("MalformedXML", 400, "The document is not XML.") from error


def _elements(document: ET.Element, name: str) -> list[ET.Element]:
    return [element for element in document.iter() if element.tag.rsplit("}", 1)[-1] == name]


def _text(element: ET.Element, name: str) -> str:
    return next((child.text or "" for child in element if child.tag.rsplit("}", 1)[-1] == name), "")


def _xml(status: int, content: str, *, bare: bool = False) -> Answer:
    if not bare:
        name, _, rest = content.partition(">")
        content = f'{name} xmlns="{NAMESPACE}">{rest}'
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{content}'.encode()
    return Answer(status, {"Content-Type": "application/xml", "Content-Length": str(len(body))}, [body])


def _iso(moment: Any) -> str:
    return str(moment.strftime("%Y-%m-%dT%H:%M:%S.000Z"))


def _served_name(name: str) -> str:
    """Names of a user's own headers stay in lower case, as they were stored."""
    return name if name.startswith("x-amz-meta-") else name.title()
