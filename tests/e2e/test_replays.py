"""What a status document tells of a request is a request: asked again, it is the same."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.support import Client

BOX = {"type": "bbox", "coordinates": [-119.31, 46.24, -119.29, 46.26]}
REQUESTS: list[tuple[str, dict[str, Any]]] = [
    ("gis-export", {"export_format": "GPKG", "layers": ["parcels"]}),
    (
        "gis-export",
        {
            "export_format": "GeoJSON",
            "layers": ["parcels", "roads"],
            "area_of_interest": BOX,
            "parameters": {
                "filter": {"parcels": "year_built >= 1990 AND property_class = 'residential'"},
                "attributes": {"parcels": ["property_id"]},
                "clip": True,
                "precision": 6,
                "coordinate_system": "EPSG:2927",
                "bundle": True,
            },
        },
    ),
    ("gis-export", {"export_format": "CSV", "layers": ["zoning"], "parameters": {"include_attributes": False}}),
    ("gis-export", {"export_format": "KML", "layers": ["roads"], "parameters": {"features_per_part": 500}}),
    ("market-analysis", {"analysis_type": "price_trend_by_zip"}),
    ("market-analysis", {"analysis_type": "hotspots", "parameters": {"date_from": "2024-01-01", "permutations": 99}}),
    ("market-analysis", {"analysis_type": "market_valuation", "parameters": {"subject": {"living_area_sqft": 1500}}}),
    ("reporting", {"report_type": "sales_ratio_study", "parameters": {"output_format": "json", "year": 2024}}),
    ("reporting", {"report_type": "value_change", "parameters": {"output_format": "csv"}}),
    ("valuation", {"property_id": "1-0001-001-0001", "valuation_method_hint": "avm"}),
    ("valuation", {"mode": "batch", "filter": "property_class = 'commercial'"}),
    ("valuation", {"mode": "train"}),
]


@pytest.mark.parametrize(("plugin", "body"), REQUESTS)
def test_a_job_s_parameters_asked_again_are_the_same_request(
    as_role: Callable[..., Client], plugin: str, body: dict[str, Any]
) -> None:
    client = as_role("Assessor")

    first = client.run(plugin, body)
    again = client.run(plugin, client.get(f"/{plugin}/status/{first['job_id']}").json()["parameters"])

    assert again["parameters"] == first["parameters"]
    for job in (first, again):
        assert client.post(f"/{plugin}/cancel/{job['job_id']}").status_code in {200, 409}
