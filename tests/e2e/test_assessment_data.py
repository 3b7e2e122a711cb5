"""Values of the county's properties on a layer that lacks them."""

from collections.abc import Callable
from pathlib import Path

import geopandas
import pandas as pd
import pytest

from tests.e2e.support import Client, LocalCloud, load_sample, terrafusion
from tests.e2e.test_bad_input import check_problem

COUNTY = "unvalued"
WITHOUT_TABLE = "tableless"
VALUES = ["assessed_land_value", "current_assessed_value_total", "last_sale_date", "last_sale_price"]


@pytest.fixture(scope="module")
def bare(cloud: LocalCloud, sample_files: Path, tmp_path_factory: pytest.TempPathFactory) -> LocalCloud:
    """A county whose parcels have a key and a class, and some keys that no property has."""
    frame = geopandas.read_file(sample_files / "sample_county.gpkg", layer="parcels")
    kept = frame[["property_id", "property_class", "geometry"]].copy()
    kept.loc[:9, "property_id"] = [f"unknown {n}" for n in range(10)]
    file = tmp_path_factory.mktemp("bare") / "parcels.gpkg"
    kept.to_file(file)
    terrafusion("load", COUNTY, "parcels", str(file), "--key", "property_id", "--state", str(cloud.state))
    load_sample(cloud, COUNTY, sample_files, ("properties",))
    load_sample(cloud, WITHOUT_TABLE, sample_files, ("zoning",))
    return cloud


@pytest.fixture
def gis(bare: LocalCloud, as_role: Callable[..., Client]) -> Client:
    return as_role("GISStaff", COUNTY)


@pytest.mark.parametrize(
    "parameters", [{}, {"filter": "property_class = 'residential'"}, {"attributes": ["property_id"]}]
)
def test_values_are_joined_by_key(
    gis: Client, sample_files: Path, tmp_path: Path, parameters: dict[str, object]
) -> None:
    job = gis.submit(parameters={"include_assessment_data": True, **parameters})

    made = geopandas.read_file(gis.fetch(job, tmp_path)).set_index("property_id")
    table = pd.read_csv(sample_files / "properties.csv").set_index("property_id")
    assert set(VALUES) <= set(made.columns)
    known = made[made.index.isin(table.index)]
    assert len(known) > 0
    assert parameters.get("filter") or len(made) - len(known) == 10
    for column in VALUES:
        expected = table.loc[known.index, column]
        if column == "last_sale_date":
            assert list(pd.to_datetime(known[column])) == list(pd.to_datetime(expected)) or known[column].equals(
                expected
            )
        else:
            assert list(known[column].fillna(-1)) == list(expected.fillna(-1))
        assert made[~made.index.isin(table.index)][column].isna().all()


def test_without_a_key_or_a_table_it_is_refused(bare: LocalCloud, as_role: Callable[..., Client]) -> None:
    body = {"export_format": "GPKG", "parameters": {"include_assessment_data": True}}
    tableless = as_role("GISStaff", WITHOUT_TABLE)
    sample = as_role("GISStaff", "sample")

    check_problem(
        tableless.post("/gis-export/run", {**body, "county_id": WITHOUT_TABLE, "layers": ["zoning"]}), 422, "properties"
    )
    check_problem(
        sample.post("/gis-export/run", {**body, "county_id": "sample", "layers": ["zoning"]}), 422, "property_id"
    )
