"""Bad input gets a clear 4xx of the contract's shape, and no job is written."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.support import Client

BOX = "the county's box"


@pytest.fixture(autouse=True)
def no_job_is_written(gis: Client) -> Iterator[None]:
    """Whatever a test here sends, the list of jobs is as before."""
    before = gis.get("/gis-export/list", limit=100).json()["items"]
    yield
    assert [j["job_id"] for j in gis.get("/gis-export/list", limit=100).json()["items"]] == [
        j["job_id"] for j in before
    ]


@pytest.fixture
def box(gis: Client) -> tuple[float, float, float, float]:
    return tuple(gis.get(f"/counties/{gis.county}").json()["bbox"])


def check_problem(response: Any, status: int, *words: str) -> dict[str, Any]:
    """The answer has the contract's body and says the words."""
    assert response.status_code == status, response.text
    body = dict(response.json())
    assert set(body) == {"error", "message", "errors", "request_id"}
    text = (body["message"] + " " + " ".join(e["message"] for e in body["errors"])).lower()
    for word in words:
        assert word.lower() in text, text
    return body


def request(gis: Client, **changes: Any) -> dict[str, Any]:
    base = {"county_id": gis.county, "export_format": "GPKG", "layers": ["parcels"]}
    return {k: v for k, v in {**base, **changes}.items() if v is not ...}


NO_TEXT = pytest.param(b"\xff\xfe", marks=pytest.mark.gateway)


@pytest.mark.parametrize("content", [b"{not json", b"", NO_TEXT, b"[]", b'"text"', b"null"])
def test_a_body_that_is_no_json_object(gis: Client, content: bytes) -> None:
    response = gis.http.post("/api/v1/gis-export/run", content=content)

    body = check_problem(response, 400)
    if content in {b"{not json", b"", b"\xff\xfe"}:
        assert body["error"] == "Invalid request format"
        assert body["message"] == "Request payload must be JSON."


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"layers": "parcels"}, "layers"),
        ({"layers": []}, "layers"),
        ({"layers": [1]}, "layers.0"),
        ({"layers": ["parcels", "parcels"]}, "layers"),
        ({"county_id": 7}, "county_id"),
        ({"county_id": ...}, "county_id"),
        ({"export_format": "DWG"}, "export_format"),
        ({"export_format": 3}, "export_format"),
        ({"area_of_interest": "everywhere"}, "area_of_interest"),
        ({"parameters": {"attributes": 5}}, "parameters.attributes"),
        ({"parameters": {"speed": "fast"}}, "parameters.speed"),
        ({"priority": 1}, "priority"),
    ],
)
def test_wrong_types_and_unknown_members(gis: Client, changes: dict[str, Any], field: str) -> None:
    body = check_problem(gis.post("/gis-export/run", request(gis, **changes)), 400)

    assert any(error["field"].startswith(field) for error in body["errors"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"layers": ["parcel"]}, ("parcel", "parcels")),
        ({"parameters": {"attributes": ["property_idd"]}}, ("property_idd", "property_id")),
        ({"parameters": {"coordinate_system": "EPSG:99999"}}, ("EPSG:99999",)),
        ({"parameters": {"coordinate_system": "http://example.com/crs"}}, ("example.com",)),
        ({"parameters": {"coordinate_system": "/etc/passwd"}}, ("/etc/passwd",)),
        ({"export_format": "KML", "parameters": {"coordinate_system": "EPSG:2927"}}, ("KML", "EPSG:4326")),
    ],
)
def test_what_the_county_does_not_have(gis: Client, changes: dict[str, Any], words: tuple[str, ...]) -> None:
    check_problem(gis.post("/gis-export/run", request(gis, **changes)), 422, *words)


def test_an_unknown_county(as_role: Callable[..., Client], gis: Client) -> None:
    admin = as_role("ITAdmin")

    check_problem(admin.post("/gis-export/run", request(gis, county_id="atlantis")), 404, "atlantis")
    check_problem(gis.post("/gis-export/run", request(gis, county_id="atlantis")), 403, "atlantis")


def area_of(box: tuple[float, float, float, float], name: str) -> dict[str, Any]:
    west, south, east, north = box
    middle = ((west + east) / 2, (south + north) / 2)
    polygons: dict[str, Any] = {
        "self-intersecting": [[west, south], [east, north], [east, south], [west, north], [west, south]],
        "open": [[west, south], [east, south], [east, north]],
        "without area": [[west, south], [east, south], [west, south], [west, south]],
        "swapped": [[south, west], [south, east], [north, east], [north, west], [south, west]],
        "projected": [[2e6, 3e5], [2.1e6, 3e5], [2.1e6, 4e5], [2e6, 3e5]],
        "elsewhere": [[10, 50], [10.1, 50], [10.1, 50.1], [10, 50]],
        "too large": [[west - 1, south - 1], [east + 1, south - 1], [east + 1, north + 1], [west - 1, south - 1]],
    }
    if name in polygons:
        return {"type": "Polygon", "coordinates": [polygons[name]]}
    return {
        "a point": {"type": "Point", "coordinates": list(middle)},
        "empty": {"type": "Polygon", "coordinates": []},
        "no type": {"coordinates": [1, 2, 3, 4]},
        "unknown type": {"type": "Circle", "coordinates": list(middle), "radius": 5},
        "bbox of three": {"type": "bbox", "coordinates": [west, south, east]},
        "bbox upside down": {"type": "bbox", "coordinates": [west, north, east, south]},
        "bbox of words": {"type": "bbox", "coordinates": ["a", "b", "c", "d"]},
        "empty collection": {"type": "FeatureCollection", "features": []},
    }[name]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("self-intersecting", ("self-intersect",)),
        ("open", ("closed",)),
        ("without area", ()),
        ("swapped", ("swapped",)),
        ("projected", ("crs",)),
        ("elsewhere", ("county",)),
        ("too large", ("500", "km²")),
        ("a point", ("Point",)),
        ("empty", ("empty",)),
        ("no type", ("type",)),
        ("unknown type", ("Circle",)),
        ("bbox of three", ("four",)),
        ("bbox upside down", ("min",)),
        ("bbox of words", ("number",)),
        ("empty collection", ("empty",)),
    ],
)
def test_an_area_that_cannot_be(
    gis: Client, box: tuple[float, float, float, float], name: str, words: tuple[str, ...]
) -> None:
    response = gis.post("/gis-export/run", request(gis, area_of_interest=area_of(box, name)))

    body = check_problem(response, 422, *words)
    assert body["errors"][0]["field"] == "area_of_interest"


@pytest.mark.parametrize("content", [b"[" * 2_000, b'{"county_id": ' + b"9" * 5_000 + b"}"])
def test_what_is_no_json_is_told_in_the_contract_s_words(gis: Client, content: bytes) -> None:
    body = check_problem(gis.http.post("/api/v1/gis-export/run", content=content), 400)
    assert (body["error"], body["message"]) == ("Invalid request format", "Request payload must be JSON.")


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00"])
def test_a_moment_beyond_the_calendar(gis: Client, moment: str) -> None:
    check_problem(gis.get("/gis-export/list", county_id=gis.county, created_after=moment), 400, "created_after")


def _within(depth: int, innermost: Any, wrap: Callable[[Any], Any]) -> Any:
    for _ in range(depth):
        innermost = wrap(innermost)
    return innermost


@pytest.mark.parametrize("depth", [60, 140, 300])
def test_what_nests_deeper_than_anybody_means(gis: Client, as_role: Callable[..., Client], depth: int) -> None:
    point = {"type": "Point", "coordinates": [-119.3, 46.25]}
    area = _within(depth, point, lambda one: {"type": "GeometryCollection", "geometries": [one]})
    condition = _within(depth, {"property": "is_exempt"}, lambda one: {"op": "not", "args": [one]})

    batch = {"mode": "batch", "county_id": gis.county, "filter": condition}
    for answer in (
        gis.post("/gis-export/run", request(gis, area_of_interest=area)),
        gis.post("/gis-export/run", request(gis, parameters={"filter": condition})),
        as_role("Assessor").post("/valuation/run", batch),
    ):
        assert answer.status_code in {400, 422}, answer.text
        assert "_bounded" not in answer.text


def test_json_that_no_parser_follows(gis: Client) -> None:
    content = b'{"county_id": "sample", "area_of_interest": ' + b'{"a":' * 200_000 + b"1" + b"}" * 200_001

    check_problem(gis.http.post("/api/v1/gis-export/run", content=content), 400)


@pytest.mark.parametrize("megabytes", [5.5, pytest.param(20, marks=pytest.mark.gateway)])
def test_a_body_that_is_too_large(gis: Client, megabytes: float) -> None:
    content = b'{"county_id": "' + b"x" * int(megabytes * 1e6) + b'"}'

    check_problem(gis.http.post("/api/v1/gis-export/run", content=content), 413)


@pytest.mark.parametrize("route", ["status", "results", "download"])
def test_a_job_id_that_is_none_and_one_that_nobody_has(gis: Client, route: str) -> None:
    check_problem(gis.get(f"/gis-export/{route}/not-a-uuid"), 400)
    check_problem(gis.get(f"/gis-export/{route}/3e0f9d0c-4a54-4dd6-9b02-9b8f6a2a1111"), 404)


def test_cancel_of_a_job_that_nobody_has(gis: Client) -> None:
    check_problem(gis.post("/gis-export/cancel/not-a-uuid"), 400)
    check_problem(gis.post("/gis-export/cancel/3e0f9d0c-4a54-4dd6-9b02-9b8f6a2a1111"), 404)


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 1000}, {"limit": "many"}, {"status": "DONE"}, {"cursor": "%%%"}, {"cursor": "eA"}]
)
def test_a_list_asked_for_wrongly(gis: Client, query: dict[str, Any]) -> None:
    check_problem(gis.get("/gis-export/list", **query), 400)


def test_a_route_that_is_none(gis: Client) -> None:
    check_problem(gis.get("/gis-export/unknown"), 404)


@pytest.mark.parametrize("name", ["state", "", "limits"])
def test_a_parameter_that_a_route_does_not_take(gis: Client, name: str) -> None:
    response = gis.get("/gis-export/list", **{name: "COMPLETED", "limit": 5})

    body = check_problem(response, 400, f"no parameter '{name}'", "status")
    assert [error["field"] for error in body["errors"]] == [name]


def test_a_parameter_given_twice(gis: Client) -> None:
    response = gis.http.get("/api/v1/gis-export/list?limit=5&limit=6")

    assert check_problem(response, 400, "takes once", "limit")["errors"][0]["field"] == "limit"
