"""Exports of what changed since a version, through the API."""

from collections.abc import Callable
from pathlib import Path

import geopandas
import pytest

from tests.e2e.support import Client, LocalCloud, terrafusion
from tests.e2e.test_bad_input import check_problem

COUNTY = "changing"


@pytest.fixture(scope="module")
def table(sample_files: Path) -> geopandas.GeoDataFrame:
    return geopandas.read_file(sample_files / "sample_county.gpkg", layer="parcels")


@pytest.fixture(scope="module")
def load(cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Callable[[geopandas.GeoDataFrame], None]:
    def publish(frame: geopandas.GeoDataFrame) -> None:
        file = tmp_path_factory.mktemp("load") / "parcels.gpkg"
        frame.to_file(file)
        terrafusion("load", COUNTY, "parcels", str(file), "--key", "property_id", "--state", str(cloud.state))

    return publish


@pytest.mark.parametrize("by", ["job", "version"])
def test_what_changed_since(
    load: Callable[..., None], table: geopandas.GeoDataFrame, as_role: Callable[..., Client], tmp_path: Path, by: str
) -> None:
    load(table)
    gis = as_role("GISStaff", COUNTY)
    first = gis.submit()
    gis.wait(first)
    after = table.copy()
    after.loc[:4, "current_assessed_value_total"] += 1000
    after.loc[5, "geometry"] = after.loc[5, "geometry"].buffer(1)
    gone, new = list(after["property_id"][10:13]), after.iloc[[20]].assign(property_id="NEW-1")
    load(geopandas.pd.concat([after.drop(index=[10, 11, 12]), new]))

    job = gis.submit(parameters={"since": first["job_id"] if by == "job" else first["dataset_version"]})
    made = geopandas.read_file(gis.fetch(job, tmp_path)).set_index("property_id")["change"]

    assert set(made[made == "removed"].index) == set(gone)
    assert set(made[made == "added"].index) == {"NEW-1"}
    assert set(made[made == "changed"].index) == set(table["property_id"][:6])
    (layer,) = gis.result(job)["layers"]
    assert layer["changes"] == {"added": 1, "changed": 6, "removed": 3}


def test_what_cannot_be_told_is_refused(
    load: Callable[..., None], table: geopandas.GeoDataFrame, as_role: Callable[..., Client]
) -> None:
    load(table)
    gis = as_role("GISStaff", COUNTY)
    version = gis.submit()["dataset_version"]
    body = {"county_id": COUNTY, "export_format": "GPKG", "layers": ["parcels"]}

    check_problem(gis.post("/gis-export/run", {**body, "parameters": {"since": "0" * 16}}), 422, "0000000000000000")
    check_problem(gis.post("/gis-export/run", {**body, "parameters": {"since": "../../other"}}), 422)
    load(geopandas.pd.concat([table, table.iloc[:3].assign(tax_year=1)]))
    check_problem(gis.post("/gis-export/run", {**body, "parameters": {"since": version}}), 422, "share", "property_id")
