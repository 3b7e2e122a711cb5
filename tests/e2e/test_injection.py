"""Names that a caller brings in an address, a query or a body: none is a path, a key or SQL; each is refused.

Conditions, attributes and layers are tried in `tests/unit/test_gis_injection.py`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from cli.loading import LoadError, prepare
from terrafusion.counties.catalogue import COUNTY_ID
from tests.e2e.support import Client
from tests.unit.test_gis_injection import SNIPPETS

TRAVERSALS = [
    "..",
    "../manifest.json",
    "..%2Fmanifest.json",
    "..%252Fresult.json",
    "../../../../counties/sample/config.json",
    "manifest.json/../result.json",
    "./manifest.json",
    "/manifest.json",
    "manifest.json\0",
    "manifest.json%00.txt",
    "MANIFEST.JSON",
    "result.json",
    "*",
    "?",
    "C:\\windows\\win.ini",
    "\\\\server\\share",
]
NAMES = [*SNIPPETS, *TRAVERSALS]


@pytest.fixture(scope="module")
def everywhere(as_role: Callable[..., Client]) -> Client:
    """Somebody who may see every county: what is refused is so for its name, not for want of a right."""
    return as_role("ITAdmin", "*")


@pytest.fixture(scope="module")
def done(as_role: Callable[..., Client]) -> dict[str, Any]:
    """A job with files."""
    client = as_role("GISStaff")
    job = client.submit("GPKG", ("neighborhoods",))
    client.result(job)
    return job


def refused(response: Any) -> bool:
    """With a problem of the contract's shape, or by the gateway itself, which has no such route."""
    return 400 <= response.status_code < 500 and "message" in response.json()


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_one_of_the_job_s_or_none(gis: Client, done: dict[str, Any], name: str) -> None:
    response = gis.get(f"/gis-export/download/{done['job_id']}", file=name)

    assert refused(response), (response.status_code, response.headers.get("location"))


@pytest.mark.parametrize("name", NAMES)
def test_a_county_in_an_address_or_a_body_is_known_or_refused(everywhere: Client, name: str) -> None:
    body = {"county_id": name, "export_format": "GPKG", "layers": ["parcels"]}
    inside = quote(name, safe="")

    assert not COUNTY_ID.fullmatch(name) or name in {"FID", "OGR_STYLE"}
    assert refused(everywhere.post("/gis-export/run", body))
    assert refused(everywhere.post("/gis-export/estimate", body))
    if name not in {".", ".."}:  # a client makes another address of these
        assert refused(everywhere.http.get(f"/api/v1/counties/{inside}"))
        assert refused(everywhere.http.get(f"/api/v1/gis-export/status/{inside}"))
    listed = everywhere.get("/gis-export/list", county_id=name)
    assert refused(listed) or listed.json()["items"] == []


@pytest.mark.parametrize("name", [name for name in NAMES if "\0" not in name])
def test_a_layer_s_name_cannot_be_loaded(sample_files: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(LoadError, match="cannot be a layer's name"):
        prepare(sample_files / "sample_county.gpkg", name, tmp_path / "out", source_layer="zoning")

    assert list(tmp_path.iterdir()) == []
