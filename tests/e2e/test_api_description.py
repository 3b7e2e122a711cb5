"""The API does what its description says: requests made up from the document, right and wrong ones, for each route."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from requests.adapters import HTTPAdapter
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import positive_data_acceptance
from urllib3.util import Retry

from local.openapi import TARGET
from tests.e2e.support import Client

# 422 is how this API answers what is of the right form and cannot be fulfilled, an unknown layer for one:
# which layers a county has is not in the description.
CONFIGURATION = SchemathesisConfig.from_dict(
    {
        "checks": {
            "positive_data_acceptance": {"expected-statuses": ["2xx", "3xx", "401", "403", "404", "409", "422"]},
        }
    }
)
DESCRIPTION = schemathesis.openapi.from_path(TARGET, config=CONFIGURATION)
pytestmark = pytest.mark.gateway

PACE_SECONDS = 0.05
"""Between two cases: each makes several requests, and a route takes fifty a second."""
BOUNDED = settings(
    max_examples=25,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def admin(as_role: Callable[..., Client]) -> Client:
    """Somebody to whom no route is closed."""
    return as_role("ITAdmin")


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    """One that stays here, as a redirect leads to S3, which this document does not describe, and waits its turn."""
    with requests.Session() as made:
        made.max_redirects = 0
        patient = Retry(8, backoff_factor=0.2, status_forcelist=[429], allowed_methods=None)
        made.mount("http://", HTTPAdapter(max_retries=patient))
        made.mount("https://", HTTPAdapter(max_retries=patient))
        yield made


def is_open(case: schemathesis.Case) -> bool:
    return bool(case.operation.definition.raw.get("security") == [])


def test_the_description_that_is_served_is_the_one_that_is_tested(admin: Client) -> None:
    served = httpx.get(f"{admin.address}/api/v1/openapi.json", timeout=60).json()

    assert served == json.loads(TARGET.read_text(encoding="utf-8"))
    assert served["security"] == [{"token": []}], "routes are closed unless they say that they are open"


@DESCRIPTION.parametrize()
@BOUNDED
def test_requests_with_a_good_token(case: schemathesis.Case, admin: Client, session: requests.Session) -> None:
    headers = {"Authorization": admin.http.headers["authorization"]}
    # a cursor is good when a page gave it, and no description can say that
    made_up = [positive_data_acceptance] if "cursor" in (case.query or {}) else []
    time.sleep(PACE_SECONDS)

    case.call_and_validate(admin.address, session, headers, excluded_checks=made_up, timeout=60, allow_redirects=False)


@DESCRIPTION.parametrize()
@BOUNDED
def test_requests_with_a_bad_token(case: schemathesis.Case, admin: Client, session: requests.Session) -> None:
    answer: Any = case.call(
        admin.address, session, {"Authorization": "Bearer nobody"}, timeout=60, allow_redirects=False
    )

    if is_open(case) and case.method == "GET":
        assert answer.status_code == 200
    else:
        assert answer.status_code in {401, 403}
        assert set(answer.json()) == {"message"}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/v1/gis-export/run", "POST"),
        ("GET", "/api/v1/gis-export/run", "POST"),
        ("HEAD", "/api/v1/gis-export/list", "GET"),
        ("PUT", "/api/v1/gis-export/status/3e0f9d0c-4a54-4dd6-9b02-9b8f6a2a1111", "GET"),
        ("POST", "/api/v1/counties", "GET"),
        ("PATCH", "/api/v1/health", "GET"),
    ],
)
def test_a_method_that_a_path_does_not_take(admin: Client, method: str, path: str, allowed: str) -> None:
    answer = admin.http.request(method, path)

    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    if method != "HEAD":
        assert answer.json()["message"] == f"{path} takes {allowed}, not {method}."


@pytest.mark.parametrize("moment", ["0.5", "1700000000", "now", "-1", "1e9", ""])
def test_a_number_is_no_moment(admin: Client, moment: str) -> None:
    answer = admin.get("/gis-export/list", created_after=moment)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "created_after"
