"""Exports of a county's data as they are: rows that lie nowhere, values of other types, names that are taken."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pyarrow.parquet
import pyogrio
import pytest
from shapely.geometry import Point, box

from cli.publishing import publish_file
from gis_export import gdal
from gis_export.acceptance import accept
from gis_export.capacity import columns_of
from gis_export.estimate import estimated, parts_of
from gis_export.formats import ExportFormat
from gis_export.models import ExportRequest
from gis_export.sources import CountyFiles
from local.aws.endpoint import AwsEndpoint
from terrafusion.counties import Catalogue, GisExportConfiguration
from terrafusion.flatgeobuf import FlatGeobuf
from terrafusion.storage import Storage
from tests.integration.engines import CREDENTIALS
from tests.integration.job_world import World
from tests.integration.test_gis_fan_out import Exporter

COUNTY = "warty"
ROWS, NOWHERE = 500, 100
MOMENT = pd.Timestamp("2020-01-01T10:00:00.250Z")
MISSING = "100 of the layer's 500 rows have no location, and are not exported"


@pytest.fixture(scope="module")
def files(endpoint: AwsEndpoint, data: Storage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CountyFiles]:
    """Properties of which each fifth lies nowhere, their parcels without values, and zones without a key."""
    folder, row = tmp_path_factory.mktemp("county"), np.arange(ROWS)
    west, south = -119.3 + row % 20 * 0.001, 46.2 + row // 20 * 0.001
    table = pd.DataFrame(
        {
            "property_id": [f"P{number}" for number in row],
            "last_sale_date": (MOMENT + pd.to_timedelta(row, "h")).as_unit("ms"),
            "current_assessed_value_total": row * 1000.0,
        }
    )
    points = [Point(x, y) if n % 5 else None for n, (x, y) in enumerate(zip(west, south, strict=True))]
    geopandas.GeoDataFrame(table, geometry=points, crs=4326).to_file(folder / "properties.gpkg")
    squares = [box(x, y, x + 0.001, y + 0.001) for x, y in zip(west, south, strict=True)]
    parcels = geopandas.GeoDataFrame({"property_id": table["property_id"]}, geometry=squares, crs=4326)
    parcels.to_file(folder / "parcels.gpkg")
    parcels.iloc[:10].rename(columns={"property_id": "zone"}).to_file(folder / "zoning.gpkg")
    catalogue = Catalogue(data)
    publish_file(catalogue, COUNTY, "properties", folder / "properties.gpkg", key="property_id")
    publish_file(catalogue, COUNTY, "parcels", folder / "parcels.gpkg", key="property_id")
    publish_file(catalogue, COUNTY, "zoning", folder / "zoning.gpkg")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", CREDENTIALS.access_key)
        patch.setenv("AWS_SECRET_ACCESS_KEY", CREDENTIALS.secret_key)
        gdal.load().configure_s3(endpoint.url, "us-west-2")
        yield CountyFiles(catalogue, data)


@pytest.fixture
def exporter(endpoint: AwsEndpoint, results: Storage, data: Storage, files: CountyFiles) -> Exporter:
    return Exporter(World(endpoint, results.bucket, data), files, GisExportConfiguration(), COUNTY)


def layers(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {layer["name"]: layer for layer in document["result"]["layers"]}


def test_the_manifest_of_a_layer_counts_its_features(files: CountyFiles) -> None:
    snapshot = files.catalogue.current(COUNTY)
    key = files.key(snapshot, "properties")

    stored = FlatGeobuf(lambda offset, length: files.data.read_range(key, offset, length)).header.features_count

    assert snapshot.layers["properties"].located == stored == ROWS - NOWHERE
    assert snapshot.layers["properties"].count == ROWS
    assert snapshot.layers["parcels"].located == ROWS


def test_rows_without_a_location_are_told(exporter: Exporter, tmp_path: Path) -> None:
    document = exporter.done(exporter.submitted(ExportFormat.CSV, layers=["properties", "parcels"]))

    found = layers(document)
    assert found["properties"]["record_count"] == ROWS - NOWHERE
    assert MISSING in found["properties"]["warnings"]
    assert not any("location" in text for text in found["parcels"]["warnings"])
    source = document["result"]["manifest"]["sources"]["properties"]
    assert (source["rows"], source["without_location"]) == (ROWS, NOWHERE)


@pytest.mark.parametrize("each", [100, 399, 450])
def test_a_table_with_rows_that_lie_nowhere_comes_in_parts(exporter: Exporter, tmp_path: Path, each: int) -> None:
    asked = {"features_per_part": each}
    document = exporter.done(exporter.submitted(ExportFormat.GPKG, layers=["properties"], parameters=asked))

    parts = [pyogrio.read_dataframe(path) for path in exporter.fetched(document, tmp_path / "made")]

    assert len(parts) == -(-(ROWS - NOWHERE) // each)
    keys = sorted(key for part in parts for key in part["property_id"])
    assert keys == sorted(f"P{number}" for number in range(ROWS) if number % 5)
    assert MISSING in layers(document)["properties"]["warnings"]


def test_an_estimate_counts_what_is_exported(exporter: Exporter) -> None:
    body = {"county_id": COUNTY, "export_format": "CSV", "layers": ["properties"]}
    request = ExportRequest.model_validate({**body, "parameters": {"features_per_part": 100}})
    snapshot, files = exporter.files.catalogue.current(COUNTY), exporter.files
    plan = accept(request, snapshot, exporter.configuration)

    told = estimated(files.catalogue, files.data, plan, snapshot)

    assert [(layer.features, layer.exact) for layer in told] == [(ROWS - NOWHERE, True)]
    assert parts_of(plan, snapshot, exporter.configuration.gis_export, told) == 4


@pytest.mark.parametrize("more", [{}, {"features_per_part": 200}], ids=["one", "parts"])
@pytest.mark.parametrize("export_format", [ExportFormat.GPKG, ExportFormat.GEOPARQUET])
def test_a_sale_s_moment_is_joined(
    exporter: Exporter, tmp_path: Path, export_format: ExportFormat, more: dict[str, int]
) -> None:
    parameters = {"include_assessment_data": True, **more}
    document = exporter.done(exporter.submitted(export_format, parameters=parameters))

    paths = exporter.fetched(document, tmp_path / "made")

    read = geopandas.read_parquet if export_format is ExportFormat.GEOPARQUET else pyogrio.read_dataframe
    made = pd.concat([read(path) for path in paths]).set_index("property_id")
    assert len(made) == ROWS
    moments = [made["last_sale_date"][f"P{n}"] for n in range(ROWS)]
    assert moments == [MOMENT + pd.Timedelta(hours=n) for n in range(ROWS)]
    assert layers(document)["parcels"]["warnings"] == []
    if export_format is ExportFormat.GEOPARQUET:
        types = {str(pyarrow.parquet.read_schema(path).field("last_sale_date").type) for path in paths}
        assert types == {"timestamp[ms, tz=UTC]"}


def test_layers_without_a_key_and_fields_that_are_hidden_are_told(exporter: Exporter) -> None:
    settings = GisExportConfiguration(redacted_fields={"*": ("current_assessed_value_total",)})
    here = Exporter(exporter.world, exporter.files, settings, COUNTY)
    job = here.submitted(ExportFormat.CSV, layers=["parcels", "zoning"], parameters={"include_assessment_data": True})

    found = layers(here.done(job))

    assert "values are not joined: the layer has no column 'property_id'" in found["zoning"]["warnings"]
    hidden = "'current_assessed_value_total' is not joined: your role may not see it"
    assert hidden in found["parcels"]["warnings"]
    assert not any("last_sale_date" in text for text in found["parcels"]["warnings"] if "not joined" in text)


def test_a_table_s_width_counts_what_is_joined(exporter: Exporter) -> None:
    body = {"county_id": COUNTY, "export_format": "Shapefile", "layers": ["parcels"]}
    request = ExportRequest.model_validate({**body, "parameters": {"include_assessment_data": True}})
    snapshot = exporter.files.catalogue.current(COUNTY)
    plan = accept(request, snapshot, exporter.configuration)

    assert [column.type for column in columns_of(plan, snapshot, "parcels")] == ["String", "DateTime", "Real"]


@pytest.mark.parametrize("taken", ["change", "CHANGE"])
def test_what_changed_in_a_layer_that_has_a_column_change(exporter: Exporter, tmp_path: Path, taken: str) -> None:
    frame = geopandas.GeoDataFrame(
        {"key": ["a", "b"], taken: ["x", "y"], "k": [1, 2]}, geometry=[box(0, 0, 1, 1), box(1, 0, 2, 1)], crs=4326
    )
    frame.to_file(tmp_path / "before.gpkg")
    frame.assign(k=[1, 3]).to_file(tmp_path / "after.gpkg")
    catalogue = exporter.files.catalogue
    publish_file(catalogue, COUNTY, f"edits_{taken.lower()}", tmp_path / "before.gpkg", key="key")
    since = catalogue.current(COUNTY).version
    publish_file(catalogue, COUNTY, f"edits_{taken.lower()}", tmp_path / "after.gpkg", key="key")

    for attributes in (["k"], None):
        parameters = {"since": since, "attributes": attributes}
        job = exporter.submitted(ExportFormat.GPKG, layers=[f"edits_{taken.lower()}"], parameters=parameters)
        (path,) = exporter.fetched(exporter.done(job), tmp_path / f"made {attributes}")
        made = pyogrio.read_dataframe(path)
        assert dict(zip(made["key"], made["change_"], strict=True)) == {"b": "changed"}


def test_a_table_that_had_no_places_before_has_all_of_them_added(exporter: Exporter, tmp_path: Path) -> None:
    table = pd.DataFrame({"sale_id": ["a", "b"], "sale_price": [1.0, 2.0]})
    table.to_csv(tmp_path / "bare.csv", index=False)
    table.assign(lon=[-119.3, None], lat=[46.2, None]).to_csv(tmp_path / "placed.csv", index=False)
    catalogue = exporter.files.catalogue
    publish_file(catalogue, COUNTY, "sales", tmp_path / "bare.csv", key="sale_id")
    since = catalogue.current(COUNTY).version
    publish_file(catalogue, COUNTY, "sales", tmp_path / "placed.csv", key="sale_id")

    document = exporter.done(exporter.submitted(ExportFormat.CSV, layers=["sales"], parameters={"since": since}))

    assert layers(document)["sales"]["changes"] == {"added": 1, "changed": 0, "removed": 0}
