"""S3's requests taken apart, and its answers put together."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import BinaryIO
from urllib.parse import unquote
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from local.aws.objects import Condition, StoreError
from local.aws.server import Answer
from local.aws.signatures import SignedRequest

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
MAX_XML_BYTES = 5_000_000
LONGEST_KEY = 1024
KEPT_HEADERS = ("content-type", "content-disposition", "content-encoding", "content-language", "cache-control")
COPY_SOURCE = "x-amz-copy-source"


@dataclass(frozen=True)
class Call:
    """A request for an object, a bucket, or the list of buckets."""

    request: SignedRequest
    bucket: str
    key: str
    body: BinaryIO

    @classmethod
    def of(cls, request: SignedRequest, body: BinaryIO) -> "Call":
        """Take a path-style request apart."""
        bucket, key = bucket_and_key(request.path)
        return cls(request, bucket, key, body)

    @property
    def headers(self) -> Mapping[str, str]:
        """The request's headers, names in lower case."""
        return self.request.headers

    @cached_property
    def parameters(self) -> Mapping[str, str]:
        """The query's parameters."""
        return dict(self.request.parameters)

    @property
    def condition(self) -> Condition:
        """On what condition an object may be written."""
        etag = self.headers.get("if-match")
        return Condition(self.headers.get("if-none-match") == "*", etag.strip('"') if etag else None)

    @property
    def kept_headers(self) -> dict[str, str]:
        """Headers that an object is stored with."""
        kept = {n: v for n, v in self.headers.items() if n in KEPT_HEADERS or n.startswith("x-amz-meta-")}
        encodings = [e.strip() for e in kept.pop("content-encoding", "").split(",")]
        encodings = [encoding for encoding in encodings if encoding not in {"", "aws-chunked"}]
        return kept | ({"content-encoding": ", ".join(encodings)} if encodings else {})

    def number(self, name: str, default: int | None = None, most: int = 10_000) -> int:
        """A parameter that is a number from 0 up to `most`."""
        text = self.parameters.get(name, "" if default is None else str(default))
        if not (text.isascii() and text.isdigit() and int(text) <= most):
            raise StoreError("InvalidArgument", 400, f"{name} must be a number from 0 to {most}.")
        return int(text)

    def document(self) -> ET.Element:
        """The body's XML."""
        text = self.body.read(MAX_XML_BYTES + 1)
        if len(text) > MAX_XML_BYTES:
            raise StoreError("MalformedXML", 400, "The document is too large.")
        signed = self.headers.get("x-amz-content-sha256", "")
        if len(signed) == 64 and signed != hashlib.sha256(text).hexdigest():
            raise StoreError("XAmzContentSHA256Mismatch", 400, "The body is not the one that was signed.")
        if b"<!" in text:
            raise StoreError("MalformedXML", 400, "The document declares what it must not.")
        try:
            return ET.fromstring(text)  # noqa: S314  no declarations, so no entities
        except ET.ParseError as error:
            raise StoreError("MalformedXML", 400, "The document is not XML.") from error


def bucket_and_key(path: str) -> tuple[str, str]:
    """Bucket and key of a path in a URL; either may be empty."""
    try:
        bucket, _, key = unquote(path, errors="strict").removeprefix("/").partition("/")
    except UnicodeDecodeError as error:
        raise StoreError("InvalidURI", 400, "The key is not UTF-8.") from error
    if len(key.encode()) > LONGEST_KEY:
        raise StoreError("KeyTooLongError", 400, f"The key is longer than {LONGEST_KEY} bytes.")
    return bucket, key


def span(header: str | None, size: int) -> tuple[int, int, bool]:
    """Start, end (exclusive) and whether it is a part; a range that is not understood asks for all."""
    unit, _, bounds = (header or "").partition("=")
    first, dash, last = bounds.partition("-")
    if unit.strip() != "bytes" or not dash or "," in bounds or not (first.isdigit() or last.isdigit()):
        return 0, size, False
    if first:
        start, end = int(first), min(size, int(last) + 1) if last else size
    else:
        start, end = max(0, size - int(last)), size
    if start >= size or end <= start:
        raise StoreError("InvalidRange", 416, "The range is not within the object.")
    return start, end, True


def elements(document: ET.Element, name: str) -> list[ET.Element]:
    """A document's elements of a name, in whatever namespace."""
    return [element for element in document.iter() if element.tag.rsplit("}", 1)[-1] == name]


def text_of(element: ET.Element, name: str) -> str:
    """Text of a child, or nothing."""
    return next((child.text or "" for child in element if child.tag.rsplit("}", 1)[-1] == name), "")


def xml_answer(status: int, content: str, *, bare: bool = False) -> Answer:
    """An XML document as S3 sends it."""
    if not bare:
        name, _, rest = content.partition(">")
        content = f'{name} xmlns="{NAMESPACE}">{rest}'
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{content}'.encode()
    return Answer(status, {"content-type": "application/xml", "content-length": str(len(body))}, [body])


def error_answer(code: str, status: int, message: str) -> Answer:
    """S3's error document."""
    return xml_answer(
        status, f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>", bare=True
    )


def iso(moment: datetime) -> str:
    """A moment (UTC) as S3's documents write it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
