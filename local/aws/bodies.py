"""Request bodies: read in chunks, `aws-chunked` framing taken off, checksums compared."""

import base64
import zlib
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Protocol

from local.aws.objects import CHUNK_BYTES, Incoming, StoreError
from local.aws.signatures import UNSIGNED


class _Checksum(Protocol):
    def update(self, chunk: bytes) -> None: ...
    def digest(self) -> bytes: ...


class _Crc32:
    """CRC-32 in S3's form: four bytes, most significant first."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, chunk: bytes) -> None:
        self._value = zlib.crc32(chunk, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


def receive(source: BinaryIO, headers: Mapping[str, str], incoming: Incoming) -> None:
    """Read a body into the store, and compare it with the checksums that came with it.

    Raises
    ------
    StoreError
        When it ends early, or is not what its checksums say.
    """
    checksum = _Crc32() if "crc32" in _checksum_names(headers) else None
    trailers: dict[str, str] = {}
    chunked = headers.get("x-amz-content-sha256", "").startswith("STREAMING-")
    length = int(headers.get("content-length") or 0)
    for chunk in _unframed(source, trailers) if chunked else _plain(source, length):
        incoming.write(chunk)
        if checksum:
            checksum.update(chunk)
    _compare(headers, trailers, incoming, checksum)


def _checksum_names(headers: Mapping[str, str]) -> str:
    return " ".join((headers.get("x-amz-trailer", ""), *(n for n in headers if n.startswith("x-amz-checksum-"))))


def _compare(
    headers: Mapping[str, str], trailers: Mapping[str, str], incoming: Incoming, checksum: _Checksum | None
) -> None:
    expected_length = headers.get("x-amz-decoded-content-length")
    if expected_length is not None and int(expected_length) != incoming.size:
        raise StoreError("IncompleteBody", 400, "The body is not as long as it was said to be.")
    payload_hash = headers.get("x-amz-content-sha256", UNSIGNED)
    if len(payload_hash) == 64 and payload_hash != incoming.sha256:
        raise StoreError("XAmzContentSHA256Mismatch", 400, "The body is not the one that was signed.")
    md5 = headers.get("content-md5")
    if md5 is not None and md5 != _base64(bytes.fromhex(incoming.md5)):
        raise StoreError("BadDigest", 400, "The body does not have the Content-MD5 that was given.")
    given = {**headers, **trailers}.get("x-amz-checksum-crc32")
    if given is not None and checksum is not None and given != _base64(checksum.digest()):
        raise StoreError("BadDigest", 400, "The body does not have the CRC-32 that was given.")
    given = {**headers, **trailers}.get("x-amz-checksum-sha256")
    if given is not None and given != _base64(bytes.fromhex(incoming.sha256)):
        raise StoreError("BadDigest", 400, "The body does not have the SHA-256 that was given.")


def _plain(source: BinaryIO, length: int) -> Iterator[bytes]:
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
            size = int(source.readline().split(b";", 1)[0].strip(), 16)
        except ValueError as error:
            raise StoreError("IncompleteBody", 400, "The body's framing is malformed.") from error
        if size == 0:
            break
        yield from _plain(source, size)
        source.readline()
    while line := source.readline().strip():
        name, _, value = line.decode("latin-1").partition(":")
        trailers[name.strip().lower()] = value.strip()


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
