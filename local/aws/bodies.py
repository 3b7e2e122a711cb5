"""Request bodies: read in chunks, `aws-chunked` framing taken off, checksums compared."""

import base64
import zlib
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from local.aws.incoming import CHUNK_BYTES, Incoming
from local.aws.objects import StoreError
from local.aws.signatures import UNSIGNED

CHECKSUM = "x-amz-checksum-"
"""What the names of checksums' headers begin with."""
LONGEST_LINE = 65_536


class _Crc32:
    """CRC-32 in S3's form: four bytes, most significant first."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, chunk: bytes) -> None:
        self._value = zlib.crc32(chunk, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


def receive(source: BinaryIO, headers: Mapping[str, str], incoming: Incoming) -> dict[str, str]:
    """Read a body into the store, and compare it with the checksums that came with it; gives those, as headers.

    Raises
    ------
    StoreError
        When it ends early, or is not what its checksums say.
    """
    crc32 = _Crc32() if f"{CHECKSUM}crc32" in {*headers, headers.get("x-amz-trailer")} else None
    trailers: dict[str, str] = {}
    chunked = headers.get("x-amz-content-sha256", "").startswith("STREAMING-")
    for chunk in _unframed(source, trailers) if chunked else iter(lambda: source.read(CHUNK_BYTES), b""):
        incoming.write(chunk)
        if crc32:
            crc32.update(chunk)
    _check_body(headers, incoming)
    digests = {f"{CHECKSUM}sha256": bytes.fromhex(incoming.sha256)}
    if crc32:
        digests[f"{CHECKSUM}crc32"] = crc32.digest()
    given = {**headers, **trailers}
    checksums = {name: _base64(digest) for name, digest in digests.items() if name in given}
    for name, value in checksums.items():
        if given[name] != value:
            raise StoreError("BadDigest", 400, f"The body does not have the {name} that was given.")
    return checksums


def _check_body(headers: Mapping[str, str], incoming: Incoming) -> None:
    expected_length = headers.get("x-amz-decoded-content-length")
    if expected_length is not None and expected_length != str(incoming.size):
        raise StoreError("IncompleteBody", 400, "The body is not as long as it was said to be.")
    payload_hash = headers.get("x-amz-content-sha256", UNSIGNED)
    if len(payload_hash) == 64 and payload_hash != incoming.sha256:
        raise StoreError("XAmzContentSHA256Mismatch", 400, "The body is not the one that was signed.")
    md5 = headers.get("content-md5")
    if md5 is not None and md5 != _base64(bytes.fromhex(incoming.md5)):
        raise StoreError("BadDigest", 400, "The body does not have the Content-MD5 that was given.")


def _exactly(source: BinaryIO, length: int) -> Iterator[bytes]:
    left = length
    while left:
        chunk = source.read(min(CHUNK_BYTES, left))
        if not chunk:
            raise StoreError("IncompleteBody", 400, "The body ended early.")
        left -= len(chunk)
        yield chunk


def _unframed(source: BinaryIO, trailers: dict[str, str]) -> Iterator[bytes]:
    """The content of `aws-chunked` frames: size in hex, content, and at the end the trailing headers."""
    while True:
        try:
            size = int(source.readline(LONGEST_LINE).split(b";", 1)[0].strip(), 16)
        except ValueError as error:
            raise StoreError("IncompleteBody", 400, "The body's framing is malformed.") from error
        if size == 0:
            break
        yield from _exactly(source, size)
        source.readline(LONGEST_LINE)
    while line := source.readline(LONGEST_LINE).strip():
        name, _, value = line.decode("latin-1").partition(":")
        trailers[name.strip().lower()] = value.strip()


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
