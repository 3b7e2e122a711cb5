"""Filters, `within` and `clip` through the API."""

from pathlib import Path
from typing import Any

import geopandas
import pytest
import shapely

from tests.e2e.support import Client, LocalCloud, terrafusion
from tests.e2e.test_bad_input import check_problem


@pytest.fixture(scope="module")
def source(sample_files: Path) -> geopandas.GeoDataFrame:
    return geopandas.read_file(sample_files / "sample_county.gpkg", layer="parcels")


def read(path: Path) -> geopandas.GeoDataFrame:
    return geopandas.read_file(path)


@pytest.mark.parametrize(
    ("condition", "query"),
    [
        (
            "year_built >= 1990 AND property_class = 'residential'",
            "year_built >= 1990 and property_class == 'residential'",
        ),
        (
            {"op": ">", "args": [{"property": "current_assessed_value_total"}, 400000]},
            "current_assessed_value_total > 400000",
        ),
        ({"parcels": "zip_code IN ('99352', '99336') OR is_exempt"}, "zip_code in ['99352', '99336'] or is_exempt"),
    ],
)
def test_a_filter_selects_what_pandas_does(
    gis: Client, tmp_path: Path, source: geopandas.GeoDataFrame, condition: Any, query: str
) -> None:
    made = read(gis.export(tmp_path, "GPKG", parameters={"filter": condition}))

    expected = source.query(query)
    assert 0 < len(expected) < len(source)
    assert set(made["property_id"]) == set(expected["property_id"])


def test_the_job_records_the_filter_as_json(gis: Client) -> None:
    job = gis.submit(parameters={"filter": "year_built = 1990"})

    tree = {"op": "=", "args": [{"property": "year_built"}, 1990]}
    assert job["parameters"]["parameters"]["filter"] == {"parcels": tree}


def test_clip_cuts_and_within_leaves_out(gis: Client, tmp_path: Path, source: geopandas.GeoDataFrame) -> None:
    west, south, east, north = source.to_crs(4326).total_bounds
    box = [west, south, west + (east - west) / 3, south + (north - south) / 3]
    area = {"type": "bbox", "coordinates": box}

    touched = read(gis.export(tmp_path, "GPKG", area_of_interest=area))
    within = read(gis.export(tmp_path, "GPKG", area_of_interest=area, parameters={"spatial_predicate": "within"}))
    clipped = read(gis.export(tmp_path, "GPKG", area_of_interest=area, parameters={"clip": True}))

    assert set(within["property_id"]) < set(touched["property_id"]) == set(clipped["property_id"])
    assert shapely.box(*box).buffer(1e-5).covers(shapely.box(*clipped.total_bounds))
    assert shapely.box(*box).buffer(1e-5).covers(shapely.box(*within.total_bounds))


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"filter": "year_bilt > 1990"}, ("year_bilt", "year_built")),
        ({"filter": "year_built > 'x'"}, ("year_built", "number", "text")),
        ({"filter": "year_built >"}, ("parse",)),
        ({"filter": "S_INTERSECTS(geom, POINT(1 2))"}, ("s_intersects", "area_of_interest")),
        ({"filter": {"zones": "a = 1"}}, ("zones", "parcels")),
        ({"filter": "property_id = '1' OR 1=1 --"}, ("parse",)),
        ({"filter": {"op": "=", "args": [{"property": "property_id"}, "\\' OR 1=1 --"]}}, ("backslash",)),
        ({"clip": True}, ("area_of_interest",)),
        ({"coordinate_system": "EPSG:27700"}, ("EPSG:27700", "longitude", "sample")),
        ({"spatial_predicate": "within"}, ("area_of_interest",)),
    ],
)
def test_what_cannot_be_is_refused_before_there_is_a_job(
    gis: Client, parameters: dict[str, Any], words: tuple[str, ...]
) -> None:
    body = {"county_id": gis.county, "export_format": "GPKG", "layers": ["parcels"], "parameters": parameters}

    check_problem(gis.post("/gis-export/run", body), 422, *words)


@pytest.mark.parametrize(
    "parameters",
    [
        {"filter": 3},
        {"filter": ["a"]},
        {"spatial_predicate": "clip"},
        {"spatial_predicate": "touches"},
        {"simplify_tolerance": -1},
        {"precision": 16},
        {"precision": 1.5},
        {"dimensions": "XYZ"},
        {"make_valid": "yes"},
    ],
)
def test_what_cannot_be_read_is_refused(gis: Client, parameters: dict[str, Any]) -> None:
    body = {"county_id": gis.county, "export_format": "GPKG", "layers": ["parcels"], "parameters": parameters}

    check_problem(gis.post("/gis-export/run", body), 400)


def test_shape_is_as_asked_and_a_change_of_datum_is_told(gis: Client, tmp_path: Path) -> None:
    parameters = {"simplify_tolerance": 3.0, "precision": 2, "make_valid": True, "coordinate_system": "EPSG:26911"}
    job = gis.submit(parameters=parameters)

    made = read(gis.fetch(job, tmp_path))
    coordinates = shapely.get_coordinates(made.geometry.values)
    assert abs(coordinates - coordinates.round(2)).max() < 1e-6
    assert shapely.coverage_is_valid(made.geometry.explode().values)
    (layer,) = gis.result(job)["layers"]
    assert any("change of datum" in warning for warning in layer["warnings"])


def test_the_command_takes_a_filter(cloud: LocalCloud, tmp_path: Path) -> None:
    done = terrafusion(
        "export",
        "sample",
        "-f",
        "GPKG",
        "-l",
        "parcels",
        "--filter",
        "year_built >= 2000",
        "-o",
        str(tmp_path / "new.gpkg"),
        "--state",
        str(cloud.state),
    )

    made = read(tmp_path / "new.gpkg")
    assert (made["year_built"] >= 2000).all()
    assert f"{len(made):,} features" in done.stdout
