"""A download link opens one object, to read, until it expires: nothing else, and nothing that it is edited into."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import botocore.auth
import httpx
import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.e2e.support import Client, LocalCloud


@dataclass(frozen=True)
class Download:
    """A link to a result, and what an attacker knows besides."""

    url: str
    object_key: str
    other_key: str

    def edited(self, old: str, new: str) -> str:
        changed = self.url.replace(old, new, 1)
        assert changed != self.url, f"the link has no {old}"
        return changed

    def parameter(self, name: str, edit: Callable[[str], str | None]) -> str:
        """The link with a parameter's value changed, or gone."""
        parts = urlsplit(self.url)
        kept = []
        for pair in parts.query.split("&"):
            value = edit(pair.partition("=")[2]) if pair.startswith(f"{name}=") else pair.partition("=")[2]
            kept += [] if value is None else [f"{pair.partition('=')[0]}={value}"]
        changed = urlunsplit(parts._replace(query="&".join(kept)))
        assert changed != self.url, f"the link has no {name}"
        return changed


def key_of(result: dict[str, Any]) -> str:
    return str(urlsplit(result["result_file_location"]).path.lstrip("/"))


@pytest.fixture(scope="module")
def download(as_role: Callable[..., Client]) -> Download:
    """A link to a result of the county, beside another county's result."""
    gis, stranger = as_role("GISStaff"), as_role("GISStaff", "elsewhere")
    jobs = gis.submit(), stranger.submit()
    result, other = gis.result(jobs[0]), stranger.result(jobs[1])
    return Download(result["download_url"], key_of(result), key_of(other))


@pytest.fixture
def result_link(as_role: Callable[..., Client]) -> Callable[[str], httpx.Response]:
    def follow(route: str) -> httpx.Response:
        gis = as_role("GISStaff")
        job = gis.submit()
        gis.wait(job)
        if route == "results":
            return httpx.get(gis.result(job)["download_url"], timeout=60)
        redirect = gis.get(f"/gis-export/download/{job['job_id']}")
        assert redirect.status_code == 302
        return httpx.get(redirect.headers["location"], timeout=60)

    return follow


@pytest.mark.parametrize("route", ["results", "download"])
def test_a_link_gives_the_file(result_link: Callable[[str], httpx.Response], route: str) -> None:
    response = result_link(route)

    assert response.status_code == 200
    assert response.content.startswith(b"SQLite format 3\0")
    assert "attachment" in response.headers["content-disposition"]


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "POST", "PATCH"])
def test_a_link_is_for_reading_alone(download: Download, method: str) -> None:
    content = None if method in {"HEAD", "DELETE"} else b"mine now"

    assert httpx.request(method, download.url, content=content, timeout=60).status_code == 403
    assert httpx.get(download.url, timeout=60).content.startswith(b"SQLite format 3\0")


def later() -> datetime:
    return datetime.now(UTC) + timedelta(minutes=10)


Edit = Callable[[Download], str]
EDITS: dict[str, Edit] = {
    "another county's file": lambda d: d.edited(d.object_key, d.other_key),
    "a file that is none": lambda d: d.edited(d.object_key, f"{d.object_key}x"),
    "the bucket": lambda d: d.edited(d.object_key, ""),
    "a folder further up": lambda d: d.edited(d.object_key, f"{d.object_key}/../x"),
    "a longer life": lambda d: d.parameter("X-Amz-Expires", lambda _: "604800"),
    "a second expiry": lambda d: f"{d.url}&X-Amz-Expires=604800",
    "a later date": lambda d: d.parameter("X-Amz-Date", lambda _: f"{later():%Y%m%dT%H%M%SZ}"),
    "a cut signature": lambda d: d.parameter("X-Amz-Signature", lambda value: value[:-1]),
    "an empty signature": lambda d: d.parameter("X-Amz-Signature", lambda _: ""),
    "no signature": lambda d: d.parameter("X-Amz-Signature", lambda _: None),
    "another signature": lambda d: d.parameter("X-Amz-Signature", lambda value: value[::-1]),
    "no parameters at all": lambda d: d.url.partition("?")[0],
    "another access key": lambda d: d.parameter("X-Amz-Credential", lambda value: f"X{value[1:]}"),
    "another file name": lambda d: d.parameter("response-content-disposition", lambda _: "inline"),
    "another media type": lambda d: f"{d.url}&response-content-type=text%2Fhtml",
    "an extra parameter": lambda d: f"{d.url}&versionId=1",
    "a listing": lambda d: f"{d.url}&uploads",
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_link_opens_nothing(download: Download, edit: str) -> None:
    assert httpx.get(EDITS[edit](download), timeout=60).status_code == 403


def test_a_header_that_was_not_signed_changes_nothing(download: Download) -> None:
    assert httpx.get(download.url, headers={"x-amz-acl": "public-read"}, timeout=60).status_code == 403


class Signer:
    """Signs links to the results bucket with the platform's key, or with what a test puts in its place."""

    def __init__(self, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
        self._run = cloud.run
        self._monkeypatch = monkeypatch

    def link(self, key: str, *, age: timedelta = timedelta(), **credentials: str) -> str:
        """A link of fifteen minutes that was signed `age` ago."""
        then = (datetime.now(UTC) - age).replace(tzinfo=None)
        self._monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: then)
        keys = {**self._run["credentials"], **credentials}
        request = AWSRequest("GET", f"{self._run['aws_url']}/{self._run['buckets']['ResultsBucket']}/{key}")
        signer = S3SigV4QueryAuth(Credentials(keys["access_key"], keys["secret_key"]), "s3", keys["region"], 900)
        signer.add_auth(request)
        return str(request.url)


@pytest.fixture
def signer(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Signer:
    return Signer(cloud, monkeypatch)


def test_a_link_lives_until_it_expires(signer: Signer, download: Download) -> None:
    young = signer.link(download.object_key, age=timedelta(minutes=10))
    old = signer.link(download.object_key, age=timedelta(minutes=15, seconds=2))

    assert httpx.get(young, timeout=60).status_code == 200
    assert httpx.get(old, timeout=60).status_code == 403


def test_a_link_signed_by_another_key_opens_nothing(signer: Signer, download: Download) -> None:
    for wrong in ({"secret_key": "guessed"}, {"access_key": "somebody else's"}):  # pragma: allowlist secret
        assert httpx.get(signer.link(download.object_key, **wrong), timeout=60).status_code == 403


def test_a_link_from_the_future_opens_nothing(signer: Signer, download: Download) -> None:
    assert httpx.get(signer.link(download.object_key, age=timedelta(hours=-1)), timeout=60).status_code == 403
