"""Who may do what: every role on every route, in its own county and in another, against the contract's rules.

The routes come from the API's description, so that a new one without a rule fails here. The table in docs/security.md
is what was seen; run with `TERRAFUSION_WRITE_DOCS=1` to write it again.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.openapi import TARGET
from local.template import load_yaml
from tests.conftest import ROOT
from tests.e2e.support import Client

DOCUMENT = ROOT / "docs/security.md"
MARKERS = ("<!-- matrix -->", "<!-- /matrix -->")
LEGEND = """\
In the role's own county / in another, once where both are the same. 403: the permission or the county is missing;
404: as for what is not there; nothing: a list without that county; open: no token is asked for.
"""

YES, NOTHING, FORBIDDEN, UNKNOWN, OPEN = "yes", "nothing", "403", "404", "open"
PLUGINS = ("valuation", "reporting", "market-analysis", "gis-export")


@dataclass(frozen=True)
class Rule:
    """What a route asks for: a permission, None for any token's; and what is said about another county."""

    permission: str | None
    elsewhere: str


RULES: Mapping[str, Rule] = {
    "GET /api/v1/counties": Rule(None, NOTHING),
    "GET /api/v1/counties/{county_id}": Rule(None, UNKNOWN),
    "GET /api/v1/audit": Rule("read_audit", NOTHING),
    "POST /api/v1/{plugin}/run": Rule("execute", FORBIDDEN),
    "GET /api/v1/{plugin}/status/{job_id}": Rule("view_status", UNKNOWN),
    "GET /api/v1/{plugin}/results/{job_id}": Rule("view_results", UNKNOWN),
    "GET /api/v1/{plugin}/download/{job_id}": Rule("view_results", UNKNOWN),
    "POST /api/v1/{plugin}/cancel/{job_id}": Rule("execute", UNKNOWN),
    "GET /api/v1/{plugin}/list": Rule("view_status", NOTHING),
    "GET /api/v1/gis-export/formats/{county_id}": Rule("execute", FORBIDDEN),
    "GET /api/v1/gis-export/defaults/{county_id}": Rule("execute", FORBIDDEN),
    "POST /api/v1/gis-export/estimate": Rule("execute", FORBIDDEN),
}
OPEN_ROUTES = frozenset({"GET /api/v1/health", "GET /api/v1/openapi.json", "GET /api/v1/docs"})


@dataclass(frozen=True)
class Role:
    """What the contract says of a role."""

    executes: tuple[str, ...]
    reads_audit: bool = False
    every_county: bool = False

    def may(self, permission: str | None, plugin: str | None) -> bool:
        if permission == "execute":
            return plugin in self.executes
        return permission != "read_audit" or self.reads_audit


ROLES: Mapping[str, Role] = {
    "Assessor": Role(PLUGINS),
    "ValuationStaff": Role(("valuation",)),
    "ReportingStaff": Role(("reporting",)),
    "GISStaff": Role(("gis-export",)),
    "MarketAnalyst": Role(("market-analysis",)),
    "Auditor": Role((), reads_audit=True),
    "ITAdmin": Role(PLUGINS, reads_audit=True, every_county=True),
}
BODIES: Mapping[str, Mapping[str, Any]] = {
    "POST /api/v1/gis-export/run": {"export_format": "CSV", "layers": ["parcels"]},
    "POST /api/v1/gis-export/estimate": {"export_format": "CSV", "layers": ["parcels"]},
    "POST /api/v1/reporting/run": {
        "report_type": "assessment_roll_summary",
        "parameters": {"output_format": "csv"},
    },
    "POST /api/v1/market-analysis/run": {"analysis_type": "price_trend_by_zip"},
    "POST /api/v1/valuation/run": {"mode": "train"},
}


def described_routes() -> dict[str, bool]:
    """Every route of the description, and whether it says that it is open."""
    paths = json.loads(TARGET.read_text(encoding="utf-8"))["paths"]
    return {
        f"{method.upper()} {path}": operation.get("security") == []
        for path, operations in paths.items()
        for method, operation in operations.items()
    }


ROUTES = described_routes()
CLOSED = [route for route, is_open in ROUTES.items() if not is_open]


def plugin_of(route: str) -> str | None:
    name = route.split("/")[3]
    return name if name in PLUGINS else None


def rule_of(route: str) -> Rule | None:
    plugin = plugin_of(route)
    return RULES.get(route) or RULES.get(route.replace(f"/{plugin}/", "/{plugin}/"))


def expected(route: str, role: str) -> tuple[str, str]:
    """What the contract says: in the role's own county, and in another."""
    rule, who = rule_of(route), ROLES[role]
    assert rule is not None
    if not who.may(rule.permission, plugin_of(route)):
        return FORBIDDEN, FORBIDDEN
    return YES, YES if who.every_county else rule.elsewhere


@pytest.fixture(scope="module")
def jobs(as_role: Callable[..., Client], county: str) -> dict[tuple[str, str], str]:
    """A finished job of each plugin in each of two counties."""
    made = {}
    for of in (county, "elsewhere"):
        client = as_role("Assessor", of)
        for route, body in BODIES.items():
            if route.endswith("/run"):
                job = client.run(str(plugin_of(route)), dict(body))
                client.result(job)
                made[job["plugin"], of] = job["job_id"]
    return made


@pytest.fixture(scope="module")
def seen(
    as_role: Callable[..., Client], county: str, jobs: dict[tuple[str, str], str]
) -> dict[tuple[str, str], tuple[str, str]]:
    """What every route said to every role, in its own county and in another."""

    def say(route: str, client: Client, of: str) -> str:
        method, path = route.split(" ")
        names = {"county_id": of, "job_id": jobs.get((plugin_of(route) or "", of), "")}
        query = {"county_id": of} if path.endswith(("/list", "/audit")) else None
        body = {"county_id": of, **BODIES[route]} if route in BODIES else None
        return verdict(client.http.request(method, path.format(**names), params=query, json=body), of)

    # an administrator's token names no county, and needs none
    clients = {name: as_role(name, "none_of_them" if role.every_county else county) for name, role in ROLES.items()}
    return {
        (route, role): (say(route, clients[role], county), say(route, clients[role], "elsewhere"))
        for route in CLOSED
        for role in ROLES
    }


def verdict(response: httpx.Response, of: str) -> str:
    """What an answer means for a county's data; a 409 is the answer to somebody who may."""
    if response.status_code in {403, 404}:
        assert set(response.json()) == {"error", "message", "errors", "request_id"}
        return str(response.status_code)
    assert response.status_code in {200, 202, 302, 409}, response.text
    items = response.json().get("items") if response.status_code == 200 else None
    return YES if items is None or any(item["county_id"] == of for item in items) else NOTHING


@pytest.mark.parametrize("route", ROUTES)
def test_a_route_has_a_rule(route: str) -> None:
    if ROUTES[route]:
        assert route in OPEN_ROUTES, "it says that it is open, and the contract does not"
    else:
        assert rule_of(route) is not None, "say in RULES who may use it"
        assert not route.startswith("POST") or route in BODIES or "{job_id}" in route, "say in BODIES what it takes"


def test_every_route_of_the_template_is_described() -> None:
    resources = load_yaml(ROOT / "template.yaml")["Resources"].values()
    events = [event for resource in resources for event in resource["Properties"].get("Events", {}).values()]
    http = [event["Properties"] for event in events if event["Type"] == "HttpApi"]
    there = {f"{route['Method'].upper()} {route['Path']}" for route in http if "Path" in route}
    without_token = {
        f"{route['Method']} {route['Path']}" for route in http if route.get("Auth", {}).get("Authorizer") == "NONE"
    }

    assert there - set(ROUTES) == OPEN_ROUTES - set(ROUTES)
    assert set(ROUTES) <= there
    assert without_token == OPEN_ROUTES


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("route", CLOSED)
def test_a_role_on_a_route(seen: Mapping[tuple[str, str], tuple[str, str]], route: str, role: str) -> None:
    own, elsewhere = seen[route, role]

    assert (own, elsewhere) == expected(route, role)


@pytest.mark.parametrize("route", [route for route, is_open in ROUTES.items() if is_open])
def test_an_open_route_needs_no_token(gis: Client, route: str) -> None:
    method, path = route.split(" ")

    assert httpx.request(method, f"{gis.address}{path}", timeout=60).status_code == 200


def table(seen: Mapping[tuple[str, str], tuple[str, str]]) -> str:
    """The matrix in Markdown."""

    def cell(pair: tuple[str, str]) -> str:
        return pair[0] if pair[0] == pair[1] else " / ".join(pair)

    rows = [("route", *ROLES), ("---",) * (len(ROLES) + 1)]
    for route, is_open in ROUTES.items():
        rows.append((f"`{route}`", *(OPEN if is_open else cell(seen[route, role]) for role in ROLES)))
    return "\n".join([LEGEND, *(f"| {' | '.join(row)} |" for row in rows)])


def test_the_documented_matrix_is_what_was_seen(seen: Mapping[tuple[str, str], tuple[str, str]]) -> None:
    written = with_table(DOCUMENT, table(seen))

    if os.environ.get("TERRAFUSION_WRITE_DOCS"):
        DOCUMENT.write_text(written, encoding="utf-8")
    assert DOCUMENT.read_text(encoding="utf-8") == written, "write it again with TERRAFUSION_WRITE_DOCS=1"


def with_table(document: Path, rows: str) -> str:
    start, end = MARKERS
    text = document.read_text(encoding="utf-8")
    assert (text.count(start), text.count(end)) == (1, 1), f"{document} must hold {start} and {end} once"
    between = re.compile(re.escape(start) + ".*" + re.escape(end), re.DOTALL)
    return between.sub(lambda _: f"{start}\n{rows}\n{end}", text)
