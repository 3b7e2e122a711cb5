"""What a request may ask, refused before there is a job; and which modules each entry point may import."""

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from market_analysis.analysis_types import AnalysisType, GroupBy
from market_analysis.models import AnalysisRequest
from market_analysis.plan import AnalysisPlan, plan
from terrafusion.counties import (
    CountyConfiguration,
    CountySnapshot,
    Field,
    FieldType,
    LayerKind,
    LayerManifest,
    Quality,
    Source,
)
from terrafusion.errors import Impossible
from terrafusion.jobs.model import Job
from tests.conftest import ROOT

SALES = ("sale_id", "property_id", "sale_date", "sale_price", "assessed_value")
PROPERTIES = ("property_id", "neighborhood", "property_class", "living_area_sqft", "lon", "lat")
ENTRIES = {
    "api": ("duckdb", "numpy", "scipy", "lightgbm", "typst", "resvg_py", "xlsxwriter"),
    "results": ("duckdb", "numpy", "scipy", "lightgbm", "typst", "resvg_py", "xlsxwriter"),
    "sweep": ("duckdb", "numpy", "scipy", "lightgbm", "typst", "resvg_py", "xlsxwriter"),
    "closer": ("duckdb", "numpy", "scipy", "lightgbm", "typst", "resvg_py", "xlsxwriter"),
    "worker": ("scipy", "lightgbm"),
}
NEVER_DEPLOYED = (
    "pandas",
    "geopandas",
    "pyarrow",
    "shapely",
    "pyproj",
    "pyogrio",
    "statsmodels",
    "sklearn",
    "matplotlib",
)


def county(**tables: tuple[str, ...]) -> CountySnapshot:
    layers = {name: manifest(name, columns) for name, columns in tables.items()}
    return CountySnapshot(county_id="x", version="1" * 16, published_at=datetime.now(UTC), layers=layers)


def manifest(name: str, columns: tuple[str, ...]) -> LayerManifest:
    return LayerManifest(
        layer=name, version="1" * 16, kind=LayerKind.TABLE, geometry_type=None, crs=None, crs_wkt=None, bbox=None,
        native_bbox=None, count=3, fields=tuple(Field(name=one, type=FieldType.STRING) for one in columns), key=None,
        source=Source(name="f", layer=None, driver="CSV", sha256="0" * 64, size_bytes=1, crs=None),
        quality=Quality(read=3, stored=3), files=(), loader="1",
    )  # fmt: skip


WHOLE = county(sales=SALES, properties=PROPERTIES)


def planned(kind: str, snapshot: CountySnapshot = WHOLE, **parameters: Any) -> AnalysisPlan:
    request = AnalysisRequest.model_validate({"county_id": "x", "analysis_type": kind, "parameters": parameters})
    return plan(request, snapshot, CountyConfiguration())


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        (
            "hedonic_index",
            {"date_from": "2024-02-01", "date_to": "2024-01-31"},
            "date_from 2024-02-01 lies after date_to",
        ),
        ("hedonic_index", {"radius_miles": 2}, "hedonic_index takes no radius_miles; it takes zip_code, neighborhood"),
        ("price_trend_by_zip", {}, "keeps no zip_code; group_by may be neighborhood or property_class or county"),
        ("hedonic_index", {"zip_code": "1"}, "keeps no zip_code; leave it out"),
        ("comparable_market_area", {}, "Name the area to compare"),
        ("market_valuation", {}, "Name the property to value"),
        ("market_valuation", {"property_id": "1", "subject": {"living_area_sqft": 1}}, "one of both"),
        ("price_per_sqft", {"area_basis": "land_area_sqft"}, "keeps no land_area_sqft"),
        (
            "neighborhood_summary",
            {"group_by": "property_class"},
            "is by neighborhood or zip_code, not by property_class",
        ),
    ],
)
def test_what_the_county_cannot_answer_is_refused(kind: str, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(Impossible, match=message) as caught:
        planned(kind, **parameters)
    assert caught.value.errors[0].field.startswith("parameters.")


@pytest.mark.parametrize(
    ("snapshot", "kind", "parameters", "message"),
    [
        (
            county(parcels=("property_id",)),
            "hedonic_index",
            {},
            "has no table of sales; load one with `terrafusion load x",
        ),
        (county(sales=SALES), "hotspots", {}, "keeps no lon and lat"),
        (
            county(sales=(*SALES[:4], "lon", "lat")),
            "hotspots",
            {},
            "keeps no assessed values; ask for measure residual",
        ),
        (county(sales=(*SALES, "lon", "lat")), "hotspots", {"unit": "neighborhood"}, "ask for unit sale"),
        (county(sales=SALES), "market_valuation", {"property_id": "1"}, "describe the property in subject"),
        (county(sales=SALES), "neighborhood_summary", {}, "keeps no neighborhood"),
    ],
)
def test_what_a_county_without_the_columns_cannot_answer(
    snapshot: CountySnapshot, kind: str, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(Impossible, match=message):
        planned(kind, snapshot, **parameters)


def test_defaults_are_filled_in_and_survive_the_way_to_the_worker() -> None:
    made = planned("sales_velocity", date_to="2024-06-30")
    assert made.parameters.group_by is GroupBy.NEIGHBORHOOD
    assert made.document["parameters"] == {
        "zip_code": None, "neighborhood": None, "property_class": None, "date_from": None, "date_to": "2024-06-30",
        "min_sales": 5, "period": "month", "group_by": "neighborhood",
    }  # fmt: skip
    assert AnalysisPlan.of(recorded(made)) == made
    assert (made.years, planned("repeat_sales_index").years) == (3, None)


def recorded(made: AnalysisPlan) -> Job:
    """What a job keeps of a plan."""
    return Job.model_construct(parameters=made.document, decided=made.decided)


@pytest.mark.parametrize("kind", AnalysisType)
def test_every_kind_has_a_plan(kind: AnalysisType) -> None:
    snapshot = county(sales=SALES, properties=(*PROPERTIES, "zip_code"))
    needed = {"comparable_market_area": {"zip_code": "1"}, "market_valuation": {"property_id": "1"}}
    made = planned(kind, snapshot, **needed.get(kind, {}))
    assert AnalysisPlan.of(recorded(made)) == made


@pytest.mark.parametrize(
    "parameters",
    [
        {"period": "week"},
        {"date_from": "yesterday"},
        {"neighbors": 0},
        {"zipcode": "1"},
        {"level": 1.5},
        {"zip_code": ""},
    ],
)
def test_what_cannot_be_read_is_refused(parameters: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AnalysisRequest.model_validate({"county_id": "x", "analysis_type": "hotspots", "parameters": parameters})


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_point_needs_only_its_layers(entry: str) -> None:
    code = (
        "import sys\n"
        f"for name in {(*ENTRIES[entry], *NEVER_DEPLOYED)!r}: sys.modules[name] = None\n"
        f"import market_analysis.{entry}\n"
    )
    paths = f"{ROOT / 'shared'}:{ROOT / 'functions/market_analysis'}"
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": paths}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
